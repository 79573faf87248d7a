"""Untrusted bytes -> pixels: upright, 8-bit RGB, within limits, without metadata.

Everything after this module sees pictures as `Photo` only. What goes in is whatever a person sent: a
camera file that lies on its side, a transparent logo, a scan with 16 bits, a bomb, a text file. What
comes out is a picture or a `PhotoError` that says what to do; no other exception of the decoder's:

    read_photo   bytes -> `Photo` in memory
    clean_file   bytes -> a file of the same picture that is safe to keep and to show
    pixels_of    such a file -> its pixels

`opening` finds the picture in the file, `kinds` brings its values to RGB; here it is turned upright and named. A
colour profile has no effect on the pixels, as in the official preprocessing of InternVL 1.5; a file that is kept
has it for people's eyes (`colour`).

Not here: tiles, PDF, video, the network.
"""

import re
import stat
import unicodedata
from dataclasses import dataclass
from io import BytesIO
from os import PathLike
from pathlib import Path

from PIL import Image
from PIL.Image import Transpose

from internvl_demo.errors import PhotoError
from internvl_demo.photos.colour import kept_profile
from internvl_demo.photos.door import MAX_BYTES, check_bytes, check_size, open_door
from internvl_demo.photos.kinds import in_rgb
from internvl_demo.photos.mending import orientation_of
from internvl_demo.photos.opening import HEIC, JPEGS, Opened, digest, opened
from internvl_demo.photos.passthrough import cleaned, mime_of
from internvl_demo.photos.photo import InMemory, Note, Photo, encode_image, encode_lossless

MAX_NAME_CHARS = 80
"""The longest name that is shown."""

ORIGINAL_MAX_BYTES = 8 * 1024 * 1024
"""The largest file that a model server gets as it is: phones' photos are smaller; lossless 4K is encoded anew."""

_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
"""EXIF orientation -> what makes the picture upright. 1 is upright; other values mean nothing."""

_ON_ITS_SIDE = (5, 6, 7, 8)

_SAME_TO_ALL = ("RGB", "L", "P", "1")
"""Pillow modes that become RGB in one way only; 16-bit greys, CMYK and transparency do not."""

_LOSSY = (*JPEGS, HEIC, "AVIF")
"""Photos' formats: encoded anew without loss, they would be ten times as large."""


@dataclass(frozen=True)
class CleanFile:
    """A file of one picture that is safe to keep and to show.

    mime, data: the file; a JPEG that is turned says so in an EXIF segment that holds nothing else, and a picture
    with colours beyond sRGB has a profile that holds nothing else.
    size_wh: of the picture, upright.
    original: whether a model server may get it, without its profile: nothing was encoded anew, it is upright and not
    over 8 MB.
    note: what is to be said of how it was read.
    """

    mime: str
    data: bytes
    size_wh: tuple[int, int]
    original: bool
    note: Note | None = None


def read_photo(data: bytes, name: str = "") -> Photo:
    """Decode the bytes of a file of a supported format: a `Photo` that holds its pixels.

    Raises PhotoError if they are no such file, damaged, over 32 MB or 100 megapixels, or under 2 pixels a side.
    """
    check_bytes(len(data))
    with open_door():
        found = opened(data)
        rgb, note = _upright(found)
        profile = _profile(found)
        file = _as_it_is(found, None)
        original = (file.mime, file.data) if file and file.original else None
        return Photo(_id(rgb), display_name(name), rgb.size, InMemory(rgb, original, profile), note)


def clean_file(data: bytes) -> CleanFile:
    """Check and clean a file that a person sent; see `CleanFile`.

    A JPEG or PNG keeps its coded pixels wherever they show the same to everybody, so that a phone's photo takes a
    tenth of a second; everything else is encoded anew: upright, in RGB, without loss, but for photos' formats by the
    rules of `encode_photo`. Raises PhotoError like `read_photo`.
    """
    check_bytes(len(data))
    with open_door():
        found = opened(data)
        profile = _profile(found)
        file = _as_it_is(found, profile)
        if file is not None:
            return file
        rgb, note = _upright(found)
    mime, anew = (encode_image if found.image.format in _LOSSY else encode_lossless)(rgb, profile)
    return CleanFile(mime, anew, rgb.size, False, note)


