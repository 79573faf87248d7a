"""What every patch of a view shows: the exact truth that training teaches the vision encoder.

A view is what the vision encoder sees at once: a tile, the thumbnail, or in the first stages a smaller
square. Each patch of 28 pixels shows a look (a kind in a colour; 0: nothing) and where its object's four
sides are; and it holds up to four letters, one a quarter of 14 pixels.
"""

from dataclasses import dataclass

import numpy

from internvl_demo.nano.world.pictures import Box, Picture
from internvl_demo.nano.world.vocabulary import looks
from internvl_demo.tiling import TILE_PX, TilePlan

PATCH_PX = 28
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
LEGIBLE_PX = 8.0
"""How high a capital must be in the view to be asked for; squeezed sideways, as high as it is wide."""


@dataclass(frozen=True)
class ViewTruth:
    """looks (patches,) int64; sides (patches, 4) float32: how far the object's left, top, right and bottom
    are from the patch's centre, in tiles; letters (patches, 4) int64, 1 + the place in `LETTERS`, 0 for none."""

    looks: numpy.ndarray
    sides: numpy.ndarray
    letters: numpy.ndarray


def view_truth(picture: Picture, view: Box, view_px: int = TILE_PX) -> ViewTruth:
    """The truth of the part `view` (x1, y1, x2, y2 in pixels of the picture), shown on `view_px` pixels."""
    grid = view_px // PATCH_PX
    numbers = looks()
    named = numpy.zeros((grid, grid), numpy.int64)
    sides = numpy.zeros((grid, grid, 4), numpy.float32)
    for thing in picture.things:
        _cover(named, sides, _seen(thing.xyxy_px, view, view_px), numbers[thing.kind.en, thing.colour])
    for mark in picture.marks:
        _cover(named, sides, _seen(mark, view, view_px), numbers["bar", ""])
    letters = numpy.zeros((grid, grid, 4), numpy.int64)
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
        quarter = 2 * (y % PATCH_PX >= PATCH_PX / 2) + (x % PATCH_PX >= PATCH_PX / 2)
        letters[row, column, int(quarter)] = 1 + LETTERS.index(letter.char)
    return ViewTruth(named.reshape(-1), sides.reshape(-1, 4), letters.reshape(-1, 4))


def views_of(picture: Picture, plan: TilePlan) -> list[Box]:
    """The parts of the picture that a plan's tiles show, in their order, the thumbnail last."""
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
    """A box of the picture in pixels of the view."""
    x, y = view_px / (view[2] - view[0]), view_px / (view[3] - view[1])
    return (box[0] - view[0]) * x, (box[1] - view[1]) * y, (box[2] - view[0]) * x, (box[3] - view[1]) * y


def _cover(named: numpy.ndarray, sides: numpy.ndarray, box: Box, look: int) -> None:
    """Marks the patches whose centres lie in a box, clipped to the view."""
    grid = len(named)
    limit = grid * PATCH_PX
    x1, y1, x2, y2 = (min(max(value, 0.0), limit) for value in box)
    centres = (numpy.arange(grid) + 0.5) * PATCH_PX
    inside = numpy.ix_((centres > y1) & (centres < y2), (centres > x1) & (centres < x2))
    named[inside] = look
    across, down = numpy.broadcast_arrays(centres[None, :], centres[:, None])
    distances = numpy.stack([across - x1, down - y1, x2 - across, y2 - down], axis=-1) / TILE_PX
    sides[inside] = distances[inside]
