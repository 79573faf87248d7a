"""Read the boxes in one JSON value as it is written: characters in, labels and boxes out, object by object.

    [{"bbox_2d": [10, 20, 300, 400], "label": "cat"}, ...    -> Found("cat", ((10, 20, 300, 400),)), ...

An object has boxes if one of `BOX_KEYS` holds four numbers or a list of such; points likewise (`point_2d`). Around
it may be arrays and other objects. Nothing is shown of a value before its first object has ended: then it is known
whether the value is about boxes. If it is, the labels are shown in its place, separated by commas, and what else its
outer objects say in strings (`{"answer": "Two cats.", "boxes": [...]}`); an inner object without boxes is shown as
it is. If not, every character of it is given back. So is what breaks off, does not look like JSON, nests deeper than
`MAX_DEPTH`, or is longer than `JSON_CHARS` without an object that ends.

Not drawn, only counted, because it is not sure: `box_2d`, whose corners are y1, x1, y2, x2 in Gemini's answers and
x1, y1, x2, y2 in others; corners out of order, which may be x, y, width and height; a scale that is not sure.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from internvl_demo.grounding.numbers import Scale
from internvl_demo.photos.coordinates import Box4

BOX_KEYS = ("bbox_2d", "bbox", "bounding_box", "box", "box_2d")
POINT_KEY = "point_2d"
LABEL_KEYS = ("label", "name", "object", "text", "class", "category", "description")
IMAGE_KEYS = ("image", "picture", "photo", "图片", "图像")

JSON_CHARS = 2000
"""How much of a value is held back, at most, until an object of it has ended."""

MAX_DEPTH = 8
"""How deep brackets may lie in each other: `{"a": {"objects": [{"bbox_2d": [[` are six."""

LABEL_CHARS = 500
"""The longest label; the rest of it is cut off."""

_CLOSES = {"}": "{", "]": "["}
_BARE = frozenset(",:+-.0123456789eEtrufalsn")
"""What stands outside strings, besides brackets and spaces: numbers, true, false, null."""

_SAID = re.compile(r'"([^"\\]{1,40})"\s{0,8}:\s{0,8}("(?>(?:[^"\\]|\\.)*)")', re.DOTALL)


@dataclass(frozen=True)
class Found:
    """Boxes with a label; None for each that must not be drawn. `phrase`: whether the label is to be shown, too."""

    label: str
    boxes: tuple[Box4 | None, ...]
    phrase: bool


class JsonBoxes:
    """Read one JSON value. `text` is what of it is held; `eaten`: whether boxes were found; `ended`: its last
    bracket has closed. `label`: of the value before, in the same fence."""

    def __init__(self, scale: Scale, label: str | None = None):
        self.text = ""
        self.eaten = False
        self.ended = False
        self._scale = scale
        self._open: list[tuple[str, int]] = []  # brackets; where in `text` an object begins, or -1
        self._in_string = self._escaped = False
        self._before = ""  # the last character that is no space
        self.label = label  # the last that was shown; None: nothing was

    @property
    def in_object(self) -> bool:
        """Whether an object that may hold boxes has begun and not ended."""
        return any(bracket == "{" and start >= 0 for bracket, start in self._open)

    def take(self, char: str) -> "list[str | Found] | None":
        """Take a character; return the texts and boxes that it completes; None if the value is not about boxes.

        After None, `text` is to be shown; the character is in it if it ended an object, else it is not.
        """
        if len(self.text) >= JSON_CHARS or not self._fits(char):
            return None
        self.text += char
        if self._in_string:
            self._read_string(char)
            return []
        if not char.isspace():
            self._before = char
        if char in "{[":
            self._open.append((char, len(self.text) - 1 if char == "{" else -1))
        elif char == '"':
            self._in_string = True
        elif char in _CLOSES:
            return self._close()
        elif char == "," and self.eaten and not self.in_object:
            return self._drop()
        return []

    def _fits(self, char: str) -> bool:
        """Return whether the character may follow in JSON that may hold boxes."""
        if self._in_string or char.isspace():
            return bool(self._open)
        if char in "{[":
            return len(self._open) < MAX_DEPTH and self._before != "{"
        if char in _CLOSES:
            return bool(self._open) and self._open[-1][0] == _CLOSES[char]
        if not any(bracket == "{" for bracket, _ in self._open):
            return char == "," and self.eaten  # between the objects of an array
        return char == '"' or (self._before != "{" and char in _BARE)

    def _read_string(self, char: str) -> None:
        if self._escaped:
            self._escaped = False
        elif char == "\\":
            self._escaped = True
        elif char == '"':
            self._in_string = False

    def _close(self) -> list[str | Found] | None:
        bracket, start = self._open.pop()
        self.ended = not self._open
        if bracket == "{" and start >= 0:
            fields = _fields(self.text[start:])
            if found := self._found(fields):
                before = self._drop(start)
                self.eaten = True
                self._open = [(outer, -1) for outer, _ in self._open]
                return [*before, *_images_of(fields), *self._shown(*found)]
            if not self.in_object:
                return self._unlike(start) if self.eaten else None
        elif not self.in_object and (self.eaten or self.ended):
            return self._drop() if self.eaten else None
        return []

    def _unlike(self, start: int) -> list[str | Found]:
        """Show an object without boxes among others that have some."""
        text, self.text = self.text[start:], ""
        before = [] if self.label is None else [", "]
        self.label = ""
        return [*before, text]

    def _drop(self, end: int | None = None) -> list[str | Found]:
        """Drop what is held; return the strings in it that a person should read."""
        text, self.text = self.text[:end], ""
        return [
            said for match in _SAID.finditer(text) if (said := _to_read(match[1].lower(), _string(match[2])))
        ]

    def _shown(self, label: str, boxes: tuple[Box4 | None, ...]) -> list[str | Found]:
        phrase = bool(label) and label != self.label
        before = [", "] if phrase and self.label is not None else []
        if phrase:
            self.label = label
        return [*before, Found(label, boxes, phrase)]

    def _found(self, fields: dict[str, Any]) -> tuple[str, tuple[Box4 | None, ...]] | None:
        """Return the label and the boxes of an object that has a key for them."""
        for key in (*BOX_KEYS, POINT_KEY):
            lists = _lists(fields.get(key))
            if lists and (key != "box" or all(len(numbers) == 4 for numbers in lists)):
                labels = (fields.get(name) for name in LABEL_KEYS)
                label = next((value for value in labels if isinstance(value, str)), "")
                return _readable(label), tuple(self._box(key, numbers) for numbers in lists)
        return None

    def _box(self, key: str, numbers: Sequence[float]) -> Box4 | None:
        if key == POINT_KEY:
            return self._scale.point(numbers)
        box = self._scale.box(numbers)
        return (
            box if box and key != "box_2d" and numbers[0] < numbers[2] and numbers[1] < numbers[3] else None
        )


def _fields(text: str) -> dict[str, Any]:
    """Return the members of an object by their keys in lower case; none if it is not JSON."""
    try:
        value = json.loads(text, strict=False, parse_constant=_refuse)
    except ValueError:
        return {}
    return {key.lower(): member for key, member in value.items()}


def _images_of(fields: dict[str, Any]) -> list[str]:
    """Return what an object says of its image, if anything: `Image-2: `."""
    values = [fields.get(key) for key in IMAGE_KEYS]
    return [
        _to_read(IMAGE_KEYS[0], _readable(value)) for value in values if isinstance(value, str) and value
    ][:1]


def _to_read(key: str, value: str) -> str:
    """Return a member of an object as a person should read it; nothing of one that is for programs only."""
    if key in IMAGE_KEYS:
        return f"{value}: " if value else ""
    return f"{value}\n" if " " in value or not value.isascii() else ""


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _lists(value: object) -> list[list[float]]:
    """Return a list of numbers as the only one, and a list of such as it is; none of anything else."""
    if not isinstance(value, list) or not value:
        return []
    lists = value if all(isinstance(inner, list) for inner in value) else [value]
    exact = all(inner and all(type(number) in (int, float) for number in inner) for inner in lists)
    return lists if exact else []


def _string(literal: str) -> str:
    try:
        return _readable(json.loads(literal, strict=False))
    except ValueError:
        return ""


def _readable(text: str) -> str:
    """Return text on one line, of bounded length, in which no tag can stand."""
    return " ".join(text.split())[:LABEL_CHARS].replace("<", "<\u200b")
