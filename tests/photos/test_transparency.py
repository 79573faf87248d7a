"""What is transparent lies on white, unless nothing would be left to see."""

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from internvl_demo.photos.decode import clean_file, photo_of, pixels_of, read_photo
from internvl_demo.photos.kinds import OTHER_GROUND, SEEN
from tests.support.pictures import BLUE, GREEN, RED, WHITE, furthest, page, pixels, png, saved, tiff

LOGO_BOX = (20, 10, 60, 40)


def logo(colour: tuple[int, ...], mode: str = "RGBA", rest: int = 0, opaque: int = 255) -> Image.Image:
    """A disc of one colour on transparent ground of the same colour."""
    image = Image.new("RGB", (80, 50), colour).convert(mode.rstrip("A"))
    alpha = Image.new("L", image.size, rest)
    ImageDraw.Draw(alpha).ellipse(LOGO_BOX, fill=opaque)
    image.putalpha(alpha)
    return image


def is_seen(image: Image.Image) -> bool:
    """Whether the disc can be told from its ground."""
    middle, corner = image.getpixel((40, 25)), image.getpixel((0, 0))
    assert isinstance(middle, tuple) and isinstance(corner, tuple)
    return max(abs(one - other) for one, other in zip(middle, corner, strict=True)) > SEEN


def one_colour_transparent(shown: int, format: str) -> bytes:
    """A palette of two whites, or of another colour and white; the second is transparent."""
    image = Image.new("P", (80, 50), 1)
    ImageDraw.Draw(image).ellipse(LOGO_BOX, fill=0)
    image.putpalette([shown] * 3 + [255] * 3)
    return saved(image, format, transparency=1)


ON_DARK = {
    "white RGBA PNG": saved(logo(WHITE), "PNG"),
    "white RGBA WebP": saved(logo(WHITE), "WEBP", lossless=True),
    "white RGBA TIFF": saved(logo(WHITE), "TIFF"),
    "white RGBA AVIF": saved(logo(WHITE), "AVIF"),
    "white LA PNG": saved(logo(WHITE, "LA"), "PNG"),
    "nearly white": saved(logo((245, 244, 240)), "PNG"),
    "half transparent": saved(logo(WHITE, opaque=120), "PNG"),
    "palette PNG": one_colour_transparent(255, "PNG"),
    "palette GIF": one_colour_transparent(250, "GIF"),
    "palette with alpha for each": saved(logo(WHITE).quantize(8), "PNG"),
    "16-bit PNG": png(
        4, 2, bits=16, colour_type=6, body=zlib.compress((b"\0" + b"\xff" * 8 + (b"\xff" * 6 + b"\0\0") * 3) * 2)
    ),
    "16-bit TIFF": tiff(page(2, 2, 16, b"\xff" * 8 + b"\xff" * 6 + b"\0\0" + b"\xff" * 6 + b"\0\0" + b"\xff" * 8,
                             photometric=2, samples=4, t338=2)),
}  # fmt: skip


@pytest.mark.parametrize("name", ON_DARK)
def test_a_white_logo_can_be_seen(name: str) -> None:
    photo, file = read_photo(ON_DARK[name]), clean_file(ON_DARK[name])
    low, high = photo.image.convert("L").getextrema()
    assert isinstance(low, int) and isinstance(high, int) and high - low > SEEN
    assert photo.note == file.note == OTHER_GROUND
    assert furthest(pixels_of(file.data), photo.image) <= 2


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(logo((0, 0, 0)), id="black"),
        pytest.param(logo((0, 0, 0), "LA"), id="black LA"),
        pytest.param(logo(RED), id="red"),
        pytest.param(logo((255, 230, 100)), id="yellow"),
        pytest.param(logo((190, 190, 190)), id="grey"),
        pytest.param(logo((60, 60, 60)), id="dark"),
        pytest.param(logo((0, 0, 0), opaque=60), id="a shadow"),
        pytest.param(logo((0, 0, 0), opaque=8), id="a shadow that hardly shows anywhere"),
    ],
)
def test_other_logos_stay_on_white(image: Image.Image) -> None:
    photo = photo_of(image)
    assert photo.image.getpixel((0, 0)) == WHITE and photo.note is None


def test_a_white_logo_with_one_dark_word_stays_on_white() -> None:
    image = logo(WHITE)
    ImageDraw.Draw(image).rectangle((30, 20, 50, 30), fill=(*BLUE, 255))
    photo = photo_of(image)
    assert photo.image.getpixel((0, 0)) == WHITE and photo.image.getpixel((40, 25)) == BLUE


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_an_alpha_of_nothing_is_ignored(mode: str) -> None:
    image = Image.new("RGB", (8, 4), GREEN).convert({"RGBA": "RGB", "LA": "L", "PA": "P"}[mode])
    expected = image.convert("RGB")
    image.putalpha(0)
    assert image.mode == mode
    photo = photo_of(image)
    assert furthest(photo.image, expected) == 0 and photo.note is None


@pytest.mark.parametrize("opaque", [1, 128, 255])
def test_a_blank_sheet_stays_white(opaque: int) -> None:
    """The same alpha everywhere has no shape."""
    photo = photo_of(Image.new("RGBA", (8, 4), (*WHITE, opaque)))
    assert set(pixels(photo.image)) == {WHITE} and photo.note is None


@settings(max_examples=80)
@given(st.tuples(*[st.integers(0, 255)] * 3), st.integers(60, 255))
def test_a_shape_of_any_colour_can_be_seen(colour: tuple[int, int, int], opaque: int) -> None:
    assert is_seen(photo_of(logo(colour, opaque=opaque)).image) or opaque < 100
