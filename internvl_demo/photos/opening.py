"""A file's bytes -> its main picture as the decoder gives it: by which decoder, of which page, whole or not at all.

    opened(data) -> Opened(images=(a loaded Pillow image,), data=..., orientation=6, note=None, ...)

A file is tried as it came, and if its decoder refuses it once more without what is not picture (`mending`). What is
truly cut is refused: half a JPEG is never filled up with grey. TIFF pages are chosen by `tiff`. HEIC goes to libheif
through pillow-heif, everything else to Pillow, which sees only the formats named here.

Why pillow-heif and not pi-heif, the same decoder without an encoder and so without x265, which is GPL: pi-heif ended
with version 1.4.0 and libheif 1.23.0, and a decoder of strangers' bytes has to get its corrections. The encoder is
never called.

Behind the `door` only: this raises whatever the bytes lead to. Not here: RGB, and what is kept of a file.
"""

from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from internvl_demo.errors import PhotoError, Sentence
from internvl_demo.photos.door import check_size, not_a_picture
from internvl_demo.photos.jpeg import endings
from internvl_demo.photos.mending import mended, orientation_of
from internvl_demo.photos.numbers import Numbers
from internvl_demo.photos.photo import Note
from internvl_demo.photos.tiff import TiffPicture, is_tiff, read_tiff, unreadable_values

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""The formats that Pillow reads, by its names; `HEIC` is read beside it."""

HEIC = "HEIF"
"""pillow-heif's name for the other one."""

JPEGS = ("JPEG", "MPO")
"""Both are JPEG files; an MPO holds a second picture, a phone's map of brightness or a stereo camera's other eye."""

_ANIMATED = ("PNG", "WEBP", "GIF", "AVIF")
_HEVC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_AV1 = {b"avif", b"avis"}
_EITHER = {b"mif1", b"msf1"}
_BRANDS_BYTES = 256
_MISSING = range(120, 137)
"""Grey, which libjpeg makes of coded pixels that are missing; a neighbour's colour may reach into it."""
_DIGEST_STEP_PIXELS = 4_000_000

ANIMATION = Note(
    Sentence("The file is an animation; its first picture was taken."),
    Sentence("For another moment, send a screenshot of it."),
)
_ANOTHER = Sentence("For another one, save it as a file of its own and send that.")


@dataclass(frozen=True)
class Opened:
    """The main picture of a file.

    images: loaded; one, or one for each plane. numbers, size_wh: how to read them where Pillow does not (`tiff`).
    data: the file that was decoded, maybe mended. orientation: how the picture is turned, 1 to 8.
    """

    images: tuple[Image.Image, ...]
    data: bytes
    orientation: int
    numbers: Numbers | None = None
    size_wh: tuple[int, int] | None = None
    note: Note | None = None

    @property
    def image(self) -> Image.Image:
        """Return the only picture, or that of the first plane."""
        return self.images[0]


def opened(data: bytes) -> Opened:
    """Decode a file's main picture. Raises PhotoError, and whatever broken bytes lead to."""
    try:
        return _attempt(data, trusted=True)
    except (PhotoError, MemoryError, Image.DecompressionBombError):
        raise
    except Exception as refusal:
        better = mended(data)
        if better is None or better == data:
            raise _told(refusal, data) from refusal
        try:
            return _attempt(better, trusted=False)
        except (PhotoError, MemoryError, Image.DecompressionBombError):
            raise
        except Exception:  # noqa: BLE001  decoders raise whatever the bytes lead them to
            raise _told(refusal, data) from refusal


