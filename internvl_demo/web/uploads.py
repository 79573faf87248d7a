"""Keep the folder of Gradio's uploads small: only `/ask` uses it, for as long as a question takes.

The folder belongs to this process and goes with it. Files older than ten minutes go, and all of them when together
they are over the bound: whoever fills the disk loses their own files.
"""

import asyncio
import atexit
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from internvl_demo.environment import check_folder, check_temporary_folder

MAX_AGE_S = 600.0
MAX_BYTES = 512 * 1024 * 1024
LOOK_S = 5.0


def use_own_folder() -> Path:
    """Give Gradio's uploads a folder that goes with the process, unless GRADIO_TEMP_DIR names one; return it.

    Raises SetupError when nothing can be written there.
    """
    if not os.environ.get("GRADIO_TEMP_DIR"):
        check_temporary_folder()
        own = tempfile.mkdtemp(prefix="internvl_demo-uploads-")
        os.environ["GRADIO_TEMP_DIR"] = own
        atexit.register(shutil.rmtree, own, ignore_errors=True)
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    check_folder(folder, "GRADIO_TEMP_DIR")
    return folder


def remove_old(folder: Path, now: float) -> None:
    """Remove uploads that are too old, then the oldest until the others are within the bound."""
    left = MAX_BYTES
    for age_s, path, size in sorted(_files(folder, now), key=lambda file: file[0]):
        left -= size
        if age_s > MAX_AGE_S or left < 0:
            with suppress(OSError):
                path.unlink()
                path.parent.rmdir()  # if it was the only one in it


async def keep_small(folder: Path) -> None:
    """Look after the folder until it is cancelled."""
    while True:
        await asyncio.to_thread(remove_old, folder, time.time())
        await asyncio.sleep(LOOK_S)


def _files(folder: Path, now: float) -> list[tuple[float, Path, int]]:
    found = []
    for path in folder.rglob("*"):
        with suppress(OSError):
            if path.is_file():
                status = path.stat()
                found.append((now - status.st_mtime, path, status.st_size))
    return found
