r"""Find LaTeX environments that a model wrote without the marks of a formula.

In: `\begin{align}a&=b\\c&=d\end{align}`; out: a formula, or for `tabular`, `itemize` and all that is no formula the
source as it was written. Nothing in an environment is Markdown: its stars, underscores and backslashes stay.
"""

import re

from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.utils import EnvType

from internvl_demo.web.markup.formulas import (
    DISPLAY_CHARS,
    is_unfinished,
    push_block,
    push_rest,
    whole_lines,
)

_BEGIN = re.compile(r"\\begin\{([a-zA-Z]{1,20}\*?)\}")
_MARK = re.compile(r"\\(begin|end)\{([a-zA-Z]{1,20}\*?)\}")
_IN_FORMULAS = re.compile(r"\\\\|&")
_FORMULAS = re.compile(
    r"(?:(?:align|alignat|eqnarray|equation|flalign|gather|multline|subequations|split)(?:ed)?|aligned|gathered|array"
    r"|[dr]?cases|(?:small|[pbBvV])?matrix)\*?"
)
"""The names of those that are formulas."""


def _end(env: EnvType, text: str, at: int) -> int | None:
    """Return where the environment that begins exactly there ends. All are paired at once: `env` keeps the pairs."""
    if "environments" not in env:
        env["environments"] = _pairs(text)
    end: int | None = env["environments"].get(at)
    return end if end is not None and end - at <= DISPLAY_CHARS else None


def _pairs(text: str) -> dict[int, int]:
    """Return the beginning and end of each environment."""
    pairs: dict[int, int] = {}
    begun: dict[str, list[int]] = {}
    for mark in _MARK.finditer(text):
        of_name = begun.setdefault(mark[2], [])
        if mark[1] == "begin":
            of_name.append(mark.start())
        elif of_name:
            pairs[of_name.pop()] = mark.end()
    return pairs


def _kind(name: str) -> str:
    return "formula" if _FORMULAS.fullmatch(name) else "source"


def environment_rule(state: StateInline, silent: bool) -> bool:
    """Take an environment within a paragraph; of one that does not end, all that is left, if it looks like LaTeX."""
    opening = _BEGIN.match(state.src, state.pos, state.posMax)
    if not opening:
        return False
    end = _end(state.env, state.src, state.pos)
    kind = _kind(opening[1])
    if end is None or end > state.posMax:
        end = state.posMax
        if kind != "formula" or not _IN_FORMULAS.search(state.src, state.pos, end):
            return False
        kind = "source"
    if not silent:
        token = state.push(kind, "", 0)
        token.content, token.info = state.src[state.pos : end], "display"
    state.pos = end
    return True


def environment_block_rule(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Take an environment that begins and ends a line: nothing in it is a list or a heading."""
    at = state.bMarks[start] + state.tShift[start]
    opening = _BEGIN.match(state.src, at)
    source = whole_lines(state, start, end, _end(state.env, state.src, at)) if opening else None
    if opening and source is None and is_unfinished(state, start):
        return push_rest(state, start, end, silent)
    if not opening or not source:
        return False
    if not silent:
        push_block(state, start, f"{_kind(opening[1])}_block", source, source)
    return True
