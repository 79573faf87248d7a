"""What people may send as a picture, and what becomes of it. Bad files first."""

import os
import struct
import subprocess
import sys
import time
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile
from PIL.PngImagePlugin import PngInfo

from internvl_demo import photo as photo_module
from internvl_demo.errors import PhotoError
from internvl_demo.photo import (
    FORMATS,
    MAX_BYTES,
    MAX_PIXELS,
    Photo,
    encode_photo,
    open_photo,
    photo_of,
    read_photo,
)

Colour = tuple[int, ...]

RED, GREEN, BLUE = (200, 30, 40), (20, 180, 60), (30, 50, 210)
YELLOW, GREY, PINK = (230, 220, 20), (90, 90, 90), (240, 150, 190)
WHITE = (255, 255, 255)

BLOCK_PX = 16
BLOCKS = [[RED, GREEN, BLUE], [YELLOW, GREY, PINK]]
"""The known picture, upright: two rows of three squares, no two alike, so that no turn looks like another."""


def picture(blocks: list[list[tuple[int, int, int]]] = BLOCKS, block_px: int = BLOCK_PX) -> Image.Image:
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


# Bad files


@pytest.mark.parametrize(
    ("data", "word"),
    [
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(b"\0", "not a picture", id="one byte"),
        pytest.param(b"Dear Sir or Madam", "not a picture", id="a letter"),
        pytest.param(bytes(1000), "not a picture", id="zeros"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "damaged", id="only the beginning of a PNG"),
        pytest.param(b"\xff\xd8\xff", "damaged", id="only the beginning of a JPEG"),
        pytest.param(b"GIF89a", "damaged", id="only the beginning of a GIF"),
        pytest.param(b"BM", "damaged", id="only the beginning of a BMP"),
        pytest.param(b"II*\0", "damaged", id="only the beginning of a TIFF"),
        pytest.param(b"RIFF\x1a\0\0\0WEBPVP8 ", "damaged", id="only the beginning of a WebP"),
        pytest.param(png(0, 0), "damaged", id="a PNG of no size"),
        pytest.param(png(8, 8, body=b"not zlib"), "damaged", id="a PNG with rubbish for pixels"),
        pytest.param(b"\0\0\0\x1cftypheic\0\0\0\0", "HEIC", id="an iPhone picture"),
        pytest.param(b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF", id="AVIF"),
        pytest.param(b"\0\0\0\x1cftypisom\0\0\0\0", "video", id="MP4"),
        pytest.param(b"%PDF-1.7\n", "PDF", id="PDF"),
        pytest.param(b'<?xml version="1.0"?>\n<svg xmlns="">', "SVG", id="SVG"),
        pytest.param(saved(picture(), "PPM"), "not a picture of a supported format", id="PPM"),
        pytest.param(saved(picture(), "ICO"), "not a picture of a supported format", id="ICO"),
        pytest.param(saved(picture(), "TGA"), "not a picture of a supported format", id="TGA"),
        pytest.param(saved(picture(), "PCX"), "not a picture of a supported format", id="PCX"),
        pytest.param(saved(picture(), "EPS"), "not a picture of a supported format", id="EPS"),
        pytest.param(saved(Image.new("RGB", (1, 50)), "PNG"), "1 x 50 pixels", id="one pixel wide"),
        pytest.param(saved(Image.new("RGB", (50, 1)), "GIF"), "50 x 1 pixels", id="one pixel high"),
        pytest.param(saved(Image.new("F", (2, 2), float("nan")), "TIFF"), "damaged", id="not numbers"),
        pytest.param(saved(Image.new("F", (2, 2), float("inf")), "TIFF"), "damaged", id="infinite"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_a_next_step(data: bytes, word: str) -> None:
    with pytest.raises(PhotoError) as refused:
        read_photo(data, "holiday.jpg")
    assert word in refused.value.what
    for sentence in (refused.value.what, refused.value.next_step):
        assert sentence.endswith(".") and sentence[0].isupper()


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7", saved(picture(), "PPM")])
def test_the_refusal_of_a_format_names_all_that_are_supported(data: bytes) -> None:
    with pytest.raises(PhotoError) as refused:
        read_photo(data)
    assert all(name in refused.value.next_step.upper() for name in FORMATS)


def test_no_other_decoder_sees_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    Image.init()
    asked: list[str] = []
    for name in set(Image.OPEN) - set(FORMATS):
        monkeypatch.setitem(Image.OPEN, name, (lambda *_, name=name: asked.append(name), None))
    for data in (saved(picture(), "PPM"), saved(picture(), "TGA"), b"hello"):
        with pytest.raises(PhotoError):
            read_photo(data)
    assert asked == []


@pytest.mark.parametrize("kind", FILES)
def test_a_file_cut_off_anywhere_is_refused_unless_all_pixels_are_there(kind: str) -> None:
    data = FILES[kind]
    whole = read_photo(data)
    accepted = []
    for end in range(len(data)):
        try:
            assert read_photo(data[:end]) == whole
        except PhotoError:
            continue
        accepted.append(end)
    # after the last pixel: a PNG's checksums and IEND, a GIF's trailer, the padding of a BMP's last row
    assert len(accepted) <= {"png": 24, "gif": 4, "bmp": 3, "palette bmp": 3}.get(kind, 0)


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp"])
def test_a_cut_file_is_refused_even_where_another_library_asked_pillow_to_be_lenient(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = FILES[kind]
    with pytest.raises(PhotoError):
        read_photo(data[: len(data) * 3 // 4])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True, "what the other library asked for is left as it was"


@pytest.mark.parametrize(
    "foreign",
    [
        OSError("broken data stream"),
        SyntaxError("not a TIFF file"),
        ValueError("bad"),
        struct.error("unpack requires a buffer"),
        OverflowError("too large"),
        EOFError("no more"),
        MemoryError(),
        zlib.error("incorrect header check"),
        TypeError("NoneType"),
        IndexError("out of range"),
        KeyError("palette"),
        ZeroDivisionError(),
        AttributeError("fp"),
        RecursionError(),
        NotImplementedError(),
        AssertionError(),
        UnicodeDecodeError("ascii", b"\xff", 0, 1, "no"),
        Image.DecompressionBombError("bomb"),
        Image.DecompressionBombWarning("bomb"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("where", ["open", "load", "convert"])
def test_whatever_pillow_raises_a_person_gets_a_photo_error(
    where: str, foreign: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise foreign

    owner = {"open": Image, "load": ImageFile.ImageFile, "convert": Image.Image}[where]
    data = saved(picture(), "BMP")
    monkeypatch.setattr(owner, where, broken)
    with pytest.raises(PhotoError):
        read_photo(data)


def test_too_little_memory_is_said_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", full)
    with pytest.raises(PhotoError, match="not enough memory"):
        read_photo(FILES["bmp"])


def test_stopping_the_program_is_not_a_broken_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Image, "open", stopped)
    with pytest.raises(KeyboardInterrupt):
        read_photo(FILES["png"])


# Limits


def test_a_bomb_is_refused_from_its_header() -> None:
    bomb = png(60_000, 60_000, body=zlib.compress(bytes(1_000_000)))
    started_s = time.perf_counter()
    with pytest.raises(PhotoError, match="more than 100 megapixels"):
        read_photo(bomb)
    assert time.perf_counter() - started_s < 2


@pytest.mark.parametrize("size_wh", [(10_000, 10_001), (14_000, 14_000), (2**31 - 1, 2**31 - 1)])
@pytest.mark.parametrize("strict", [True, False])
def test_pillows_own_bomb_alarm_is_never_heard(
    size_wh: tuple[int, int], strict: bool, recwarn: pytest.WarningsRecorder
) -> None:
    warnings.simplefilter("error" if strict else "always")
    with pytest.raises(PhotoError, match="more than 100 megapixels"):
        read_photo(png(*size_wh))
    assert len(recwarn) == 0


def test_a_picture_of_exactly_100_megapixels_is_taken(recwarn: pytest.WarningsRecorder) -> None:
    warnings.simplefilter("always")
    row = bytes(1 + 10_000 // 8)
    photo = read_photo(png(10_000, 10_000, bits=1, colour_type=0, body=zlib.compress(row * 10_000, 1)))
    assert photo.size_wh == (10_000, 10_000)
    assert photo.image.width * photo.image.height == MAX_PIXELS
    assert len(recwarn) == 0


@pytest.mark.parametrize("theirs", [None, 10])
def test_the_limit_is_ours_whatever_another_library_set(
    theirs: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", theirs)
    assert read_photo(FILES["png"]) == photo_of(picture(block_px=5))
    with pytest.raises(PhotoError, match="more than 100 megapixels"):
        read_photo(png(60_000, 60_000))
    assert theirs == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(("size_wh", "fits"), [((40, 25), True), ((1000, 1), False), ((77, 13), False)])
def test_the_pixel_limit_holds_for_files_and_for_drawings(
    size_wh: tuple[int, int], fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_module, "MAX_PIXELS", 1000)
    image = Image.new("RGB", size_wh)
    if fits:
        assert photo_of(image).size_wh == read_photo(saved(image, "PNG")).size_wh == size_wh
        return
    with pytest.raises(PhotoError):
        photo_of(image)
    with pytest.raises(PhotoError):
        read_photo(saved(image, "PNG"))


@pytest.mark.parametrize("size_wh", [(1, 1), (1, 2), (2, 1), (1, 3000)])
def test_a_picture_under_two_pixels_a_side_is_refused(size_wh: tuple[int, int]) -> None:
    with pytest.raises(PhotoError, match="pixels"):
        photo_of(Image.new("RGB", size_wh))


def test_two_by_two_pixels_are_enough() -> None:
    assert read_photo(saved(Image.new("RGB", (2, 2), RED), "PNG")).size_wh == (2, 2)


def test_32_megabytes_are_taken_and_one_byte_more_is_not() -> None:
    data = FILES["png"]
    assert read_photo(data + bytes(MAX_BYTES - len(data))) == read_photo(data)
    with pytest.raises(PhotoError, match="larger than 32 MB"):
        read_photo(data + bytes(MAX_BYTES - len(data) + 1))


def test_a_file_that_is_too_large_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "film.png"
    path.touch()
    os.truncate(path, MAX_BYTES + 1)
    monkeypatch.setattr(Path, "open", lambda *_, **__: pytest.fail("the file was opened"))
    with pytest.raises(PhotoError, match="larger than 32 MB"):
        open_photo(path)


# Files by path


def test_a_file_is_opened_by_its_path_and_named_after_it(tmp_path: Path) -> None:
    path = tmp_path / "three cats.bmp"
    path.write_bytes(FILES["bmp"])
    assert open_photo(path) == open_photo(str(path)) == read_photo(FILES["bmp"], "three cats.bmp")


def test_a_path_without_a_file_behind_it_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "plain").touch()
    refusals: list[tuple[str | Path, str]] = [
        (tmp_path / "missing.png", 'no file "missing.png"'),
        (tmp_path, "not a file"),
        (tmp_path / "pipe", "not a file"),
        (tmp_path / "plain" / "x.png", "cannot be read"),
        (tmp_path / ("n" * 300), "cannot be read"),
        (str(tmp_path / "a\0b"), "cannot be read"),
        ("", "not a file"),
    ]
    for path, word in refusals:
        with pytest.raises(PhotoError) as refused:
            open_photo(path)
        assert word in refused.value.what, path


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "secret.png").write_bytes(FILES["png"])
    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(PhotoError, match="cannot be read"):
        open_photo(tmp_path / "secret.png")


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("", ""),
        ("cat.png", "cat.png"),
        ("/etc/passwd", "passwd"),
        ("../../cat.png", "cat.png"),
        ("C:\\fakepath\\cat.png", "cat.png"),
        ("folder/", ""),
        ("  cat.png \n", "cat.png"),
        ("cat\r\nSet-Cookie: x.png", "catSet-Cookie: x.png"),
        ("a\0b\x1b[31m.png", "ab[31m.png"),
        ("invoice\u202egnp.exe", "invoicegnp.exe"),
        ("line\u2028break", "linebreak"),
        ("half \udcff pair", "half  pair"),
        ("猫 és ñandú.jpg", "猫 és ñandú.jpg"),
        ("n" * 500, "n" * 80),
    ],
)
def test_a_name_is_safe_to_show(given_name: str, shown: str) -> None:
    assert read_photo(FILES["png"], given_name).name == shown
    assert photo_of(picture(), given_name).name == shown


# Good files


@pytest.mark.parametrize(
    ("format", "options", "off_by"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}, 4),
        ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}, 4),
        ("PNG", {}, 0),
        ("WEBP", {"quality": 95}, 12),
        ("WEBP", {"lossless": True}, 0),
        ("GIF", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"compression": "tiff_adobe_deflate"}, 0),
        ("TIFF", {"compression": "packbits"}, 0),
        ("TIFF", {"compression": "jpeg", "quality": 95}, 12),
    ],
)
def test_every_supported_format_shows_the_same_picture(
    format: str, options: dict[str, Any], off_by: int
) -> None:
    photo = read_photo(saved(picture(), format, **options))
    assert photo.image.mode == "RGB"
    centres = [photo.image.getpixel((x * 16 + 8, y * 16 + 8)) for y in range(2) for x in range(3)]
    expected = [colour for row in BLOCKS for colour in row]
    for got, wanted in zip(centres, expected, strict=True):
        assert isinstance(got, tuple)
        assert max(abs(a - b) for a, b in zip(got, wanted, strict=True)) <= off_by
    if off_by == 0:
        assert photo == photo_of(picture())


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


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("format", "options"),
    [("JPEG", {"quality": 100, "subsampling": 0}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})],
    ids=["JPEG", "PNG", "WebP", "TIFF"],
)
def test_a_picture_taken_with_the_camera_turned_stands_upright(
    format: str, options: dict[str, Any], orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = read_photo(saved(as_stored(orientation), format, exif=exif, **options))
    assert photo.size_wh == (48, 32)
    assert furthest(photo.image, picture()) <= (3 if format == "JPEG" else 0)


@pytest.mark.parametrize("value", [0, 9, 255, 65535])
def test_an_orientation_that_means_nothing_is_ignored(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert read_photo(saved(picture(), "PNG", exif=exif)) == photo_of(picture())


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"rubbish" * 50])
def test_broken_exif_does_not_spoil_a_good_picture(exif: bytes) -> None:
    assert read_photo(saved(picture(), "WEBP", lossless=True, exif=exif)) == photo_of(picture())


def half(mode: str, left: Any, right: Any) -> Image.Image:
    """4 x 2 pixels, `left` and `right`; colours 0 and 1 of a palette are (10, 20, 30) and (40, 50, 60)."""
    image = Image.new(mode, (4, 2), left)
    for x, y in ((2, 0), (3, 0), (2, 1), (3, 1)):
        image.putpixel((x, y), right)
    if mode.startswith("P"):
        image.putpalette([10, 20, 30, 40, 50, 60])
    return image


def palette_with_alpha() -> Image.Image:
    image = half("P", 0, 1)
    image.putpalette([10, 20, 30, 0, 40, 50, 60, 255], "RGBA")
    return image


@pytest.mark.parametrize(
    ("data", "left", "right"),
    [
        pytest.param(
            saved(half("RGBA", (*RED, 0), (*BLUE, 255)), "PNG"),
            WHITE,
            BLUE,
            id="RGBA PNG, hidden colour gone",
        ),
        pytest.param(saved(half("RGBA", (0, 0, 0, 128), (*BLUE, 255)), "PNG"), (127,) * 3, BLUE, id="half"),
        pytest.param(
            saved(half("RGBA", (*RED, 0), (*BLUE, 255)), "WEBP", lossless=True), WHITE, BLUE, id="RGBA WebP"
        ),
        pytest.param(saved(half("RGBA", (*RED, 0), (*BLUE, 255)), "TIFF"), WHITE, BLUE, id="RGBA TIFF"),
        pytest.param(saved(half("LA", (0, 0), (77, 255)), "PNG"), WHITE, (77,) * 3, id="LA"),
        pytest.param(
            saved(half("P", 0, 1), "PNG", transparency=0),
            WHITE,
            (40, 50, 60),
            id="palette, one transparent colour",
        ),
        pytest.param(
            saved(half("P", 0, 1), "PNG", transparency=b"\x00\xff"),
            WHITE,
            (40, 50, 60),
            id="palette, alpha of each colour",
        ),
        pytest.param(
            saved(half("P", 0, 1), "PNG", transparency=b"\xff\x80"),
            (10, 20, 30),
            (147, 152, 157),
            id="palette, half transparent",
        ),
        pytest.param(
            saved(half("P", 0, 1), "GIF", transparency=0),
            WHITE,
            (40, 50, 60),
            id="GIF, one transparent colour",
        ),
        pytest.param(saved(half("L", 0, 77), "PNG", transparency=0), WHITE, (77,) * 3, id="L, one value"),
        pytest.param(saved(half("1", 0, 255), "PNG", transparency=255), (0,) * 3, WHITE, id="1-bit"),
        pytest.param(
            saved(half("RGB", RED, BLUE), "PNG", transparency=RED), WHITE, BLUE, id="RGB, one colour"
        ),
    ],
)
def test_what_is_transparent_is_laid_on_white(data: bytes, left: Colour, right: Colour) -> None:
    assert pixels(read_photo(data).image) == [left, left, right, right] * 2


@pytest.mark.parametrize(
    ("image", "left", "right"),
    [
        pytest.param(palette_with_alpha(), WHITE, (40, 50, 60), id="P with an RGBA palette"),
        pytest.param(half("PA", (0, 0), (1, 255)), WHITE, (40, 50, 60), id="PA"),
        pytest.param(half("RGBa", (0, 0, 0, 0), (*BLUE, 255)), WHITE, BLUE, id="premultiplied RGB"),
        pytest.param(half("La", (0, 0), (77, 255)), WHITE, (77,) * 3, id="premultiplied grey"),
        pytest.param(half("RGBX", (*RED, 0), (*BLUE, 9)), RED, BLUE, id="RGBX: the fourth means nothing"),
        pytest.param(half("HSV", (0, 255, 255), (0, 0, 77)), (255, 0, 0), (77,) * 3, id="HSV"),
        pytest.param(half("YCbCr", (0, 128, 128), (255, 128, 128)), (0,) * 3, WHITE, id="YCbCr"),
    ],
)
def test_a_drawing_of_any_pillow_mode_becomes_rgb(image: Image.Image, left: Colour, right: Colour) -> None:
    before = image.tobytes()
    assert pixels(photo_of(image).image) == [left, left, right, right] * 2
    assert image.tobytes() == before, "the picture that was given stays as it was"


@pytest.mark.parametrize(
    ("data", "left", "right"),
    [
        pytest.param(saved(half("I;16", 0, 65535), "PNG"), 0, 255, id="16-bit PNG, black and white"),
        pytest.param(saved(half("I;16", 257, 200 * 257), "PNG"), 1, 200, id="16-bit PNG, not clipped"),
        pytest.param(saved(half("I;16", 32768, 65408), "TIFF"), 128, 255, id="16-bit TIFF, rounded"),
        pytest.param(
            png(4, 2, bits=16, colour_type=0, more=chunk(b"tRNS", b"\x4d\x4d"),
                body=zlib.compress((b"\0" + b"\0\0" * 2 + b"\x4d\x4d" * 2) * 2)),
            0, 77, id="16-bit PNG, its transparent value stays",
        ),
        pytest.param(
            png(4, 2, bits=16, colour_type=2,
                body=zlib.compress((b"\0" + b"\x01\x01" * 6 + b"\x4d\x4d" * 6) * 2)),
            1, 77, id="16-bit colour PNG",
        ),
        pytest.param(saved(half("1", 0, 255), "TIFF", compression="group4"), 0, 255, id="1-bit fax"),
        pytest.param(saved(half("1", 0, 255), "BMP"), 0, 255, id="1-bit BMP"),
        pytest.param(saved(half("L", 3, 200), "JPEG", quality=100), 3, 200, id="grey JPEG"),
        pytest.param(saved(half("I", 3, 200), "TIFF"), 3, 200, id="32-bit, values of 8 bits"),
        pytest.param(saved(half("I", -1000, 1000), "TIFF"), 0, 255, id="32-bit, stretched"),
        pytest.param(saved(half("F", 0.0, 1.0), "TIFF"), 0, 255, id="float, 0 to 1"),
        pytest.param(saved(half("F", 0.25, 0.5), "TIFF"), 64, 128, id="float, a part of 0 to 1"),
        pytest.param(saved(half("F", 3.0, 200.4), "TIFF"), 3, 200, id="float, 0 to 255"),
        pytest.param(saved(half("F", -2.0, 6.0), "TIFF"), 0, 255, id="float, stretched"),
        pytest.param(saved(half("F", 7e9, 7e9), "TIFF"), 0, 0, id="float, all the same"),
        pytest.param(saved(half("F", -3e38, 3e38), "TIFF"), 0, 255, id="float, very far apart"),
    ],
)  # fmt: skip
def test_deep_and_shallow_greys_keep_their_brightness(data: bytes, left: int, right: int) -> None:
    row = [(left,) * 3, (left,) * 3, (right,) * 3, (right,) * 3]
    assert pixels(read_photo(data).image) == row * 2


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "TIFF"), (255, 0, 0)),
        (saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100), (255, 0, 0)),
        (saved(Image.new("CMYK", (16, 16), (0, 0, 0, 255)), "JPEG", quality=100), (0, 0, 0)),
        (saved(Image.new("LAB", (16, 16), (255, 128, 128)), "TIFF"), (255, 255, 255)),
        (saved(Image.new("LAB", (16, 16), (136, 208, 195)), "TIFF"), (255, 0, 0)),
    ],
    ids=["red TIFF", "red JPEG", "black JPEG", "Lab white", "Lab red"],
)
def test_a_print_shops_picture_has_its_colours(data: bytes, expected: Colour) -> None:
    assert furthest(read_photo(data).image, Image.new("RGB", (16, 16), expected)) <= 15


