"""Make `<br>`, `<sup>` and `<sub>` of a model tags of ours; every other tag stays text.

In: `H<sub>2</sub>O`; out: the tokens of `H`, sub_open, `2`, sub_close, `O`. A pair is found as those of emphasis are:
within one paragraph, cell, link or phrase, and properly nested with what else is marked there. What finds no partner
stays visible.
"""

import re
from typing import Literal

from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Delimiter
from markdown_it.token import Token

_BREAK = re.compile(r"<br[ ]?/?>", re.IGNORECASE)
_PAIRED = re.compile(r"<(/?)(sup|sub)>", re.IGNORECASE)
_NAMES = {1: "sup", 2: "sub"}
"""A number for the pairing, where emphasis has the code of its character."""


def tag_rule(state: StateInline, silent: bool) -> bool:
    """Take a break, or one half of a pair."""
    if silent or state.src[state.pos] != "<":
        return False
    found = _BREAK.match(state.src, state.pos, state.posMax)
    if found:
        state.push("hardbreak", "br", 0).markup = found[0]
        state.pos = found.end()
        return True
    half = _PAIRED.match(state.src, state.pos, state.posMax)
    if not half:
        return False
    state.push("text", "", 0).content = half[0]
    marker = next(number for number, name in _NAMES.items() if name == half[2].lower())
    token = len(state.tokens) - 1
    state.delimiters.append(Delimiter(marker, 0, token, -1, open=not half[1], close=bool(half[1])))
    state.pos = half.end()
    return True


def pair_tags(state: StateInline) -> None:
    """Turn the halves that found each other into tags."""
    _pair(state, state.delimiters)
    for meta in state.tokens_meta:
        if meta and "delimiters" in meta:
            _pair(state, meta["delimiters"])


def _pair(state: StateInline, delimiters: list[Delimiter]) -> None:
    for opener in delimiters:
        name = _NAMES.get(opener.marker)
        if name and opener.end >= 0:
            closer = delimiters[opener.end]
            _become(state.tokens[opener.token], f"{name}_open", 1)
            _become(state.tokens[closer.token], f"{name}_close", -1)


def _become(token: Token, kind: str, nesting: Literal[-1, 1]) -> None:
    token.type, token.nesting, token.content = kind, nesting, ""
