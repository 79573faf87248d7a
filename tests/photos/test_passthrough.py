"""Which files are only a picture and may be sent as they are; what others lose before they are kept or sent."""

from io import BytesIO
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from internvl_demo.photos import decode as photo_module
from internvl_demo.photos.decode import clean_file, photo_of, pixels_of, read_photo
from internvl_demo.photos.passthrough import cleaned
from internvl_demo.photos.photo import file_of
from tests.support.linear_time import Family, assert_linear
from tests.support.pictures import FILES, as_stored, chunk, furthest, half, noise, picture, png, saved

EXIF = Image.Exif()
EXIF[0x010E] = "SECRET description"
TURNED = Image.Exif()
TURNED[0x0112] = 6
TEXT = PngInfo()
TEXT.add_text("Comment", "SECRET")
JPEG, PNG, WEBP = (FILES[kind] for kind in ("jpeg", "png", "webp"))


def is_plain(data: bytes) -> bool:
    """Return whether nothing would be taken away: there is nothing but a picture inside."""
    return cleaned(data) == data


def with_thumbnail(jpeg: bytes) -> bytes:
    """A JFIF header that holds one pixel more."""
    at = jpeg.index(b"JFIF\0")
    return jpeg[: at - 2] + (19).to_bytes(2) + jpeg[at : at + 12] + b"\1\1SEC" + jpeg[at + 14 :]


NOT_PLAIN: dict[str, bytes] = {
    "JPEG with EXIF": saved(picture(), "JPEG", exif=EXIF),
    "JPEG on its side": saved(picture(), "JPEG", exif=TURNED),
    "JPEG with a comment": saved(picture(), "JPEG", comment=b"SECRET"),
    "JPEG with a colour profile": saved(picture(), "JPEG", icc_profile=b"SECRET profile"),
    "JPEG with XMP": saved(picture(), "JPEG", xmp=b"SECRET"),
    "JPEG with a thumbnail": with_thumbnail(JPEG),
    "JPEG with bytes after its end": JPEG + b"SECRET",
    "two JPEGs in one file": JPEG + JPEG,
    "CMYK JPEG": saved(picture().convert("CMYK"), "JPEG"),
    "PNG with EXIF": saved(picture(), "PNG", exif=EXIF),
    "PNG with text": saved(picture(), "PNG", pnginfo=TEXT),
    "PNG with a colour profile": saved(picture(), "PNG", icc_profile=b"SECRET profile"),
    "PNG with a resolution": saved(picture(), "PNG", dpi=(72, 72)),
    "PNG with bytes after its end": PNG + b"SECRET",
    "PNG with one transparent colour": saved(half("P", 0, 1), "PNG", transparency=0),
    "RGBA PNG": saved(picture().convert("RGBA"), "PNG"),
    "16-bit grey PNG": saved(Image.new("I;16", (9, 9), 777), "PNG"),
    "animated PNG": saved(picture(), "PNG", save_all=True, append_images=[picture().rotate(180)]),
    "PNG with a chunk of its own": PNG.replace(PNG[-12:], chunk(b"seCr", b"SECRET") + PNG[-12:]),
    "WebP with EXIF": saved(picture(), "WEBP", exif=EXIF),
    "WebP with transparency": saved(half("RGBA", (9, 9, 9, 0), (7, 7, 7, 255)), "WEBP", lossless=True),
    "WebP with bytes after its end": WEBP + b"SECRET",
    "GIF": FILES["gif"],
    "BMP": FILES["bmp"],
    "TIFF": FILES["tiff"],
}


CLEANED = (
    "JPEG with EXIF", "JPEG with a comment", "JPEG with a colour profile", "JPEG with XMP", "JPEG with a thumbnail",
    "JPEG with bytes after its end", "two JPEGs in one file", "PNG with EXIF", "PNG with text",
    "PNG with a colour profile", "PNG with a resolution", "PNG with bytes after its end",
    "PNG with a chunk of its own",
)  # fmt: skip
"""Of these only the picture is kept; the others are encoded anew."""


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_is_sent_holds_only_a_picture(name: str) -> None:
    data = NOT_PLAIN[name]
    photo = read_photo(data)
    assert (photo.original is not None) == (name in CLEANED)
    _, sent = file_of(photo)
    assert sent != data and b"SECRET" not in sent
    assert is_plain(sent)
    if name in CLEANED:
        assert pixels_of(sent).tobytes() == photo.image.tobytes(), "the coded pixels are untouched"


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_is_stored_holds_only_a_picture(name: str) -> None:
    data = NOT_PLAIN[name]
    photo, file = read_photo(data), clean_file(data)
    assert b"SECRET" not in file.data
    assert file.size_wh == photo.size_wh == pixels_of(file.data).size
    assert is_plain(file.data) == (name != "JPEG on its side")
    assert file.original == (photo.original is not None)
    off_by = 90 if name == "CMYK JPEG" else 0  # the one that is compressed anew
    assert furthest(pixels_of(file.data), photo.image) <= off_by


