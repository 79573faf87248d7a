"""Pictures as files, each named by the sha256 of its bytes: written once, never changed.

    Photo -> photos/<sha256>.png          its pixels without loss, or
             photos/<sha256>.jpeg, .webp  the file that was sent, where that is plain (see `photos.passthrough`)

A file gets its name when all of it is on the disk, so that there are whole files only, whenever the power goes.
What is read back is checked against its name: then id and pixels are those of before.
"""

import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from internvl_demo.errors import PhotoError
from internvl_demo.photos.decode import pixels_of
from internvl_demo.photos.photo import InMemory, Photo

_PNG_EFFORT = 3
"""zlib's level: files as small as the default's, in half the time."""


@dataclass(frozen=True)
class Kept:
    """A photo's file: its MIME type, whether it is the file that was sent, the sha256 of its bytes."""

    mime: str
    original: bool
    digest: str


class PhotoFiles:
    """The folder of the files. Raises OSError like any folder."""

    def __init__(self, folder: Path):
        self._folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)

    def stage(self, photo: Photo, now: float) -> tuple[Kept, Path]:
        """Writes the file, as of the time `now`, under another name; `settle` gives it its own."""
        mime, data = photo.original or ("image/png", _png(photo))
        staged = self._folder / f"{uuid.uuid4().hex}.new"
        try:
            with staged.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.utime(staged, (now, now))
        except BaseException:
            staged.unlink(missing_ok=True)
            raise
        return Kept(mime, photo.original is not None, sha256(data).hexdigest()), staged

    def settle(self, kept: Kept, staged: Path) -> None:
        """The file's name; one that has it already is replaced by its like."""
        staged.replace(self._path(kept))

    def holds(self, kept: Kept) -> bool:
        """Whether there is such a file, undamaged."""
        try:
            return sha256(self._path(kept).read_bytes()).hexdigest() == kept.digest
        except FileNotFoundError:
            return False

    def read(self, photo_id: str, kept: Kept) -> Photo:
        """The photo, without a name. Raises PhotoError when the file is missing or damaged."""
        try:
            data = self._path(kept).read_bytes()
        except FileNotFoundError:
            raise PhotoError(
                "A picture of this conversation is missing on the server.", _SEND_AGAIN
            ) from None
        if sha256(data).hexdigest() != kept.digest:
            raise PhotoError("A picture of this conversation was damaged on the server.", _SEND_AGAIN)
        image, original = pixels_of(data), (kept.mime, data) if kept.original else None
        return Photo(photo_id, "", image.size, InMemory(image, original))

    def remove_others(self, kept: Iterable[Kept], before: float) -> None:
        """Removes files last written before that time, except those."""
        names = {self._path(each).name for each in kept}
        for path in list(self._folder.iterdir()):
            if path.name not in names and path.stat().st_mtime < before:
                path.unlink()

    def _path(self, kept: Kept) -> Path:
        return self._folder / f"{kept.digest}.{kept.mime.removeprefix('image/')}"


_SEND_AGAIN = "Send it again in a new conversation."


def _png(photo: Photo) -> bytes:
    file = BytesIO()
    photo.image.save(file, "PNG", compress_level=_PNG_EFFORT)
    return file.getvalue()
