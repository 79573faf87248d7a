"""Pictures that a program draws, so that what they show is known exactly.

A scene is objects (glyphs of Noto Color Emoji, at many sizes, slightly turned) on a background (plain,
gradient, stripes, checks, clouds, noise). The same seed gives the same scene. Boxes are those of the
visible glyph, in pixels of the scene, not of the glyph's cell. Objects may touch but hardly overlap,
so that a count has one right answer.

    scene = draw_scene(7)
    scene.image, scene.things[0].kind.en, scene.things[0].xyxy_px
"""

import random
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy
from PIL import Image, ImageDraw, ImageFont

from internvl_demo.errors import SetupError
from internvl_demo.nano.vocabulary import Kind, kinds

EXAM_SEEDS = 1_000_000_000
"""Seeds from here on are for exams and tests; training stays below."""

_FONT_PLACES = (
    "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",
    "/usr/share/fonts/noto/NotoColorEmoji.ttf",
    "/usr/share/fonts/google-noto-color-emoji-fonts/NotoColorEmoji.ttf",
)
_GLYPH_PX = 109
"""The one size at which Noto Color Emoji holds bitmaps."""

SIZES_WH = ((448, 448), (512, 512), (640, 480), (480, 640), (600, 400), (400, 600), (720, 405), (560, 448))


@dataclass(frozen=True)
class Thing:
    """One object in a scene."""

    kind: Kind
    xyxy_px: tuple[int, int, int, int]


@dataclass(frozen=True)
class Scene:
    """A picture and what it shows, objects in reading order of their left edges."""

    image: Image.Image
    things: tuple[Thing, ...]

    def of(self, kind: Kind) -> tuple[Thing, ...]:
        """The objects of a kind."""
        return tuple(thing for thing in self.things if thing.kind == kind)

    @property
    def counts(self) -> dict[Kind, int]:
        """How many of each kind, in order of first appearance from the left."""
        return {kind: len(self.of(kind)) for kind in dict.fromkeys(thing.kind for thing in self.things)}

    def box_1000(self, thing: Thing) -> tuple[int, int, int, int]:
        """A thing's box in thousandths of the picture, 0..999."""
        width, height = self.image.size
        x1, y1, x2, y2 = thing.xyxy_px
        return (
            min(999, round(1000 * x1 / width)),
            min(999, round(1000 * y1 / height)),
            min(999, round(1000 * x2 / width)),
            min(999, round(1000 * y2 / height)),
        )


@lru_cache
def emoji_font() -> ImageFont.FreeTypeFont:
    """Noto Color Emoji. Raises SetupError when it is not installed."""
    places = [place for place in _FONT_PLACES if Path(place).is_file()] or _ask_fontconfig()
    if not places:
        raise SetupError(
            "The font Noto Color Emoji, with which scenes are drawn, is not installed.",
            "On Debian or Ubuntu: apt-get install fonts-noto-color-emoji.",
        )
    return ImageFont.truetype(places[0], _GLYPH_PX)


def _ask_fontconfig() -> list[str]:
    command = ["fc-list", "Noto Color Emoji", "file"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip().rstrip(":") for line in found.splitlines() if line.strip()]


@lru_cache(maxsize=512)
def glyph(char: str) -> Image.Image:
    """A glyph as RGBA, cropped to what is visible."""
    cell = Image.new("RGBA", (160, 160))
    ImageDraw.Draw(cell).text((10, 10), char, font=emoji_font(), embedded_color=True)
    return cell.crop(cell.getbbox())


def draw_scene(
    seed: int, *, size_wh: tuple[int, int] | None = None, wanted: dict[Kind, int] | None = None
) -> Scene:
    """Draws a scene. `wanted` fixes what it shows; else one to four kinds, up to eight objects."""
    rng = random.Random(seed)
    size_wh = size_wh or rng.choice(SIZES_WH)
    image = _background(rng, size_wh)
    if wanted is None:
        wanted = _choose(rng)
    members = [kind for kind, count in wanted.items() for _ in range(count)]
    rng.shuffle(members)
    things: list[Thing] = []
    for kind in members:
        thing = _place(rng, image, kind, things, len(members))
        if thing:
            things.append(thing)
    return Scene(image, tuple(sorted(things, key=lambda thing: thing.xyxy_px[0])))


def draw_crowd(seed: int) -> Scene:
    """A scene of nine to sixteen objects of many kinds: much to learn from in one picture."""
    rng = random.Random(seed)
    return draw_scene(seed, wanted=dict.fromkeys(rng.sample(kinds(), rng.randint(9, 16)), 1))


def _choose(rng: random.Random) -> dict[Kind, int]:
    wanted: dict[Kind, int] = {}
    room = 8
    for kind in rng.sample(kinds(), rng.choice((1, 2, 2, 3, 3, 4))):
        count = min(room, rng.choices((1, 2, 3, 4, 5), (46, 22, 15, 10, 7))[0])
        if count:
            wanted[kind] = count
            room -= count
    return wanted


