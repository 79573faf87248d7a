"""Draw what is behind objects and print: plain, gradient, stripes, checks, clouds, noise.

Exams also have rings and dots, which training never shows.
"""

import random

import numpy
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]


def draw_background(rng: random.Random, size_wh: tuple[int, int], exam: bool) -> Image.Image:
    """Draw a background; half of an exam's are of kinds that training never shows."""
    if exam and rng.random() < 0.5:
        return rng.choice((_rings, _dots))(rng, size_wh)
    return rng.choice((_plain, _gradient, _stripes, _checks, _clouds, _noise))(rng, size_wh)


def any_colour(rng: random.Random) -> Colour:
    """Return a random colour, light ones more often."""
    if rng.random() < 0.5:
        return rng.randint(170, 255), rng.randint(170, 255), rng.randint(170, 255)
    return rng.randint(0, 255), rng.randint(0, 255), rng.randint(0, 255)


def against(rng: random.Random, colour: Colour) -> Colour:
    """Return a colour that can be read on another."""
    bright = sum(colour) > 380
    low, high = (0, 90) if bright else (190, 255)
    return rng.randint(low, high), rng.randint(low, high), rng.randint(low, high)


def _near(rng: random.Random, colour: Colour, by: int) -> Colour:
    red, green, blue = (min(255, max(0, part + rng.randint(-by, by))) for part in colour)
    return red, green, blue


def _plain(rng: random.Random, size_wh: tuple[int, int]) -> Image.Image:
    return Image.new("RGB", size_wh, (255, 255, 255) if rng.random() < 0.3 else any_colour(rng))


def _gradient(rng: random.Random, size_wh: tuple[int, int]) -> Image.Image:
    ramp = Image.linear_gradient("L").rotate(rng.choice((0, 90, 180, 270))).resize(size_wh)
    first, second = Image.new("RGB", size_wh, any_colour(rng)), Image.new("RGB", size_wh, any_colour(rng))
    return Image.composite(first, second, ramp)


def _stripes(rng: random.Random, size_wh: tuple[int, int]) -> Image.Image:
    first = any_colour(rng)
    image = Image.new("RGB", size_wh, first)
    draw, step, second = ImageDraw.Draw(image), rng.randint(16, 70), _near(rng, first, 50)
    lean = rng.choice((0, size_wh[1]))
    for start in range(-size_wh[1], size_wh[0], 2 * step):
        corners = [
            (start, 0),
            (start + step, 0),
            (start + step + lean, size_wh[1]),
            (start + lean, size_wh[1]),
        ]
        draw.polygon(corners, second)
    return image


def _checks(rng: random.Random, size_wh: tuple[int, int]) -> Image.Image:
    first = any_colour(rng)
    image = Image.new("RGB", size_wh, first)
    draw, step, second = ImageDraw.Draw(image), rng.randint(20, 80), _near(rng, first, 45)
    for row, y in enumerate(range(0, size_wh[1], step)):
        for x in range((row % 2) * step, size_wh[0], 2 * step):
            draw.rectangle((x, y, x + step - 1, y + step - 1), second)
    return image


def _clouds(rng: random.Random, size_wh: tuple[int, int]) -> Image.Image:
    source, cells, colour = numpy.random.default_rng(rng.getrandbits(32)), rng.randint(3, 12), any_colour(rng)
    soft = source.integers(-45, 46, (cells, cells, 3)) + numpy.array(colour)
    return Image.fromarray(soft.clip(0, 255).astype(numpy.uint8)).resize(size_wh, Image.Resampling.BICUBIC)


def _noise(rng: random.Random, size_wh: tuple[int, int]) -> Image.Image:
    source, colour = numpy.random.default_rng(rng.getrandbits(32)), any_colour(rng)
    grain = source.integers(-35, 36, (size_wh[1] // 2, size_wh[0] // 2, 3)) + numpy.array(colour)
    return Image.fromarray(grain.clip(0, 255).astype(numpy.uint8)).resize(size_wh, Image.Resampling.BILINEAR)


def _rings(rng: random.Random, size_wh: tuple[int, int]) -> Image.Image:
    first = any_colour(rng)
    image = Image.new("RGB", size_wh, first)
    draw, step, second = ImageDraw.Draw(image), rng.randint(14, 50), _near(rng, first, 45)
    x, y = rng.randint(0, size_wh[0]), rng.randint(0, size_wh[1])
    for radius in range(2 * max(size_wh) // step * step, 0, -step):
        box = (x - radius, y - radius, x + radius, y + radius)
        draw.ellipse(box, first if radius // step % 2 else second)
    return image


def _dots(rng: random.Random, size_wh: tuple[int, int]) -> Image.Image:
    first = any_colour(rng)
    image = Image.new("RGB", size_wh, first)
    draw, step, second = ImageDraw.Draw(image), rng.randint(18, 60), _near(rng, first, 50)
    for y in range(0, size_wh[1], step):
        for x in range(0, size_wh[0], step):
            draw.ellipse((x, y, x + step // 2, y + step // 2), second)
    return image
