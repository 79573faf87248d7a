"""Draw bars, lines and pies, each with a label and a value at every part, to be read in one tile."""

import math
import random

from PIL import Image, ImageDraw, ImageFont

from internvl_demo.nano.world.backgrounds import Colour, against
from internvl_demo.nano.world.pictures import CHART_FORMS, EXAM_SEEDS, Box, Letter, Picture, Print
from internvl_demo.nano.world.prints import CHART_TITLES, MONTHS, pick_face, typeface, write
from internvl_demo.nano.world.vocabulary import kinds


def draw_chart(seed: int) -> Picture:
    """Draw a chart of three to six parts with different values from 10 to 99."""
    rng = random.Random(seed)
    return _Chart(rng, seed >= EXAM_SEEDS).draw(rng.choice(CHART_FORMS))


class _Chart:
    """One chart being drawn."""

    def __init__(self, rng: random.Random, exam: bool):
        self.rng = rng
        self.ground: Colour = rng.choice(
            ((255, 255, 255), (248, 244, 236), (236, 242, 250), (40, 44, 52), (250, 250, 250))
        )
        self.image = Image.new(
            "RGB", rng.choice(((448, 448), (512, 512), (560, 448), (600, 480))), self.ground
        )
        self.canvas = ImageDraw.Draw(self.image)
        self.ink = against(rng, self.ground)
        self.face = pick_face(rng, exam)
        self.letters: list[Letter] = []
        self.prints: list[Print] = []
        self.marks: list[Box] = []
        short = [kind.en.upper() for kind in kinds() if len(kind.en) <= 4]
        names = list(MONTHS) if rng.random() < 0.4 else short
        count = rng.randint(3, 6)
        chosen = names[(start := rng.randint(0, 6)) : start + count] if names[0] == "JAN" else None
        self.rows = tuple(
            zip(chosen or rng.sample(names, count), rng.sample(range(10, 100), count), strict=True)
        )

    def draw(self, form: str) -> Picture:
        self._title()
        {"bar": self._bars, "line": self._line, "pie": self._pie}[form]()
        marks, letters, prints = tuple(self.marks), tuple(self.letters), tuple(self.prints)
        return Picture(self.image, form=form, rows=self.rows, letters=letters, prints=prints, marks=marks)

    def _title(self) -> None:
        font = self._font(self.rng.uniform(16, 20))
        self._centred(self.image.width / 2, 12, self.rng.choice(CHART_TITLES), font)

    def _bars(self) -> None:
        width, height = self.image.size
        font, step = self._font(self.rng.uniform(14, 17)), width * 0.92 / len(self.rows)
        floor, plot_px = height - 40, height - 120
        paints = [self._paint() for _ in self.rows] if self.rng.random() < 0.5 else [self._paint()] * 6
        self.canvas.line((width * 0.03, floor, width * 0.97, floor), self.ink, 2)
        for index, (name, value) in enumerate(self.rows):
            middle, top = width * 0.04 + step * (index + 0.5), floor - plot_px * value / 100
            bar = (middle - step * 0.3, top, middle + step * 0.3, floor)
            self.canvas.rectangle(bar, paints[index])
            self.marks.append(bar)
            self._centred(middle, top - 25, str(value), font, index)
            self._centred(middle, floor + 12, name, font, index)

    def _line(self) -> None:
        width, height = self.image.size
        font, step = self._font(self.rng.uniform(14, 17)), width * 0.92 / len(self.rows)
        floor, plot_px, paint = height - 40, height - 130, self._paint()
        points = [
            (width * 0.04 + step * (index + 0.5), floor - plot_px * value / 100)
            for index, (_, value) in enumerate(self.rows)
        ]
        self.canvas.line((width * 0.03, floor, width * 0.97, floor), self.ink, 2)
        self.canvas.line(points, paint, 4)
        for index, ((x, y), (name, value)) in enumerate(zip(points, self.rows, strict=True)):
            dot = (x - 6, y - 6, x + 6, y + 6)
            self.canvas.ellipse(dot, paint)
            self.marks.append(dot)
            self._centred(x, y - 31, str(value), font, index)
            self._centred(x, floor + 12, name, font, index)

    def _pie(self) -> None:
        """Draw slices with the name and the value beside each, the value below the name."""
        width, height = self.image.size
        font, radius = self._font(self.rng.uniform(14, 16)), 0.29 * min(width, height)
        x0, y0 = width / 2, height / 2 + 14
        total, angle = sum(value for _, value in self.rows), self.rng.uniform(0, 360)
        paints = self._paints(len(self.rows))
        for index, ((name, value), paint) in enumerate(zip(self.rows, paints, strict=True)):
            sweep = 360 * value / total
            circle = (x0 - radius, y0 - radius, x0 + radius, y0 + radius)
            self.canvas.pieslice(circle, angle, angle + sweep, paint, self.ground, 2)
            middle = math.radians(angle + sweep / 2)
            x, y = x0 + 1.36 * radius * math.cos(middle), y0 + 1.3 * radius * math.sin(middle)
            self._centred(x, y - 20, name, font, index)
            self._centred(x, y + 2, str(value), font, index)
            angle += sweep

    def _font(self, capital_px: float) -> ImageFont.FreeTypeFont:
        return typeface(self.face, round(capital_px * self.image.height / 448 / 0.72))

    def _centred(self, x: float, y: float, text: str, font: ImageFont.FreeTypeFont, row: int = -1) -> None:
        written = write(self.canvas, (x - font.getlength(text) / 2, y), text, font, self.ink)
        self.letters += written
        self.prints.append(Print.of(written, row))

    def _paint(self) -> Colour:
        while True:
            red, green, blue = (self.rng.randint(30, 230) for _ in range(3))
            if sum(abs(a - b) for a, b in zip((red, green, blue), self.ground, strict=True)) > 150:
                return red, green, blue

    def _paints(self, count: int) -> list[Colour]:
        """Return colours of slices, none like its neighbour."""
        paints: list[Colour] = []
        while len(paints) < count:
            paint = self._paint()
            if all(sum(abs(a - b) for a, b in zip(paint, other, strict=True)) > 90 for other in paints[-1:]):
                paints.append(paint)
        return paints
