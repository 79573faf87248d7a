"""Decide which stars, underscores and tildes of a model's text mark words, and which are its own.

CommonMark is written for languages that put spaces between words. In: `**注意：**这张图`, `3*4*5`, `__init__`; out:
bold, a product, a name. What differs from CommonMark, and why:

    scripts without spaces   punctuation beside Chinese, Japanese, Korean, Thai, Arabic ... counts as a letter, as in
                             https://github.com/tats-u/markdown-cjk-friendly; `_` counts too, beside punctuation
    `**Colour:**red`         bold may end behind punctuation although a letter follows
    numbers                  a mark between two digits is no mark: two numbers never become one
    products                 no mark opens behind a Latin letter, a digit or a closing bracket: `a*b*c`, `f(x)*g(x)`;
                             a single star within a word closes nothing; `**cat**s` does
    the same on both sides   `|3|*|4|` and `src/*/a` are no marks
    names                    `__init__` and `__FILE__` stay

The mark rules replace those of markdown-it and leave its pairing of marks alone, which is linear.
"""

import re
import unicodedata

from markdown_it.common.utils import isPunctChar
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Delimiter

from internvl_demo.web.markup import marks

MOST_MARKS = 40
"""Beside a run of marks that are looked through for a digit."""

_RUN = re.compile(r"\*+|_+|~+")
_NAME = re.compile(r"__(?:[a-z][a-z0-9]*+|[A-Z][A-Z0-9]*+)(?>(?:_[A-Za-z0-9]++)*)__(?!\w)", re.ASCII)
_MARKS = re.compile(r"[*_~\ufdd0-\ufdef]+")
_MARKS_BEFORE = re.compile(r"[*_~\ufdd0-\ufdef]+\Z")
_FIRST_OTHER_SCRIPT, _LAST_OTHER_SCRIPT = "\u0590", "\u1bff"
_EDGE = " "


def emphasis_rule(state: StateInline, silent: bool) -> bool:
    """Take a run of stars, underscores or tildes; note for the pairing what each may begin and end."""
    run = _RUN.match(state.src, state.pos, state.posMax)
    if silent or not run:
        return False
    name = _NAME.match(state.src, state.pos, state.posMax)
    if name and not _is_word(_before(state, run.start())):
        state.append_pending(name[0])
        state.pos = name.end()
        return True
    marker, length = run[0][0], len(run[0])
    opens, closes = _flanks(_before(state, run.start()), _after(state, run.end()), marker, length)
    if _is_in_number(state.src, run.start(), run.end()):
        opens = closes = False
    if marker == "~" and length % 2:
        state.append_pending("~")
    width = 2 if marker == "~" else 1
    for _ in range(length // width):
        state.push("text", "", 0).content = marker * width
        token = len(state.tokens) - 1
        rule_of_three = 0 if marker == "~" else length
        state.delimiters.append(Delimiter(ord(marker), rule_of_three, token, -1, opens, closes))
    state.pos = run.end()
    return True


def _flanks(before: str, after: str, marker: str, length: int) -> tuple[bool, bool]:
    """Tell whether a run between these two characters may begin, and may end, what it marks."""
    joined = _joins(before), _joins(after)
    dots = isPunctChar(before), isPunctChar(after)
    left = not after.isspace() and (not dots[1] or joined[1] or before.isspace() or dots[0] or joined[0])
    right = not before.isspace() and (not dots[0] or joined[0] or after.isspace() or dots[1] or joined[1])
    if marker == "_":
        within = left and right
        opens = left and (not within or dots[0] or (dots[1] and joined[0]))
        closes = right and (not within or dots[1] or (dots[0] and joined[1]))
        return opens, closes
    if before == after and dots[0] and not any(joined):
        return False, False
    within_word = _is_algebra(before) and _is_algebra(after)
    product = _is_algebra(before) or (_is_bracket(before, "Pe") and (length == 1 or not after.isalpha()))
    ends_like_colon = length > 1 and dots[0] and after.isalnum() and not _is_bracket(before, "Ps", "Pi", "Pe")
    opens = left and (any(joined) or not product)
    closes = (right or ends_like_colon) and not (within_word and (length == 1 or after.isdigit()))
    return opens, closes


def _before(state: StateInline, at: int) -> str:
    """Return the character before a place, be it in a phrase; a space at the beginning of the line or phrase."""
    while at > 0 and state.src[at - 1] == marks.CLOSE:
        at -= 1
    return _EDGE if at == 0 or marks.is_marked(state.src[at - 1]) else state.src[at - 1]


def _after(state: StateInline, at: int) -> str:
    opening = marks.START.match(state.src, at, state.posMax)
    at = opening.end() if opening else at
    return _EDGE if at >= state.posMax or marks.is_marked(state.src[at]) else state.src[at]


def _is_in_number(text: str, start: int, end: int) -> bool:
    """Tell whether nothing but marks stands between two digits there; also if there are too many to look at."""
    before = _MARKS_BEFORE.search(text, max(0, start - MOST_MARKS), start)
    after = _MARKS.match(text, end, end + MOST_MARKS)
    first = before.start() if before else start
    last = after.end() if after else end
    is_short = first > start - MOST_MARKS and last < end + MOST_MARKS
    return not is_short or (text[first - 1 : first].isdigit() and text[last : last + 1].isdigit())


def _joins(character: str) -> bool:
    """Tell whether it is of a script whose words stand side by side, or are joined to marks without spaces."""
    if unicodedata.east_asian_width(character) in "WFH":
        return not character.isspace()
    other = _FIRST_OTHER_SCRIPT <= character <= _LAST_OTHER_SCRIPT
    return other and unicodedata.category(character)[0] in "LM"


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _is_algebra(character: str) -> bool:
    """Tell whether it may be a factor: a digit, or a letter of a script in which formulas are written."""
    return character.isdigit() or (character.isalnum() and not _joins(character))


def _is_bracket(character: str, *kinds: str) -> bool:
    return unicodedata.category(character) in kinds
