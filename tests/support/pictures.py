"""Pictures and files for the tests of `photos`: the known picture, a good file of every kind, files made by hand."""

import struct
import zlib
from io import BytesIO
from typing import Any

from PIL import Image

Colour = tuple[int, ...]

RED, GREEN, BLUE = (200, 30, 40), (20, 180, 60), (30, 50, 210)
YELLOW, GREY, PINK = (230, 220, 20), (90, 90, 90), (240, 150, 190)
WHITE = (255, 255, 255)

BLOCK_PX = 16
BLOCKS = [[RED, GREEN, BLUE], [YELLOW, GREY, PINK]]
"""The known picture, upright: two rows of three squares, no two alike, so that no turn looks like another."""


def picture(blocks: list[list[tuple[int, int, int]]] = BLOCKS, block_px: int = BLOCK_PX) -> Image.Image:
    """One square for each colour; the known picture unless told."""
    small = Image.new("RGB", (len(blocks[0]), len(blocks)))
    for y, row in enumerate(blocks):
        for x, colour in enumerate(row):
            small.putpixel((x, y), colour)
    return small.resize((small.width * block_px, small.height * block_px), Image.Resampling.NEAREST)


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def pixels(image: Image.Image) -> list[Colour]:
    width, height = image.size
    raw = image.convert("RGB").tobytes()
    return [tuple(raw[at : at + 3]) for at in range(0, 3 * width * height, 3)]


def furthest(one: Image.Image, other: Image.Image) -> int:
    """The largest difference of any value of any pixel."""
    assert one.size == other.size
    return max(abs(a - b) for a, b in zip(one.tobytes(), other.tobytes(), strict=True))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int, height: int, *, bits: int = 8, colour_type: int = 2, body: bytes = b"", more: bytes = b""
) -> bytes:
    """A PNG written by hand, for what no encoder would write."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def noise(width: int, height: int) -> Image.Image:
    return Image.merge("RGB", [Image.effect_noise((width, height), 90) for _ in "RGB"])


FILES: dict[str, bytes] = {
    "jpeg": saved(picture(block_px=5), "JPEG"),
    "progressive jpeg": saved(picture(block_px=5), "JPEG", progressive=True),
    "png": saved(picture(block_px=5), "PNG"),
    "webp": saved(picture(block_px=5), "WEBP"),
    "lossless webp": saved(picture(block_px=5), "WEBP", lossless=True),
    "gif": saved(picture(block_px=5), "GIF"),
    "bmp": saved(picture(block_px=5), "BMP"),
    "palette bmp": saved(picture(block_px=5).quantize(8), "BMP"),
    "tiff": saved(picture(block_px=5), "TIFF"),
    "lzw tiff": saved(picture(block_px=5), "TIFF", compression="tiff_lzw"),
    "deflate tiff": saved(picture(block_px=5), "TIFF", compression="tiff_adobe_deflate"),
}
"""A small good file of every kind."""

ROW_0_AND_COLUMN_0_AT = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}
"""The EXIF standard's definition of orientation: where the stored rows and columns begin when looked at."""


def as_stored(orientation: int) -> Image.Image:
    """The known picture as a camera held that way stores it, square by square from the definition."""
    row_side, column_side = ROW_0_AND_COLUMN_0_AT[orientation]
    height, width = len(BLOCKS), len(BLOCKS[0])

    def seen(row: int, column: int) -> tuple[int, int, int]:
        across, down = (column, row) if row_side in ("top", "bottom") else (row, column)
        across = width - 1 - across if "right" in (row_side, column_side) else across
        down = height - 1 - down if "bottom" in (row_side, column_side) else down
        return BLOCKS[down][across]

    rows, columns = (height, width) if row_side in ("top", "bottom") else (width, height)
    return picture([[seen(row, column) for column in range(columns)] for row in range(rows)])


def half(mode: str, left: Any, right: Any) -> Image.Image:
    """4 x 2 pixels, `left` and `right`; colours 0 and 1 of a palette are (10, 20, 30) and (40, 50, 60)."""
    image = Image.new(mode, (4, 2), left)
    for x, y in ((2, 0), (3, 0), (2, 1), (3, 1)):
        image.putpixel((x, y), right)
    if mode.startswith("P"):
        image.putpalette([10, 20, 30, 40, 50, 60])
    return image


def palette_with_alpha() -> Image.Image:
    """Like `half`, its left colour transparent by the palette itself."""
    image = half("P", 0, 1)
    image.putpalette([10, 20, 30, 0, 40, 50, 60, 255], "RGBA")
    return image
