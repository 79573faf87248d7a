"""Point and ask: a rectangle that a person drew on an image -> a picture of its own, and boxes back.

A region is asked about in one of three ways. As coordinates in the question's text: that is the browser's
work, nothing of it is here. As a mark: a copy of the image with the rectangle drawn on it. As a crop: that
part of the original pixels, which the model then sees at a resolution of its own. The new picture remembers
where it is from (`Origin`), so that a box in an answer about it is also one on the full image.

What the browser says is untrusted: `region_of` and `derived` check it. The crop is a little larger than the
rectangle: a letter cut at its edge is not read, and a model's box is only so exact. No person's words here,
no prompt, no drawing for people's eyes: that is `grounding.overlay`. Which boxes of an answer come back is
`grounding.attribution`'s.

    {"way": "crop", "image": 1, "box_1000": [250, 250, 750, 750]}, of a picture with 1000 x 800 pixels
    -> Photo "cat.png, crop" with 550 x 440 pixels, Origin(photo_id="9f0c...", xyxy_px=(225, 180, 775, 620))
    a box [0, 0, 500, 500] on it -> [225, 225, 500, 500] on the picture
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import ImageDraw

from internvl_demo.errors import DemoError
from internvl_demo.photos.coordinates import SCALE, Box4, to_px
from internvl_demo.photos.decode import MAX_NAME_CHARS, photo_of
from internvl_demo.photos.photo import Photo

MARGIN = 0.05
"""How much a crop takes in beyond the rectangle, on each side, in parts of the rectangle's own side."""

LEAST_SIDE_PX = 28
"""The shortest side of a crop, where the picture has as much: what one visual token covers of a tile."""

MARK_COLOURS = ("#ffffff", "#e11d48", "#e11d48", "#000000")
"""A mark's lines from outside to inside, all of one width. Of white and black one shows on any background;
red gives questions a word for it."""

MARK_PARTS = 400
"""One line of a mark is a part of so many of the picture's longer side: about a pixel of a single tile."""


class RegionError(DemoError):
    """What was selected cannot be used."""


@dataclass(frozen=True)
class Origin:
    """The photo that another was made from: a crop shows its pixels `xyxy_px` (x2 and y2 exclusive), a
    marked copy all of it (None)."""

    photo_id: str
    xyxy_px: tuple[int, int, int, int] | None
    kind: Literal["crop", "mark"]


@dataclass(frozen=True)
class Region:
    """A rectangle on image number `image`, from 1 over the whole conversation: thousandths xyxy, with area."""

    image: int
    box_1000: Box4


@dataclass(frozen=True)
class Crop:
    """A piece of a picture, and the pixels of the picture that it shows; x2 and y2 are exclusive."""

    photo: Photo
    xyxy_px: Box4


def region_of(data: object, count: int) -> Region:
    """`{"image": 2, "box_1000": [x1, y1, x2, y2]}` as a browser sent it, of a conversation with `count` images.

    Raises RegionError if it is anything else, the image does not exist, or the rectangle has no area.
    """
    image, box_1000 = (data.get("image"), data.get("box_1000")) if isinstance(data, Mapping) else (None, None)
    if type(image) is not int or not 1 <= image <= count:  # a bool is an int, too
        raise RegionError("The selected image is not in the conversation.", "Select a region of one that is.")
    if not isinstance(box_1000, (list, tuple)) or len(box_1000) != 4:
        raise _no_rectangle()
    if any(type(value) is not int or not 0 <= value <= SCALE for value in box_1000):
        raise _no_rectangle()
    x1, y1, x2, y2 = box_1000
    if x1 >= x2 or y1 >= y2:
        raise _no_rectangle()
    return Region(image, (x1, y1, x2, y2))


def derived(data: object, photos: Sequence[Photo]) -> tuple[Photo, Origin]:
    """Make the picture that a region asks for; return it, and where it is from. Raises RegionError.

    data: what the viewer sends, `{"way": "mark" or "crop", "image": 1, "box_1000": [...]}`; image counts `photos`.
    """
    region = region_of(data, len(photos))
    way = data.get("way") if isinstance(data, Mapping) else None
    photo = photos[region.image - 1]
    if way == "mark":
        return marked(photo, region.box_1000), Origin(photo.id, None, "mark")
    if way == "crop":
        crop = cropped(photo, region.box_1000)
        return crop.photo, Origin(photo.id, crop.xyxy_px, "crop")
    raise RegionError("It is not clear how to send the region.", "Choose a marked copy or a crop.")


