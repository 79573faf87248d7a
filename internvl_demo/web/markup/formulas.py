r"""Find formulas in a model's text and show them as MathML, which browsers draw by themselves.

`$x$`, `$$x$$`, `\(x\)` and `\[x\]`, read as Pandoc does: `$5 and $6` is money, and `5$`, `US$` and `$5 or 6$` are.
In: `x^2`; out: `<math display="inline"><mrow><msup><mi>x</mi><mn>2</mn></msup></mrow></math>`. Environments that
stand without these marks: `environments`.

latex2mathml does the work and is not trusted: its tree is written anew with known elements, attributes and
values, none of which can load, link, colour or overlap anything. What it cannot read, or would show with
other digits than the model wrote, is shown as its source.
"""

import html
import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from latex2mathml.converter import Converter
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

from internvl_demo.web.markup.marks import Spans, escape, escape_code, unmark

INLINE_CHARS = 1_000
"""The longest formula between single dollars: longer ones are money."""
DISPLAY_CHARS = 4_000
"""The longest of the other formulas. Its conversion takes 70 ms at worst."""
DISPLAY_LINES = 100

CLOSERS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)"}
_EMPTY_LINE = re.compile(r"\n[ \t]*\n")
_DOLLARS = re.compile(r"\$+")
_DIGIT_NEXT = re.compile("[\ufdd0-\ufdef]*[0-9]")
_OPERATOR_THEN_LETTER = re.compile(r"[-+*/=<>,.;:&(\[{][$][a-zA-Z]")
_COMMAND = re.compile(r"\\[a-zA-Z]++\s*+(?:\{[^{}]*+\})?")
_PROSE = re.compile(r"(?<![^\s,;:(/])[^\W\d_]{2}|[\u3040-\u9fff\uac00-\ud7af]")
"""Words: what a formula that begins with a number does not have outside its commands."""
_UNREADABLE = re.compile(
    r"\\(?:def|let|g?x?def|(?:re)?newcommand|(?:re)?newenvironment|DeclareMathOperator|unicode|href|style|class)"
    r"(?![a-zA-Z])"
)
"""Macros could grow without end; the others make nothing that may be shown."""
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_PERCENT = re.compile(r"(\\.)|%", re.DOTALL)
_LENGTHS = re.compile(r"\\\\\s?\[-?[\d.]{1,6}\s?[a-z]{2}\]|\\[hvm]s(?:kip|pace)\*?\{[^}]{0,20}\}")
"""Digits that are no part of what a formula says."""
_REWRITTEN = [
    (
        re.compile(r"\\(begin|end)\{(?:align|aligned|eqnarray)\*?\}"),
        r"\\\1{align*}",
    ),  # without equation numbers
    (re.compile(r"\\(begin|end)\{gather(?:ed)?\*?\}"), r"\\\1{matrix}"),
    (re.compile(r"\\begin\{equation\*?\}"), "{"),
    (re.compile(r"\\end\{equation\*?\}"), "}"),
    (re.compile(r"\\not\s?="), r"\\ne "),
    (re.compile(r"(\\\\\s?)\[-?[\d.]{1,6}\s?[a-z]{2}\]"), r"\1"),  # the height of a line
]
"""What latex2mathml does not know: it would show the marks."""

_FLAG = re.compile("true|false")
_SIZE = re.compile(r"\d{0,2}(?:\.\d{1,4})?(?:em|ex|pt|px|mm|mu)?")
_SIDES = re.compile("left|center|right")
_VARIANT = re.compile("normal|bold|italic|bold-italic|sans-serif|monospace|script|fraktur|double-struck")
_OPERATOR = dict.fromkeys(("stretchy", "fence", "separator", "movablelimits", "largeop", "symmetric"), _FLAG)
_OPERATOR |= dict.fromkeys(("lspace", "rspace", "minsize", "maxsize"), _SIZE)
_OPERATOR |= {"form": re.compile("prefix|infix|postfix"), "accent": _FLAG, "mathvariant": _VARIANT}
_ELEMENTS: dict[str, dict[str, re.Pattern[str]]] = {
    "math": {"display": re.compile("block|inline")},
    "mo": _OPERATOR,
    **{tag: {"mathvariant": _VARIANT} for tag in ("mi", "mn", "mtext")},
    "mspace": {"width": _SIZE},
    "mfrac": {"linethickness": _SIZE},
    "mstyle": {"displaystyle": _FLAG, "scriptlevel": re.compile(r"[0-3]")},
    "mover": {"accent": _FLAG},
    "munder": {"accentunder": _FLAG},
    "munderover": {"accent": _FLAG, "accentunder": _FLAG},
    "mtable": {"displaystyle": _FLAG},
    "mtd": {"columnalign": _SIDES},
    "menclose": {
        "notation": re.compile("box|horizontalstrike|(?:up|down)diagonalstrike(?: downdiagonalstrike)?")
    },
    **{
        tag: {}
        for tag in ("mrow", "msqrt", "mroot", "msub", "msup", "msubsup", "mmultiscripts", "mprescripts")
    },
    **{tag: {} for tag in ("mtr", "mpadded", "mphantom", "none")},
}
"""No negative spaces and no sizes of `mpadded`: with them a formula could be laid over what stands around it."""


