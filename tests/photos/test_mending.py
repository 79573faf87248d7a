"""What is not picture data never refuses a picture; what is cut out of the picture always does."""

import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from internvl_demo.errors import PhotoError
from internvl_demo.photos.decode import clean_file, photo_of, pixels_of, read_photo
from internvl_demo.photos.jpeg import endings
from internvl_demo.photos.mending import mended
from tests.support.linear_time import Family, assert_linear
from tests.support.pictures import (
    BLUE,
    FILES,
    WHITE,
    Page,
    as_stored,
    chunk,
    furthest,
    half,
    heic,
    noise,
    page,
    picture,
    pixels,
    png,
    saved,
    tiff,
)

PNG = saved(picture(), "PNG")
RUBBISH = bytes(range(1, 200))
TURNED = Image.Exif()
TURNED[0x0112] = 6


def with_chunks(*chunks: bytes, data: bytes = PNG) -> bytes:
    """A PNG with these behind its header."""
    return data[:33] + b"".join(chunks) + data[33:]


def wrong(kind: bytes, body: bytes) -> bytes:
    """A chunk whose checksum is not right."""
    return chunk(kind, body)[:-4] + b"oops"


def with_segment(marker: int, body: bytes, data: bytes) -> bytes:
    """A JPEG with this behind its beginning."""
    return data[:2] + bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2) + body + data[2:]


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    inside = b"WEBP" + b"".join(
        kind + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2) for kind, body in chunks
    )
    return b"RIFF" + len(inside).to_bytes(4, "little") + inside


LOSSLESS = saved(picture(), "WEBP", lossless=True)
CODED = LOSSLESS[20 : 20 + int.from_bytes(LOSSLESS[16:20], "little")]
WIDE = b"\x2c\0\0\0" + (47).to_bytes(3, "little") + (31).to_bytes(3, "little")
"""A VP8X chunk that announces a profile, EXIF and XMP; 48 x 32 pixels."""

BMP = saved(picture(), "BMP")


def bmp(header_bytes: int, data: bytes = BMP) -> bytes:
    """The BMP with a header of another length: cut, or filled with zeros."""
    header = (header_bytes.to_bytes(4, "little") + data[18:54]).ljust(header_bytes, b"\0")[:header_bytes]
    offset = int.from_bytes(data[10:14], "little")
    between = data[54:offset]
    return data[:10] + struct.pack("<I", 14 + header_bytes + len(between)) + header + between + data[offset:]


MASKED = saved(picture().convert("RGBA"), "BMP")
"""32 bits with masks behind its 40 bytes of header, or in a longer one."""

