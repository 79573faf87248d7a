"""Where the decoder should look while it says a word: at the object that it names, boxes or reads.

    <ref>the cat</ref><box>[[120, 80, 402, 377]]</box>     "cat" and each number: the cat
    The sign says "STOP".                                   each letter: that letter

The training loss that asks for it (`model.Pointer`) is what ends the hours in which answers are fluent and blind.
Only of conversations about one picture.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy

from internvl_demo.nano.world.pictures import Box, Letter, Picture
from internvl_demo.nano.world.truth import PATCH_PX
from internvl_demo.tiling import TILE_PX

CELLS = TILE_PX // PATCH_PX // 2
"""Visual tokens along a view's side."""

_BOX = re.compile(r"\[(\d+), (\d+), (\d+), (\d+)\]")


@dataclass(frozen=True)
class Look:
    """The word that begins at character `start` of an answer is about `cells` (64,) bool of view number `view`."""

    start: int
    view: int
    cells: numpy.ndarray


def looks_at(answer: str, picture: Picture, views: Sequence[Box]) -> list[Look]:
    """All looks of an answer. `views`: the parts of the picture that are seen, the whole last."""
    found = [*_at_boxes(answer, len(views) - 1), *_at_names(answer, picture, len(views) - 1)]
    return found + list(_at_letters(answer, picture, views))


def _at_boxes(answer: str, whole: int) -> Iterator[Look]:
    for four in _BOX.finditer(answer):
        cells = _cells(tuple(int(value) / 1000 for value in four.groups()))
        yield from (Look(four.start(number), whole, cells) for number in range(1, 5))


def _at_names(answer: str, picture: Picture, whole: int) -> Iterator[Look]:
    width, height = picture.image.size
    for kind in picture.counts:
        cells = numpy.zeros(CELLS * CELLS, bool)
        for thing in picture.of(kind):
            x1, y1, x2, y2 = thing.xyxy_px
            cells |= _cells((x1 / width, y1 / height, x2 / width, y2 / height))
        for name in re.finditer(rf"\b(?:{kind.plural}|{kind.en})\b|{kind.zh}", answer, re.ASCII):
            yield Look(name.start(), whole, cells)


def _at_letters(answer: str, picture: Picture, views: Sequence[Box]) -> Iterator[Look]:
    """Names, values and a sign's words, letter by letter. A row's letters follow those of the row before."""
    texts = [(picture.words, "")] if picture.words else [(name, str(value)) for name, value in picture.rows]
    place = len(picture.letters) - sum(len("".join(row).replace(" ", "")) for row in texts)
    for name, value in texts:
        first, second = (value, name) if picture.form in ("bar", "line") else (name, value)
        if re.search(rf"\b{name}\b", answer, re.ASCII):
            for word in (first, second):
                spans = (
                    [found.start() for found in re.finditer(rf"\b{word}\b", answer, re.ASCII)] if word else []
                )
                printed = picture.letters[place : place + len(word.replace(" ", ""))]
                for start in spans:
                    places = [start + number for number, char in enumerate(word) if char != " "]
                    for at, letter in zip(places, printed, strict=True):
                        yield _at_letter(at, letter, views)
                place += len(printed)
        else:
            place += len((name + value).replace(" ", ""))


def _at_letter(start: int, letter: Letter, views: Sequence[Box]) -> Look:
    """The letter in the first view that holds it: its tile, or the whole."""
    x, y = (letter.xyxy_px[0] + letter.xyxy_px[2]) / 2, (letter.xyxy_px[1] + letter.xyxy_px[3]) / 2
    number, (x1, y1, x2, y2) = next(
        (
            (number, view)
            for number, view in enumerate(views)
            if view[0] <= x < view[2] and view[1] <= y < view[3]
        ),
        (len(views) - 1, views[-1]),
    )
    x, y = (x - x1) / (x2 - x1), (y - y1) / (y2 - y1)
    return Look(start, number, _cells((x, y, x, y)))


def _cells(box: tuple[float, ...]) -> numpy.ndarray:
    """Which visual tokens lie on a box, given in shares of the view: those with their centre inside, or the nearest."""
    x1, y1, x2, y2 = box
    centres = (numpy.arange(CELLS) + 0.5) / CELLS
    on = numpy.outer((centres >= y1) & (centres <= y2), (centres >= x1) & (centres <= x2))
    if not on.any():
        column, row = (
            min(CELLS - 1, max(0, int((low + high) * CELLS / 2))) for low, high in ((x1, x2), (y1, y2))
        )
        on[row, column] = True
    return on.reshape(-1)
