"""Compute what every patch of a view shows: the exact truth that training teaches the vision encoder.

A view is what the vision encoder sees at once: a tile, the thumbnail, or in the first stages a smaller
square. Each patch of 28 pixels shows a look (a kind in a colour; 0: nothing) and where its object's four
sides are. It holds up to four letters, one in each quarter of 14 pixels. Print across it is also given as a
whole: the word, the number. The name and the value of one row of a chart or list carry both the row's word and
its number, because the vision encoder, which sees the page, is the one to find what belongs together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy

from internvl_demo.conversation.tiling import TILE_PX, TilePlan
from internvl_demo.nano.world.pictures import CHART_FORMS, Box, Picture, Print
from internvl_demo.nano.world.prints import printed_words
from internvl_demo.nano.world.vocabulary import looks

PATCH_PX = 28
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
LEGIBLE_PX = 8.0
"""How high a capital must be in the view to be asked for; squeezed sideways, as high as it is wide."""
DIGITS = 3
"""Places of a number: hundreds, tens, ones."""
_SEEN = 0.7
"""How much of a print's width a view must hold to tell it."""
_LARGEST, _SMALLEST = 1, 2


@lru_cache
def word_numbers() -> dict[str, int]:
    """Return every word that is printed -> its number, from 1; one more number is for all other words."""
    return {word: number for number, word in enumerate(printed_words(), start=1)}


WORD_CHOICES = len(printed_words()) + 2
"""No word, each word, any other."""


@dataclass(frozen=True)
class ViewTruth:
    """The truth of one view, patch by patch.

    looks (patches,) int64; sides (patches, 4) float32: how far the object's left, top, right and bottom
    are from the patch's centre, in tiles; letters (patches, 4) int64, 1 + the place in `LETTERS`, 0 for none.
    words (patches,) int64: `word_numbers`, 0 for none; digits (patches, 3) int64: 1 + the digit, 0 for none; ranks
    (patches,) int64: 1 for the largest row of a chart seen whole, 2 for the smallest, 0 for all else.
    """

    looks: numpy.ndarray
    sides: numpy.ndarray
    letters: numpy.ndarray
    words: numpy.ndarray
    digits: numpy.ndarray
    ranks: numpy.ndarray