def _place(
    rng: random.Random, image: Image.Image, kind: Kind, things: list[Thing], members: int
) -> Thing | None:
    """Pastes an object where it covers no other by more than a twentieth; None when there is no room."""
    short = min(image.size)
    largest = 0.62 if members == 1 else 0.5 if members <= 3 else 0.36
    for attempt in range(6):
        side = short * rng.uniform(0.13, max(0.15, largest * (1 - attempt / 8)))
        sprite = _turned(kind.char, side, rng.uniform(-18, 18))
        width, height = sprite.size
        if width >= image.width or height >= image.height:
            continue
        for _ in range(12):
            x, y = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
            box = (x, y, x + width, y + height)
            if all(_cover(box, thing.xyxy_px) <= 0.05 for thing in things):
                image.paste(sprite, (x, y), sprite)
                return Thing(kind, box)
    return None


def _turned(char: str, side: float, degrees: float) -> Image.Image:
    """A glyph whose longer side is `side` pixels, turned, cropped to its visible pixels."""
    sprite = glyph(char)
    scale = side / max(sprite.size)
    size = (max(4, round(sprite.width * scale)), max(4, round(sprite.height * scale)))
    sprite = sprite.resize(size, Image.Resampling.BILINEAR)
    sprite = sprite.rotate(degrees, Image.Resampling.BILINEAR, expand=True)
    return sprite.crop(sprite.getchannel("A").point(lambda alpha: 255 * (alpha > 40)).getbbox())


def _cover(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> float:
    """Intersection over the smaller box."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return max(0, width) * max(0, height) / smaller


def _background(rng: random.Random, size_wh: tuple[int, int]) -> Image.Image:
    draw = rng.choice((_plain, _gradient, _stripes, _checks, _clouds, _noise))
    return draw(rng, size_wh)


def _colour(rng: random.Random) -> tuple[int, int, int]:
    if rng.random() < 0.5:
        return rng.randint(170, 255), rng.randint(170, 255), rng.randint(170, 255)
    return rng.randint(0, 255), rng.randint(0, 255), rng.randint(0, 255)


def _near(rng: random.Random, colour: tuple[int, int, int], by: int) -> tuple[int, int, int]:
    red, green, blue = (min(255, max(0, part + rng.randint(-by, by))) for part in colour)
    return red, green, blue


def _plain(rng: random.Random, size_wh: tuple[int, int]) -> Image.Image:
    return Image.new("RGB", size_wh, (255, 255, 255) if rng.random() < 0.3 else _colour(rng))


def _gradient(rng: random.Random, size_wh: tuple[int, int]) -> Image.Image:
    ramp = Image.linear_gradient("L").rotate(rng.choice((0, 90, 180, 270))).resize(size_wh)
    return Image.composite(
        Image.new("RGB", size_wh, _colour(rng)), Image.new("RGB", size_wh, _colour(rng)), ramp
    )


def _stripes(rng: random.Random, size_wh: tuple[int, int]) -> Image.Image:
    first = _colour(rng)
    image = Image.new("RGB", size_wh, first)
    draw, step, second = ImageDraw.Draw(image), rng.randint(16, 70), _near(rng, first, 50)
    lean = rng.choice((0, size_wh[1]))
    for start in range(-size_wh[1], size_wh[0], 2 * step):
        draw.polygon(
            [(start, 0), (start + step, 0), (start + step + lean, size_wh[1]), (start + lean, size_wh[1])],
            second,
        )
    return image


def _checks(rng: random.Random, size_wh: tuple[int, int]) -> Image.Image:
    first = _colour(rng)
    image = Image.new("RGB", size_wh, first)
    draw, step, second = ImageDraw.Draw(image), rng.randint(20, 80), _near(rng, first, 45)
    for row, y in enumerate(range(0, size_wh[1], step)):
        for x in range((row % 2) * step, size_wh[0], 2 * step):
            draw.rectangle((x, y, x + step - 1, y + step - 1), second)
    return image


def _clouds(rng: random.Random, size_wh: tuple[int, int]) -> Image.Image:
    source, cells, colour = numpy.random.default_rng(rng.getrandbits(32)), rng.randint(3, 12), _colour(rng)
    soft = source.integers(-45, 46, (cells, cells, 3)) + numpy.array(colour)
    return Image.fromarray(soft.clip(0, 255).astype(numpy.uint8)).resize(size_wh, Image.Resampling.BICUBIC)


def _noise(rng: random.Random, size_wh: tuple[int, int]) -> Image.Image:
    source, colour = numpy.random.default_rng(rng.getrandbits(32)), _colour(rng)
    grain = source.integers(-35, 36, (size_wh[1] // 2, size_wh[0] // 2, 3)) + numpy.array(colour)
    return Image.fromarray(grain.clip(0, 255).astype(numpy.uint8)).resize(size_wh, Image.Resampling.BILINEAR)
