"""Draw boxes on copies of the images, as one picture: for export, and where no vector overlay can be shown.

In: images and pinned boxes. Out: one picture. A single image keeps its size; several stand side by side,
scaled down if needed, each with its `Image-n`. Line widths and fonts follow the size of the picture. A
label is any text that a model was made to write: it is shortened, its control characters are removed, and it
never leaves its picture. The originals are never drawn on: they go to the model again in the next turn.

Pillow's own font is used where it can be, so that a drawing is the same everywhere; for other writing a font of
the system (`fonts`). An accent that the font lacks is left out (`é` -> `e`), any other character becomes `?`, and a
label of which nothing would remain is drawn as `#n`, n being the box's number in `pinned`, from 1.

    draw_overlay([photo.image], [PinnedBox(Box("cat", (10, 20, 300, 400)), 1, True)]).save("cat.png")
"""

import unicodedata
from binascii import crc_hqx
from collections.abc import Sequence
from zlib import crc32

from PIL import Image, ImageColor, ImageDraw, ImageFont

from internvl_demo.grounding.attribution import PinnedBox
from internvl_demo.grounding.fonts import font as font_in_size
from internvl_demo.grounding.fonts import font_for, substitute
from internvl_demo.grounding.parser import Box
from internvl_demo.photos.coordinates import to_px

PALETTE = ("#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00", "#cc79a7")
"""Okabe and Ito's colours that the colour-blind can tell apart, without black and yellow: these two are
lost on dark photos and on white pages."""

LINES = ("solid", "dashed", "dotted")
"""Line styles: with six colours alone two labels of an answer often share one."""

LABEL_CHARS = 40
"""The most characters of a label that are drawn."""

SIDE_BY_SIDE_PX = 1024
"""The greatest height and width of one of several images; a screen shows no more of each."""

MAX_WIDTH_PX = 16_384
"""The greatest width of several images together: viewers and JPEG (65 535) cope with it."""

GAP_PX = 8
"""Between two images side by side."""

MIN_FONT_PX = 11
"""Smaller letters cannot be read."""

_ELLIPSIS = "…"


def colour_of(label: str) -> str:
    """Return the label's colour as `#rrggbb`: the same in every run, whatever its case and spaces."""
    name = " ".join(label.casefold().split())
    return PALETTE[crc32(name.encode("utf-8", "replace")) % len(PALETTE)]


def line_of(label: str) -> str:
    """Return the label's line style as CSS calls it: the same in every run, and independent of its colour."""
    name = " ".join(label.casefold().split())
    return LINES[crc_hqx(name.encode("utf-8", "replace"), 0) % len(LINES)]


def draw_overlay(images: Sequence[Image.Image], pinned: Sequence[PinnedBox]) -> Image.Image:
    """Draw the boxes on the conversation's images; return all images as one RGB picture.

    images: all images of the conversation in order; a box pinned to an image that is not there is left out.
    Raises ValueError if there are no images.
    """
    if not images:
        raise ValueError("there is no image to draw on")
    sizes = _sizes_wh([image.size for image in images])
    copies = [_copy(image, size_wh) for image, size_wh in zip(images, sizes, strict=True)]
    for number, copy in enumerate(copies, 1):
        for order, one in enumerate(pinned, 1):
            if one.image == number:
                _draw_box(copy, one.box, order)
        if len(copies) > 1:
            _draw_plate(copy, f"Image-{number}", "#000000", (0, copy.height))
    return copies[0] if len(copies) == 1 else _side_by_side(copies)


def drawable(label: str, number: int) -> str:
    """Return the label as one short line that a font can draw; `#number` if nothing of it can be drawn."""
    line = " ".join("".join(" " if _is_control(char) else char for char in label[: 4 * LABEL_CHARS]).split())
    name = font_for(line)
    known = "".join(substitute(name, char) for char in line)
    if line and not known.strip("? "):
        return f"#{number}"
    return known if len(known) <= LABEL_CHARS else known[: LABEL_CHARS - 1] + _ELLIPSIS


