"""English names of images: a table of patterns with their meanings.

In a pattern of this file a space stands for one to four white spaces, ` ?` for none to four.
"""

import re
from collections.abc import Callable

from internvl_demo.grounding.naming.sent import Images, Row, Sent

_CARDINALS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty thirty forty"
)
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
    " fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth fortieth"
)


def _to_forty(names: str) -> dict[str, int]:
    """Return words -> numbers, also `twenty-one` and the like."""
    words = dict(zip(names.split(), [*range(1, 20), 20, 30, 40], strict=True))
    below_ten = [*words.items()][:9]
    return words | {
        f"{ten}-{word}": tens + number
        for ten, tens in (("twenty", 20), ("thirty", 30))
        for word, number in below_ten
    }


def _any(words: dict[str, int]) -> str:
    longest_first = sorted(words, key=len, reverse=True)
    either = "|".join(longest_first).replace("-", r"[-\s]")
    return rf"(?:{either})\b"


_CARDINAL, _ORDINAL = _to_forty(_CARDINALS), _to_forty(_ORDINALS)
_VALUES = _CARDINAL | _ORDINAL

_BEGIN = r"(?<![0-9A-Za-z])"
_IMAGE = r"(?:image|picture|photo(?:graph)?|pic|img|screenshot)"
_ONE = rf"{_IMAGE}(?!s?[\w-]| (?:frame|album|book|window|galler|shoot))"
_MANY = rf"{_IMAGE}s\b"

_WORD = _any(_CARDINAL)
_FILE = r"\.(?:jpe?g|png|webp|gif|bmp|tiff?|heic|svg)\b"
_UNIT = r"\s{0,4}(?:%|(?:px|pixels?|percent|times|megapixels?|mp|[mc]m|[km]b|dpi|ms|seconds?|minutes?)\b)"
_DIGITS = rf"[0-9]{{1,3}}(?![0-9A-Za-z]|\.[0-9]|{_FILE}|{_UNIT})"
_NO_NOUN_FOLLOWS = (
    r"(?=\s{0,4}(?:\Z|[^\w\s]|(?:is|are|was|has|have|shows?|there|contains?|depicts?|and|or|of|with|the|an?|i|we|you"
    r"|in|on|at)\b))"
)
_NUMBER = rf"(?:#?{_DIGITS}|{_WORD}{_NO_NOUN_FOLLOWS})"
_SIGN = r"(?: ?(?:[-_#\u2010-\u2013]|(?:number|no\.?|nr\.?)(?=[\s0-9#]))){0,2} ?[(\[]?"
_NO_ARTICLE = "".join(
    rf"(?<!\b{word}\s)" for word in ("the", "an", "a", "this", "that", "each", "every", "any")
)
_JOIN = r"(?: ?(?:,|&|/)(?: (?:and|or))?| (?:and|or)) ?(?:the )?"

_NTH = rf"(?:{_any(_ORDINAL)}|[0-9]{{1,2}}(?:st|nd|rd|th)\b)"
_LAST = r"(?:last|final|latest|newest|most recent)\b"
_TO_LAST = r"[-\s](?:(?:to|from)[-\s](?:the[-\s])?)?last\b"
_NEXT_TO_LAST = r"(?:last but one|next[-\s]to[-\s]last|penultimate)\b"
_PLACE = rf"(?:{_NTH}(?:{_TO_LAST})?|{_NEXT_TO_LAST}|{_LAST})"
_SENT = r"(?: (?:uploaded|attached|given|provided|sent|new|input|shown|posted|above))?"
_SOME = rf"(?:{_WORD}|[0-9]{{1,2}}\b)"
_THESE = r"(?:the|these|those|my|your|our|all|both|each|every)"
_OF_MANY = rf"(?: one)? (?:of|among|in) (?:{_THESE} ){{1,3}}(?:of )?(?:{_SOME} )?{_MANY}"


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace(" ?", r"\s{0,4}").replace(" ", r"\s{1,4}"), re.IGNORECASE)


