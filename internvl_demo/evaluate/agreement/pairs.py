"""Pair the boxes of two answers, each box with the one that it overlaps most, and measure how far they are apart.

    paired([(0, 0, 100, 100)], [(10, 0, 110, 100), (500, 500, 600, 600)])
    -> Pairs(ious=(0.82,), corners_1000=(10.0, 10.0), missing=0, extra=1)

Labels decide nothing: two engines may call one thing by two names. Coordinates are thousandths of the picture.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from internvl_demo.evaluate.exam.marks import IOU_RIGHT, iou
from internvl_demo.photos.coordinates import Box4


@dataclass(frozen=True)
class Pairs:
    """Boxes that belong together, and those that have no partner.

    ious: of each pair. corners_1000: distances of the first corners and of the last, two for each pair.
    missing: boxes of the first alone; extra: of the second alone.
    """

    ious: tuple[float, ...] = ()
    corners_1000: tuple[float, ...] = ()
    missing: int = 0
    extra: int = 0

    @property
    def boxes(self) -> int:
        """Places that at least one of them has marked."""
        return len(self.ious) + self.missing + self.extra

    @property
    def matching(self) -> int:
        """Pairs that lie in one place, by the measure of the exam."""
        return sum(value >= IOU_RIGHT for value in self.ious)


def paired(first: Sequence[Box4], second: Sequence[Box4]) -> Pairs:
    """Pair the boxes of one picture; those that overlap most come first, and each box has one partner at most."""
    overlaps = sorted(
        ((iou(a, b), i, j) for i, a in enumerate(first) for j, b in enumerate(second)),
        key=lambda row: -row[0],
    )
    ious: list[float] = []
    corners: list[float] = []
    left, right = set(range(len(first))), set(range(len(second)))
    for overlap, i, j in overlaps:
        if overlap > 0 and i in left and j in right:
            left.remove(i)
            right.remove(j)
            ious.append(overlap)
            a, b = first[i], second[j]
            corners += [math.dist(a[:2], b[:2]), math.dist(a[2:], b[2:])]
    return Pairs(tuple(ious), tuple(corners), len(left), len(right))


def together(several: Iterable[Pairs]) -> Pairs:
    """Return the pairs of several pictures as one."""
    rows = list(several)
    return Pairs(
        tuple(value for row in rows for value in row.ious),
        tuple(value for row in rows for value in row.corners_1000),
        sum(row.missing for row in rows),
        sum(row.extra for row in rows),
    )