def test_a_large_file_is_not_kept_beside_its_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_module, "ORIGINAL_MAX_BYTES", len(JPEG))
    assert read_photo(JPEG).original
    monkeypatch.setattr(photo_module, "ORIGINAL_MAX_BYTES", len(JPEG) - 1)
    assert read_photo(JPEG).original is None


PLAIN: dict[str, tuple[str, bytes]] = {
    "JPEG": ("image/jpeg", JPEG),
    "progressive JPEG": ("image/jpeg", FILES["progressive jpeg"]),
    "grey JPEG": ("image/jpeg", saved(picture().convert("L"), "JPEG")),
    "JPEG in parts": ("image/jpeg", saved(noise(64, 64), "JPEG", restart_marker_blocks=1)),
    "JPEG in RGB": ("image/jpeg", saved(picture(), "JPEG", keep_rgb=True)),
    "PNG": ("image/png", PNG),
    "palette PNG": ("image/png", saved(picture().quantize(8), "PNG")),
    "black and white PNG": ("image/png", saved(picture().convert("1"), "PNG")),
    "large PNG": ("image/png", saved(noise(400, 300), "PNG")),
    "WebP": ("image/webp", WEBP),
    "lossless WebP": ("image/webp", FILES["lossless webp"]),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_file_with_nothing_but_a_picture_is_sent_as_it_came(name: str) -> None:
    mime, data = PLAIN[name]
    photo = read_photo(data)
    assert file_of(photo) == (mime, data)
    with Image.open(BytesIO(data)) as image:
        assert photo_of(image) == photo, "everybody who opens it sees the same"


def test_a_photo_with_and_without_its_file_is_the_same_photo() -> None:
    assert read_photo(PNG) == read_photo(FILES["bmp"])
    assert "original" not in repr(read_photo(PNG))


@pytest.mark.parametrize("kind", ["jpeg", "progressive jpeg", "png", "webp", "lossless webp"])
def test_a_file_cut_anywhere_is_not_plain(kind: str) -> None:
    data = FILES[kind]
    assert is_plain(data)
    assert not any(is_plain(data[:end]) for end in range(len(data)))


@given(st.binary(max_size=64), st.sampled_from(["", "jpeg", "png", "webp"]), st.integers(0, 80))
@example(b"", "", 0)
def test_any_bytes_are_plain_or_not_and_nothing_else_happens(data: bytes, kind: str, kept: int) -> None:
    assert is_plain(FILES.get(kind, b"")[:kept] + data) in (True, False)


@given(st.data())
def test_no_segment_can_be_slipped_in(data: st.DataObject) -> None:
    kinds: Any = st.integers(0xE1, 0xED) | st.integers(0xEF, 0xFE)
    kind, body = data.draw(kinds), data.draw(st.binary(max_size=20))
    at = data.draw(st.sampled_from([2, JPEG.index(b"\xff\xdb"), JPEG.index(b"\xff\xda")]))
    segment = bytes([0xFF, kind]) + (len(body) + 2).to_bytes(2) + body
    assert not is_plain(JPEG[:at] + segment + JPEG[at:])


def test_a_png_that_says_it_is_longer_than_it_is_is_not_plain() -> None:
    assert not is_plain(png(4, 4)[:33] + (2**31).to_bytes(4) + b"IDAT")


# Cleaning.


def secrets_of(orientation: int = 1) -> bytes:
    """EXIF as a phone writes it: where, when and with what."""
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "SECRET description", orientation
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 29.0), 29: "SECRET gps"}
    return exif.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("progressive", [False, True])
