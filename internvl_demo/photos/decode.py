"""Untrusted bytes -> pixels: upright, 8-bit RGB, within limits, without metadata.

Everything after this module sees pictures as `Photo` only. What goes in is whatever a person sent: a
camera file that lies on its side, a transparent logo, a scan with 16 bits, a bomb, a text file. What
comes out is a picture or a `PhotoError` that says what to do; no other exception of the decoder's:

    read_photo   bytes -> `Photo` in memory
    clean_file   bytes -> a file of the same picture that is safe to keep and to show
    pixels_of    such a file -> its pixels

How the values of other kinds of picture become 8-bit RGB:

    RGBA, LA, PA, or one transparent colour          laid on white (16-bit: the one colour stays opaque)
    16-bit grey                                      0..65535 -> 0..255
    32-bit grey, integers or floats                  within 0..255 as it is; floats within 0..1 times 255;
                                                     others from the darkest to the brightest
    1-bit, palette, CMYK, YCbCr, Lab, 16-bit colour  as Pillow converts them

Of an animation or a document of several pages the first is taken. A colour profile is dropped, not
applied: the official preprocessing of InternVL 1.5 does the same.

Not here: tiles, PDF, video, the network, and Pillow's formats beyond `FORMATS`: their decoders never see
the bytes.
"""

import math
import re
import stat
import threading
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from os import PathLike
from pathlib import Path

from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.Image import Transpose

from internvl_demo.errors import PhotoError, Sentence
from internvl_demo.photos.passthrough import cleaned, mime_of
from internvl_demo.photos.photo import InMemory, Photo, encode_image, encode_lossless

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""The formats that are read, by Pillow's names."""

MAX_BYTES = 32 * 1024 * 1024
"""The largest file: 32 MB."""

MAX_PIXELS = 100_000_000
"""The largest picture: 100 megapixels, more than any phone takes; decoded it needs 400 MB of memory."""

MIN_SIDE_PX = 2
"""The shortest side. Thinner pictures are tracking pixels and accidents."""

MAX_NAME_CHARS = 80
"""The longest name that is shown."""

ORIGINAL_MAX_BYTES = 8 * 1024 * 1024
"""The largest file that a model server gets as it is: phones' photos are smaller; lossless 4K is encoded anew."""

SUPPORTED = Sentence("JPEG, PNG, WebP, GIF, BMP or TIFF")
"""`FORMATS` in words, for sentences."""

CHOOSE_SUPPORTED = Sentence("Choose a picture that is {formats}.", formats=SUPPORTED)

_ORIENTATION_TAG = 0x0112
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

_OTHER_KINDS = (
    (re.compile(rb".{4}ftyp(hei|hev|mif1|msf1)", re.DOTALL), Sentence("a HEIC picture")),
    (re.compile(rb".{4}ftypavi", re.DOTALL), Sentence("an AVIF picture")),
    (re.compile(rb".{4}ftyp", re.DOTALL), Sentence("a video")),
    (re.compile(rb"\s*(<\?xml[^>]*>\s*)?<svg", re.IGNORECASE), Sentence("an SVG drawing")),
    (re.compile(rb"%PDF"), Sentence("a PDF document")),
)
"""How files begin that people often take for a picture that can be read here; HEIC is what iPhones write."""

_SAME_TO_ALL = ("RGB", "L", "P", "1")
"""Pillow modes that become RGB in one way only; 16-bit greys, CMYK and transparency do not."""

_HASH_STEP_PIXELS = 4_000_000
_PILLOW = threading.Lock()


@dataclass(frozen=True)
class CleanFile:
    """A file of one picture that is safe to keep and to show.

    mime, data: the file; a JPEG that is turned says so in an EXIF segment that holds nothing else.
    size_wh: of the picture, upright.
    original: whether a model server may get it as it is: nothing was encoded anew, it is upright and not over 8 MB.
    """

    mime: str
    data: bytes
    size_wh: tuple[int, int]
    original: bool


