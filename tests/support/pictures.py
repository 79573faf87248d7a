"""Pictures and files for the tests of `photos`: the known picture, a good file of every kind, files made by hand."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, NamedTuple

from PIL import Image
from pillow_heif import from_pillow

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


def heic(image: Image.Image, *others: Image.Image, **options: Any) -> bytes:
    """An HEIC file; `primary_index` says which of several pictures is the main one."""
    pictures = from_pillow(image)
    for other in others:
        pictures.add_from_pillow(other)
    file = BytesIO()
    pictures.save(file, **{"quality": 95, "chroma": 444, **options})
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


class Page(NamedTuple):
    """A page of a TIFF written by hand: its tags (whole numbers; text as bytes), and its pixels in strips or tiles."""

    tags: Mapping[int, int | Sequence[int] | bytes]
    strips: Sequence[bytes]


def tiff(*pages: Page, order: str = "<") -> bytes:
    """A TIFF written by hand, for what no encoder here would write. Its pixels come first."""
    places, body = [], b""
    for page in pages:
        places.append(
            [8 + len(body) + sum(map(len, page.strips[:number])) for number in range(len(page.strips))]
        )
        body += b"".join(page.strips)
    body += b"\0" * (len(body) % 2)
    at, directories = 8 + len(body), b""
    for number, (page, strips) in enumerate(zip(pages, places, strict=True)):
        where, long = (324, 325) if 322 in page.tags else (273, 279), struct.Struct(f"{order}I")
        fields = {
            tag: value
            if isinstance(value, bytes)
            else b"".join(map(long.pack, [value] if isinstance(value, int) else value))
            for tag, value in {**page.tags, where[0]: strips, where[1]: [*map(len, page.strips)]}.items()
        }
        values_at, values, entries = at + len(directories) + 6 + 12 * len(fields), b"", b""
        for tag, field in sorted(fields.items()):
            kind = 2 if isinstance(page.tags.get(tag), bytes) else 4
            place = long.pack(values_at + len(values)) if len(field) > 4 else field.ljust(4, b"\0")
            values += field if len(field) > 4 else b""
            entries += struct.pack(f"{order}HHI", tag, kind, len(field) // (4 if kind == 4 else 1)) + place
        last = number == len(pages) - 1
        next_at = 0 if last else values_at + len(values) + len(values) % 2
        directories += struct.pack(f"{order}H", len(fields)) + entries + struct.pack(f"{order}I", next_at)
        directories += values + b"\0" * (len(values) % 2)
    beginning = b"II*\0" if order == "<" else b"MM\0*"
    return beginning + struct.pack(f"{order}I", at) + body + directories


def page(
    width: int,
    height: int,
    bits: int,
    strip: bytes,
    *,
    photometric: int = 1,
    kind: int = 1,
    samples: int = 1,
    **more: Any,
) -> Page:
    """One strip of pixels, uncompressed unless told. more: further tags, `t259=5` for number 259."""
    tags = {
        256: width, 257: height, 258: [bits] * samples, 259: 1, 262: photometric, 277: samples, 278: height,
        339: [kind] * samples,
    }  # fmt: skip
    return Page({**tags, **{int(tag[1:]): value for tag, value in more.items()}}, [strip])


def packed(values: Sequence[int], bits: int) -> bytes:
    """Values of any number of bits side by side, as TIFF writes a row."""
    row = "".join(f"{value:0{bits}b}" for value in values)
    return int(row.ljust(-(-len(row) // 8) * 8, "0"), 2).to_bytes(-(-len(row) // 8))


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
    "12-bit tiff": tiff(page(6, 2, 12, packed([0, 819, 1638, 2457, 3276, 4095] * 2, 12))),
    "float tiff": saved(Image.linear_gradient("L").resize((9, 7)).convert("F"), "TIFF"),
    "heic": heic(picture(block_px=5), quality=60, chroma=420),
    "avif": saved(picture(block_px=5), "AVIF"),
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
