"""Decide in which scale a model wrote its coordinates: numbers -> boxes in thousandths, or None.

    Scale().box([10, 20, 300, 400])             -> (10, 20, 300, 400)
    Scale().box([0.12, 0.3, 0.55, 0.81])        -> (120, 300, 550, 810)
    Scale().box([100, 100, 1800, 900])          -> None

InternVL writes thousandths of the image. Others write fractions, percent, or pixels of a picture that only their
own server has seen. A box that may be wrong is worse than none, so a scale must be certain:

    thousandths   up to 1000, and not all within 0..1; a little outside is clamped, corners are put in order
    fractions     all within 0..1, and one with a decimal point: `0.5`, `1.0`; times 1000
    pixels        anything over 1000: never drawn
    not sure      `[0, 0, 1, 1]` without a decimal point; decimals that leave 0..1 and stay below 2; no area

An answer has one scale, that of its first certain list; a list in the other one is not drawn. A number over 1000
says that even the small ones are pixels: nothing after it is drawn. In an answer of fractions `[0, 0, 1, 1]` is
the whole image.

A point becomes a box around it, `POINT_SIDE` wide and high: the page, the overlay, the HTTP interface and a crop of
a region all take boxes, and a mark of this size is seen and can be clicked.
"""

import re
from collections.abc import Sequence
from typing import Literal

from internvl_demo.photos.coordinates import SCALE, Box4

POINT_SIDE = 20
"""The side of the box that stands for a point, in thousandths."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,12}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})")
_LIMIT = 10**12
_SPACES = re.compile(r"\s+")


class Scale:
    """The scale of one answer's coordinates, as far as its lists have shown it."""

    def __init__(self) -> None:
        self._unit: Literal["", "thousandths", "fractions", "pixels"] = ""

    def box(self, numbers: Sequence[float] | None) -> Box4 | None:
        """Return the box with these corners, x1, y1, x2, y2; None if it is none, or its scale is not certain."""
        values = self._thousandths(numbers) if numbers and len(numbers) == 4 else None
        if values is None:
            return None
        x1, y1, x2, y2 = values
        if x1 == x2 or y1 == y2:
            return None
        return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)

    def point(self, numbers: Sequence[float] | None) -> Box4 | None:
        """Return the box that stands for the point x, y; None if it is none, or its scale is not certain."""
        values = self._thousandths(numbers) if numbers and len(numbers) == 2 else None
        return None if values is None else around(*values)

    def _thousandths(self, numbers: Sequence[float]) -> list[int] | None:
        if not all(-_LIMIT < number < _LIMIT for number in numbers):
            return None
        if max(numbers) >= SCALE + 0.5:
            self._unit = "pixels"
        within_one = all(0 <= number <= 1 for number in numbers)
        exact = all(isinstance(number, int) for number in numbers)
        if not self._unit and not within_one and (exact or max(map(abs, numbers)) >= 2):
            self._unit = "thousandths"
        elif not self._unit and within_one and not exact:
            self._unit = "fractions"
        if self._unit != ("fractions" if within_one else "thousandths"):
            return None
        factor = SCALE if within_one else 1
        return [min(SCALE, max(0, int(number * factor + 0.5))) for number in numbers]


def around(x_1000: int, y_1000: int) -> Box4:
    """Return the box that stands for a point, within the image."""
    half = POINT_SIDE // 2
    left, top = max(0, x_1000 - half), max(0, y_1000 - half)
    return left, top, min(SCALE, x_1000 + half), min(SCALE, y_1000 + half)


def percent_point(x: str, y: str) -> Box4 | None:
    """Return the box that stands for a point in percent of the image, `53.5` and `40`; None if it is none."""
    if not (_NUMBER.fullmatch(x) and _NUMBER.fullmatch(y) and 0 <= float(x) <= 100 and 0 <= float(y) <= 100):
        return None
    return around(int(float(x) * 10 + 0.5), int(float(y) * 10 + 0.5))


def numbers_in(text: str, *, spaced: bool = False) -> list[float] | None:
    """Return the numbers of a list's inside (`10, 20.5`), whole ones as int; None if anything else is in it.

    spaced: spaces may stand for commas.
    """
    text = text.replace("\uff0c", ",").strip(" \t\r\n,")
    if spaced and "," not in text:
        text = _SPACES.sub(",", text)
    parts = [part.strip() for part in text.split(",")]
    if not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    return [float(part) if "." in part else int(part) for part in parts]