def read_photo(data: bytes, name: str = "") -> Photo:
    """Decode the bytes of a JPEG, PNG, WebP, GIF, BMP or TIFF file: a `Photo` that holds its pixels.

    Raises PhotoError if they are no such file, damaged, over 32 MB or 100 megapixels, or under 2 pixels a side.
    """
    with _opened(data) as image:
        rgb = _upright(image)
        file = _as_it_is(image, data)
        original = (file.mime, file.data) if file and file.original else None
        return Photo(_id(rgb), display_name(name), rgb.size, InMemory(rgb, original))


def clean_file(data: bytes) -> CleanFile:
    """Check and clean a file that a person sent; see `CleanFile`.

    Decodes it once. A JPEG or PNG keeps its coded pixels wherever they show the same to everybody, so that a
    phone's photo takes a tenth of a second; everything else is encoded anew: upright, in RGB, without loss, but for
    a JPEG by the rules of `encode_photo`. Raises PhotoError like `read_photo`.
    """
    with _opened(data) as image:
        image.load()
        file = _as_it_is(image, data)
        if file is not None:
            return file
        rgb = _upright(image)
    mime, anew = encode_image(rgb) if image.format in ("JPEG", "MPO") else encode_lossless(rgb)
    return CleanFile(mime, anew, rgb.size, False)


def pixels_of(data: bytes) -> Image.Image:
    """Decode a file: its picture in RGB, upright. Raises PhotoError like `read_photo`."""
    with _opened(data) as image:
        return _upright(image)


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
        _check_bytes(status.st_size)
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise PhotoError('There is no file "{name}".', "Check the name and the folder.", name=name) from None
    except (OSError, ValueError) as error:
        raise PhotoError(
            'The file "{name}" cannot be read.', "Check that you may open it, or choose another.", name=name
        ) from error


