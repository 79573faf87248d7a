"""Pictures with more colours than sRGB: people see them right, and the model sees the numbers as they are."""

import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from internvl_demo.photos.colour import MOST_BYTES, in_srgb, kept_profile
from internvl_demo.photos.decode import clean_file, photo_of, pixels_of, profile_of, read_photo
from internvl_demo.photos.passthrough import cleaned
from internvl_demo.photos.regions import cropped, marked
from tests.support.pictures import BLUE, GREEN, RED, as_stored, furthest, heic, picture, saved
from tests.support.profiles import parametric, profile, table
from tests.support.stores import Clock, open_at

P3 = profile("Display P3")
WIDE = {
    "Display P3": P3,
    "Display P3, version 2": profile("Display P3", table([563]), version=2),
    "Adobe RGB": profile("Adobe RGB", table([563])),
    "ProPhoto": profile("ProPhoto", parametric([1.8])),
    "curves as tables": profile(
        "Adobe RGB", table([round((step / 1023) ** 2.2 * 65535) for step in range(1024)])
    ),
    "a curve for each": profile("Display P3", more={b"gTRC": parametric([2.2])}),
}
NARROW: dict[str, bytes] = {
    "sRGB": profile("sRGB"),
    "sRGB, version 2": profile("sRGB", version=2),
    "Pillow's sRGB": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    "rubbish": b"SECRET" * 100,
    "nothing": b"",
    "cut": P3[:300],
    "a header alone": P3[:128],
    "of greys": profile("Display P3", space=b"GRAY"),
    "of print": profile("Display P3", space=b"CMYK"),
    "no red": profile("Display P3", without=[b"rXYZ"]),
    "no curve": profile("Display P3", without=[b"gTRC"]),
    "a curve of another kind": profile("Display P3", more={b"rTRC": b"mft2" + bytes(100)}),
    "a curve that is cut": profile("Display P3", more={b"rTRC": b"curv" + bytes(4) + struct.pack(">I", 2**31)}),
    "too large": profile("Adobe RGB", table([*range(0, 65536, 2)] * 2)),
    "colours of nothing": profile("Display P3", more={tag: b"XYZ " + bytes(16) for tag in (b"rXYZ", b"gXYZ", b"bXYZ")}),
}  # fmt: skip


def converted(image: Image.Image, icc: bytes) -> Image.Image:
    """What a program shows that reads profiles."""
    target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    shown = ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(BytesIO(icc)), target, outputMode="RGB")
    assert shown is not None
    return shown


FORMATS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 97, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "AVIF": {"quality": 97, "subsampling": "4:4:4"},
    "HEIC": {},
}


def with_profile(format: str, icc: bytes, image: Image.Image | None = None) -> bytes:
    image = image or picture()
    return (
        heic(image, icc_profile=icc)
        if format == "HEIC"
        else saved(image, format, icc_profile=icc, **FORMATS[format])
    )


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", WIDE)
def test_people_see_its_colours_and_the_model_its_numbers(name: str, format: str) -> None:
    icc = WIDE[name]
    data = with_profile(format, icc)
    photo, file = read_photo(data), clean_file(data)
    with Image.open(BytesIO(file.data)) as kept:
        told = kept.info["icc_profile"]
        assert furthest(converted(kept.convert("RGB"), told), converted(photo.image, icc)) <= 2
    assert furthest(photo.shown, converted(photo.image, icc)) <= 2
    assert furthest(photo.shown, photo.image) > 5
    without = read_photo(with_profile(format, b"") if format != "HEIC" else heic(picture()))
    assert photo == without and furthest(pixels_of(file.data), photo.image) == 0
    assert profile_of(file.data) == told == photo.profile
    assert b"SECR" not in told and "SECR".encode("utf-16-be") not in told and len(told) <= MOST_BYTES
    if file.original:
        assert clean_file(file.data) == file, "cleaning twice changes nothing"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("name", NARROW)
