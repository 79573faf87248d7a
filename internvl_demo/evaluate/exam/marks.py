"""Mark answers: which number, which kinds, which boxes. Any model may have written them, so nothing is assumed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from internvl_demo.answering.stream import Answer
from internvl_demo.grounding.parser import parse, visible_text
from internvl_demo.nano.world.pictures import Picture
from internvl_demo.nano.world.vocabulary import SIGN, Kind, kinds

IOU_RIGHT = 0.5

_MOST_DIGITS = 18
"""How much of a number is read: Python refuses thousands of digits, and nothing asked about has more."""

_NONE = re.compile(r"\b(no|not|none|nothing)\b|没有|不在", re.IGNORECASE)
_QUOTED = re.compile(r'["“”]([^"“”]+)["“”]')
_AS_MANY = re.compile(r"\bas many\b|一样多", re.IGNORECASE)
_VERDICT = r"(?:(yes|是的?|对的?|在)|no|不(?:是的?|对|在)?)"
_VERDICT_FIRST = re.compile(rf"^\W*+{_VERDICT}(?!\w)", re.IGNORECASE)
_VERDICT_LAST = re.compile(rf"(?<!\w){_VERDICT}\W*$", re.IGNORECASE)


@dataclass(frozen=True)
class Mark:
    """How right an answer is: `right` of its `claimed` claims, where `true` were to be made."""

    right: int
    claimed: int = 1
    true: int = 1

    @property
    def full(self) -> bool:
        """Whether nothing is wrong and nothing is missing."""
        return self.right == self.claimed == self.true


def right_if(fact: bool) -> Mark:
    """Return a full mark or none."""
    return Mark(int(fact))


def iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Return the intersection over union of two boxes (x1, y1, x2, y2)."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - width * height
    return width * height / area if area else 0.0


def as_read(raw: str) -> str:
    """Return what a person reads of an answer: no tags, no coordinates."""
    return visible_text(parse(raw).events)


def number_in(text: str) -> int | None:
    """Return the number that an answer comes to: its last, or 0 for `There is no ...`; None without one."""
    numbers = re.findall(r"\d+", re.sub(r"Image-\d+", "", text))
    if numbers:
        return int(numbers[-1][:_MOST_DIGITS])
    return 0 if says_none(text) else None


def says_none(text: str) -> bool:
    """Return whether an answer says that something is not there."""
    return bool(_NONE.search(text))


def yes_or_no(text: str) -> bool | None:
    """Return the verdict at an answer's beginning or end, `Yes, ...` or `...: yes.`; None without one, or with both."""
    found = (_VERDICT_FIRST.search(text), _VERDICT_LAST.search(text))
    verdicts = {match[1] is not None for match in found if match}
    return verdicts.pop() if len(verdicts) == 1 else None


def says_words(text: str, words: str) -> bool:
    """Return whether an answer quotes exactly these words; or, without quotes, has them as words of their own."""
    quoted = _QUOTED.findall(text)
    if quoted:
        return [part.strip().upper() for part in quoted] == [words]
    return bool(re.search(rf"(?<![A-Z0-9]){re.escape(words)}(?![A-Z0-9])", text))


def named_kinds(text: str) -> list[Kind]:
    """Return the kinds that a text names in either language, in order; of overlapping names the longer counts."""
    pattern, by_name = _names()
    return [by_name[found.lower()] for found in pattern.findall(text)]


@lru_cache
def _names() -> tuple[re.Pattern[str], dict[str, Kind]]:
    by_name = {name.lower(): kind for kind in (*kinds(), SIGN) for name in (kind.en, kind.plural, kind.zh)}
    names = sorted(by_name, key=len, reverse=True)
    english = "|".join(re.escape(name) for name in names if name.isascii())
    chinese = "|".join(re.escape(name) for name in names if not name.isascii())
    return re.compile(rf"\b(?:{english})\b|(?:{chinese})", re.IGNORECASE), by_name


def kinds_mark(text: str, true: Iterable[Kind]) -> Mark:
    """Mark the kinds that a text names against those that are shown."""
    named, wanted = set(named_kinds(text)), set(true)
    return Mark(len(named & wanted), len(named), len(wanted))


def boxes_mark(answer: Answer, picture: Picture, image: int = 1) -> Mark:
    """Mark labelled boxes against the objects of `picture`, which is Image-`image`.

    A box is right where its label names the object's kind and the two boxes agree.
    """
    left = [(thing.kind, picture.box_1000(thing)) for thing in picture.things]
    right = 0
    for pinned in answer.pinned:
        named = named_kinds(pinned.box.label or "")
        for kind, box in left:
            if pinned.image == image and named[:1] == [kind] and iou(box, pinned.box.box_1000) >= IOU_RIGHT:
                left.remove((kind, box))
                right += 1
                break
    return Mark(right, len(answer.pinned), len(picture.things))


def found_mark(answer: Answer, picture: Picture, kind: Kind, image: int = 1) -> Mark:
    """Mark as right when every object of the kind has its own box, on the right image, and there is no box too many."""
    truths = [picture.box_1000(thing) for thing in picture.of(kind)]
    boxes = [pinned.box.box_1000 for pinned in answer.pinned if pinned.image == image]
    matched = all(any(iou(truth, box) >= IOU_RIGHT for box in boxes) for truth in truths)
    return right_if(matched and len(answer.pinned) == len(boxes) == len(truths))


def absent_mark(answer: Answer, kind: Kind) -> Mark:
    """Mark as right when the answer says of this kind, and of no other, that there is none, and has no box."""
    named = set(named_kinds(answer.text))
    return right_if(says_none(answer.text) and named == {kind} and not answer.pinned)


def only_mark(text: str, truth: str) -> Mark:
    """Mark what one image alone shows: right with the true kinds, or none by name, of the true image."""
    wanted = set(named_kinds(truth))
    same = set(named_kinds(text)) == wanted and _image(text) == _image(truth)
    return right_if(same and (bool(wanted) or says_none(text)))


def more_mark(text: str, kind: Kind, counts: tuple[int, int]) -> Mark:
    """Mark which of two images has more of a kind, wherever the counts stand in the text.

    With equal counts the right answer says that there are as many; with none at all, that there is none.
    """
    if set(named_kinds(text)) != {kind}:
        return right_if(False)
    first, second = counts
    if first != second:
        return right_if(_image(text) == ("Image-1" if first > second else "Image-2"))
    same = bool(_AS_MANY.search(text)) if first else number_in(text) == 0
    return right_if(same and not _image(text))


def _image(text: str) -> str:
    """Return the first image that a text names by number, as `Image-2`, or ""."""
    named = re.search(r"Image-\d+", text)
    return named[0] if named else ""
