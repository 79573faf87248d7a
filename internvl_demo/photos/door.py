"""The one door to Pillow: behind it decoders are strict, silent and bounded, and only PhotoError comes out.

What a single file may have at most stands here, and what is said of a file that nobody can read. Bounds on several
photos are in `limits`.
"""

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile

from internvl_demo.errors import PhotoError, Sentence

MAX_BYTES = 32 * 1024 * 1024
"""The largest file: 32 MB."""

MAX_PIXELS = 100_000_000
"""The largest picture: 100 megapixels, more than most phones take; decoded it needs 400 MB of memory."""

MIN_SIDE_PX = 2
"""The shortest side. Thinner pictures are tracking pixels and accidents."""

SUPPORTED = Sentence("JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF")
"""What is read, in words, for sentences."""

CHOOSE_SUPPORTED = Sentence("Choose a picture that is {formats}.", formats=SUPPORTED)

_OTHER_KINDS = (
    (
        re.compile(rb".{4}ftypcrx |FUJIFILMCCD-RAW|II(RO|RS|U\0)|FOVb", re.DOTALL),
        Sentence("a camera's raw file"),
    ),
    (re.compile(rb".{4}ftyp(?!avi[fs]|he[iv]|m[is]f1)", re.DOTALL), Sentence("a video")),
    (re.compile(rb"\s*(<\?xml[^>]*>\s*)?<svg", re.IGNORECASE), Sentence("an SVG drawing")),
    (re.compile(rb"%PDF"), Sentence("a PDF document")),
)
"""How files begin that people often take for a picture that can be read here."""

_PILLOW = threading.Lock()


@contextmanager
def open_door() -> Iterator[None]:
    """Let one decoder work. Raises PhotoError, whatever the decoder raises.

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


def check_bytes(count: int) -> None:
    """Check how large a file is. Raises PhotoError."""
    if not count:
        raise PhotoError("The file is empty.", CHOOSE_SUPPORTED)
    if count > MAX_BYTES:
        raise PhotoError(
            "The file is larger than {limit} MB.",
            "Make the picture smaller or save it as JPEG, and send it again.",
            limit=MAX_BYTES // 1024 // 1024,
        )


def check_size(size_wh: tuple[int, int]) -> None:
    """Check width and height of a picture. Raises PhotoError."""
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


def not_a_picture(data: bytes) -> PhotoError:
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


def _too_many_pixels() -> PhotoError:
    return PhotoError(
        "The picture has more than {most} megapixels.",
        "Scale it down and send it again.",
        most=MAX_PIXELS // 1_000_000,
    )