def test_a_profile_that_changes_nothing_or_is_broken_is_dropped(name: str, format: str) -> None:
    data = with_profile(format, NARROW[name])
    photo, file = read_photo(data), clean_file(data)
    assert profile_of(file.data) is None and photo.profile is None and photo.shown is photo.image
    assert b"ICC_PROFILE" not in file.data and b"iCCP" not in file.data and b"SECRET" not in file.data


@pytest.mark.parametrize("mode", ["L", "1", "CMYK"])
def test_a_profile_of_colours_is_dropped_where_there_are_none(mode: str) -> None:
    data = saved(picture().convert(mode), "TIFF", icc_profile=P3)
    assert profile_of(clean_file(data).data) is None
    assert kept_profile(P3, mode) is None


def test_a_palette_and_a_transparent_picture_keep_their_colours() -> None:
    for image in (picture().quantize(8), picture().convert("RGBA")):
        file = clean_file(saved(image, "PNG", icc_profile=P3))
        assert profile_of(file.data) and furthest(pixels_of(file.data), picture()) == 0


def test_what_the_model_is_sent_has_no_profile() -> None:
    for format in ("JPEG", "PNG"):
        photo = read_photo(with_profile(format, P3))
        assert photo.original
        assert photo.original[1] == cleaned(photo.original[1])
        assert b"ICC_PROFILE" not in photo.original[1] and b"iCCP" not in photo.original[1]


def test_a_turned_picture_keeps_turn_and_colours() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = clean_file(saved(as_stored(6), "JPEG", exif=exif, icc_profile=P3))
    assert file.size_wh == (48, 32) == pixels_of(file.data).size
    assert profile_of(file.data)
    with Image.open(BytesIO(file.data)) as image:
        assert dict(image.getexif()) == {0x0112: 6}


def test_crops_and_marked_copies_are_shown_in_the_same_colours() -> None:
    photo = read_photo(with_profile("PNG", P3))
    for part in (cropped(photo, (0, 0, 500, 500)).photo, marked(photo, (100, 100, 900, 900))):
        assert part.profile == photo.profile
    crop = cropped(photo, (0, 0, 300, 300), 0).photo
    assert furthest(crop.shown, photo.shown.crop((0, 0, *crop.size_wh))) == 0


def test_stored_photos_and_their_crops_keep_their_colours(tmp_path: Path) -> None:
    store = open_at(tmp_path, Clock())
    photo = store.add_photo("owner", with_profile("JPEG", P3), "a.jpg")
    crop = store.add_photo("owner", cropped(photo, (0, 0, 500, 500)).photo)
    for kept in (photo, crop):
        assert kept.profile == kept_profile(P3, "RGB")
        assert furthest(kept.shown, converted(kept.image, P3)) <= 2
    assert photo.original and b"ICC_PROFILE" not in photo.original[1]
    assert read_photo(photo.original[1]) == read_photo(with_profile("JPEG", P3))
    store.close()


def test_a_drawing_has_no_profile() -> None:
    photo = photo_of(picture([[RED, GREEN], [BLUE, RED]]))
    assert photo.profile is None and photo.shown is photo.image


def test_the_worst_profile_is_refused_quickly() -> None:
    """A table of two billion tags, one of a curve that ends nowhere: looked at as far as it is there."""
    hostile = P3[:128] + struct.pack(">I", 2**31) + P3[132:]
    assert kept_profile(hostile, "RGB") == kept_profile(P3, "RGB")
    assert kept_profile(P3 + bytes(10_000_000), "RGB") is None


@settings(max_examples=200)
@given(
    st.sampled_from([*WIDE.values()]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=12),
    st.none() | st.integers(0, 10**6),
)
def test_any_profile_is_kept_or_dropped(icc: bytes, flips: list[tuple[int, int]], cut: int | None) -> None:
    data = bytearray(icc)
    for at, value in flips:
        data[at % len(data)] = value
    kept = kept_profile(bytes(data[: None if cut is None else cut % len(data)]), "RGB")
    if kept is not None:
        assert kept_profile(kept, "RGB") == kept and b"SECR" not in kept
        assert in_srgb(picture(), kept).size == (48, 32)
