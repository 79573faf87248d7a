"""Some room on the disk that is kept back, so that people can delete on a disk that is full.

SQLite needs room to delete: what changes is written into its log first, and from there into the database. So a file of
nothing lies beside them; deleting gives it up for as long as it takes, and takes it again of what is free then.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FILE = "reserve"
SIZES = tuple(2**20 * size for size in range(8, 0, -1))
"""Bytes: the first is twice the log that SQLite lets grow before it empties it; less where there is no more."""

_BLOCK = bytes(64 * 1024)


class Reserve:
    """The file `reserve` in a folder. Nothing here raises: without a reserve the store works as well."""

    def __init__(self, folder: Path):
        self._path = folder / FILE

    def take(self) -> None:
        """Take room on the disk if none is taken: what is wanted, but, except for the least, leave as much again."""
        for size in SIZES:
            with suppress(OSError):
                if self._path.exists():
                    return
                if size == SIZES[-1] or shutil.disk_usage(self._path.parent).free >= 2 * size:
                    self._fill(size)

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """Inside, the room is free for whatever deleting needs."""
        with suppress(OSError):
            self._path.unlink()
        try:
            yield
        finally:
            self.take()

    def _fill(self, size: int) -> None:
        try:
            with self._path.open("xb") as file:
                if sys.platform == "linux":
                    os.posix_fallocate(file.fileno(), 0, size)
                    return
                for _ in range(size // len(_BLOCK)):  # a hole would take no room
                    file.write(_BLOCK)
        except OSError:
            self._path.unlink()
            raise
