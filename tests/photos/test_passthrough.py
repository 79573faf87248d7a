"""Which files are only a picture and may be sent as they are; everything else is encoded anew."""

from io import BytesIO
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from internvl_demo.photos import decode as photo_module
from internvl_demo.photos.decode import file_of, photo_of, read_photo
from internvl_demo.photos.passthrough import plain_mime
from tests.support.pictures import FILES, chunk, half, noise, picture, png, saved

EXIF = Image.Exif()
EXIF[0x010E] = "SECRET description"
TURNED = Image.Exif()
TURNED[0x0112] = 6
TEXT = PngInfo()
TEXT.add_text("Comment", "SECRET")
JPEG, PNG, WEBP = (FILES[kind] for kind in ("jpeg", "png", "webp"))


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


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_a_file_that_holds_more_than_a_picture_is_encoded_anew(name: str) -> None:
    data = NOT_PLAIN[name]
    photo = read_photo(data)
    assert photo.original is None
    _, sent = file_of(photo)
    assert sent != data and b"SECRET" not in sent
    assert plain_mime(sent)


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
    assert plain_mime(data)
    assert not any(plain_mime(data[:end]) for end in range(len(data)))


@given(st.binary(max_size=64), st.sampled_from(["", "jpeg", "png", "webp"]), st.integers(0, 80))
@example(b"", "", 0)
def test_any_bytes_are_plain_or_not_and_nothing_else_happens(data: bytes, kind: str, kept: int) -> None:
    assert plain_mime(FILES.get(kind, b"")[:kept] + data) in (None, "image/jpeg", "image/png", "image/webp")


@given(st.data())
def test_no_segment_can_be_slipped_in(data: st.DataObject) -> None:
    kinds: Any = st.integers(0xE1, 0xED) | st.integers(0xEF, 0xFE)
    kind, body = data.draw(kinds), data.draw(st.binary(max_size=20))
    at = data.draw(st.sampled_from([2, JPEG.index(b"\xff\xdb"), JPEG.index(b"\xff\xda")]))
    segment = bytes([0xFF, kind]) + (len(body) + 2).to_bytes(2) + body
    assert plain_mime(JPEG[:at] + segment + JPEG[at:]) is None


def test_a_png_that_says_it_is_longer_than_it_is_is_not_plain() -> None:
    assert plain_mime(png(4, 4)[:33] + (2**31).to_bytes(4) + b"IDAT") is None
