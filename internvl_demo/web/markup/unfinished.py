r"""Draw the end of an answer that is still being written as what it is going to be.

In: `A **bold wo`; out: the tokens of `A`, strong_open, `bold wo`, strong_close. Used for the last paragraph, cell or
item of an open block only; the final blocks never see it. On its last line

    stars, tildes, tags    that were opened are closed; marks that open nothing yet are not shown
    code, formulas         go on to the end
    `[text](http://exam`   is `text`
    `<su`, `\`             are not shown: they may become a tag or a formula

`env["open"]` of the inline parser says where that line begins; without it the rules do nothing. `env["cut"]` is set
if something is not shown: what follows would look wrong behind it.
"""

import re
from collections.abc import Iterator

from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Delimiter
from markdown_it.token import Token

from internvl_demo.web.markup.formulas import CLOSERS, may_open

_BACKTICKS = re.compile("`+")
_FORMULA = re.compile(r"\$\$?(?![\s\d$])|\\[(\[]")
_WRITTEN_SOON = ("<br/>", "<br />", "<sup>", "</sup>", "<sub>", "</sub>", "\\(", "\\[", "~~")
_ADDRESS = re.compile(r'(?:https?://|mailto:)[^\s()<>]*(?: +"[^"]*"?)?', re.IGNORECASE)
_SCHEMES = ("https://", "http://", "mailto:")
LONGEST_TAG = max(map(len, _WRITTEN_SOON))
_UNDERSCORE = ord("_")


def unfinished_rule(state: StateInline, silent: bool) -> bool:
    """Take code, a formula, a link or a tag that has no end yet, up to the end."""
    if silent or not _is_open(state):
        return False
    if state.posMax - state.pos < LONGEST_TAG:
        rest = state.src[state.pos :].lower()
        if any(rest != mark and mark.startswith(rest) for mark in _WRITTEN_SOON):
            return _cut(state, state.posMax)
    match state.src[state.pos]:
        case "`":
            return _code(state, state.src[state.pos :])
        case "[":
            return _link(state)
        case "\\" | "$":
            return _formula(state, state.src[state.pos :])
    return False


def close_unfinished(state: StateInline) -> None:
    """Close what was opened on the last line; leave out marks at the very end that belong to nothing yet."""
    if "open" not in state.env:
        return
    closers = {one.end for one in state.delimiters}
    while (
        state.delimiters
        and _is_last(state.delimiters[-1], state)
        and len(state.delimiters) - 1 not in closers
    ):
        state.tokens.pop()
        state.tokens_meta.pop()
        state.delimiters.pop()
    line = max((n for n, token in enumerate(state.tokens) if _ends_line(token)), default=-1)
    for opener in [one for one in _outside_pairs(state.delimiters) if one.open and one.token > line][::-1]:
        if opener.marker == _UNDERSCORE and opener.length == 2:
            continue  # it may become `__init__`
        state.push("text", "", 0)
        token = len(state.tokens) - 1
        opener.end = len(state.delimiters)
        state.delimiters.append(Delimiter(opener.marker, opener.length, token, -1, open=False, close=True))


def _outside_pairs(delimiters: list[Delimiter]) -> Iterator[Delimiter]:
    """Yield what has no partner and is in no pair of others."""
    index = 0
    while index < len(delimiters):
        one = delimiters[index]
        if one.end < 0:
            yield one
        index = max(index, one.end) + 1


def last_link(state: StateInline) -> int:
    """Return where the last `](` stands, from which a link's address could follow; -1 for none."""
    if "last_link" not in state.env:
        state.env["last_link"] = state.src.rfind("](")
    place: int = state.env["last_link"]
    return place


def _is_open(state: StateInline) -> bool:
    """Tell whether this place is on the last line of what is still written, and in no phrase or link of it."""
    if "open" not in state.env or state.src[state.pos] not in "`[<\\$~":
        return False
    return state.pos >= state.env["open"] and state.posMax == len(state.src)


def _is_last(delimiter: Delimiter, state: StateInline) -> bool:
    return delimiter.token == len(state.tokens) - 1 and state.tokens_meta[-1] is None and delimiter.end < 0


def _ends_line(token: Token) -> bool:
    return token.type in ("softbreak", "hardbreak") and not token.markup


def _code(state: StateInline, rest: str) -> bool:
    opening = _BACKTICKS.match(rest)
    if not opening or re.search(rf"(?<!`){opening[0]}(?!`)", rest[opening.end() :]):
        return False
    return _take(state, "code_inline", rest[opening.end() :].rstrip("`"))


def _formula(state: StateInline, rest: str) -> bool:
    opening = _FORMULA.match(rest)
    if not opening:
        return False
    source = rest[opening.end() :]
    if rest[0] == "$" and (not may_open(state.src, state.pos) or "$" in source.rstrip("$")):
        return False
    if rest[0] == "\\" and CLOSERS[opening[0]] in source:
        return False
    return _take(state, "source", source.rstrip("$\\"))


def _take(state: StateInline, kind: str, content: str) -> bool:
    if content.strip():
        state.push(kind, "", 0).content = content
    state.pos = state.posMax
    return True


def _link(state: StateInline) -> bool:
    end = last_link(state)
    if end < state.pos or any(state.src.find(bracket, state.pos + 1, end) >= 0 for bracket in "[]"):
        return False
    address = state.src[end + 2 :]
    if not _ADDRESS.fullmatch(address) and not any(scheme.startswith(address.lower()) for scheme in _SCHEMES):
        return False
    whole = state.posMax
    state.pos, state.posMax = state.pos + 1, end
    state.md.inline.tokenize(state)
    return _cut(state, whole)


def _cut(state: StateInline, end: int) -> bool:
    """Go on at the end without what is left, and note that."""
    state.env["cut"] = True
    state.pos = state.posMax = end
    return True