_A_NUMBER = _compile(rf"[0-9]{{1,3}}|{_WORD}")
_A_PLACE = _compile(rf"(?P<nth>{_NTH})(?P<from_last>{_TO_LAST})?|(?P<next_to_last>{_NEXT_TO_LAST})|{_LAST}")


def _place(match: re.Match[str], sent: Sent) -> Images:
    """Return the image that `2nd`, `twenty-first`, `last`, `second to last` or `penultimate` means."""
    if match["nth"]:
        place = _value(match["nth"])
        return sent.from_last(place) if match["from_last"] else sent.ordinal(place)
    return sent.from_last(2 if match["next_to_last"] else 1)


def _value(text: str) -> int:
    """Return the number of `2`, `2nd`, `two` or `second`."""
    digits = "".join(char for char in text if char.isdigit())
    return int(digits) if digits else _VALUES["-".join(text.lower().replace("-", " ").split())]


def _values(match: re.Match[str]) -> list[int]:
    return [_value(word) for word in _A_NUMBER.findall(match["name"])]


def _numbers(match: re.Match[str], sent: Sent) -> Images:
    return tuple(image for value in _values(match) for image in sent.number(value))


def _range(match: re.Match[str], sent: Sent) -> Images:
    first, last = _values(match)
    return tuple(image for value in range(first, min(last, sent.count) + 1) for image in sent.number(value))


def _places(match: re.Match[str], sent: Sent) -> Images:
    return tuple(image for place in _A_PLACE.finditer(match["name"]) for image in _place(place, sent))


def _edge(match: re.Match[str], sent: Sent) -> Images:
    some = _value(match["some"])
    return sent.first(some) if match["name"].lower() == "first" else sent.last(some)


def _row(pattern: str, images: Callable[[re.Match[str], Sent], Images], *, short: bool = False) -> Row:
    return Row(_compile(_BEGIN + pattern), images, short)


ROWS = (
    _row(rf"{_MANY} ?(?P<name>{_NUMBER}(?: ?[-\u2010-\u2013] ?| (?:to|through) ){_NUMBER})", _range),
    _row(rf"{_MANY} ?(?P<name>{_NUMBER}(?:{_JOIN}{_NUMBER}){{0,9}})", _numbers),
    _row(rf"{_IMAGE}{_SIGN}(?P<name>{_DIGITS}(?:(?: and | ?& ?){_DIGITS}(?=\s*(?:\Z|[.:;?!])))?)", _numbers),
    _row(rf"{_NO_ARTICLE}{_IMAGE} (?:(?:number|no\.?) )?(?P<name>{_WORD}){_NO_NOUN_FOLLOWS}", _numbers),
    _row(rf"(?P<name>first|last) (?P<some>{_SOME}){_SENT} {_MANY}", _edge),
    _row(rf"(?P<name>{_PLACE}(?:{_JOIN}{_PLACE}){{1,9}}){_SENT} {_IMAGE}s?\b", _places),
    _row(rf"(?P<name>{_PLACE})(?:{_SENT} {_ONE}|{_OF_MANY})", _places),
    _row(rf"(?:number|no\.?) ?(?P<name>{_DIGITS}){_OF_MANY}", _numbers),
    _row(rf"(?:former|previous|preceding|earlier|prior) {_ONE}", lambda _, sent: sent.former()),
    _row(rf"latter {_ONE}", lambda _, sent: sent.latter()),
    _row(rf"(?:(?:{_THESE}|of|between|across) ){{1,4}}(?:{_SOME} )?{_MANY}", lambda _, sent: sent.all()),
    _row(rf"(?:each|every|neither|(?:an)?other) (?:of the )?{_IMAGE}s?\b", lambda _, sent: sent.all()),
    _row(
        rf"(?:in|on|from) the (?P<name>{_PLACE})(?: one\b)?"
        r"(?=\s{0,4}(?:[,.;:!?)，。；：！？]|\Z|(?:there|is|are|we|you|i|it|has|shows)\b))",
        _places,
        short=True,
    ),
)