@dataclass(frozen=True)
class Formula:
    """Where a formula stands in a text: its source is text[start:stop], and the text goes on at `end`."""

    start: int
    stop: int
    end: int
    display: bool


def find_formula(text: str, at: int, limit: int) -> Formula | None:
    """Return the formula that begins exactly there and ends before `limit`."""
    closer = CLOSERS.get(text[at : at + 2])
    if closer:
        start, longest = at + 2, DISPLAY_CHARS
    elif text.startswith("$", at):
        start, longest, closer = at + 1, INLINE_CHARS, "$"
    else:
        return None
    if closer[0] == "$" and not may_open(text, at):
        return None
    stop = text.find(closer, start, min(limit, start + longest + len(closer)))
    while closer == "$" and stop > 0 and text[stop - 1] == "\\":
        stop = text.find(closer, stop + 1, min(limit, start + longest + 1))
    source = text[start : max(stop, start)]
    if not source.strip() or (closer[0] == "$" and ("`" in source or text.startswith("$$$", stop))):
        return None
    end = stop + len(closer)
    if closer == "$" and _is_money(source, text, end, limit):
        return None
    return Formula(start, stop, end, closer in ("$$", "\\]"))


def may_open(text: str, at: int) -> bool:
    """Tell whether the dollars there can begin a formula: not those of `5$`, `US$` and `$$$`."""
    before = text[at - 1 : at]
    return not (before.isdigit() or (before.isascii() and before.isalpha()) or text.startswith("$$$", at))


def _is_money(source: str, text: str, end: int, limit: int) -> bool:
    """Tell whether what stands between two single dollars is prose; `end`: where the text goes on."""
    if source[0].isspace() or source[-1].isspace() or _DIGIT_NEXT.match(text, end, limit):
        return True
    if len(source) > 1 and _OPERATOR_THEN_LETTER.match(text, end - 2, limit):
        return True
    return source[0].isdigit() and bool(_PROSE.search(_COMMAND.sub("", source)))


