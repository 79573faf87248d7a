"""A decoded picture of any Pillow mode -> 8-bit RGB, and what a person should know of how it came about.

    transparent (RGBA, LA, PA, one colour of a palette)   laid on white
        if nothing is to be seen there                    laid on the ground where most is: a white logo on dark
        if all of it is transparent                       its colours, as if it were opaque
    16-bit and 32-bit greys, floats                       `numbers`; one transparent value of 16 bits stays opaque
    1-bit, palette, CMYK, YCbCr, Lab, 16-bit colour       as Pillow converts them

Not here: files, turns and profiles.
"""

from collections.abc import Sequence

from PIL import Image

from internvl_demo.errors import Sentence
from internvl_demo.photos.numbers import Numbers, in_8_bits, numbers_of
from internvl_demo.photos.photo import Note

GROUNDS = (255, 128, 40)
"""The greys that a transparent picture may be laid on: white where anything can be seen on it."""

SEEN = 24
"""How far, of 255 steps, something has to differ from its ground to be seen."""

SEEN_PART = 0.002
"""What part of a picture's opaque pixels has to be seen at least: less is the noise of compression."""

_OPAQUE = 128

STRETCHED = Note(
    Sentence("The picture's values have no usual range; they are shown from its darkest to its brightest."),
    Sentence("Save it with 8 bits for each colour if it should look otherwise."),
)
OTHER_GROUND = Note(
    Sentence("The picture is transparent and hardly visible on white; it was laid on a darker ground."),
    Sentence("Give it a background of its own if it should look otherwise."),
)


def in_rgb(
    images: Sequence[Image.Image], numbers: Numbers | None = None, size_wh: tuple[int, int] | None = None
) -> tuple[Image.Image, Note | None]:
    """Return a loaded picture as a new one in RGB, with a note if that is not how others show it.

    images: one, or one for each plane; numbers and size_wh: as `read_tiff` says how to read them.
    """
    image, note = images[0], None
    numbers = numbers or numbers_of(image)
    if numbers is not None:
        image, stretched = in_8_bits(images, numbers, size_wh or image.size)
        note = STRETCHED if stretched else None
    if image.mode in ("La", "RGBa"):  # premultiplied; Pillow knows only this way out of La
        image = image.convert(image.mode.upper())
    if not image.has_transparency_data:
        return image.convert("RGB"), note
    flat, ground = _flattened(image.convert("RGBA"))
    return flat, OTHER_GROUND if ground != GROUNDS[0] else note


def _flattened(image: Image.Image) -> tuple[Image.Image, int]:
    """Lay an RGBA picture on a ground; return it, and which grey was taken."""
    white, *others = GROUNDS
    alpha = image.getchannel("A")
    least, most = alpha.getextrema()
    if most == 0:
        return image.convert("RGB"), white
    flat = _laid(image, white)
    if least == most:
        return flat, white
    shape = alpha.point([255 * (value >= _OPAQUE or 0 < value == most) for value in range(256)])
    if _seen(flat, shape, white)[0] >= SEEN_PART:
        return flat, white
    part, _, best = max((*_seen(_laid(image, ground), shape, ground), ground) for ground in others)
    return (_laid(image, best), best) if part >= SEEN_PART else (flat, white)


def _laid(image: Image.Image, ground: int) -> Image.Image:
    canvas = Image.new("RGB", image.size, (ground,) * 3)
    canvas.paste(image, mask=image)
    return canvas


def _seen(flat: Image.Image, shape: Image.Image, ground: int) -> tuple[float, float]:
    """Return what part of the shape can be told from the ground, and by how many steps in the mean: of that colour
    of the three by which it shows best."""
    counts = flat.histogram(shape)
    bands = [counts[band : band + 256] for band in range(0, 768, 256)]
    total = max(1, sum(bands[0]))
    far = [sum(count for value, count in enumerate(band) if abs(value - ground) > SEEN) for band in bands]
    apart = [sum(count * abs(value - ground) for value, count in enumerate(band)) for band in bands]
    return max(far) / total, max(apart) / total
