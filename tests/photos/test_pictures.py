"""What becomes of a good picture: each format upright and in RGB, what a photo is, and how it is sent."""

import re
import struct
import zlib
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from internvl_demo.photos import opening
from internvl_demo.photos import photo as photo_module
from internvl_demo.photos.decode import clean_file, photo_of, pixels_of, read_photo
from internvl_demo.photos.photo import encode_photo
from tests.support.pictures import (
    BLOCKS,
    BLUE,
    FILES,
    PINK,
    RED,
    WHITE,
    Colour,
    as_stored,
    chunk,
    furthest,
    half,
    noise,
    palette_with_alpha,
    picture,
    pixels,
    png,
    saved,
)

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
        assert photo == photo_of(picture()), "the same pixels have the same id in any container"


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


# What a photo is


def test_different_pictures_have_different_ids() -> None:
    others = [
        Image.new("RGB", (2, 3)),
        Image.new("RGB", (3, 2)),
        Image.new("RGB", (6, 2)),
        picture(),
        as_stored(3),
    ]
    ids = {photo_of(image).id for image in others}
    assert len(ids) == len(others)
    assert all(re.fullmatch("[0-9a-f]{64}", id) for id in ids)


@pytest.mark.parametrize("step", [1, 7, 48, 100, 10**9])
def test_the_id_does_not_depend_on_how_many_rows_are_read_at_a_time(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = photo_of(picture()).id
    monkeypatch.setattr(opening, "_DIGEST_STEP_PIXELS", step)
    assert photo_of(picture()).id == expected


KNOWN = {
    "PNG": (FILES["png"], "ef144c827c25492878d317197ae7765b524a2b31b9409c26aeac7faa30e7e611"),
    "lossless WebP": (
        FILES["lossless webp"],
        "ef144c827c25492878d317197ae7765b524a2b31b9409c26aeac7faa30e7e611",
    ),
    "palette PNG": (
        saved(picture().quantize(8), "PNG"),
        "217a9b59371ce02191d64b5b7d73e48383836d8e89d1451bcaaf66af7ca1ec61",
    ),
    "1-bit PNG": (
        saved(picture().convert("1"), "PNG"),
        "92b7d512c1f7a1b6071123268f83d51e46d6d7b77d4000a279e08cc65b732043",
    ),
    "grey PNG": (
        saved(Image.linear_gradient("L"), "PNG"),
        "8118652a0fe87d81bfbeda2703a6b897ba65c4fe91a5a5d679e3b3653332e27f",
    ),
    "transparent PNG": (
        saved(half("RGBA", (*RED, 0), (*BLUE, 255)), "PNG"),
        "b867bd437cbffab9eb66b1c256e491fa95cf432e3ccc4d8bc9f0a5cdd73f9dfc",
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_photo_is_the_same_as_years_ago(name: str) -> None:
    """Stored files are decoded by this program's later versions, and answers refer to photos by what they show."""
    data, photo_id = KNOWN[name]
    assert read_photo(data).id == photo_id
    kept = clean_file(data)
    assert clean_file(kept.data).data == kept.data
    assert photo_of(pixels_of(kept.data)).id == photo_id


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


# How a photo is sent


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