BAD_METADATA: dict[str, bytes] = {
    "PNG, checksum of its resolution": with_chunks(wrong(b"pHYs", bytes(9))),
    "PNG, checksums of its text and time": with_chunks(wrong(b"tEXt", b"a\0b"), wrong(b"tIME", bytes(7))),
    "PNG, text of 2 MB": with_chunks(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2_000_000)))),
    "PNG, profile of 80 MB": with_chunks(chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(80_000_000)))),
    "PNG, text that is not compressed": with_chunks(chunk(b"zTXt", b"a\0\0" + RUBBISH)),
    "PNG, international text of rubbish": with_chunks(chunk(b"iTXt", b"a\0\1\7" + RUBBISH)),
    "PNG, profile of rubbish": with_chunks(chunk(b"iCCP", RUBBISH)),
    "PNG, EXIF of rubbish": with_chunks(chunk(b"eXIf", RUBBISH)),
    "PNG, XMP of rubbish": with_chunks(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + RUBBISH)),
    "PNG, short resolution and gamma": with_chunks(chunk(b"pHYs", b"\0"), chunk(b"gAMA", b""), chunk(b"cHRM", b"")),
    "PNG, checksum of its pixels": PNG[:-16] + b"oops" + PNG[-12:],
    "PNG, checksum of its end": PNG[:-4] + b"oops",
    "PNG, no end": PNG[:-12],
    "PNG, rubbish behind": PNG + RUBBISH,
    "JPEG, EXIF of rubbish": with_segment(0xE1, b"Exif\0\0" + RUBBISH, saved(picture(), "JPEG")),
    "JPEG, profile of rubbish": with_segment(0xE2, b"ICC_PROFILE\0\1\1" + RUBBISH, saved(picture(), "JPEG")),
    "JPEG, profile in parts that miss": with_segment(0xE2, b"ICC_PROFILE\0\2\7" + RUBBISH, saved(picture(), "JPEG")),
    "JPEG, XMP of rubbish": with_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + RUBBISH, saved(picture(), "JPEG")),
    "JPEG, Photoshop of rubbish": with_segment(0xED, b"Photoshop 3.0\0008BIM" + RUBBISH, saved(picture(), "JPEG")),
    "JPEG, second pictures of rubbish": with_segment(0xE2, b"MPF\0" + RUBBISH, saved(picture(), "JPEG")),
    "JPEG, second pictures of nothing": with_segment(0xE2, b"MPF\0II*\0\x08\0\0\0\0\0", saved(picture(), "JPEG")),
    "JPEG, Adobe of one byte": with_segment(0xEE, b"A", saved(picture(), "JPEG")),
    "JPEG, JFIF of one byte": with_segment(0xE0, b"J", saved(picture(), "JPEG")),
    "JPEG, rubbish behind": saved(picture(), "JPEG") + RUBBISH,
    "JPEG, no end": saved(picture(), "JPEG")[:-2],
    "JPEG, half an end": saved(picture(), "JPEG")[:-1],
    "JPEG, progressive, no end": saved(picture(), "JPEG", progressive=True)[:-2],
    "JPEG, in parts, no end": saved(picture(), "JPEG", restart_marker_blocks=1)[:-2],
    "JPEG, grey, no end": saved(picture().convert("L"), "JPEG")[:-2],
    "JPEG, CMYK, no end": saved(picture().convert("CMYK"), "JPEG")[:-2],
    "JPEG, large, no end": saved(noise(400, 300), "JPEG")[:-2],
    "WebP, EXIF and XMP of rubbish": webp((b"VP8X", WIDE), (b"VP8L", CODED), (b"EXIF", RUBBISH), (b"XMP ", RUBBISH)),
    "WebP, profile of rubbish": webp((b"VP8X", WIDE), (b"ICCP", RUBBISH), (b"VP8L", CODED)),
    "WebP, announced and not there": webp((b"VP8X", WIDE), (b"VP8L", CODED)),
    "WebP, EXIF longer than the file": webp((b"VP8X", WIDE), (b"VP8L", CODED)) + b"EXIF\xff\xff\0\0abc",
    "WebP, wrong about its length": LOSSLESS[:4] + b"\xf0\0\0\0" + LOSSLESS[8:],
    "WebP, rubbish behind": LOSSLESS + RUBBISH,
    "GIF, no trailer": saved(picture(), "GIF")[:-1],
    "GIF, rubbish behind": saved(picture(), "GIF") + RUBBISH,
    "GIF, comment of rubbish": saved(picture(), "GIF", comment=RUBBISH),
    "BMP, header of 16 bytes": bmp(16),
    "BMP, header of 42 bytes": bmp(42),
    "BMP, header of 64 bytes": bmp(64),
    "BMP, header of 78 bytes": bmp(78),
    "BMP, header of 124 bytes": bmp(124),
    "BMP, palette and header of 45 bytes": bmp(45, saved(picture().quantize(8), "BMP")),
    "BMP, wrong about its length": BMP[:2] + bytes(4) + BMP[6:],
    "BMP, rubbish behind": BMP + RUBBISH,
    "TIFF, rubbish behind": saved(picture(), "TIFF") + RUBBISH,
    "HEIC, EXIF of rubbish": heic(picture(), exif=b"Exif\0\0" + RUBBISH),
    "HEIC, XMP of rubbish": heic(picture(), xmp=RUBBISH),
    "HEIC, profile of rubbish": heic(picture(), icc_profile=RUBBISH),
    "HEIC, rubbish behind": heic(picture()) + RUBBISH,
    "AVIF, XMP of rubbish": saved(picture(), "AVIF", xmp=RUBBISH),
    "AVIF, profile of rubbish": saved(picture(), "AVIF", icc_profile=RUBBISH),
    "AVIF, rubbish behind": saved(picture(), "AVIF") + RUBBISH,
}  # fmt: skip
"""Files of the known picture, but for those said to be large, that browsers show."""