def _sizes_wh(sizes_wh: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the size at which each image is drawn: a single one unchanged; several within limits, never enlarged."""
    if len(sizes_wh) == 1:
        return sizes_wh
    scales = [min(1.0, SIDE_BY_SIDE_PX / max(size_wh)) for size_wh in sizes_wh]
    width = sum(width * scale for (width, _), scale in zip(sizes_wh, scales, strict=True))
    fit = (MAX_WIDTH_PX - GAP_PX * (len(sizes_wh) - 1)) / width
    scales = [scale * min(1.0, fit) for scale in scales]
    return [(max(1, int(w * s)), max(1, int(h * s))) for (w, h), s in zip(sizes_wh, scales, strict=True)]


def _copy(image: Image.Image, size_wh: tuple[int, int]) -> Image.Image:
    copy = image.convert("RGB") if image.mode != "RGB" else image.copy()
    return copy if copy.size == size_wh else copy.resize(size_wh, Image.Resampling.LANCZOS)


def _side_by_side(copies: list[Image.Image]) -> Image.Image:
    width = sum(copy.width for copy in copies) + GAP_PX * (len(copies) - 1)
    picture = Image.new("RGB", (width, max(copy.height for copy in copies)), "#ffffff")
    left = 0
    for copy in copies:
        picture.paste(copy, (left, 0))
        left += copy.width + GAP_PX
    return picture


def _draw_box(copy: Image.Image, box: Box, order: int) -> None:
    """Draw one box with a white edge, so that it shows on a background of its own colour; then its label."""
    left, top, right, bottom = to_px(box.box_1000, copy.size)
    colour, line_px = colour_of(box.label), max(2, min(copy.size) // 200)
    draw = ImageDraw.Draw(copy)
    draw.rectangle((left - 1, top - 1, right, bottom), outline="#ffffff", width=line_px + 2)
    draw.rectangle((left, top, right - 1, bottom - 1), outline=colour, width=line_px)
    _draw_plate(copy, drawable(box.label, order), colour, (left, top))


def _draw_plate(copy: Image.Image, text: str, colour: str, left_bottom_px: tuple[int, int]) -> None:
    """Draw `text` on a plate with its lower left corner at `left_bottom_px`, moved to lie inside the picture.

    Text too wide for the picture is shortened; a picture too small for any text gets none.
    """
    left, bottom = left_bottom_px
    font = font_in_size(font_for(text), max(MIN_FONT_PX, min(copy.size) // 32))
    pad = max(2, int(font.size) // 5)
    ascent, descent = font.getmetrics()
    height = ascent + descent + 2 * pad
    text = _shorten(text, font, copy.width - 2 * pad - 1)
    if not text or height > copy.height:
        return
    width = int(font.getlength(text)) + 1 + 2 * pad
    x = max(0, min(left, copy.width - width))
    y = max(0, min(bottom - height, copy.height - height))
    draw = ImageDraw.Draw(copy)
    draw.rectangle((x, y, x + width - 1, y + height - 1), fill=colour)
    draw.text((x + pad, y + pad), text, fill=_ink_on(colour), font=font)


def _shorten(text: str, font: ImageFont.FreeTypeFont, width_px: int) -> str:
    """Return the text, or as much of its beginning as fits with an ellipsis; "" if not even one letter fits."""
    if font.getlength(text) <= width_px:
        return text
    for length in range(len(text) - 1, 0, -1):
        shorter = text[:length].rstrip() + _ELLIPSIS
        if font.getlength(shorter) <= width_px:
            return shorter
    return ""


def _ink_on(colour: str) -> str:
    """Return black or white, whichever contrasts more with `colour` (WCAG 2 relative luminance)."""
    red, green, blue = (_linear(value / 255) for value in ImageColor.getrgb(colour)[:3])
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#000000" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#ffffff"


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _is_control(char: str) -> bool:
    """Return whether the character is a control, format, surrogate, private or unassigned one (category C)."""
    return unicodedata.category(char).startswith("C")
