"""What the disk and SQLite can do to us, as errors with a reader.

There are two readers: whoever starts the demo sees which directory it is; people on the page are not told
where the server keeps its files.
"""

import errno
import logging
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from internvl_demo.errors import DemoError, Sentence


class StoreError(DemoError):
    """Conversations cannot be kept or read: the disk is full, the directory or the database is not usable."""


class GoneError(DemoError):
    """What was asked for is not there (any more), or belongs to somebody else."""


class BusyError(DemoError):
    """The conversation is just being answered."""


class HiddenError(DemoError):
    """What is to be changed is in a branch of the conversation that is not shown."""


class DamagedError(StoreError):
    """What is in the database file cannot be read."""


_LOG = logging.getLogger(__name__)
_FULL, _FORBIDDEN, _IN_USE, _DAMAGED, _OTHER = "full", "forbidden", "in use", "damaged", "other"

_ELSEWHERE = "choose another directory with --data-dir (INTERNVL_DATA_DIR)"

_STARTING = {
    _FULL: ("There is no space left in {folder}.", f"Free some there, or {_ELSEWHERE}."),
    _FORBIDDEN: ("{folder} cannot be written.", f"Let this user write there, or {_ELSEWHERE}."),
    _IN_USE: (
        "{folder} is in use by another running demo.",
        "End that one, or start this one with a --data-dir (INTERNVL_DATA_DIR) and a port of its own.",
    ),
    _DAMAGED: ("The conversations in {folder} are damaged.", f"Start the demo again, or {_ELSEWHERE}."),
    _OTHER: ("{folder} cannot be used: {error}.", f"See what is wrong there, or {_ELSEWHERE}."),
}
"""For whoever starts the demo."""

_TELL = Sentence("Copy what you need from this page, and tell whoever runs the demo.")
_DELETE = Sentence(
    "Copy what you need from this page, then delete conversations you no longer need, or tell whoever runs the demo."
)

_RUNNING = {
    _FULL: (Sentence("The server's disk is full, so nothing more can be kept."), _DELETE),
    _FORBIDDEN: (
        Sentence("The server cannot write its files, so the conversation could not be kept."),
        _TELL,
    ),
    _DAMAGED: (Sentence("The server's store of conversations is damaged."), _TELL),
    _OTHER: (Sentence("The server's store of conversations does not work."), _TELL),
}
"""For people on the page."""

_SQLITE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _FORBIDDEN,
    sqlite3.SQLITE_CANTOPEN: _FORBIDDEN,
    sqlite3.SQLITE_PERM: _FORBIDDEN,
    sqlite3.SQLITE_BUSY: _IN_USE,
    sqlite3.SQLITE_LOCKED: _IN_USE,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
_DISK = {
    errno.ENOSPC: _FULL,
    errno.EFBIG: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.ENOTDIR: _FORBIDDEN,
    errno.EEXIST: _FORBIDDEN,
}


@contextmanager
def plainly(folder: Path, *, starting: bool = False) -> Iterator[None]:
    """Inside, what SQLite and the disk raise comes out as a StoreError about `folder`."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise _plain(error, folder, _STARTING if starting else _RUNNING) from error


def told_of_disk(error: OSError) -> StoreError:
    """Return what people on the page are told of what the disk did."""
    return _plain(error, Path(error.filename or "a temporary file"), _RUNNING)


def _plain(
    error: sqlite3.Error | OSError, folder: Path, sentences: Mapping[str, tuple[str, str]]
) -> StoreError:
    if isinstance(error, OSError):
        kind = _DISK.get(error.errno or 0, _OTHER)
    else:
        kind = _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, _OTHER)
    if sentences is _RUNNING:
        _LOG.error("%s: %s", folder, error)
    what, next_step = sentences.get(kind, sentences[_OTHER])
    wrong = DamagedError if kind == _DAMAGED else StoreError
    return wrong(what, next_step, folder=str(folder), error=str(error))