def view_truth(picture: Picture, view: Box, view_px: int = TILE_PX) -> ViewTruth:
    """Return the truth of the part `view` (x1, y1, x2, y2 in pixels of the picture), shown on `view_px` pixels."""
    grid = view_px // PATCH_PX
    numbers = looks()
    named = numpy.zeros((grid, grid), numpy.int64)
    sides = numpy.zeros((grid, grid, 4), numpy.float32)
    for thing in picture.things:
        _cover(named, sides, _seen(thing.xyxy_px, view, view_px), numbers[thing.kind.en, thing.colour])
    for mark in picture.marks:
        _cover(named, sides, _seen(mark, view, view_px), numbers["bar", ""])
    spelled = numpy.zeros((2 * grid, 2 * grid), numpy.int64)
    squeeze = (view[3] - view[1]) / (view[2] - view[0])
    for letter in picture.letters:
        x1, y1, x2, y2 = _seen(letter.xyxy_px, view, view_px)
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        if not (0 <= x < view_px and 0 <= y < view_px):
            continue
        row, column = int(y // PATCH_PX), int(x // PATCH_PX)
        if (y2 - y1) * min(1.0, squeeze) < LEGIBLE_PX:
            named[row, column] = named[row, column] or numbers["print", ""]
            continue
        # a large letter in every quarter whose centre it covers, any letter where its own centre is
        spelled[_quarters(x1, x2, 2 * grid), _quarters(y1, y2, 2 * grid)] = 1 + LETTERS.index(letter.char)
    letters = spelled.T.reshape(grid, 2, grid, 2).transpose(0, 2, 1, 3).reshape(-1, 4)
    words, digits, ranks = _prints(picture, view, view_px)
    return ViewTruth(named.reshape(-1), sides.reshape(-1, 4), letters, words, digits, ranks)


def legible(picture: Picture, views: Sequence[Box]) -> bool:
    """Return whether print can be read in the best of some views of whole tiles."""
    heights = [print_.xyxy_px[3] - print_.xyxy_px[1] for print_ in picture.prints if print_.row >= 0]
    return not heights or min(heights) * max(_scale(view) for view in views) >= LEGIBLE_PX


def _scale(view: Box) -> float:
    """Return by how much a tile enlarges what it shows, the smaller of both directions."""
    return TILE_PX / max(view[2] - view[0], view[3] - view[1])


def _quarters(low: float, high: float, count: int) -> slice:
    """Return the quarters of 14 pixels along one side whose centres lie between, or the one around the middle."""
    size = PATCH_PX / 2
    first, last = math.ceil(low / size - 0.5), math.floor(high / size - 0.5)
    if first > last:
        first = last = int((low + high) / 2 / size)
    return slice(max(0, first), min(count, last + 1))


def _prints(picture: Picture, view: Box, view_px: int) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Compute `ViewTruth`'s words, digits and ranks."""
    grid = view_px // PATCH_PX
    words = numpy.zeros((grid, grid), numpy.int64)
    digits = numpy.zeros((grid, grid, DIGITS), numpy.int64)
    ranks = numpy.zeros((grid, grid), numpy.int64)
    squeeze = min(1.0, (view[3] - view[1]) / (view[2] - view[0]))
    seen: list[tuple[Print, Box]] = []
    for one in picture.prints:
        box = _seen(one.xyxy_px, view, view_px)
        if (box[3] - box[1]) * squeeze >= LEGIBLE_PX and _share_inside(box, view_px) >= _SEEN:
            seen.append((one, box))
    whole = picture.form in CHART_FORMS and (view[2] - view[0], view[3] - view[1]) == picture.image.size
    order = sorted(range(len(picture.rows)), key=lambda row: picture.rows[row][1]) if whole else []
    for row in sorted({one.row for one, _ in seen}):
        own = [(one, box) for one, box in seen if one.row == row]
        # what belongs to no row is told where it is, a row's word and number at both
        told = own if row < 0 else [(said, box) for said, _ in own for _, box in own]
        for said, box in told:
            place = _patches(box, grid)
            if said.text.isdigit():
                digits[place] = [0] * (DIGITS - len(said.text)) + [1 + int(digit) for digit in said.text]
            else:
                words[place] = word_numbers().get(said.text, WORD_CHOICES - 1)
            if order and row >= 0:
                ranks[place] = {order[-1]: _LARGEST, order[0]: _SMALLEST}.get(row, 0)
    return words.reshape(-1), digits.reshape(-1, DIGITS), ranks.reshape(-1)


def _share_inside(box: Box, view_px: int) -> float:
    """Return how much of a box's width lies in the view, if its middle line does."""
    x1, y1, x2, y2 = box
    if not 0 <= (y1 + y2) / 2 < view_px:
        return 0.0
    return max(0.0, min(x2, view_px) - max(x1, 0.0)) / (x2 - x1)


def _patches(box: Box, grid: int) -> tuple[slice, slice]:
    """Return the patches, rows and columns, that a box covers by more than its margin."""
    spans = []
    for low, high in ((box[1], box[3]), (box[0], box[2])):
        margin = 0.25 * min(high - low, PATCH_PX)
        first, last = int((low + margin) // PATCH_PX), int((high - margin) // PATCH_PX)
        spans.append(slice(max(0, first), max(0, min(grid, last + 1))))
    return spans[0], spans[1]


def views_of(picture: Picture, plan: TilePlan) -> list[Box]:
    """Return the parts of the picture that a plan's tiles show, in their order, the thumbnail last."""
    width, height = picture.image.size
    columns, rows = plan.grid
    parts: list[Box] = [
        (
            width * column / columns,
            height * row / rows,
            width * (column + 1) / columns,
            height * (row + 1) / rows,
        )
        for row in range(rows)
        for column in range(columns)
    ]
    return parts + [(0.0, 0.0, float(width), float(height))] * plan.thumbnail


def _seen(box: Box, view: Box, view_px: int) -> Box:
    """Return a box of the picture in pixels of the view."""
    x, y = view_px / (view[2] - view[0]), view_px / (view[3] - view[1])
    return (box[0] - view[0]) * x, (box[1] - view[1]) * y, (box[2] - view[0]) * x, (box[3] - view[1]) * y


def _cover(named: numpy.ndarray, sides: numpy.ndarray, box: Box, look: int) -> None:
    """Mark the patches whose centres lie in a box, clipped to the view."""
    grid = len(named)
    limit = grid * PATCH_PX
    x1, y1, x2, y2 = (min(max(value, 0.0), limit) for value in box)
    centres = (numpy.arange(grid) + 0.5) * PATCH_PX
    inside = numpy.ix_((centres > y1) & (centres < y2), (centres > x1) & (centres < x2))
    named[inside] = look
    across, down = numpy.broadcast_arrays(centres[None, :], centres[:, None])
    distances = numpy.stack([across - x1, down - y1, x2 - across, y2 - down], axis=-1) / TILE_PX
    sides[inside] = distances[inside]
