"""Find where the decoder should look while it says a word: at the object that it names, boxes or reads.

    <ref>the cat</ref><box>[[120, 80, 402, 377]]</box>     "cat" and each number: the cat
    The sign says "STOP".                                   the word: where it stands

    3 against 1: Image-1 has more cats.                     each number: the cats in its image

Without the training loss that asks for it (`model.Pointer`), answers stay fluent and blind for hours.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy

from internvl_demo.conversation.tiling import TILE_PX
from internvl_demo.nano.world.pictures import Box, Picture
from internvl_demo.nano.world.truth import PATCH_PX
from internvl_demo.nano.world.vocabulary import Kind

CELLS = TILE_PX // PATCH_PX // 2
"""Visual tokens along a view's side."""

_BOX = re.compile(r"\[(\d+), (\d+), (\d+), (\d+)\]")
_AGAINST = re.compile(r"(\d+)(?: against |比)(\d+)")
_ABOUT_IMAGE = re.compile(r"Image-([12])(.*)")


@dataclass(frozen=True)
class Look:
    """The word that begins at character `start` of an answer is about `cells` (64,) bool of view number `view`."""

    start: int
    view: int
    cells: numpy.ndarray


def looks_at(answer: str, picture: Picture, views: Sequence[Box]) -> list[Look]:
    """Return all looks of an answer. `views`: the parts of the picture that are seen, the whole last."""
    found = [*_at_boxes(answer, len(views) - 1), *_at_names(answer, picture, len(views) - 1)]
    return found + list(_at_prints(answer, picture, views))


def looks_at_pair(
    answer: str, kind: Kind | None, pictures: Sequence[Picture], views: Sequence[Sequence[Box]]
) -> list[Look]:
    """Return all looks of an answer about two images, each line of it about the image that it names.

    The views of the second are numbered after the first's. `kind`: the one that is asked about, if any.
    """
    before = [0, len(views[0])]
    compared = _AGAINST.match(answer)
    if compared and kind:
        return [
            Look(compared.start(1 + image), before[image] + len(views[image]) - 1, _cells_of(picture, kind))
            for image, picture in enumerate(pictures)
            if picture.of(kind)
        ]
    found = []
    for line in _ABOUT_IMAGE.finditer(answer):
        image = int(line[1]) - 1
        for look in looks_at(line[2], pictures[image], views[image]):
            found.append(replace(look, start=line.start(2) + look.start, view=before[image] + look.view))
    return found


def _at_boxes(answer: str, whole: int) -> Iterator[Look]:
    for four in _BOX.finditer(answer):
        cells = _cells(tuple(int(value) / 1000 for value in four.groups()))
        yield from (Look(four.start(number), whole, cells) for number in range(1, 5))


def _at_names(answer: str, picture: Picture, whole: int) -> Iterator[Look]:
    for kind in picture.counts:
        cells = _cells_of(picture, kind)
        for name in re.finditer(rf"\b(?:{kind.plural}|{kind.en})\b|{kind.zh}", answer, re.ASCII):
            yield Look(name.start(), whole, cells)


def _cells_of(picture: Picture, kind: Kind) -> numpy.ndarray:
    """Return the visual tokens (64,) bool of all objects of a kind in the whole picture."""
    width, height = picture.image.size
    cells = numpy.zeros(CELLS * CELLS, bool)
    for thing in picture.of(kind):
        x1, y1, x2, y2 = thing.xyxy_px
        cells |= _cells((x1 / width, y1 / height, x2 / width, y2 / height))
    return cells


def _at_prints(answer: str, picture: Picture, views: Sequence[Box]) -> Iterator[Look]:
    """Return the looks at print: a sign's words; in lists and charts the named row's name and value.

    Each character looks at the whole print.
    """
    said = {
        one.row
        for one in picture.prints
        if one.row >= 0 and _spans(one.text, answer) and not one.text.isdigit()
    }
    for one in picture.prints:
        if one.text == picture.words or one.row in said:
            number, cells = _print_cells(one.xyxy_px, views)
            for start in _spans(one.text, answer):
                yield from (Look(start + place, number, cells) for place in range(len(one.text)))


def _spans(word: str, answer: str) -> list[int]:
    """Return where a word stands in an answer as a word of its own."""
    return [found.start() for found in re.finditer(rf"\b{word}\b", answer, re.ASCII)]


def _print_cells(box: Box, views: Sequence[Box]) -> tuple[int, numpy.ndarray]:
    """Return the view that holds most of a print, a tile before the whole, and the print's visual tokens in it."""
    y = (box[1] + box[3]) / 2
    held = [
        max(0.0, min(box[2], view[2]) - max(box[0], view[0])) * (view[1] <= y < view[3]) for view in views
    ]
    number = held.index(max(held))
    x1, y1, x2, y2 = views[number]
    left, right = (min(max((x - x1) / (x2 - x1), 0.0), 0.999) for x in (box[0], box[2]))
    middle = (y - y1) / (y2 - y1)
    first, last, row = int(left * CELLS), int(right * CELLS), int(middle * CELLS)
    on = numpy.zeros((CELLS, CELLS), bool)
    on[row, first : last + 1] = True
    return number, on.reshape(-1)


def _cells(box: tuple[float, ...]) -> numpy.ndarray:
    """Return which visual tokens lie on a box, given in shares of the view: by their centre, or the nearest."""
    x1, y1, x2, y2 = box
    centres = (numpy.arange(CELLS) + 0.5) / CELLS
    on = numpy.outer((centres >= y1) & (centres <= y2), (centres >= x1) & (centres <= x2))
    if not on.any():
        column, row = (
            min(CELLS - 1, max(0, int((low + high) * CELLS / 2))) for low, high in ((x1, x2), (y1, y2))
        )
        on[row, column] = True
    return on.reshape(-1)
