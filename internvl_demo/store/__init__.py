"""Conversations and photos on disk: what a reload, a lost connection and a restart do not take away.

records     frozen values that come out: a list's entries, a conversation with the versions of its answers
faults      what the disk and SQLite can do to us, as errors with a next step
database    one SQLite file, one writer, one process; damaged files are set aside, newer ones refused
migrations  the tables, version by version
branches    the tree of a conversation's questions, and the path through it that is shown
rows        rows -> records
writes      what changes rows, several of which make one verb
files       photos as files, named by what is in them, shared by who sent the same
photos      the rows of photos, each of one owner's under an id that nobody guesses; what may wait to be sent
clock       a clock that was set takes nothing away
temporary   the folder of a store that nothing may outlive
reserve     room on the disk that deleting may use
store       the verbs: add a photo; ask, edit, undo, choose, rename, delete; begin, write, finish an answer; sweep

Everything here is synchronous and may be called from any thread; what runs in an event loop calls it through
`asyncio.to_thread`. Not here: who generates an answer (`answering`), and what it looks like (`web`).
"""

import atexit
import os
import sys
from pathlib import Path

from internvl_demo.environment import check_temporary_folder
from internvl_demo.errors import SetupError
from internvl_demo.settings import Settings
from internvl_demo.store import temporary
from internvl_demo.store.store import Store

_CHOOSE = "Choose where conversations are kept with --data-dir (INTERNVL_DATA_DIR), or set HOME."

__all__ = ["Store", "default_data_dir", "open_store"]


def open_store(settings: Settings) -> Store:
    """Open the store that the settings ask for.

    With `keep_days` 0 it is a folder that goes with the process. Such folders of processes that were killed go now.
    Raises StoreError when the directory cannot be used, SetupError when there is no home or temporary folder.
    """
    check_temporary_folder()
    temporary.remove_stale()
    if settings.keep_days == 0:
        folder = temporary.TemporaryFolder()
        store = Store(folder.path, keep_days=1)
        atexit.register(folder.remove)
        atexit.register(store.close)  # before the folder goes: the last registered is the first called
        return store
    return Store(_data_dir(settings.data_dir), settings.keep_days)


def _data_dir(chosen: Path | None) -> Path:
    """Return the chosen directory, or the platform's. Raises SetupError when it is in a home that does not exist."""
    try:
        folder = (chosen or default_data_dir()).expanduser()
        home = Path.home()
    except RuntimeError:  # of whom the system knows no home
        if chosen and not str(chosen).startswith("~"):
            return chosen
        raise SetupError("This user has no home directory for conversations.", _CHOOSE) from None
    if folder.is_relative_to(home) and not home.is_dir():
        raise SetupError(f"The home directory {home} does not exist.", _CHOOSE)
    return folder


def default_data_dir() -> Path:
    """Return where this platform's programs keep a user's data: on Linux `$XDG_DATA_HOME`, or ~/.local/share."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME", ""))
        if not base.is_absolute():  # as the specification says of relative ones and of none
            base = Path.home() / ".local" / "share"
    return base / "internvl_demo"
