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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from internvl_demo.store.faults import DamagedError, StoreError, plainly
from internvl_demo.store.records import INTERRUPTED

FILE = "conversations.db"

_OURS = (FILE, f"{FILE}-wal", f"{FILE}-shm", "photos")
"""What is set aside with a damaged file; the directory may hold other people's things."""

_MIGRATIONS = (
    """
    CREATE TABLE conversations (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        title TEXT,                   -- NULL: called after its first question
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,     -- by its owner or the model: the order of the list
        touched_at REAL NOT NULL      -- read or updated: what the time to live counts from
    );
    CREATE INDEX conversations_owner ON conversations (owner, updated_at);
    CREATE TABLE photos (
        id TEXT PRIMARY KEY,
        mime TEXT NOT NULL,
        original INTEGER NOT NULL,    -- whether the file is the one that was sent
        digest TEXT NOT NULL,         -- sha256 of the file
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        added_at REAL NOT NULL        -- the last time
    );
    CREATE TABLE questions (
        id TEXT PRIMARY KEY,
        conversation TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,
        number INTEGER NOT NULL,
        text TEXT NOT NULL,
        chosen TEXT REFERENCES versions ON DELETE SET NULL,
        UNIQUE (conversation, number)
    );
    CREATE TABLE images (
        question TEXT NOT NULL REFERENCES questions ON DELETE CASCADE,
        number INTEGER NOT NULL,
        photo TEXT NOT NULL REFERENCES photos,    -- which keeps the photo from being removed
        name TEXT NOT NULL,
        max_tiles INTEGER NOT NULL,
        origin TEXT,                  -- JSON
        PRIMARY KEY (question, number)
    );
    CREATE INDEX images_photo ON images (photo);
    CREATE TABLE versions (
        id TEXT PRIMARY KEY,
        question TEXT NOT NULL REFERENCES questions ON DELETE CASCADE,
        number INTEGER NOT NULL,
        raw TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('running', 'complete', 'stopped', 'broken')),
        model TEXT NOT NULL,
        started_at REAL NOT NULL,
        ttft_s REAL,
        total_s REAL NOT NULL,
        usage TEXT,                   -- JSON
        what TEXT,
        next_step TEXT,
        UNIQUE (question, number)
    );
    """,
    """
    ALTER TABLE versions ADD COLUMN failure TEXT;  -- JSON: what and next_step, as templates with values
    """,
    """
    ALTER TABLE photos ADD COLUMN waits_until REAL NOT NULL DEFAULT 0;  -- to be sent; no conversation names it yet
    ALTER TABLE versions ADD COLUMN options TEXT;  -- JSON: how it was asked for; NULL: as the demo's settings say
    """,
)
"""Script n brings a database of version n to version n + 1. Those that were released are never changed."""


class Database:
    """The file `conversations.db` in `folder`, open.

    patience_s: how long to wait for another process that is just ending. now: the time, in seconds since 1970;
    until then conversations were in use whose answers were still being written.
    Raises StoreError when it cannot be used, DamagedError after setting a damaged one aside.
    """

    def __init__(self, folder: Path, patience_s: float, now: float):
        self._folder = folder
        self._lock = threading.RLock()
        with plainly(folder, starting=True):
            _check_writable(folder)
            self._connection = sqlite3.connect(
                folder / FILE, timeout=patience_s, isolation_level=None, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
            try:
                self._prepare(now)
            except BaseException as error:
                self._connection.close()
                if _is_damage(error):
                    raise _set_aside(folder) from error
                raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The database for one thread alone; what happens inside happens whole or not at all."""
        with self._lock, plainly(self._folder):
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
        """No other thread's transaction meanwhile; own ones may be inside."""
        with self._lock:
            yield

    def close(self) -> None:
        """Gives the file back."""
        with self._lock:
            self._connection.close()

    def _prepare(self, now: float) -> None:
        ask = self._connection.execute
        ask("PRAGMA locking_mode = EXCLUSIVE")  # before anything is read: then no other process gets in
        (version,) = ask("PRAGMA user_version").fetchone()
        if version > len(_MIGRATIONS):
            raise StoreError(
                f"The conversations in {self._folder} were written by a newer version of the demo.",
                "Update the demo, or choose another directory with INTERNVL_DATA_DIR.",
            )
        ask("PRAGMA journal_mode = WAL")
        ask("PRAGMA synchronous = NORMAL")  # a power cut may take the last second, and breaks nothing
        ask("PRAGMA secure_delete = ON")  # what people delete is overwritten
        ((verdict, *_),) = ask("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise DamagedError(verdict, "")
        for number in range(version, len(_MIGRATIONS)):
            script = f"BEGIN; {_MIGRATIONS[number]}; PRAGMA user_version = {number + 1}; COMMIT"
            self._connection.executescript(script)
        ask("PRAGMA foreign_keys = ON")
        ask(
            "UPDATE conversations SET touched_at = ? WHERE id IN (SELECT q.conversation FROM versions v"
            " JOIN questions q ON q.id = v.question WHERE v.state = 'running')",
            (now,),
        )
        ask(
            "UPDATE questions SET chosen = (SELECT id FROM versions WHERE question = questions.id AND state ="
            " 'running') WHERE id IN (SELECT question FROM versions WHERE state = 'running' AND raw <> '')"
        )
        ask(
            "UPDATE versions SET state = 'broken', what = ?, next_step = ? WHERE state = 'running'",
            INTERRUPTED,
        )


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
    """Moves the database and the photos that it names into a folder beside them."""
    aside = Path(tempfile.mkdtemp(prefix=time.strftime("damaged-%Y%m%d-%H%M%S-"), dir=folder))
    for name in _OURS:
        if (folder / name).exists():
            (folder / name).rename(aside / name)
    return DamagedError(
        f"The conversations in {folder} are damaged; everything was moved to {aside}.",
        f"Start the demo again for an empty store, or repair {aside / FILE} with SQLite's .recover.",
    )