def formula_block_rule(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    r"""Take `$$` or `\[` that begins a line, to the end of a later one: nothing in it is a list or a heading."""
    at = state.bMarks[start] + state.tShift[start]
    if not state.src.startswith(("$$", "\\["), at):
        return False
    stop = state.src.find(CLOSERS[state.src[at : at + 2]], at + 2, at + DISPLAY_CHARS + 4)
    source = whole_lines(state, start, end, stop + 2 if stop >= 0 else None)
    if source is None and is_unfinished(state, start):
        return push_rest(state, start, end, silent)
    found = find_formula(source, 0, len(source)) if source else None
    if not source or not found or found.end != len(source):
        return False
    if not silent:
        push_block(state, start, "formula_block", source, source[found.start : found.stop])
    return True


def whole_lines(state: StateBlock, start: int, end: int, stop: int | None) -> str | None:
    """Return the lines from `start` to the one that ends at `stop`; None if these are not a block's whole lines.

    stop: a place in the text; None if the end is missing, and then the line is noted in `state.env["undecided"]` if
    more text could still bring it.
    """
    if stop is None:
        at = state.bMarks[start]
        if at + DISPLAY_CHARS + 4 > len(state.src) and not _EMPTY_LINE.search(state.src, at):
            state.env["undecided"] = min(start, state.env.get("undecided", start))
        return None
    lines = range(start, min(end, start + DISPLAY_LINES))
    last = next((line for line in lines if state.eMarks[line] >= stop), None)
    if last is None or state.src[stop : state.eMarks[last]].strip():
        return None
    if any(
        state.isEmpty(line) or state.sCount[line] < state.blkIndent for line in range(start + 1, last + 1)
    ):
        return None
    return state.getLines(start, last + 1, state.blkIndent, False).strip()


def push_block(state: StateBlock, start: int, kind: str, lines: str, content: str) -> None:
    """Add a block of these lines, and go on behind it."""
    token = state.push(kind, "", 0)
    state.line = start + lines.count("\n") + 1
    token.content, token.info, token.map = content, "display", [start, state.line]


def is_unfinished(state: StateBlock, start: int) -> bool:
    """Tell whether the text is still written and may bring the end of what begins in this line."""
    return "open" in state.env and state.env.get("undecided") == start


def push_rest(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Add all that is left as the source of a formula that is still written."""
    if not silent:
        lines = state.getLines(start, end, state.blkIndent, False).rstrip("\n")
        push_block(state, start, "source_block", lines, lines)
    return True


def formula_rule(state: StateInline, silent: bool) -> bool:
    """Take a formula within a paragraph, or dollars that begin none."""
    character = state.src[state.pos]
    if character not in "$\\":
        return False
    found = find_formula(state.src, state.pos, state.posMax)
    if found:
        if not silent:
            token = state.push("formula", "", 0)
            token.content, token.info = (
                state.src[found.start : found.stop],
                "display" if found.display else "",
            )
        state.pos = found.end
        return True
    dollars = _DOLLARS.match(state.src, state.pos, state.posMax)
    if dollars:
        if not silent:
            state.append_pending(dollars[0])
        state.pos = dollars.end()
    return bool(dollars)


def render_formula(source: str, spans: Spans, *, display: bool) -> str:
    """Return a formula as MathML, or its source as code."""
    return _mathml(unmark(source).strip(), display) or render_source(source, spans)


def render_source(source: str, spans: Spans) -> str:
    """Return a formula as the model wrote it, with the phrases in it."""
    return f'<code class="formula">{escape_code(source.strip(), spans)}</code>'


def _mathml(source: str, display: bool) -> str | None:
    if _UNREADABLE.search(source) or not _is_balanced(source):
        return None
    try:
        tree = Converter(display="block" if display else "inline").convert_to_element(_readable(source))
        shown = html.unescape("".join(tree.itertext()))
        return _written(tree) if _is_true(shown, source) else None
    except Exception:  # noqa: BLE001 - it raises dozens of kinds on what is no LaTeX, RecursionError too
        return None


def _readable(source: str) -> str:
    """Return the formula without what latex2mathml would misread."""
    latex = _PERCENT.sub(lambda found: found[1] or r"\%", source)  # else the rest of the line were a comment
    for pattern, replacement in _REWRITTEN:
        latex = pattern.sub(replacement, latex)
    several_lines = "\\\\" in latex and "\\begin" not in latex
    return rf"\begin{{align*}}{latex}\end{{align*}}" if several_lines else latex


def _is_true(shown: str, source: str) -> bool:
    """Tell whether what is shown has the digits of the source, and no command or mark of columns as text."""
    if "\\" in shown or ("&" in shown and "\\&" not in source):
        return False
    return _digits(shown) == _digits(_LENGTHS.sub("", source))


def _is_balanced(source: str) -> bool:
    depth = 0
    for brace in _BRACES.findall(source):
        depth += (brace == "{") - (brace == "}")
        if depth < 0:
            return False
    return depth == 0


def _digits(text: str) -> list[str]:
    return sorted(filter(str.isdigit, text))


def _written(element: Element) -> str:
    """Return the element for HTML; the converter's texts hold character references that it would not escape."""
    known = _ELEMENTS[element.tag]  # a KeyError makes it the source
    attributes = "".join(
        f' {name}="{value}"'
        for name, value in element.attrib.items()
        if name in known and known[name].fullmatch(value)
    )
    text = escape(html.unescape(element.text or ""))
    return f"<{element.tag}{attributes}>{text}{''.join(map(_written, element))}</{element.tag}>"
