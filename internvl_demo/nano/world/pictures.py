"""Represent a picture: its pixels, and the truth about them. Everything that the world draws is a `Picture`."""

from dataclasses import dataclass, field

from PIL import Image

from internvl_demo.nano.world.vocabulary import Kind

EXAM_SEEDS = 1_000_000_000
"""Seeds from here on are for exams and tests; training stays below."""

CHART_FORMS = ("bar", "line", "pie")

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2."""


@dataclass(frozen=True)
class Thing:
    """One object in a picture, its box in pixels of the picture. `colour` only of kinds that have several."""

    kind: Kind
    xyxy_px: tuple[int, int, int, int]
    colour: str = ""

    @property
    def area_px(self) -> int:
        """Area of the object's box, in square pixels."""
        x1, y1, x2, y2 = self.xyxy_px
        return (x2 - x1) * (y2 - y1)

    @property
    def centre_px(self) -> tuple[float, float]:
        """Centre of the object's box."""
        x1, y1, x2, y2 = self.xyxy_px
        return (x1 + x2) / 2, (y1 + y2) / 2


@dataclass(frozen=True)
class Letter:
    """One printed letter or digit; its box is as high as a capital."""

    char: str
    xyxy_px: Box


@dataclass(frozen=True)
class Print:
    """One printed word or number: its text, the box of its capitals, and its row in a list or chart.

    row: the row of which it is the name or the value; -1: none.
    """

    text: str
    xyxy_px: Box
    row: int = -1

    @staticmethod
    def of(letters: list[Letter], row: int = -1) -> "Print":
        """Return the print that letters in a line spell."""
        boxes = [letter.xyxy_px for letter in letters]
        box = (boxes[0][0], boxes[0][1], boxes[-1][2], boxes[0][3])
        return Print("".join(letter.char for letter in letters), box, row)


@dataclass(frozen=True)
class Picture:
    """A picture and what it shows. `form` is scene, sign, list, or a chart's: bar, line, pie.

    things: the objects, from left to right. rows: of lists and charts, (name, value) in reading order.
    words: what its sign says. letters: all print, and prints: the same by words. marks: boxes of a chart's bars or
    dots, one a row, which are no objects.
    """

    image: Image.Image
    things: tuple[Thing, ...] = ()
    form: str = "scene"
    rows: tuple[tuple[str, int], ...] = ()
    words: str = ""
    letters: tuple[Letter, ...] = ()
    prints: tuple[Print, ...] = ()
    marks: tuple[Box, ...] = field(default=())

    def of(self, kind: Kind) -> tuple[Thing, ...]:
        """Return the objects of a kind."""
        return tuple(thing for thing in self.things if thing.kind == kind)

    @property
    def counts(self) -> dict[Kind, int]:
        """Number of objects of each kind, in order of first appearance from the left."""
        return {kind: len(self.of(kind)) for kind in dict.fromkeys(thing.kind for thing in self.things)}

    def box_1000(self, thing: Thing) -> tuple[int, int, int, int]:
        """Return an object's box in normalised 0-1000 coordinates of the picture, at most 999."""
        width, height = self.image.size
        x1, y1, x2, y2 = thing.xyxy_px
        return (
            min(999, round(1000 * x1 / width)),
            min(999, round(1000 * y1 / height)),
            min(999, round(1000 * x2 / width)),
            min(999, round(1000 * y2 / height)),
        )