@pytest.mark.parametrize("name", BAD_METADATA)
def test_a_picture_is_judged_by_its_pixels(name: str) -> None:
    data = BAD_METADATA[name]
    photo, file = read_photo(data), clean_file(data)
    assert photo.size_wh == file.size_wh == ((400, 300) if "large" in name else (48, 32))
    assert furthest(pixels_of(file.data), photo.image) <= (90 if "CMYK" in name else 0)
    assert RUBBISH not in file.data
    if name.startswith(("PNG", "WebP", "GIF", "BMP", "TIFF")):
        assert photo == photo_of(picture())
    elif "grey" not in name and "large" not in name:
        assert furthest(photo.image, picture()) <= 110  # JPEG with half the colours


ENTRIES_THAT_ARE_NOT_PIXELS: dict[str, dict[int, int | bytes]] = {
    "a description": {270: b"\xff\xfe" * 500},
    "EXIF and GPS that lead nowhere": {34665: 2**32 - 1, 34853: 7},
    "inner pages that lead nowhere": {330: 2**32 - 1},
    "XMP and Photoshop of rubbish": {700: RUBBISH, 34377: RUBBISH},
    "a resolution that is no fraction": {282: 0, 283: b"abc"},
    "numbers nobody knows": {65001: RUBBISH, 50000: 1},
}


@pytest.mark.parametrize("name", ENTRIES_THAT_ARE_NOT_PIXELS)
@pytest.mark.parametrize("order", "<>")
def test_a_tiff_is_judged_by_the_tags_of_its_pixels(name: str, order: str) -> None:
    plain = page(48, 32, 8, picture().tobytes(), photometric=2, samples=3)
    data = tiff(Page({**plain.tags, **ENTRIES_THAT_ARE_NOT_PIXELS[name]}, plain.strips), order=order)
    assert read_photo(data) == photo_of(picture())


def test_a_tiff_entry_that_leads_out_of_the_file_is_left_out() -> None:
    data = tiff(page(48, 32, 8, picture().tobytes(), photometric=2, samples=3, t270=b"x" * 40))
    at = data.index(struct.pack("<HHI", 270, 2, 40))
    for broken in (struct.pack("<HHII", 270, 2, 2**31, 8), struct.pack("<HHII", 270, 99, 40, 2**32 - 1)):
        assert read_photo(data[:at] + broken + data[at + 12 :]) == photo_of(picture())


def test_a_transparent_png_stays_transparent_when_it_is_mended() -> None:
    data = saved(half("P", 0, 1), "PNG", transparency=0)
    assert pixels(read_photo(with_chunks(wrong(b"tEXt", b"a\0b"), data=data)).image) == [
        *((WHITE, WHITE, (40, 50, 60), (40, 50, 60)) * 2)
    ]


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_mended_picture_still_stands_upright(format: str) -> None:
    data = saved(
        as_stored(6), format, exif=TURNED, **({"quality": 97, "subsampling": 0} if format == "JPEG" else {})
    )
    data = data[:-2] if format == "JPEG" else with_chunks(wrong(b"tEXt", b"a\0b"), data=data)
    photo, file = read_photo(data), clean_file(data)
    assert photo.size_wh == file.size_wh == (48, 32)
    assert furthest(photo.image, picture()) <= (30 if format == "JPEG" else 0)
    assert furthest(pixels_of(file.data), photo.image) == 0


