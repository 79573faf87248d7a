"""Read tables as GitHub does, but keep all the cells of each row and make no others.

GitHub's rule drops what stands beyond the last column and fills short rows up: a table of 200 columns and 2,000
short rows becomes 400,000 cells. An answer must lose no number, and must not grow.
"""

import re

from markdown_it.rules_block import StateBlock

_ALIGNMENT = re.compile(":?-+:?")
_BAR = re.compile(r"(?<!\\)\|")


def table_rule(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Take a table as GitHub reads it, but with all the cells of each row and no others."""
    if start + 1 == end == state.lineMax and _is_awaited(state, start):
        return silent or _push_table(state, start, [], _cells(_line(state, start)), [])
    if start + 2 > end or state.sCount[start + 1] < state.blkIndent:
        return False
    if state.is_code_block(start) or state.is_code_block(start + 1) or "|" not in _line(state, start):
        return False
    header, alignments = _cells(_line(state, start)), _alignments(_line(state, start + 1))
    if not header or len(header) != len(alignments):
        return False
    return silent or _push_table(state, start, _rows(state, start + 2, end), header, alignments)


def _is_awaited(state: StateBlock, start: int) -> bool:
    """Tell whether the last line of a text that is still written is a table's head, as far as one can know."""
    if "open" not in state.env or state.is_code_block(start) or not _line(state, start).startswith("| "):
        return False
    state.env["undecided"] = min(start, state.env.get("undecided", start))
    return True


def _push_table(
    state: StateBlock, start: int, rows: list[list[str]], header: list[str], alignments: list[str]
) -> bool:
    table = state.push("table_open", "table", 1)
    state.line = min(start + 2 + len(rows), state.lineMax)
    table.map = [start, state.line]
    state.push("thead_open", "thead", 1)
    _push_row(state, "th", header, alignments)
    state.push("thead_close", "thead", -1)
    if rows:
        state.push("tbody_open", "tbody", 1)
        for row in rows:
            _push_row(state, "td", row, alignments)
        state.push("tbody_close", "tbody", -1)
    state.push("table_close", "table", -1)
    return True


def _rows(state: StateBlock, first: int, end: int) -> list[list[str]]:
    rows: list[list[str]] = []
    enders = state.md.block.ruler.getRules("blockquote")
    parent, state.parentType = state.parentType, "table"
    for line in range(first, end):
        ends = state.isEmpty(line) or state.sCount[line] < state.blkIndent or state.is_code_block(line)
        if ends or any(rule(state, line, end, True) for rule in enders):
            break
        rows.append(_cells(_line(state, line)))
    state.parentType = parent
    return rows


def _push_row(state: StateBlock, tag: str, cells: list[str], alignments: list[str]) -> None:
    state.push("tr_open", "tr", 1)
    for index, cell in enumerate(cells):
        state.push(f"{tag}_open", tag, 1).info = alignments[index] if index < len(alignments) else ""
        state.push("inline", "", 0).content = cell
        state.push(f"{tag}_close", tag, -1)
    state.push("tr_close", "tr", -1)


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _cells(line: str) -> list[str]:
    cells = [cell.strip().replace("\\|", "|") for cell in _BAR.split(line.strip())]
    return cells[cells[0] == "" : len(cells) - (len(cells) > 1 and cells[-1] == "")]


def _alignments(line: str) -> list[str]:
    """Return the alignment of each column, `` for none; nothing if this is no line below a table's head."""
    line = line.strip()
    if len(line) < 2 or line[:2] in ("- ", "-\t"):
        return []
    cells = line.removeprefix("|").removesuffix("|").split("|")
    if not all(_ALIGNMENT.fullmatch(cell.strip()) for cell in cells):
        return []
    sides = {(True, True): "center", (False, True): "right", (True, False): "left", (False, False): ""}
    return [sides[cell.strip()[0] == ":", cell.strip()[-1] == ":"] for cell in cells]
