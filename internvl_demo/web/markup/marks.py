"""Mark grounded phrases inside a model's text, so that they survive a Markdown parser.

The marks are noncharacters of Unicode (U+FDD0 to U+FDEF), which no text may hold and no HTML entity can make:

    the <cat> sits      ->  the OPEN 0 cat CLOSE sits        0: the phrase's number, in hexadecimal digits of our own

Line ends and table bars inside a phrase are replaced by marks too, so that a phrase never ends a block or a cell.
`escape` and `escape_code` turn everything back; no mark ever reaches the page.
"""

import html
import re
from collections.abc import Mapping, Sequence

OPEN, CLOSE = "\ufdd0", "\ufdd1"
_BAR, _LINE = "\ufdd2", "\ufdd3"
_DIGITS = [chr(0xFDE0 + digit) for digit in range(16)]
_TO_DIGITS = {f"{value:x}": mark for value, mark in enumerate(_DIGITS)}
_FROM_DIGITS = str.maketrans({mark: digit for digit, mark in _TO_DIGITS.items()})

_FOREIGN = re.compile("[\0\ud800-\udfff\ufdd0-\ufdef]")
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_INSIDE = str.maketrans({"|": _BAR, "\n": _LINE, "\r": _LINE})
_MARK = re.compile("[\ufdd0-\ufdef]")
_OUTSIDE = str.maketrans({_BAR: "|", _LINE: "\n"} | dict.fromkeys([OPEN, CLOSE, *_DIGITS], ""))
_NUMBER = f"[{_DIGITS[0]}-{_DIGITS[-1]}]"
_PHRASE = re.compile(f"{OPEN}({_NUMBER}+)([^{OPEN}{CLOSE}]*){CLOSE}")
START = re.compile(f"{OPEN}({_NUMBER}+)")
"""The mark that begins a phrase; its group is the number, for `number`."""

Spans = Mapping[int, Sequence[int]]
"""A phrase's number -> the indices of its boxes on the page. A phrase that is missing gets no element."""


def clean(text: str) -> str:
    """Return the text with U+FFFD for what is a mark, a zero byte or half a surrogate pair."""
    return _FOREIGN.sub("\ufffd", text)


def mark(number: int, phrase: str) -> str:
    """Return a clean phrase between its marks."""
    digits = "".join(_TO_DIGITS[digit] for digit in f"{number:x}")
    return f"{OPEN}{digits}{phrase.translate(_INSIDE)}{CLOSE}"


def number(digits: str) -> int:
    """Return the number that these digits of a mark mean."""
    return int(digits.translate(_FROM_DIGITS), 16)


def is_marked(text: str) -> bool:
    """Tell whether there is any mark in the text."""
    return bool(_MARK.search(text))


def unmark(text: str) -> str:
    """Return the text as the model wrote it."""
    return text if text.isascii() else text.translate(_OUTSIDE)


def length_utf16(text: str) -> int:
    """Return how long a browser counts the text without its marks: in UTF-16 code units."""
    text = unmark(text)
    return len(text) if text.isascii() else len(text) + len(_ASTRAL.findall(text))


def escape(text: str) -> str:
    """Return the text for HTML, also between double quotes; marks are left out."""
    return html.escape(unmark(text))


def escape_code(code: str, spans: Spans) -> str:
    """Return code for HTML; whole phrases in it become elements."""
    if code.isascii():
        return html.escape(code)
    marked = _PHRASE.sub(
        lambda found: (
            f"{opening_tag(number(found[1]), spans)}{found[2]}{closing_tag(number(found[1]), spans)}"
        ),
        html.escape(code),
    )
    return unmark(marked)


def opening_tag(phrase: int, spans: Spans) -> str:
    """Return the tag that begins a phrase; nothing if it has no boxes."""
    boxes = ",".join(map(str, spans.get(phrase, ())))
    return f'<span class="ground-phrase" data-phrase="{phrase}" data-boxes="{boxes}">' if boxes else ""


def closing_tag(phrase: int, spans: Spans) -> str:
    """Return the tag that ends what `opening_tag` began."""
    return "</span>" if spans.get(phrase) else ""