def marked(photo: Photo, box_1000: Box4) -> Photo:
    """Return a copy with the rectangle drawn around the region; what is inside stays uncovered, but at the
    picture's own edges, where the lines have no other room."""
    copy = photo.image.copy()
    draw = ImageDraw.Draw(copy)
    lines = [colour for colour in MARK_COLOURS for _ in range(max(1, max(copy.size) // MARK_PARTS))]
    left, top, right, bottom = _grown_px(to_px(box_1000, copy.size), (len(lines), len(lines)), copy.size)
    for inset, colour in enumerate(lines):
        if min(right - left, bottom - top) <= 2 * inset:
            break  # a picture smaller than the lines
        draw.rectangle((left + inset, top + inset, right - 1 - inset, bottom - 1 - inset), outline=colour)
    return photo_of(copy, _named(photo.name, "marked"), photo.profile)


def cropped(photo: Photo, box_1000: Box4, margin: float = MARGIN) -> Crop:
    """Return the region's original pixels, grown by `margin` of its side on each side, and to a side of at least
    28 pixels; never beyond the picture."""
    xyxy_px = crop_px(box_1000, photo.size_wh, margin)
    part = photo_of(photo.image.crop(xyxy_px), _named(photo.name, "crop"), photo.profile)
    return Crop(part, xyxy_px)


def crop_px(box_1000: Box4, size_wh: tuple[int, int], margin: float = MARGIN) -> Box4:
    """Return the pixels that `cropped` takes of a picture of `size_wh`: xyxy, x2 and y2 exclusive."""
    left, top, right, bottom = to_px(box_1000, size_wh)
    more_px = round((right - left) * margin), round((bottom - top) * margin)
    left, top, right, bottom = _grown_px((left, top, right, bottom), more_px, size_wh)
    (left, right), (top, bottom) = _at_least(left, right, size_wh[0]), _at_least(top, bottom, size_wh[1])
    return left, top, right, bottom


def to_full(box_1000: Box4, xyxy_px: Box4, full_wh: tuple[int, int]) -> Box4:
    """Convert a box on the crop that shows `xyxy_px` of a picture of `full_wh` -> the box on that picture.

    Rounded to thousandths, and at least one of them wide and high.
    """
    (x1, y1, x2, y2), (left, top, right, bottom), (width, height) = box_1000, xyxy_px, full_wh
    wide, high = right - left, bottom - top
    x1, x2 = _thousandths(left * SCALE + x1 * wide, left * SCALE + x2 * wide, width * SCALE)
    y1, y2 = _thousandths(top * SCALE + y1 * high, top * SCALE + y2 * high, height * SCALE)
    return x1, y1, x2, y2


def _thousandths(start: int, end: int, whole: int) -> tuple[int, int]:
    """Two places on a line of length `whole` -> thousandths of it, 0..1000, the end behind the start."""
    first, last = (min(SCALE, max(0, (2 * value * SCALE + whole) // (2 * whole))) for value in (start, end))
    first = min(first, SCALE - 1)
    return first, max(first + 1, last)


def _grown_px(xyxy_px: Box4, more_px: tuple[int, int], size_wh: tuple[int, int]) -> Box4:
    """Larger by so many pixels on each side, across and down, within the picture."""
    (left, top, right, bottom), (across, down), (width, height) = xyxy_px, more_px, size_wh
    return max(0, left - across), max(0, top - down), min(width, right + across), min(height, bottom + down)


def _at_least(start: int, end: int, length: int) -> tuple[int, int]:
    """As it is if it is long enough; else around the same middle, moved to be within 0..length."""
    if end - start >= LEAST_SIDE_PX:
        return start, end
    wanted = min(LEAST_SIDE_PX, length)
    start = min(max(0, (start + end - wanted) // 2), length - wanted)
    return start, start + wanted


def _named(name: str, kind: str) -> str:
    """`cat.png` -> `cat.png, crop`; a long name is cut before, or the kind would be."""
    return f"{name[: MAX_NAME_CHARS - len(kind) - 2]}, {kind}" if name else kind


def _no_rectangle() -> RegionError:
    return RegionError("The selection is no rectangle on the image.", "Draw one, or click one of the boxes.")
