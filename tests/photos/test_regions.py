"""A rectangle on an image becomes a picture of its own, and boxes on that come back to the image."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageColor, ImageStat

from internvl_demo.errors import DemoError
from internvl_demo.photos.coordinates import Box4, to_px
from internvl_demo.photos.decode import MAX_NAME_CHARS, photo_of
from internvl_demo.photos.photo import Photo
from internvl_demo.photos.regions import (
    LEAST_SIDE_PX,
    Origin,
    Region,
    RegionError,
    crop_px,
    cropped,
    derived,
    marked,
    region_of,
    to_full,
)
from tests.support.pictures import BLUE, PINK, pixels
from tests.support.pictures import picture as drawing

BOX = [10, 20, 300, 400]


@st.composite
def boxes_1000(draw: st.DrawFn) -> Box4:
    (x1, x2), (y1, y2) = (
        sorted(draw(st.lists(st.integers(0, 1000), min_size=2, max_size=2, unique=True))) for _ in "xy"
    )
    return x1, y1, x2, y2


sizes = st.tuples(st.integers(2, 12_000), st.integers(2, 12_000))


@st.composite
def crops(draw: st.DrawFn) -> tuple[Box4, tuple[int, int]]:
    """The pixels of a crop, and the size of the picture it is from."""
    size_wh = draw(sizes)
    return crop_px(draw(boxes_1000()), size_wh, draw(st.sampled_from([0.0, 0.05, 0.5]))), size_wh


def plain(size_wh: tuple[int, int] = (64, 48), colour: str = "teal", name: str = "cat.png") -> Photo:
    return photo_of(Image.new("RGB", size_wh, colour), name)


# What a browser may say.


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "nothing"),
        ("mark", "text"),
        ([1, BOX], "a list"),
        ({}, "nothing in it"),
        ({"box_1000": BOX}, "no image"),
        ({"image": 1}, "no box"),
        ({"image": 0, "box_1000": BOX}, "images count from 1"),
        ({"image": -1, "box_1000": BOX}, "the last of a list in Python"),
        ({"image": 3, "box_1000": BOX}, "an image that is not there"),
        ({"image": 10**5000, "box_1000": BOX}, "more than a person has"),
        ({"image": True, "box_1000": BOX}, "true is 1 in Python"),
        ({"image": 1.0, "box_1000": BOX}, "no whole number"),
        ({"image": "1", "box_1000": BOX}, "a number as text"),
        ({"image": [1], "box_1000": BOX}, "a list of one"),
        ({"image": 1, "box_1000": "1234"}, "four letters"),
        ({"image": 1, "box_1000": {"0": 1}}, "an object"),
        ({"image": 1, "box_1000": [1, 2, 3]}, "three numbers"),
        ({"image": 1, "box_1000": [1, 2, 3, 4, 5]}, "five numbers"),
        ({"image": 1, "box_1000": [0] * 1_000_000}, "a million numbers"),
        ({"image": 1, "box_1000": [[1, 2, 3, 4]]}, "a list of boxes"),
        ({"image": 1, "box_1000": [1, 2, "3", 4]}, "text among them"),
        ({"image": 1, "box_1000": [1, 2, None, 4]}, "nothing among them"),
        ({"image": 1, "box_1000": [False, False, True, True]}, "no numbers"),
        ({"image": 1, "box_1000": [1.5, 2, 3, 4]}, "half a thousandth"),
        ({"image": 1, "box_1000": [0, 0, math.nan, 4]}, "not a number"),
        ({"image": 1, "box_1000": [0, 0, math.inf, 4]}, "infinity"),
        ({"image": 1, "box_1000": [-1, 2, 3, 4]}, "left of the image"),
        ({"image": 1, "box_1000": [1, 2, 3, 1001]}, "below the image"),
        ({"image": 1, "box_1000": [0, 0, 10**5000, 4]}, "far outside"),
        ({"image": 1, "box_1000": [3, 2, 1, 4]}, "from right to left"),
        ({"image": 1, "box_1000": [1, 4, 3, 2]}, "upside down"),
        ({"image": 1, "box_1000": [1, 2, 1, 4]}, "no width"),
        ({"image": 1, "box_1000": [1, 4, 3, 4]}, "no height"),
    ],
)
def test_what_is_no_region_of_an_image_is_refused_with_a_next_step(data: Any, reason: str) -> None:
    with pytest.raises(RegionError) as refused:
        region_of(data, 2)
    assert isinstance(refused.value, DemoError)
    assert refused.value.next_step.endswith("."), reason
    with pytest.raises(RegionError):
        derived({**data, "way": "crop"} if isinstance(data, dict) else data, [plain()] * 2)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    json_values | st.fixed_dictionaries({"way": json_values, "image": json_values, "box_1000": json_values})
)
def test_any_json_is_a_region_or_refused(data: Any) -> None:
    try:
        region = region_of(data, 3)
    except RegionError:
        return
    x1, y1, x2, y2 = region.box_1000
    assert 1 <= region.image <= 3
    assert 0 <= x1 < x2 <= 1000 and 0 <= y1 < y2 <= 1000


def test_of_a_conversation_without_images_nothing_can_be_selected() -> None:
    with pytest.raises(RegionError):
        region_of({"image": 1, "box_1000": BOX}, 0)


@pytest.mark.parametrize("way", [None, "", "coordinates", "CROP", 1, ["crop"], {"crop": 1}])
def test_a_way_that_makes_no_picture_is_refused(way: Any) -> None:
    with pytest.raises(RegionError, match=r"marked copy or a crop\."):
        derived({"way": way, "image": 1, "box_1000": BOX}, [plain()])


def test_a_region_is_what_was_said() -> None:
    assert region_of({"way": "mark", "image": 2, "box_1000": BOX}, 2) == Region(2, (10, 20, 300, 400))
    assert region_of({"image": 1, "box_1000": (0, 0, 1000, 1000)}, 1) == Region(1, (0, 0, 1000, 1000))


def test_the_new_picture_is_of_the_selected_image_and_says_so() -> None:
    photos = [plain(name="a.png"), plain((200, 100), "navy", "b.png")]
    photo, origin = derived({"way": "crop", "image": 2, "box_1000": [500, 0, 1000, 1000]}, photos)
    assert (photo.name, photo.size_wh) == ("b.png, crop", (105, 100))
    assert origin == Origin(photos[1].id, (95, 0, 200, 100), "crop")
    photo, origin = derived({"way": "mark", "image": 1, "box_1000": BOX}, photos)
    assert (photo.name, photo.size_wh) == ("a.png, marked", (64, 48))
    assert origin == Origin(photos[0].id, None, "mark")


@pytest.mark.parametrize(
    ("name", "crop", "mark"),
    [
        ("cat.png", "cat.png, crop", "cat.png, marked"),
        ("", "crop", "marked"),
        ("猫" * 80, "猫" * 74 + ", crop", "猫" * 72 + ", marked"),
        ("<b>.png", "<b>.png, crop", "<b>.png, marked"),
    ],
)
def test_names_say_what_became_of_the_picture(name: str, crop: str, mark: str) -> None:
    photo = plain(name=name)
    names = cropped(photo, (0, 0, 500, 500)).photo.name, marked(photo, (0, 0, 500, 500)).name
    assert names == (crop, mark)
    assert max(map(len, names)) <= MAX_NAME_CHARS


# The mark.


def luminance(colour: tuple[int, ...]) -> float:
    """Relative, as WCAG 2 has it."""
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (one / 255 for one in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    "background", ["white", "black", "#e11d48", "red", "#777777", "teal", "navy", "yellow"]
)
@pytest.mark.parametrize("size_wh", [(64, 48), (448, 448), (4000, 300)])
def test_a_mark_shows_on_any_background(background: str, size_wh: tuple[int, int]) -> None:
    picture = marked(plain(size_wh, background), (300, 300, 700, 700)).image
    left, top, right, bottom = to_px((300, 300, 700, 700), size_wh)
    ground, middle = ImageColor.getrgb(background), ((left + right) // 2, (top + bottom) // 2)
    lines_px = 4 * max(1, max(size_wh) // 400)
    for x, y in (
        *((x, middle[1]) for x in (left - 1, right, left - lines_px, right + lines_px - 1)),
        *((middle[0], y) for y in (top - 1, bottom, top - lines_px, bottom + lines_px - 1)),
    ):
        assert picture.getpixel((x, y)) in ((255, 255, 255), (0, 0, 0)), "white without, black within"
    crossed = [picture.getpixel((left - away, middle[1])) for away in range(1, lines_px + 1)]
    assert max(contrast(colour, ground) for colour in crossed) >= 4.5


@given(boxes_1000(), st.tuples(st.integers(2, 300), st.integers(2, 300)))
def test_a_mark_is_always_drawn_and_of_the_pictures_size(box_1000: Box4, size_wh: tuple[int, int]) -> None:
    photo = plain(size_wh, "#777777")
    picture = marked(photo, box_1000)
    assert picture.size_wh == size_wh
    assert picture.id != photo.id
    assert len(picture.image.getcolors() or []) >= 2 or min(size_wh) <= 2


def test_a_mark_leaves_the_region_the_rest_and_the_picture_itself_as_they_are() -> None:
    photo = photo_of(drawing(block_px=40), "blocks.png")
    before = pixels(photo.image)
    picture = marked(photo, (400, 400, 600, 600))
    left, top, right, bottom = to_px((400, 400, 600, 600), photo.size_wh)
    assert pixels(photo.image) == before
    inside = (left, top, right, bottom)
    assert pixels(picture.image.crop(inside)) == pixels(photo.image.crop(inside))
    beyond = (0, 0, photo.image.width, top - 4)
    assert pixels(picture.image.crop(beyond)) == pixels(photo.image.crop(beyond))


def test_a_mark_around_everything_lies_within_the_picture() -> None:
    picture = marked(plain((400, 300), "#777777"), (0, 0, 1000, 1000)).image
    assert picture.getpixel((0, 0)) == (255, 255, 255)
    assert picture.getpixel((3, 150)) == (0, 0, 0)
    assert picture.getpixel((4, 150)) == (0x77,) * 3


def test_a_larger_picture_has_thicker_lines() -> None:
    def lines(size_wh: tuple[int, int]) -> float:
        line = marked(plain(size_wh, "#777777"), (400, 400, 600, 600)).image.crop(
            (0, size_wh[1] // 2, size_wh[0] // 2, size_wh[1] // 2 + 1)
        )
        return sum(colour != (0x77,) * 3 for colour in pixels(line)) / size_wh[0]

    assert lines((4000, 3000)) == pytest.approx(lines((400, 300)))


# The crop.


def test_a_crop_is_the_original_pixels_and_knows_which() -> None:
    photo = photo_of(drawing(block_px=100), "blocks.png")
    crop = cropped(photo, (700, 100, 900, 400), margin=0)
    assert crop.xyxy_px == (210, 20, 270, 80)
    assert set(pixels(crop.photo.image)) == {BLUE}
    crop = cropped(photo, (700, 100, 900, 500), margin=0.5)
    assert crop.xyxy_px == (180, 0, 300, 140), "half as much on each side, within the picture"
    assert crop.photo.image.getpixel((119, 139)) == PINK
    assert pixels(crop.photo.image) == pixels(photo.image.crop(crop.xyxy_px))


def test_a_crop_keeps_every_pixel_of_a_large_photo() -> None:
    detail = Image.effect_noise((3000, 2000), 80).convert("RGB")
    crop = cropped(photo_of(detail), (500, 500, 510, 520), margin=0)
    assert crop.photo.size_wh == (30, 40)
    assert pixels(crop.photo.image) == pixels(detail.crop((1500, 1000, 1530, 1040)))
    assert ImageStat.Stat(crop.photo.image).stddev[0] > 10


@pytest.mark.parametrize(
    ("box_1000", "size_wh", "xyxy_px"),
    [
        ((500, 500, 501, 501), (400, 400), (186, 186, 214, 214)),
        ((0, 0, 1, 1), (400, 400), (0, 0, 28, 28)),
        ((999, 999, 1000, 1000), (400, 400), (372, 372, 400, 400)),
        ((0, 500, 1000, 501), (400, 400), (0, 186, 400, 214)),
        ((500, 500, 600, 600), (20, 400), (0, 200, 20, 240)),
        ((400, 400, 600, 600), (2, 2), (0, 0, 2, 2)),
    ],
)
def test_a_tiny_region_grows_around_its_middle(
    box_1000: Box4, size_wh: tuple[int, int], xyxy_px: Box4
) -> None:
    assert crop_px(box_1000, size_wh, margin=0) == xyxy_px


@given(boxes_1000(), sizes, st.floats(0, 3))
def test_a_crop_holds_the_region_within_the_picture(
    box_1000: Box4, size_wh: tuple[int, int], margin: float
) -> None:
    left, top, right, bottom = crop_px(box_1000, size_wh, margin)
    x1, y1, x2, y2 = to_px(box_1000, size_wh)
    assert 0 <= left <= x1 < x2 <= right <= size_wh[0]
    assert 0 <= top <= y1 < y2 <= bottom <= size_wh[1]
    assert right - left >= min(LEAST_SIDE_PX, size_wh[0])
    assert bottom - top >= min(LEAST_SIDE_PX, size_wh[1])


# From the crop to the full image, and back.


@pytest.mark.parametrize(
    ("box_1000", "xyxy_px", "full_wh", "full"),
    [
        ((0, 0, 1000, 1000), (0, 0, 640, 480), (640, 480), (0, 0, 1000, 1000)),
        ((0, 0, 1000, 1000), (320, 120, 640, 360), (640, 480), (500, 250, 1000, 750)),
        ((500, 500, 1000, 1000), (320, 120, 640, 360), (640, 480), (750, 500, 1000, 750)),
        ((500, 500, 501, 501), (0, 0, 28, 28), (10_000, 10_000), (1, 1, 2, 2)),
        ((999, 999, 1000, 1000), (9972, 9972, 10_000, 10_000), (10_000, 10_000), (999, 999, 1000, 1000)),
    ],
)
def test_a_box_on_the_crop_is_one_on_the_full_image(
    box_1000: Box4, xyxy_px: Box4, full_wh: tuple[int, int], full: Box4
) -> None:
    assert to_full(box_1000, xyxy_px, full_wh) == full


@given(boxes_1000(), crops())
def test_a_box_keeps_its_place_within_rounding(box_1000: Box4, crop: tuple[Box4, tuple[int, int]]) -> None:
    xyxy_px, full_wh = crop
    for at, value in enumerate(to_full(box_1000, xyxy_px, full_wh)):
        start, end = xyxy_px[at % 2], xyxy_px[at % 2 + 2]
        exact = 1000 * (start + (end - start) * box_1000[at] / 1000) / full_wh[at % 2]
        assert abs(value - exact) <= 1.5


@given(boxes_1000(), boxes_1000(), crops())
def test_boxes_stay_within_the_crop_ordered_and_in_their_order(
    one: Box4, other: Box4, crop: tuple[Box4, tuple[int, int]]
) -> None:
    xyxy_px, full_wh = crop
    low = tuple(map(min, one, other))
    high = tuple(map(max, one, other))
    first, second = to_full(low, xyxy_px, full_wh), to_full(high, xyxy_px, full_wh)  # type: ignore[arg-type]
    for box in (first, second):
        x1, y1, x2, y2 = box
        assert 0 <= x1 < x2 <= 1000 and 0 <= y1 < y2 <= 1000
        for at, value in enumerate(box):
            start, end = (1000 * xyxy_px[at % 2 + far] / full_wh[at % 2] for far in (0, 2))
            assert start - 1.5 <= value <= end + 1.5
    assert all(before <= after for before, after in zip(first, second, strict=True))


@given(boxes_1000(), st.tuples(*[st.integers(-(10**6), 10**6)] * 4), sizes)
def test_even_a_crop_that_cannot_be_gives_a_box_within_the_image(
    box_1000: Box4, xyxy_px: Box4, full_wh: tuple[int, int]
) -> None:
    x1, y1, x2, y2 = to_full(box_1000, xyxy_px, full_wh)
    assert 0 <= x1 < x2 <= 1000 and 0 <= y1 < y2 <= 1000
