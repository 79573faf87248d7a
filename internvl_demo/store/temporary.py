"""The folder of a store that nothing may outlive: gone with the process, however that ends.

A process that ends by itself removes its folder. One that was killed cannot, so every start removes the folders of
those that are dead: each living process holds a lock on a file in its own, which the system takes back with the
process. Where there are no such locks (Windows) folders are left to the system's own cleaning.

Not here: signals. Whoever runs the demo sees to it that an ending process comes to its exit handlers.
"""

import contextlib
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from internvl_demo.store.database import FILE

if sys.platform != "win32":
    import fcntl

PREFIX = "internvl_demo-"
_LOCK = "in-use"
_HOUR_S = 3600.0


class TemporaryFolder:
    """A new folder below the system's one for temporary files, held by this process until `remove`."""

    def __init__(self) -> None:
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
            self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            if _lock(self._lock) and (self.path / _LOCK).exists():
                return
            os.close(self._lock)  # another process took the folder for a dead one's, before it was locked

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.close(self._lock)


def remove_stale() -> None:
    """Remove the folders of this user's processes that are no longer alive."""
    if sys.platform == "win32":
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid():
                _remove_if_stale(folder)


def _remove_if_stale(folder: Path) -> None:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        if _is_left_by_an_older_version(folder):
            shutil.rmtree(folder, ignore_errors=True)
        return
    try:
        if _lock(lock):
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _is_left_by_an_older_version(folder: Path) -> bool:
    """Tell whether a folder without our lock has been at rest for an hour and its database is nobody's."""
    if time.time() - folder.stat().st_mtime < _HOUR_S:
        return False
    if not (folder / FILE).exists():
        return False
    try:
        with contextlib.closing(sqlite3.connect(folder / FILE, timeout=0)) as database:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        return False
    return True


def _lock(file: int) -> bool:
    """Lock an open file for this process; False if another holds it."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
