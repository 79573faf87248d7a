"""One SQLite file: its tables, its opening, its transactions.

The file belongs to one process at a time, which is what makes "running" in it mean "running here": a second
process is told so. Inside the process one connection serves all threads, one transaction at a time. A file
from a newer version is refused as it is; one that is damaged is moved aside with everything beside it, never
deleted, and the error says where it is.
"""

import errno
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from internvl_demo.store.faults import DamagedError, StoreError, plainly
from internvl_demo.store.migrations import MIGRATIONS, prepare

FILE = "conversations.db"

_OURS = (FILE, f"{FILE}-wal", f"{FILE}-shm", "photos")
"""What is set aside with a damaged file; the directory may hold other people's things."""


class Database:
    """The file `conversations.db` in `folder`, open, its tables of this version.

    patience_s: how long to wait for another process that is just ending. file_bytes: how large a photo's file is,
    by digest and MIME type, which one migration asks.
    Raises StoreError when it cannot be used, DamagedError after setting a damaged one aside.
    """

    def __init__(self, folder: Path, patience_s: float, file_bytes: Callable[[str, str], int]):
        self._folder = folder
        self.starting = True
        """Whether what fails is told to whoever starts the demo, rather than to people on the page."""
        self._lock = threading.RLock()
        self._closed = False
        with plainly(folder, starting=True):
            _check_writable(folder)
            self._connection = sqlite3.connect(
                folder / FILE, timeout=patience_s, isolation_level=None, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
            try:
                self._prepare(file_bytes)
            except BaseException as error:
                self._connection.close()
                if _is_damage(error):
                    raise _set_aside(folder) from error
                raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the database for one thread alone; what happens inside happens whole or not at all."""
        with self._lock, plainly(self._folder, starting=self.starting):
            self._connection.execute("BEGIN")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite ends some by itself
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep out other threads' transactions; own ones may be inside."""
        with self._lock:
            yield

    def checkpoint(self) -> None:
        """Empty the write-ahead log, which holds what was deleted until then. Raises StoreError."""
        with self._lock, plainly(self._folder):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Give the file back, the write-ahead log emptied; a second time does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            with suppress(StoreError):  # the next start does it
                self.checkpoint()
            self._connection.close()

    def _prepare(self, file_bytes: Callable[[str, str], int]) -> None:
        ask = self._connection.execute
        ask("PRAGMA locking_mode = EXCLUSIVE")  # before anything is read: then no other process gets in
        (version,) = ask("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise StoreError(
                f"The conversations in {self._folder} were written by a newer version of the demo.",
                "Update the demo, or choose another directory with --data-dir (INTERNVL_DATA_DIR).",
            )
        ask("PRAGMA journal_mode = WAL")
        ask("PRAGMA synchronous = NORMAL")  # a power cut may take the last second, and breaks nothing
        ask("PRAGMA secure_delete = ON")  # what people delete is overwritten
        ((verdict, *_),) = ask("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise DamagedError(verdict, "")
        prepare(self._connection, file_bytes)
        for number in range(version, len(MIGRATIONS)):
            script = f"BEGIN; {MIGRATIONS[number]}; PRAGMA user_version = {number + 1}; COMMIT"
            self._connection.executescript(script)
        ask("PRAGMA foreign_keys = ON")


def _check_writable(folder: Path) -> None:
    """SQLite would open a file that is read-only, and fail later with other words. Raises PermissionError.

    Not by opening the file: closing it again would give up SQLite's locks on it.
    """
    for path in (folder, folder / FILE):
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, "not writable", str(path))


def _is_damage(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, DamagedError) or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _set_aside(folder: Path) -> DamagedError:
    """Move the database and the photos that it names into a folder beside them."""
    aside = Path(tempfile.mkdtemp(prefix=time.strftime("damaged-%Y%m%d-%H%M%S-"), dir=folder))
    for name in _OURS:
        if (folder / name).exists():
            (folder / name).rename(aside / name)
    return DamagedError(
        f"The conversations in {folder} are damaged; everything was moved to {aside}.",
        f"Start the demo again for an empty store, or repair {aside / FILE} with SQLite's .recover.",
    )