def test_phone_jpeg_keeps_pixels_and_turn(orientation: int, progressive: bool) -> None:
    data = saved(
        as_stored(orientation), "JPEG", quality=97, progressive=progressive, exif=secrets_of(orientation)
    )
    file = clean_file(data)
    assert file.size_wh == (48, 32) and file.mime == "image/jpeg"
    assert furthest(pixels_of(file.data), read_photo(data).image) == 0
    assert file.original == (orientation == 1), "a model server may not know how to turn it"
    with Image.open(BytesIO(file.data)) as image:
        said = dict(image.getexif())
        assert said == ({} if orientation == 1 else {0x0112: orientation})
        assert image.getexif().get_ifd(0x8825) == {}
    assert b"SECRET" not in file.data and clean_file(file.data) == file, "cleaning twice changes nothing"


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_turned_files_of_other_kinds_are_stored_upright(format: str) -> None:
    options: dict[str, Any] = {"lossless": True} if format == "WEBP" else {}
    file = clean_file(saved(as_stored(6), format, exif=TURNED, **options))
    assert (file.mime, file.size_wh, file.original) == ("image/png", (48, 32), False)
    assert is_plain(file.data) and furthest(pixels_of(file.data), picture()) == 0


def test_a_turn_that_only_xmp_tells_is_kept() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/>SECRET</x:xmpmeta>'
    data = saved(as_stored(6), "JPEG", quality=97, xmp=xmp)
    photo, file = read_photo(data), clean_file(data)
    assert photo.size_wh == file.size_wh == pixels_of(file.data).size
    assert furthest(pixels_of(file.data), photo.image) == 0 and b"SECRET" not in file.data


ANY_BYTES = st.binary(max_size=30)


@given(
    st.lists(st.tuples(st.sampled_from([*range(0xE0, 0xF0), 0xFE]), ANY_BYTES), max_size=6),
    st.integers(1, 8),
    ANY_BYTES,
    st.booleans(),
)
def test_cleaned_jpeg_shows_the_same(
    segments: list[tuple[int, bytes]], orientation: int, behind: bytes, progressive: bool
) -> None:
    data = saved(as_stored(orientation), "JPEG", progressive=progressive, exif=secrets_of(orientation))
    more = b"".join(
        bytes((0xFF, kind)) + (len(body) + 8).to_bytes(2) + b"SECRET" + body for kind, body in segments
    )
    at = data.index(b"\xff\xdb")
    data = data[:at] + more + data[at:] + b"SECRET" + behind
    clean = cleaned(data, orientation)
    assert clean is not None and b"SECRET" not in clean
    assert len(clean) <= len(saved(as_stored(orientation), "JPEG", progressive=progressive)) + 40
    assert pixels_of(clean).tobytes() == read_photo(data).image.tobytes()
    assert pixels_of(clean).size == (48, 32)


@given(
    st.lists(st.tuples(st.from_regex(r"[a-z][a-zA-Z]{3}", fullmatch=True), ANY_BYTES), max_size=6), ANY_BYTES
)
def test_cleaned_png_shows_the_same(chunks: list[tuple[str, bytes]], behind: bytes) -> None:
    more = b"".join(chunk(kind.encode(), b"SECRET" + body) for kind, body in chunks)
    data = PNG[:33] + more + PNG[33:-12] + more + PNG[-12:] + b"SECRET" + behind
    clean = cleaned(data)
    assert clean is None or clean == PNG
    assert clean is not None or any(kind in ("tRNS", "acTL", "fcTL", "fdAT") for kind, _ in chunks)


@given(st.binary(max_size=64), st.sampled_from(["", "jpeg", "progressive jpeg", "png"]), st.integers(0, 2000))
def test_any_bytes_are_cleaned_or_not(data: bytes, kind: str, kept: int) -> None:
    clean = cleaned(FILES.get(kind, b"")[:kept] + data)
    assert clean is None or (is_plain(clean) and cleaned(clean) == clean)


@pytest.mark.parametrize("kind", ["jpeg", "progressive jpeg", "png"])
def test_a_cut_file_is_not_cleaned(kind: str) -> None:
    data = FILES[kind]
    assert cleaned(data) == data
    assert not any(cleaned(data[:end]) for end in range(len(data)))


@pytest.mark.parametrize("fill", [b"\xff", b"\xff\x00", b"\xff\xe1\x00\x02", b"\xff\xfe\x00\x02"])
def test_cleaning_takes_linear_time(fill: bytes) -> None:
    """A run of fill bytes once cost the square of its length."""
    scan = JPEG[: JPEG.index(b"\xff\xda") + 14]
    for head in (JPEG[:2], scan):
        hostile = Family(head.decode("latin-1"), fill.decode("latin-1") * 64)
        assert_linear(lambda text: cleaned(text.encode("latin-1")), hostile)
