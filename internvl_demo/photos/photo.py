"""The photo that all rooms pass on: light, frozen, with its pixels on demand.

A `Photo` says what it is (id, name, size) and knows where its pixels are: its source. One that was made in memory,
for instance from a file on the command line, holds them; one from the store decodes its file when somebody asks.
Whoever needs pixels takes `photo.image` once and lets go of it; it may take a tenth of a second, so not on an
event loop.

    Photo("9f0c...", "cat.png", (1000, 800), InMemory(image))

Not here: where bytes become pixels (`decode`), and decoded pictures that are kept for a while (`cache`).
"""

from dataclasses import dataclass, field
from io import BytesIO
from typing import Protocol

from PIL import Image

from internvl_demo.errors import Sentence
from internvl_demo.photos.colour import in_srgb

PNG_MAX_PIXELS = 2_000_000
"""Up to here a picture is encoded without loss (see `encode_photo`)."""

PALETTE_COLOURS = 256
"""Drawings and screen text with at most so many colours stay small as PNG at any size."""

JPEG_MAX_SIDE_PX = 65_500
"""libjpeg's limit for a side."""


_PNG_EFFORT = 3
"""zlib's level where nothing may be lost: files as small as the default's, in half the time."""


class PhotoSource(Protocol):
    """Where a photo's pixels come from. Either property may raise PhotoError."""

    @property
    def image(self) -> Image.Image:
        """Return the picture: RGB, upright, its `info` empty; not to be changed."""
        ...

    @property
    def original(self) -> tuple[str, bytes] | None:
        """Return MIME type and bytes of a file that shows the same to everybody and tells nothing else, or None."""
        ...

    @property
    def profile(self) -> bytes | None:
        """Return the colour profile by which people are shown the pixels (see `colour`), or None for sRGB."""
        ...


@dataclass(frozen=True)
class Note:
    """What a person should know of a picture that was taken; nothing is wrong. Two sentences, as an error has."""

    what: Sentence
    next_step: Sentence


@dataclass(frozen=True)
class InMemory:
    """Hold a picture's pixels, its original if there is one, and its colour profile if it has one of its own."""

    image: Image.Image
    original: tuple[str, bytes] | None = None
    profile: bytes | None = None


@dataclass(frozen=True)
class Photo:
    """A picture that is safe to use. Two are equal if they have the same id and name.

    id: of one made in memory sha256, in hex, of the size and the upright RGB pixels; of one from the store 128
        random bits, in hex.
    name: file name for display, without folders and control characters, at most 80 characters; may be "".
    size_wh: width and height in pixels, upright.
    note: what is to be said of how it was read, when it is read; not kept.
    """

    id: str
    name: str
    size_wh: tuple[int, int] = field(compare=False)
    source: PhotoSource = field(compare=False, repr=False)
    note: Note | None = field(default=None, compare=False, repr=False)

    @property
    def image(self) -> Image.Image:
        """Return the pixels as the model takes them: RGB, upright, not to be changed, their profile not applied.

        Raises PhotoError when they cannot be had.
        """
        return self.source.image

    @property
    def shown(self) -> Image.Image:
        """Return the pixels as people are shown them: in sRGB. Raises PhotoError like `image`."""
        return in_srgb(self.source.image, self.source.profile)

    @property
    def profile(self) -> bytes | None:
        """Return the colour profile by which people are shown the pixels, or None. Raises PhotoError like `image`."""
        return self.source.profile

    @property
    def original(self) -> tuple[str, bytes] | None:
        """Return MIME type and bytes of the file that may be sent to a model as it is (see `passthrough`), or None.

        Raises PhotoError when it cannot be read.
        """
        return self.source.original


def encode_photo(photo: Photo) -> tuple[str, bytes]:
    """Encode a photo's pixels: (MIME type, file without metadata), for data URLs.

    PNG, which loses nothing, up to 2 megapixels, for at most 256 colours (a scan, a drawing), and for
    sides that JPEG cannot hold; otherwise JPEG at quality 95 with full colour (4:4:4), a tenth of the size.
    Raises PhotoError when the pixels cannot be had.
    """
    return encode_image(photo.image)


def encode_image(image: Image.Image, profile: bytes | None = None) -> tuple[str, bytes]:
    """Encode an RGB picture by the rules of `encode_photo`, with a colour profile if one is given."""
    width, height = image.size
    lossless = (
        width * height <= PNG_MAX_PIXELS
        or max(width, height) > JPEG_MAX_SIDE_PX
        or image.getcolors(PALETTE_COLOURS) is not None
    )
    file = BytesIO()
    if lossless:
        image.save(file, "PNG", icc_profile=profile)
        return "image/png", file.getvalue()
    image.save(file, "JPEG", quality=95, subsampling="4:4:4", icc_profile=profile)
    return "image/jpeg", file.getvalue()


def encode_lossless(image: Image.Image, profile: bytes | None = None) -> tuple[str, bytes]:
    """Encode an RGB picture as PNG, with a colour profile if one is given."""
    file = BytesIO()
    image.save(file, "PNG", compress_level=_PNG_EFFORT, icc_profile=profile)
    return "image/png", file.getvalue()


def file_of(photo: Photo, *, webp: bool = True) -> tuple[str, bytes]:
    """Return (MIME type, file without metadata): the original bytes where there are any, else encoded anew.

    webp: whether whoever reads it knows WebP; JPEG and PNG are known everywhere.
    """
    original = photo.original
    return original if original and (webp or original[0] != "image/webp") else encode_photo(photo)
