"""Draw scenes of objects: glyphs of Noto Color Emoji, at many sizes, slightly rotated, on a background.

Boxes are those of the visible glyph, in pixels of the picture, not of the glyph's cell. Objects may touch
but hardly overlap, so that a count has one right answer.

    scene = draw_scene(7)
    scene.image, scene.things[0].kind.en, scene.things[0].xyxy_px
"""

import random
import subprocess
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from internvl_demo.errors import SetupError
from internvl_demo.nano.world.backgrounds import draw_background
from internvl_demo.nano.world.pictures import EXAM_SEEDS, Picture, Thing
from internvl_demo.nano.world.vocabulary import Kind, kinds

_FONT_PLACES = (
    "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",
    "/usr/share/fonts/noto/NotoColorEmoji.ttf",
    "/usr/share/fonts/google-noto-color-emoji-fonts/NotoColorEmoji.ttf",
)
_GLYPH_PX = 109
"""The one size at which Noto Color Emoji holds bitmaps."""

SIZES_WH = ((448, 448), (512, 512), (640, 480), (480, 640), (600, 400), (400, 600), (720, 405), (560, 448))


@lru_cache
def emoji_font() -> ImageFont.FreeTypeFont:
    """Return the typeface Noto Color Emoji. Raises SetupError when it is not installed."""
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
    """Return a glyph as RGBA, cropped to what is visible."""
    cell = Image.new("RGBA", (160, 160))
    ImageDraw.Draw(cell).text((10, 10), char, font=emoji_font(), embedded_color=True)
    return cell.crop(cell.getbbox())


def draw_scene(
    seed: int, *, size_wh: tuple[int, int] | None = None, wanted: dict[Kind, int] | None = None
) -> Picture:
    """Draws a scene. `wanted` fixes what it shows; else one to four kinds, up to eight objects."""
    rng = random.Random(seed)
    size_wh = size_wh or rng.choice(SIZES_WH)
    image = draw_background(rng, size_wh, seed >= EXAM_SEEDS)
    if wanted is None:
        wanted = _choose(rng)
    members = [kind for kind, count in wanted.items() for _ in range(count)]
    rng.shuffle(members)
    things: list[Thing] = []
    for kind in members:
        thing = place(rng, image, kind, things, _largest(len(members)))
        if thing:
            things.append(thing)
    return Picture(image, from_left(things))


def draw_crowd(seed: int, size_wh: tuple[int, int] | None = None) -> Picture:
    """Draw a scene of nine to sixteen objects of many kinds: much to learn from in one picture."""
    rng = random.Random(seed)
    wanted = dict.fromkeys(rng.sample(kinds(), rng.randint(9, 16)), 1)
    return draw_scene(seed, size_wh=size_wh, wanted=wanted)


def from_left(things: list[Thing]) -> tuple[Thing, ...]:
    """Return the objects in the order of their left edges."""
    return tuple(sorted(things, key=lambda thing: thing.xyxy_px[0]))


def _choose(rng: random.Random) -> dict[Kind, int]:
    wanted: dict[Kind, int] = {}
    free_slots = 8
    chosen = rng.sample(kinds(), rng.choice((1, 2, 2, 3, 3, 4)))
    if rng.random() < 0.2:  # colours are few, and asked for
        chosen[0] = rng.choice([kind for kind in kinds() if kind.colours and kind not in chosen])
    for kind in chosen:
        count = min(free_slots, rng.choices((1, 2, 3, 4, 5), (46, 22, 15, 10, 7))[0])
        if count:
            wanted[kind] = count
            free_slots -= count
    return wanted


def _largest(members: int) -> float:
    return 0.62 if members == 1 else 0.5 if members <= 3 else 0.36


def place(
    rng: random.Random, image: Image.Image, kind: Kind, things: list[Thing], largest: float
) -> Thing | None:
    """Paste an object where it covers no other by more than a twentieth; None when there is no such place.

    largest: the most that the object takes of the picture's shorter side.
    """
    short = min(image.size)
    colour, char = rng.choice(kind.colours) if kind.colours else ("", kind.char)
    for attempt in range(6):
        side = short * rng.uniform(0.13, max(0.15, largest * (1 - attempt / 8)))
        sprite = _rotated_glyph(char, side, rng.uniform(-18, 18))
        width, height = sprite.size
        if width >= image.width or height >= image.height:
            continue
        for _ in range(12):
            x, y = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
            box = (x, y, x + width, y + height)
            if all(_cover(box, thing.xyxy_px) <= 0.05 for thing in things):
                image.paste(sprite, (x, y), sprite)
                return Thing(kind, box, colour)
    return None


def _rotated_glyph(char: str, side: float, degrees: float) -> Image.Image:
    """Return a glyph whose longer side is `side` pixels, rotated and cropped to its visible pixels."""
    sprite = glyph(char)
    scale = side / max(sprite.size)
    size = (max(4, round(sprite.width * scale)), max(4, round(sprite.height * scale)))
    sprite = sprite.resize(size, Image.Resampling.BILINEAR)
    sprite = sprite.rotate(degrees, Image.Resampling.BILINEAR, expand=True)
    return sprite.crop(sprite.getchannel("A").point(lambda alpha: 255 * (alpha > 40)).getbbox())


def _cover(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> float:
    """Return the intersection of two boxes over the area of the smaller."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return max(0, width) * max(0, height) / smaller
