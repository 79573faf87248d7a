"""Of a file that holds several pictures the one is taken that people mean; a camera's raw file is refused by name."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from internvl_demo.errors import PhotoError
from internvl_demo.photos.decode import clean_file, photo_of, read_photo
from tests.support.pictures import (
    BLUE,
    FILES,
    GREEN,
    RED,
    Page,
    furthest,
    heic,
    page,
    picture,
    pixels,
    saved,
    tiff,
)


def sheet(width: int, height: int, colour: tuple[int, ...], **tags: Any) -> Page:
    """A page of one colour; further tags as `page` takes them."""
    return page(width, height, 8, bytes(colour) * (width * height), photometric=2, samples=3, **tags)


def with_page_inside(outer: Page, inner: Page, order: str = "<") -> bytes:
    """A TIFF of one page, which has another inside (a SubIFD)."""
    data = tiff(Page({**outer.tags, 330: 0x51515151}, outer.strips), inner, order=order)
    letter: Any = {"<": "little", ">": "big"}[order]
    first = int.from_bytes(data[4:8], letter)
    end = first + 2 + 12 * int.from_bytes(data[first : first + 2], letter)
    inside = data[end : end + 4]
    data = data.replace((0x51515151).to_bytes(4, letter), inside)
    return data[:end] + bytes(4) + data[end + 4 :]


THUMBNAIL, MAIN = sheet(16, 12, RED), sheet(64, 48, BLUE)
REDUCED = {"t254": 1}

MAIN_IS_TAKEN = {
    "a page alone": tiff(MAIN),
    "a thumbnail that says so": tiff(sheet(16, 12, RED, **REDUCED), MAIN),
    "a thumbnail that says so in the old way": tiff(sheet(16, 12, RED, t255=2), MAIN),
    "a large copy that says so": tiff(sheet(60, 45, RED, **REDUCED), MAIN),
    "a thumbnail that does not say so": tiff(THUMBNAIL, MAIN),
    "a thumbnail that is a pixel off": tiff(sheet(13, 9, RED), MAIN),
    "two thumbnails": tiff(sheet(16, 12, RED, **REDUCED), sheet(20, 15, GREEN, **REDUCED), MAIN),
    "a thumbnail behind": tiff(MAIN, sheet(16, 12, RED, **REDUCED)),
    "a mask before": tiff(sheet(64, 48, RED, t254=4), MAIN),
    "sizes that go down": tiff(MAIN, sheet(32, 24, RED), sheet(16, 12, GREEN)),
    "big end first": tiff(sheet(16, 12, RED, **REDUCED), MAIN, order=">"),
    "all of them copies": tiff(sheet(16, 12, RED, **REDUCED), Page({**MAIN.tags, 254: 1}, MAIN.strips)),
    "the main one inside the thumbnail": with_page_inside(sheet(16, 12, RED, **REDUCED), MAIN),
    "inside, big end first": with_page_inside(sheet(16, 12, RED, **REDUCED), MAIN, ">"),
    "a thumbnail inside": with_page_inside(MAIN, sheet(16, 12, RED, **REDUCED)),
    "a page without pixels before": tiff(Page({270: b"nothing here"}, []), MAIN),
    "thumbnail of another kind": tiff(page(16, 12, 1, bytes(24), photometric=0, **REDUCED), MAIN),
}  # fmt: skip


@pytest.mark.parametrize("name", MAIN_IS_TAKEN)
def test_the_main_page_is_taken(name: str) -> None:
    photo, file = read_photo(MAIN_IS_TAKEN[name]), clean_file(MAIN_IS_TAKEN[name])
    assert photo.size_wh == file.size_wh == (64, 48)
    assert set(pixels(photo.image)) == {BLUE}


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([sheet(128, 96, BLUE)], id="twice as large"),
        pytest.param([sheet(192, 200, BLUE)], id="of another shape"),
        pytest.param([sheet(64, 48, BLUE), sheet(64, 48, GREEN)], id="three alike"),
        pytest.param([sheet(91, 68, BLUE)], id="A5 before A4"),
    ],
)
def test_the_first_of_several_pages_is_taken_and_said(others: list[Page]) -> None:
    photo = read_photo(tiff(sheet(64, 48, RED), *others))
    assert set(pixels(photo.image)) == {RED}
    assert photo.note and photo.note.what == f"The file has {1 + len(others)} pages; the first was taken."


def test_pages_in_a_circle_end() -> None:
    data = tiff(MAIN)
    first = int.from_bytes(data[4:8], "little")
    end = first + 2 + 12 * int.from_bytes(data[first : first + 2], "little")
    assert read_photo(data[:end] + data[4:8] + data[end + 4 :]) == read_photo(data)


def test_thousands_of_pages_are_not_followed() -> None:
    photo = read_photo(tiff(*[sheet(2, 2, RED)] * 3000))
    assert photo.note and "1000 pages" in photo.note.what


def test_a_page_that_is_too_large_is_refused_from_its_header() -> None:
    with pytest.raises(PhotoError, match="more than 100 megapixels"):
        read_photo(tiff(Page({**MAIN.tags, 256: 60_000, 257: 60_000}, [b"x"])))
    with pytest.raises(PhotoError, match="more than 100 megapixels"):
        read_photo(tiff(Page({**page(8, 8, 12, b"").tags, 256: 60_000, 257: 60_000}, [b"x"])))


BIG = saved(picture(), "TIFF", big_tiff=True)


def test_a_big_tiff_is_read_too() -> None:
    assert BIG[2] == 0x2B
    assert read_photo(BIG) == photo_of(picture())


@pytest.mark.parametrize(
    ("image", "mode"),
    [
        (Image.new("I;16", (9, 7), 30_000), "16 bits"),
        (Image.new("F", (9, 7), 0.5), "floats"),
        (Image.new("L", (9, 7), 99), "8 bits"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_big_tiff_of_other_values_is_read_too(image: Image.Image, mode: str) -> None:
    assert read_photo(saved(image, "TIFF", big_tiff=True)) == read_photo(saved(image, "TIFF")), mode


# Raw files of cameras

SENSOR = page(64, 48, 16, bytes(64 * 48 * 2), photometric=32803)
RAW: dict[str, bytes] = {
    "DNG": tiff(Page({**THUMBNAIL.tags, 254: 1, 50706: [1, 4, 0, 0]}, THUMBNAIL.strips)),
    "DNG, its sensor inside": with_page_inside(sheet(16, 12, RED, **REDUCED), SENSOR),
    "linear DNG": with_page_inside(THUMBNAIL, Page({**SENSOR.tags, 262: 34892}, SENSOR.strips)),
    "NEF": with_page_inside(sheet(16, 12, RED, t271=b"NIKON CORPORATION\0"), SENSOR, ">"),
    "NEF, compressed": with_page_inside(THUMBNAIL, Page({**MAIN.tags, 259: 34713}, MAIN.strips)),
    "ARW": with_page_inside(sheet(16, 12, RED, t271=b"SONY\0"), Page({**MAIN.tags, 259: 32767}, MAIN.strips)),
    "PEF": tiff(Page({**MAIN.tags, 259: 65535}, MAIN.strips), THUMBNAIL),
    "CR2": b"II*\0\x10\0\0\0CR\2\0" + tiff(MAIN)[12:],
    "CR3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    "ORF": b"IIRO\x08\0\0\0" + bytes(100),
    "RW2": b"IIU\0\x08\0\0\0" + bytes(100),
    "RAF": b"FUJIFILMCCD-RAW 0201FF383501",
    "X3F": b"FOVb\0\0\2\0",
}


@pytest.mark.parametrize("name", RAW)
def test_a_raw_file_is_refused_by_name(name: str) -> None:
    for read in (read_photo, clean_file):
        with pytest.raises(PhotoError, match="camera's raw file") as refused:
            read(RAW[name])
        assert "JPEG" in refused.value.next_step


# Other files of several pictures


def test_the_main_picture_of_an_mpo_is_taken_without_a_word() -> None:
    """The second one is no picture of its own: a phone's map of brightness, a stereo camera's other eye."""
    data = saved(picture(), "MPO", save_all=True, append_images=[Image.new("RGB", (48, 32), GREEN)])
    photo = read_photo(data)
    assert furthest(photo.image, picture()) <= 80 and photo.note is None


@pytest.mark.parametrize("primary", [0, 1, 2])
def test_the_main_picture_of_an_heic_is_taken(primary: int) -> None:
    colours = (RED, GREEN, BLUE)
    data = heic(*(Image.new("RGB", (64, 64), colour) for colour in colours), primary_index=primary)
    photo = read_photo(data)
    assert furthest(photo.image, Image.new("RGB", (64, 64), colours[primary])) <= 4
    assert photo.note and photo.note.what == "The file holds 3 pictures; the main one was taken."


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "AVIF"])
def test_of_an_animation_the_first_picture_is_taken_and_said(format: str) -> None:
    frames = [Image.new("RGB", (32, 24), colour) for colour in (RED, GREEN, BLUE)]
    data = saved(frames[0], format, save_all=True, append_images=frames[1:])
    photo, file = read_photo(data), clean_file(data)
    assert furthest(photo.image, frames[0]) <= 6
    assert photo.note == file.note and photo.note
    assert photo.note.what == "The file is an animation; its first picture was taken."


@pytest.mark.parametrize("kind", FILES)
def test_of_a_picture_nothing_is_said(kind: str) -> None:
    stretched = kind == "float tiff" and read_photo(FILES[kind]).image.getextrema()[0][1] == 255  # type: ignore[index]
    assert read_photo(FILES[kind]).note is None or stretched


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_what_is_broken_behind_the_first_picture_does_not_matter(format: str) -> None:
    frames = [Image.effect_noise((64, 64), 90).convert("P") for _ in range(4)]
    data = saved(frames[0], format, save_all=True, append_images=frames[1:], lossless=True)
    if format == "WEBP":
        return  # whose decoder wants all of it
    assert read_photo(data[: -len(data) // 4]).size_wh == (64, 64)


@settings(max_examples=100)
@given(st.data())
def test_any_directory_gives_a_photo_or_a_refusal(data: st.DataObject) -> None:
    numbers = st.sampled_from(
        [254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323]
    )
    values = st.sampled_from([0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 32, 64, 100, 65535, 2**31, 2**32 - 1])
    tags = data.draw(st.dictionaries(numbers | st.sampled_from([324, 325, 330, 338, 339, 347, 513, 514, 530]),
                                     values | st.lists(values, min_size=1, max_size=5)))  # fmt: skip
    plain = page(6, 4, 16, bytes(range(96)) * 2, photometric=1)
    try:
        photo = read_photo(
            tiff(Page({**plain.tags, **tags}, plain.strips), order=data.draw(st.sampled_from("<>")))
        )
    except PhotoError:
        return
    assert photo.image.mode == "RGB"