@pytest.mark.parametrize("format", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_an_animation_or_of_pages_the_first_is_taken(format: str) -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if format == "WEBP" else {}
    data = saved(frames[0], format, save_all=True, append_images=frames[1:], **options)
    assert pixels(read_photo(data).image) == [RED] * 48


def test_a_phone_jpeg_with_a_second_picture_inside_is_taken() -> None:
    data = saved(picture(), "MPO", save_all=True, append_images=[Image.new("RGB", (48, 32), GREEN)])
    assert furthest(read_photo(data).image, picture()) <= 80


# What a photo is


def test_the_same_picture_has_the_same_id_whatever_its_container() -> None:
    ids = {read_photo(FILES[kind]).id for kind in ("png", "gif", "bmp", "tiff", "lzw tiff", "lossless webp")}
    assert ids == {photo_of(picture(block_px=5)).id}
    (only,) = ids
    assert len(only) == 64 and set(only) <= set("0123456789abcdef")


def test_different_pictures_have_different_ids() -> None:
    others = [
        Image.new("RGB", (2, 3)),
        Image.new("RGB", (3, 2)),
        Image.new("RGB", (6, 2)),
        picture(),
        as_stored(3),
    ]
    assert len({photo_of(image).id for image in others}) == len(others)


@pytest.mark.parametrize("step", [1, 7, 48, 100, 10**9])
def test_the_id_does_not_depend_on_how_many_rows_are_read_at_a_time(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = photo_of(picture()).id
    monkeypatch.setattr(photo_module, "_HASH_STEP_PIXELS", step)
    assert photo_of(picture()).id == expected


def test_a_photo_is_a_value() -> None:
    one, other = read_photo(FILES["png"], "a"), read_photo(FILES["gif"], "a")
    assert one == other and hash(one) == hash(other) and one != read_photo(FILES["png"], "b")
    assert "image" not in repr(one)
    with pytest.raises(AttributeError):
        one.name = "b"  # type: ignore[misc]


def test_a_photo_does_not_change_when_the_drawing_does() -> None:
    drawing = picture()
    photo = photo_of(drawing)
    drawing.paste(WHITE, (0, 0, 48, 32))
    assert furthest(photo.image, picture()) == 0


def tagged_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = "SECRET description"
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 29.0), 29: "SECRET gps"}
    return exif


