"""Conversations and photos on disk: what a reload, a lost connection and a restart do not take away.

records    frozen values that come out: a list's entries, a conversation with the versions of its answers
faults     what the disk and SQLite can do to us, as errors with a next step
database   one SQLite file, one writer, one process; damaged files are set aside, newer ones refused
photos     pictures as files, named by what they show
store      the verbs: ask, edit, undo, choose, rename, delete; begin, write, finish an answer; sweep

Everything here is synchronous and may be called from any thread; what runs in an event loop calls it through
`asyncio.to_thread`. Not here: who generates an answer (`answering`), and what it looks like (`web`).
"""

import atexit
import os
import sys
import tempfile
from pathlib import Path

from internvl_demo.settings import Settings
from internvl_demo.store.store import Store

__all__ = ["Store", "default_data_dir", "open_store"]


def open_store(settings: Settings) -> Store:
    """The store that the settings ask for. With `keep_days` 0 it is a folder that goes with the process.

    Raises StoreError when the directory cannot be used.
    """
    if settings.keep_days == 0:
        folder = tempfile.TemporaryDirectory(prefix="internvl_demo-", ignore_cleanup_errors=True)
        store = Store(Path(folder.name), keep_days=1)
        atexit.register(folder.cleanup)
        atexit.register(store.close)  # before the folder goes: the last registered is the first called
        return store
    return Store((settings.data_dir or default_data_dir()).expanduser(), settings.keep_days)


def default_data_dir() -> Path:
    """Where this platform's programs keep a user's data: on Linux `$XDG_DATA_HOME`, or ~/.local/share."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME", ""))
        if not base.is_absolute():  # as the specification says of relative ones and of none
            base = Path.home() / ".local" / "share"
    return base / "internvl_demo"
