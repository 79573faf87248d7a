"""Photos as files, each named by the sha256 of its bytes: written once, never changed, shared by who sent the same.

    photos/<sha256>.jpeg, .png, .webp    nothing but the picture inside (see `photos.passthrough`)

A file gets its name when all of it is on the disk, so that there are whole files only, whenever the power goes.
What is read back is checked against its name: then the picture is that of before. Its pixels are decoded when
somebody asks for them, and kept ready in `photos.cache` only.
"""

import os
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from PIL import Image

from internvl_demo.errors import PhotoError
from internvl_demo.photos.cache import DECODED
from internvl_demo.photos.decode import CleanFile, pixels_of, profile_of
from internvl_demo.photos.passthrough import cleaned


@dataclass(frozen=True)
class StoredFile:
    """Name a photo's file: its MIME type, whether a model server may get it as it is, the sha256 of its bytes."""

    mime: str
    original: bool
    digest: str


def stored_file(file: CleanFile) -> StoredFile:
    """Name the file by what is in it."""
    return StoredFile(file.mime, file.original, sha256(file.data).hexdigest())


class PhotoFiles:
    """The folder of the files, which is made again when somebody removed it. Writing raises OSError."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._key = uuid.uuid4().hex
        """So that another store of this process never answers for a file that is not in this folder."""
        self.make_folder()

    def make_folder(self) -> None:
        """Make the folder, if it is not there."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def stage(self, data: bytes, now: float) -> Path:
        """Write a file, as of the time `now`, under a name that nobody else uses; `settle` gives it its own."""
        staged = self._folder / f"{uuid.uuid4().hex}.new"
        try:
            try:
                file = staged.open("xb")
            except FileNotFoundError:  # a cleaner of temporary files came by
                self.make_folder()
                file = staged.open("xb")
            with file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.utime(staged, (now, now))
        except BaseException:
            staged.unlink(missing_ok=True)
            raise
        return staged

    def settle(self, file: StoredFile, staged: Path) -> None:
        """Give a staged file its name; one that has it already is replaced by its like."""
        staged.replace(self.path(file))

    def path(self, file: StoredFile) -> Path:
        """Return where the file lies, or should."""
        return self._folder / f"{file.digest}.{file.mime.removeprefix('image/')}"

    def size(self, digest: str, mime: str) -> int:
        """Return how many bytes a file has; 0 when it is missing."""
        try:
            return self.path(StoredFile(mime, False, digest)).stat().st_size
        except OSError:
            return 0

    def read(self, file: StoredFile) -> bytes:
        """Return the file's bytes. Raises PhotoError when it is missing, damaged or cannot be read."""
        try:
            data = self.path(file).read_bytes()
        except FileNotFoundError:
            raise PhotoError(
                "A picture of this conversation is missing on the server.", _SEND_AGAIN
            ) from None
        except OSError as error:
            raise PhotoError(
                "A picture of this conversation cannot be read on the server.", _SEND_AGAIN
            ) from error
        if sha256(data).hexdigest() != file.digest:
            raise PhotoError("A picture of this conversation was damaged on the server.", _SEND_AGAIN)
        return data

    def image(self, file: StoredFile) -> Image.Image:
        """Return the picture, from the cache or decoded now. Raises PhotoError like `read`."""
        return DECODED.get((self._key, file.digest), lambda: pixels_of(self.read(file)))

    def remove(self, files: Iterable[StoredFile]) -> None:
        """Remove files and what is decoded of them."""
        gone = list(files)
        keys = {(self._key, file.digest) for file in gone}
        DECODED.drop(lambda key: key in keys)
        for file in gone:
            self.path(file).unlink(missing_ok=True)

    def remove_strays(self, kept: Iterable[StoredFile], before: float) -> None:
        """Remove files last written before that time, except those: what an end in the middle left behind."""
        names = {self.path(each).name for each in kept}
        self.make_folder()
        for path in list(self._folder.iterdir()):
            with suppress(FileNotFoundError):  # whoever wrote it has just given up
                if path.name not in names and path.stat().st_mtime < before:
                    path.unlink()

    def forget(self) -> None:
        """Give back the memory that decoded pictures take."""
        DECODED.drop(lambda key: isinstance(key, tuple) and key[:1] == (self._key,))


@dataclass(frozen=True)
class FromFile:
    """Where the pixels of a stored photo come from (a `PhotoSource`)."""

    files: PhotoFiles
    file: StoredFile

    @property
    def image(self) -> Image.Image:
        """Return the picture. Raises PhotoError when its file is missing or damaged."""
        return self.files.image(self.file)

    @property
    def original(self) -> tuple[str, bytes] | None:
        """Return MIME type and bytes of the file without its profile, if it may be sent. Raises PhotoError."""
        if not self.file.original:
            return None
        data = self.files.read(self.file)
        return self.file.mime, cleaned(data) or data

    @property
    def profile(self) -> bytes | None:
        """Return the file's colour profile, or None. Raises PhotoError like `image`."""
        return profile_of(self.files.read(self.file))


_SEND_AGAIN = "Send it again in a new conversation."