def photo_of(image: Image.Image, name: str = "") -> Photo:
    """Make a `Photo` of a picture of any Pillow mode, for instance one that the program drew.

    The image itself stays as it is. Raises PhotoError if it is over 100 megapixels or under 2 pixels a side.
    """
    with _pillow():
        rgb = _upright(image)
        return Photo(_id(rgb), display_name(name), rgb.size, InMemory(rgb))


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """Open a picture's file, within limits; its pixels are not read yet. Holds the door to Pillow."""
    if not data:
        raise PhotoError("The file is empty.", CHOOSE_SUPPORTED)
    _check_bytes(len(data))
    with _pillow():
        try:
            image = Image.open(BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError:
            raise _not_a_picture(data) from None
        _check_size(image.size)
        yield image


@contextmanager
def _pillow() -> Iterator[None]:
    """Open the one door to Pillow: inside it is strict and silent, and only PhotoError comes out.

    Pillow's limits and Python's warning filters belong to the whole process, so they are set for the
    moment only, and one picture at a time goes through; which also bounds the memory that decoding takes.
    """
    with _PILLOW, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = MAX_PIXELS, False
        try:
            yield
        except PhotoError:
            raise
        except Image.DecompressionBombError as error:
            raise _too_many_pixels() from error
        except MemoryError as error:
            raise PhotoError(
                "There is not enough memory to open the picture.", "Send a smaller one, or try again later."
            ) from error
        except Exception as error:  # Pillow's decoders raise whatever the bytes lead them to
            raise PhotoError(
                "The picture is damaged or incomplete.",
                "Save it again as JPEG or PNG, or choose another picture.",
            ) from error
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = kept


def _check_bytes(count: int) -> None:
    if count > MAX_BYTES:
        raise PhotoError(
            "The file is larger than {limit} MB.",
            "Make the picture smaller or save it as JPEG, and send it again.",
            limit=MAX_BYTES // 1024 // 1024,
        )


def _check_size(size_wh: tuple[int, int]) -> None:
    width, height = size_wh
    if width * height > MAX_PIXELS:
        raise _too_many_pixels()
    if min(width, height) < MIN_SIDE_PX:
        raise PhotoError(
            "The picture is only {width} x {height} pixels.",
            "Choose one with at least {least} pixels on each side.",
            width=width,
            height=height,
            least=MIN_SIDE_PX,
        )


def _too_many_pixels() -> PhotoError:
    return PhotoError(
        "The picture has more than {most} megapixels.",
        "Scale it down and send it again.",
        most=MAX_PIXELS // 1_000_000,
    )


def _not_a_picture(data: bytes) -> PhotoError:
    """For bytes that no decoder wanted."""
    for beginning, kind in _OTHER_KINDS:
        if beginning.match(data):
            return PhotoError(
                "The file is {kind}, which cannot be read here.",
                "Save it as {formats}.",
                kind=kind,
                formats=SUPPORTED,
            )
    return PhotoError(
        "The file is not a picture of a supported format, or it is damaged.",
        CHOOSE_SUPPORTED,
    )


def _as_it_is(image: Image.Image, data: bytes) -> CleanFile | None:
    """Return a loaded image's file with nothing but its picture, if every reader of it sees what is seen here."""
    if image.mode not in _SAME_TO_ALL:
        return None
    orientation, (width, height) = _orientation(image), image.size
    clean = cleaned(data, orientation)
    if clean is None:
        return None
    return CleanFile(
        mime_of(clean),
        clean,
        (height, width) if orientation in _ON_ITS_SIDE else (width, height),
        orientation == 1 and len(clean) <= ORIGINAL_MAX_BYTES,
    )


def _upright(image: Image.Image) -> Image.Image:
    """Turn any image into an RGB one, upright. Behind the door only."""
    _check_size(image.size)
    image.load()
    rgb = _rgb(image)
    turn = _UPRIGHT.get(_orientation(image))
    if turn is not None:
        rgb = rgb.transpose(turn)
    rgb.info = {}
    return rgb


def _orientation(image: Image.Image) -> int:
    """Return how a loaded image is turned, 1 to 8; a TIFF is turned by Pillow while it loads, and says so."""
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
        return int(orientation) if orientation in _UPRIGHT else 1
    except Exception:  # noqa: BLE001  whatever broken EXIF raises, it does not spoil a good picture
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    """Return a loaded image of any mode as a new one in RGB, transparency laid on white."""
    if image.mode.startswith(("I", "F")):
        image = _grey(image)
    if image.mode == "La":  # premultiplied; Pillow knows only this way out
        image = image.convert("LA")
    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(rgba, mask=rgba)
    return canvas


def _grey(image: Image.Image) -> Image.Image:
    """I;16, I or F -> L, which Pillow itself would clip at 255. The module's opening has the rules."""
    if image.mode.startswith("I;16"):
        wide, low, high = image.convert("I"), 0.0, 65535.0
    else:
        wide, (low, high) = image, _range(image)
    scale = 255 / (high - low) if high > low else 1.0
    offset = 0.5 - low * scale  # half a step: the conversion to L cuts the fraction off
    grey = wide.point(lambda value: value * scale + offset).convert("L")
    grey.info.pop("transparency", None)  # counted in the wide values
    return grey


def _range(image: Image.Image) -> tuple[float, float]:
    """Return the values of an I or F image that become black and white."""
    extrema = image.getextrema()
    low, high = float(extrema[0]), float(extrema[1])  # type: ignore[arg-type]  # one band
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("values that are not numbers")
    if low >= 0 and high <= 255:
        return 0.0, 1.0 if image.mode == "F" and high <= 1 else 255.0
    return low, high


def _id(rgb: Image.Image) -> str:
    """sha256 of size and pixels, some rows at a time: a copy of all pixels would take 300 MB."""
    width, height = rgb.size
    digest = sha256(f"{width}x{height} RGB\n".encode())
    rows = max(1, _HASH_STEP_PIXELS // width)
    for top in range(0, height, rows):
        digest.update(rgb.crop((0, top, width, min(top + rows, height))).tobytes())
    return digest.hexdigest()


def display_name(name: str) -> str:
    """Return a name for display of a path of any system, or of anything else that a browser called its file."""
    base = re.split(r"[/\\]", name)[-1]
    shown = "".join(
        char for char in base if unicodedata.category(char)[0] != "C" and char not in "\u2028\u2029"
    )
    return shown.strip()[:MAX_NAME_CHARS]