def pixels_of(data: bytes) -> Image.Image:
    """Decode a file: its picture in RGB, upright. Raises PhotoError like `read_photo`."""
    check_bytes(len(data))
    with open_door():
        return _upright(opened(data))[0]


def profile_of(data: bytes) -> bytes | None:
    """Return the colour profile of a file that `clean_file` made, or None for sRGB. Decodes no pixels."""
    with open_door(), Image.open(BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
        return kept_profile(image.info.get("icc_profile"), image.mode)


def open_photo(path: str | PathLike[str]) -> Photo:
    """Read the file at `path` as a `Photo` that is named after it.

    Raises PhotoError, which names the file, if there is none, it cannot be read, or `read_photo` refuses it.
    """
    name = display_name(str(path))
    try:
        return read_photo(_bytes_of(path, name), name)
    except PhotoError as error:
        if name in error.what:
            raise
        raise called(name, error) from error


def called(name: str, error: PhotoError) -> PhotoError:
    """Return the error with the name of the file in its sentence."""
    return PhotoError("{name}: {problem}", error.next_step, name=name, problem=error.what)


def _bytes_of(path: str | PathLike[str], name: str) -> bytes:
    """Return what the file holds, if it is one and not too large."""
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            raise PhotoError(
                '"{name}" is a folder or a device, not a file.', "Choose a picture file.", name=name
            )
        check_bytes(status.st_size)
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise PhotoError('There is no file "{name}".', "Check the name and the folder.", name=name) from None
    except (OSError, ValueError) as error:
        raise PhotoError(
            'The file "{name}" cannot be read.', "Check that you may open it, or choose another.", name=name
        ) from error


def photo_of(image: Image.Image, name: str = "", profile: bytes | None = None) -> Photo:
    """Make a `Photo` of a picture of any Pillow mode, for instance one that the program drew.

    profile: of a photo that it is a part of. The image itself stays as it is. Raises PhotoError if it is over 100
    megapixels or under 2 pixels a side.
    """
    with open_door():
        check_size(image.size)
        image.load()
        rgb, note = _upright(Opened((image,), b"", orientation_of(image)))
        return Photo(_id(rgb), display_name(name), rgb.size, InMemory(rgb, None, profile), note)


def _profile(found: Opened) -> bytes | None:
    return kept_profile(found.image.info.get("icc_profile"), found.image.mode)


def _as_it_is(found: Opened, profile: bytes | None) -> CleanFile | None:
    """Return a file with nothing but its picture, and the profile given, if every reader sees what is seen here."""
    if found.image.mode not in _SAME_TO_ALL:
        return None
    orientation, (width, height) = found.orientation, found.image.size
    clean = cleaned(found.data, orientation, profile)
    if clean is None:
        return None
    return CleanFile(
        mime_of(clean),
        clean,
        (height, width) if orientation in _ON_ITS_SIDE else (width, height),
        orientation == 1 and len(clean) <= ORIGINAL_MAX_BYTES,
        found.note,
    )


def _upright(found: Opened) -> tuple[Image.Image, Note | None]:
    """Return a picture in RGB, upright, with what is to be said of it. Behind the door only."""
    rgb, note = in_rgb(found.images, found.numbers, found.size_wh)
    turn = _UPRIGHT.get(found.orientation)
    if turn is not None:
        rgb = rgb.transpose(turn)
    rgb.info = {}
    return rgb, found.note or note


def _id(rgb: Image.Image) -> str:
    """Return sha256 of size and pixels."""
    width, height = rgb.size
    return digest(rgb, f"{width}x{height} RGB\n".encode())


def display_name(name: str) -> str:
    """Return a name for display of a path of any system, or of anything else that a browser called its file."""
    base = re.split(r"[/\\]", name)[-1]
    shown = "".join(
        char for char in base if unicodedata.category(char)[0] != "C" and char not in "\u2028\u2029"
    )
    return shown.strip()[:MAX_NAME_CHARS]
