"""Pictures of phones: HEIC, and AVIF, upright and whole, as any other picture."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pillow_heif import from_bytes

from internvl_demo.errors import PhotoError
from internvl_demo.photos import door
from internvl_demo.photos import photo as photo_module
from internvl_demo.photos.decode import clean_file, open_photo, pixels_of, read_photo
from tests.support.pictures import FILES, WHITE, as_stored, furthest, half, heic, noise, picture, saved

AVIF = {"quality": 95, "subsampling": "4:4:4"}


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = orientation, "SECRET description"
    return exif.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["HEIC", "AVIF"])
def test_a_turned_picture_is_turned_once(format: str, orientation: int) -> None:
    """Both formats turn a picture by themselves and repeat it in EXIF."""
    image, exif = as_stored(orientation), turned(orientation)
    data = heic(image, exif=exif) if format == "HEIC" else saved(image, "AVIF", exif=exif, **AVIF)
    assert b"SECRET" in data
    photo, file = read_photo(data), clean_file(data)
    assert photo.size_wh == file.size_wh == (48, 32)
    assert furthest(photo.image, picture()) <= 4
    assert furthest(pixels_of(file.data), photo.image) == 0
    assert b"SECRET" not in file.data and not file.original and photo.original is None


def test_a_turn_that_only_the_exif_of_an_heic_tells_means_nothing() -> None:
    """The standard says so: what turns it stands beside the pixels, and phones write both."""
    data = heic(picture(), exif=turned(1))
    upright, on_its_side = (bytes((1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation)) for orientation in (1, 6))
    assert data.count(upright) == 1
    photo = read_photo(data.replace(upright, on_its_side))
    assert photo.size_wh == (48, 32) and furthest(photo.image, picture()) <= 4


@pytest.mark.parametrize("bits", [10, 12])
def test_deep_colours_keep_their_brightness(bits: int) -> None:
    values = np.zeros((32, 48, 3), "<u2")
    values[:, :16], values[:, 16:32] = 65535, 128 * 257
    file = BytesIO()
    from_bytes("RGB;16", (48, 32), values.tobytes()).save(
        file, quality=95, chroma=444, save_to_12bit=bits == 12
    )
    image = read_photo(file.getvalue()).image
    for x, shown in ((5, 255), (24, 128), (42, 0)):
        pixel = image.getpixel((x, 16))
        assert isinstance(pixel, tuple) and max(abs(value - shown) for value in pixel) <= 2


@pytest.mark.parametrize("format", ["HEIC", "AVIF"])
def test_what_is_transparent_lies_on_white(format: str) -> None:
    image = half("RGBA", (200, 30, 40, 0), (30, 50, 210, 255)).resize((64, 32), Image.Resampling.NEAREST)
    data = heic(image) if format == "HEIC" else saved(image, "AVIF", **AVIF)
    shown = read_photo(data).image
    left, right = (shown.crop(box) for box in ((0, 0, 28, 32), (36, 0, 64, 32)))
    assert furthest(left, Image.new("RGB", left.size, WHITE)) <= 3
    assert furthest(right, Image.new("RGB", right.size, (30, 50, 210))) <= 6


@pytest.mark.parametrize("kind", ["heic", "avif"])
def test_the_size_is_known_before_pixels_are_decoded(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(*_: object) -> None:
        pytest.fail("decoded")

    from PIL.AvifImagePlugin import AvifImageFile
    from pillow_heif import HeifImageFile

    monkeypatch.setattr(HeifImageFile, "load", decoded)
    monkeypatch.setattr(AvifImageFile, "load", decoded)
    monkeypatch.setattr(door, "MAX_PIXELS", 149)  # of 15 x 10
    with pytest.raises(PhotoError, match="more than"):
        read_photo(FILES[kind])


@pytest.mark.parametrize("brand", [b"mif1", b"heix", b"msf1"])
def test_an_heic_under_another_brand_is_read(brand: bytes) -> None:
    data = FILES["heic"]
    assert data[8:12] == b"heic"
    assert read_photo(data[:8] + brand + data[12:]) == read_photo(data)


def test_an_avif_under_the_brand_of_both_is_read() -> None:
    data = FILES["avif"]
    assert data[8:12] == b"avif" and b"avif" in data[16:32]
    assert read_photo(data[:8] + b"mif1" + data[12:]) == read_photo(data)


@pytest.mark.parametrize("name", ["photo.heic", "photo", "photo.jpg"])
def test_the_name_does_not_matter(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("phone") / name
    path.write_bytes(FILES["heic"])
    assert open_photo(path) == read_photo(FILES["heic"], name)


@pytest.mark.parametrize("format", ["HEIC", "AVIF"])
def test_a_large_photo_is_kept_as_small_as_one(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept without loss it would be many times as large as what the phone sent."""
    monkeypatch.setattr(photo_module, "PNG_MAX_PIXELS", 10_000)
    data = heic(noise(200, 100)) if format == "HEIC" else saved(noise(200, 100), "AVIF", **AVIF)
    file = clean_file(data)
    assert file.mime == "image/jpeg"
    assert furthest(pixels_of(file.data), read_photo(data).image) <= 60