# What is truly cut.


KINDS_OF_JPEG: dict[str, dict[str, Any]] = {
    "plain": {},
    "full colour": {"subsampling": 0},
    "in parts": {"restart_marker_blocks": 1},
    "in rows": {"restart_marker_rows": 1},
    "progressive": {"progressive": True},
    "progressive, in parts": {"progressive": True, "restart_marker_blocks": 2},
}


@pytest.mark.parametrize("kind", KINDS_OF_JPEG)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_cut_anywhere_is_whole_or_refused(kind: str, mode: str) -> None:
    data = saved(noise(40, 30).convert(mode), "JPEG", **KINDS_OF_JPEG[kind])
    whole = read_photo(data)
    assert read_photo(data[:-2]) == read_photo(data[:-1]) == whole
    for end in range(2, len(data) - 2, 5):
        with pytest.raises(PhotoError, match="damaged"):
            read_photo(data[:end])


@pytest.mark.parametrize("kind", ["plain", "full colour", "in parts", "in rows"])
@pytest.mark.parametrize("part", [0.3, 0.5, 0.9])
def test_half_a_jpeg_that_was_closed_again_is_refused(kind: str, part: float) -> None:
    """The decoder fills up with grey what is missing, and says nothing."""
    data = saved(noise(80, 60), "JPEG", **KINDS_OF_JPEG[kind])
    cut = data[: int(part * len(data))].rstrip(b"\xff")
    for read in (read_photo, clean_file):
        with pytest.raises(PhotoError, match="damaged"):
            read(cut + b"\xff\xd9")


@pytest.mark.parametrize("image", [Image.new("RGB", (64, 48), (128,) * 3), Image.new("L", (64, 48), 128)])
@pytest.mark.parametrize("kind", KINDS_OF_JPEG)
def test_a_grey_picture_is_no_damaged_one(image: Image.Image, kind: str) -> None:
    data = saved(image, "JPEG", **KINDS_OF_JPEG[kind])
    assert furthest(read_photo(data).image, image.convert("RGB")) <= 1
    assert read_photo(data[:-2]) == read_photo(data)


def test_a_progressive_jpeg_without_its_last_scans_is_refused() -> None:
    data = saved(picture(), "JPEG", progressive=True)
    scans = [at for at in range(len(data)) if data.startswith(b"\xff\xda", at)]
    assert len(scans) > 3
    for at in scans:
        with pytest.raises(PhotoError, match="damaged"):
            read_photo(data[:at])


def test_a_whole_jpeg_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """To see whether one is whole takes two more decodings: only where its end is gone or grey."""
    asked: list[int] = []

    def counted(data: bytes) -> list[bytes]:
        asked.append(len(data))
        return endings(data)

    monkeypatch.setattr("internvl_demo.photos.opening.endings", counted)
    for data in (FILES["jpeg"], FILES["progressive jpeg"], saved(noise(64, 64), "JPEG")):
        read_photo(data)
    assert asked == []
    read_photo(FILES["jpeg"][:-2])
    assert len(asked) == 1