def tagged_text() -> PngInfo:
    text = PngInfo()
    text.add_text("Comment", "SECRET text")
    text.add_itxt("XML:com.adobe.xmp", "<x>SECRET xmp</x>")
    return text


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + b"SECRET"


@pytest.mark.parametrize("png_max_pixels", [2_000_000, 0], ids=["sent as PNG", "sent as JPEG"])
@pytest.mark.parametrize(
    ("format", "options"),
    [
        (
            "JPEG",
            {
                "exif": tagged_exif(),
                "icc_profile": PROFILE,
                "comment": b"SECRET",
                "xmp": b"SECRET",
                "dpi": (72, 72),
            },
        ),
        ("PNG", {"exif": tagged_exif(), "icc_profile": PROFILE, "pnginfo": tagged_text(), "dpi": (72, 72)}),
        ("WEBP", {"exif": tagged_exif().tobytes(), "icc_profile": PROFILE, "xmp": b"SECRET", "quality": 50}),
        ("TIFF", {"icc_profile": PROFILE, "description": "SECRET", "software": "SECRET"}),
        ("GIF", {"comment": b"SECRET"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_where_and_how_a_picture_was_taken_is_never_passed_on(
    format: str, options: dict[str, Any], png_max_pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_module, "PNG_MAX_PIXELS", png_max_pixels)
    monkeypatch.setattr(photo_module, "PALETTE_COLOURS", 1)
    data = saved(picture(), format, **options)
    assert b"SECRET" in data or format == "PNG"  # which compresses some of it
    photo = read_photo(data)
    assert photo.image.info == {} and not photo.image.getexif()
    mime, sent = encode_photo(photo)
    assert b"SECRET" not in sent
    assert mime == ("image/png" if png_max_pixels else "image/jpeg")
    if mime == "image/png":
        assert png_chunks(sent) == {b"IHDR", b"IDAT", b"IEND"}
    else:
        assert not jpeg_markers(sent) & {0xFE, *range(0xE1, 0xF0)}, "comments and application data"
    assert Image.open(BytesIO(sent)).info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def png_chunks(data: bytes) -> set[bytes]:
    kinds, at = set(), 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kinds.add(data[at + 4 : at + 8])
        at += length + 12
    return kinds


def jpeg_markers(data: bytes) -> set[int]:
    """The markers of the segments before the pixels."""
    markers, at = set(), 2
    while data[at + 1] != 0xDA:
        markers.add(data[at + 1])
        at += 2 + int(struct.unpack_from(">H", data, at + 2)[0])
    return markers


@pytest.mark.parametrize(
    ("image", "mime"),
    [
        pytest.param(noise(200, 100), "image/png", id="at the limit"),
        pytest.param(noise(201, 100), "image/jpeg", id="just over"),
        pytest.param(Image.new("RGB", (300, 200), PINK), "image/png", id="large, one colour"),
        pytest.param(Image.effect_noise((300, 200), 90), "image/png", id="large, 256 greys"),
        pytest.param(noise(65_500, 2), "image/jpeg", id="just short enough for JPEG"),
        pytest.param(noise(65_501, 2), "image/png", id="too long for JPEG"),
    ],
)
def test_small_pictures_and_drawings_are_sent_without_loss_and_large_photos_as_jpeg(
    image: Image.Image, mime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert photo_module.PNG_MAX_PIXELS == 2_000_000
    monkeypatch.setattr(photo_module, "PNG_MAX_PIXELS", 20_000)  # of noise, so that the test is quick
    photo = photo_of(image)
    got, data = encode_photo(photo)
    assert got == mime
    again = read_photo(data)
    assert again.size_wh == photo.size_wh
    if mime == "image/png":
        assert again == photo


def test_jpeg_keeps_thin_coloured_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_module, "PNG_MAX_PIXELS", 0)
    monkeypatch.setattr(photo_module, "PALETTE_COLOURS", 1)
    lines = picture([[RED, BLUE] * 32] * 64, 1)
    mime, data = encode_photo(photo_of(lines))
    assert mime == "image/jpeg"
    assert furthest(read_photo(data).image, lines) <= 16  # over 80 with half the colour


# What the module leaves alone


def test_pillow_is_left_as_it_was_after_good_and_bad_pictures() -> None:
    def state() -> tuple[object, ...]:
        return Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)

    before = state()
    read_photo(FILES["png"])
    for data in (b"hello", FILES["png"][:60], png(60_000, 60_000), png(10_000, 10_001)):
        with pytest.raises(PhotoError):
            read_photo(data)
    assert state() == before


def test_many_people_may_send_pictures_at_once() -> None:
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    kinds = [*FILES] * 6
    with ThreadPoolExecutor(8) as threads:
        photos = list(threads.map(lambda kind: read_photo(FILES[kind], kind), kinds))
    assert [photo.name for photo in photos] == kinds
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


def test_importing_the_module_is_cheap() -> None:
    code = "import sys, internvl_demo.photo; print(*sorted({'numpy', 'torch', 'gradio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# Anything at all


def photo_or_refusal(attempt: Callable[[], Photo]) -> None:
    """Any other exception, and any warning, fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            photo = attempt()
        except PhotoError:
            return
    assert photo.image.mode == "RGB" and min(photo.size_wh) >= 2 and photo.image.info == {}
    assert photo_of(photo.image, photo.name) == photo


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=300), kind=st.sampled_from(["", *FILES]), kept=st.integers(0, 40))
def test_random_bytes_give_a_photo_or_a_refusal(data: bytes, kind: str, kept: int) -> None:
    beginning = FILES[kind][:kept] if kind else b""
    photo_or_refusal(lambda: read_photo(beginning + data))


@settings(max_examples=400, deadline=None)
@given(
    kind=st.sampled_from([*FILES]),
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8),
    near_the_beginning=st.booleans(),
    cut=st.none() | st.integers(0, 10**6),
)
def test_a_file_with_changed_and_missing_bytes_gives_a_photo_or_a_refusal(
    kind: str, flips: list[tuple[int, int]], near_the_beginning: bool, cut: int | None
) -> None:
    data = bytearray(FILES[kind])
    reach = min(len(data), 80) if near_the_beginning else len(data)
    for at, value in flips:
        data[at % reach] = value
    photo_or_refusal(lambda: read_photo(bytes(data[: None if cut is None else cut % len(data)])))


@settings(max_examples=100, deadline=None)
@given(name=st.text(max_size=200))
def test_any_name_becomes_one_short_printable_line(name: str) -> None:
    shown = photo_of(picture([[RED, BLUE], [BLUE, RED]], 1), name).name
    assert len(shown) <= 80 and len(shown.splitlines()) <= 1 and "/" not in shown and "\\" not in shown