def digest(image: Image.Image, begun: bytes = b"") -> str:
    """Return the sha256 of `begun` and the pixels, some rows at a time: a copy of all would take 300 MB."""
    width, height = image.size
    hashed = sha256(begun)
    rows = max(1, _DIGEST_STEP_PIXELS // width)
    for top in range(0, height, rows):
        hashed.update(image.crop((0, top, width, min(top + rows, height))).tobytes())
    return hashed.hexdigest()


def _told(refusal: Exception, data: bytes) -> Exception:
    return not_a_picture(data) if isinstance(refusal, UnidentifiedImageError) else refusal


def _attempt(data: bytes, *, trusted: bool) -> Opened:
    """Decode a file. trusted: it is as it came, so that the end of a JPEG is looked at only if it is suspicious."""
    if is_tiff(data):
        return _attempt_tiff(data)
    image = _loaded(data)
    if image.format in JPEGS and (not trusted or _ends_grey(image)):
        _check_whole(image, data)
    return Opened((image,), data, orientation_of(image), note=_note(image, data))


def _attempt_tiff(data: bytes) -> Opened:
    picture = read_tiff(data)
    check_size(picture.size_wh)
    if picture.is_cut:
        raise OSError("pixels are missing")
    try:
        images = tuple(_loaded(file, of_values=picture.numbers is None) for file in picture.files)
    except UnidentifiedImageError:
        raise unreadable_values() from None
    told = orientation_of(images[0]) if picture.numbers is None else picture.orientation
    orientation = told if told in range(1, 9) else 1
    return Opened(images, data, orientation, picture.numbers, picture.size_wh, _pages_note(picture))


def _loaded(data: bytes, *, of_values: bool = True) -> Image.Image:
    """Decode a file. of_values: its size is a picture's, not that of rows of bytes, which Pillow limits by itself."""
    image = _heic(data) if _is_heic(data) else Image.open(BytesIO(data), formats=FORMATS)
    if of_values:
        check_size(image.size)
    image.load()
    if of_values:
        check_size(image.size)  # an HEIC's may be another by now
    return image


def _is_heic(data: bytes) -> bool:
    """Whether a file says that it is an HEIC, among those that begin alike: videos, and AVIF, which is Pillow's."""
    if data[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(data[:4]), _BRANDS_BYTES)
    first, others = data[8:12], {data[at : at + 4] for at in range(16, end - 3, 4)}
    return (
        first in _HEVC
        or (first in _EITHER and not others & _AV1)
        or (first in _EITHER and bool(others & _HEVC))
    )


def _heic(data: bytes) -> Image.Image:
    from pillow_heif import HeifImageFile

    image: Image.Image = HeifImageFile(BytesIO(data))  # type: ignore[no-untyped-call]
    return image


def _ends_grey(image: Image.Image) -> bool:
    """Whether the last pixel looks like one that is missing."""
    last = image.crop((image.width - 1, image.height - 1, *image.size)).tobytes()
    return all(value in _MISSING for value in last)


def _check_whole(image: Image.Image, data: bytes) -> None:
    """Check that a JPEG's picture does not depend on what comes behind its coded pixels. Raises OSError."""
    shown = digest(image)
    for continued in endings(data):
        if digest(_loaded(continued)) != shown:
            raise OSError("coded pixels are missing")


def _note(image: Image.Image, data: bytes) -> Note | None:
    """Return what is to be said of a file that holds more pictures."""
    frames = 1
    with suppress(Exception):  # what is broken behind the first picture does not matter
        if image.format == HEIC:
            frames = image.n_frames  # type: ignore[attr-defined]  # counts the pictures that are not parts of others
        elif image.format in _ANIMATED:
            frames = 1 + Image.open(BytesIO(data), formats=FORMATS).is_animated  # type: ignore[attr-defined]
    if frames < 2:
        return None
    if image.format == HEIC:
        return Note(
            Sentence("The file holds {count} pictures; the main one was taken.", count=frames), _ANOTHER
        )
    return ANIMATION


def _pages_note(picture: TiffPicture) -> Note | None:
    if picture.pages < 2:
        return None
    return Note(Sentence("The file has {count} pages; the first was taken.", count=picture.pages), _ANOTHER)