CUT = {
    "PNG": with_chunks(wrong(b"tEXt", b"a\0b"))[: len(PNG) // 2 + 20],
    "PNG, pixels that are other ones": PNG.replace(PNG[60:64], bytes(4)),
    "PNG, fewer pixels and no checksum": png(8, 8, body=zlib.compress(bytes(100))[:-4]),
    "PNG, its header's checksum": PNG[:29] + b"oops" + PNG[33:],
    "WebP": webp((b"VP8X", WIDE), (b"VP8L", CODED))[:-20],
    "WebP, pixels in a chunk that is too long": webp((b"VP8X", WIDE), (b"VP8L", CODED))[:-30]
    + b"EXIF\xff\0\0\0",
    "BMP": bmp(78)[:-100],
    "GIF": saved(noise(40, 40).quantize(64), "GIF")[:-300],
    "TIFF": tiff(page(48, 32, 8, picture().tobytes()[:-200], photometric=2, samples=3)),
    "TIFF, strips that are not there": tiff(page(9, 10_000_000, 8, bytes(63), t278=7)),
    "TIFF, tiles that are not there": tiff(
        Page({**page(64, 48, 8, b"").tags, 322: 16, 323: 16}, [bytes(256)] * 11)
    ),
    "TIFF, planes that are not there": tiff(
        Page({**page(4, 2, 16, b"", photometric=2, samples=3).tags, 284: 2}, [bytes(16)] * 2)
    ),
    "TIFF, said to be longer": tiff(page(48, 32, 8, zlib.compress(bytes(1536))[:-8], t259=8)),
    "HEIC": heic(noise(64, 64))[:-200],
    "AVIF": saved(noise(64, 64), "AVIF")[:-200],
}


@pytest.mark.parametrize("name", CUT)
def test_what_is_truly_cut_is_refused(name: str) -> None:
    for read in (read_photo, clean_file):
        with pytest.raises(PhotoError):
            read(CUT[name])


@pytest.mark.parametrize(
    ("head", "fill"),
    [
        (b"\0\0\0\x20ftypheic", b"infe\2"),
        (b"\0\0\0\x20ftypheic", b"infe\2\0\0\0\0\1\0\0"),
        (b"\x89PNG\r\n\x1a\n", b"\0\0\0\0teXt\0\0\0\0"),
        (b"RIFF\0\0\0\0WEBP", b"VP8 \0\0\0\0"),
        (b"\xff\xd8\xff\xda\0\2", b"\xff\xd0"),
        (b"\xff\xd8", b"\xff\xe1\0\2"),
        (b"BM" + bytes(8) + b"\xff\xff\xff\x7f\x10\0\0\0", b"\0"),
    ],
)
def test_mending_takes_linear_time(head: bytes, fill: bytes) -> None:
    hostile = Family(head.decode("latin-1"), fill.decode("latin-1") * 64)
    for read in (mended, endings):
        assert_linear(lambda text, read=read: read(text.encode("latin-1")), hostile)  # type: ignore[misc]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.from_regex(r"[a-z][a-zA-Z][A-Z][a-z]", fullmatch=True), st.binary(max_size=60)),
        max_size=4,
    )
)
def test_no_ancillary_chunk_refuses_a_png(chunks: list[tuple[str, bytes]]) -> None:
    told = [wrong(kind.encode(), body) for kind, body in chunks if kind != "tRNS"]
    assert read_photo(with_chunks(*told)) == photo_of(picture())


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from([*range(0xE0, 0xF0), 0xFE]), st.binary(max_size=60)), max_size=4),
    st.booleans(),
)
def test_no_application_segment_refuses_a_jpeg(parts: list[tuple[int, bytes]], cut: bool) -> None:
    data = saved(picture(), "JPEG")
    for marker, body in parts:
        data = with_segment(marker, b"xyz" + body, data)
    assert read_photo(data[:-2] if cut else data) == read_photo(saved(picture(), "JPEG"))


def test_masks_of_a_bmp_are_found_behind_any_header() -> None:
    blue = Image.new("RGB", (8, 4), BLUE)
    rows = b"".join(bytes((*reversed(BLUE), 0)) for _ in range(32))
    masks = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
    for size in (40, 52, 56, 60, 108):
        header = struct.pack("<IiiHHIIiiII", size, 8, 4, 1, 32, 3, len(rows), 0, 0, 0, 0)
        header = (header + masks).ljust(size, b"\0") if size > 40 else header + masks
        data = b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + len(header)) + header + rows
        assert read_photo(data) == photo_of(blue), size
