"""With `keep_days` 0 nothing outlives the process, however it ends."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from internvl_demo.settings import Settings
from internvl_demo.store import open_store
from internvl_demo.store.database import FILE
from internvl_demo.store.temporary import PREFIX, TemporaryFolder, remove_stale

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")

APP = """
import sys, time
from internvl_demo.settings import Settings
from internvl_demo.store import open_store
store = open_store(Settings(keep_days=0))
store.ask("me", None, "A secret?", version_id="v1", model="model")
print(store._folder, flush=True)
time.sleep(60 if sys.argv[1] == "stay" else 0)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for temporary files."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def started(then: str) -> tuple[subprocess.Popen[str], Path]:
    app = subprocess.Popen([sys.executable, "-c", APP, then], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert app.stdout is not None
    return app, Path(app.stdout.readline().strip())


def ended(app: subprocess.Popen[str]) -> None:
    app.send_signal(signal.SIGKILL)
    app.wait()
    assert app.stdout is not None
    app.stdout.close()


def test_a_start_removes_the_folders_of_the_killed(temporary: Path) -> None:
    dead, dead_folder = started("stay")
    alive, alive_folder = started("stay")
    ended(dead)
    assert (dead_folder / FILE).exists(), "nobody could tidy up"
    (temporary / f"{PREFIX}letters").mkdir()
    (temporary / f"{PREFIX}letters" / "mine.txt").touch()
    open_store(Settings(keep_days=1, data_dir=temporary / "data")).close()
    assert not dead_folder.exists()
    assert (alive_folder / FILE).exists(), "that one is in use"
    assert (temporary / f"{PREFIX}letters" / "mine.txt").exists(), "that is none of ours"
    ended(alive)
    remove_stale()
    assert not alive_folder.exists()


def test_one_that_ends_by_itself_leaves_nothing(temporary: Path) -> None:
    app, folder = started("end")
    app.wait()
    assert app.stdout is not None
    app.stdout.close()
    assert not folder.exists() and list(temporary.iterdir()) == []


def test_ones_own_folder_is_not_stale(temporary: Path) -> None:
    folders = [TemporaryFolder() for _ in range(3)]
    remove_stale()
    assert all(folder.path.is_dir() for folder in folders)
    for folder in folders:
        folder.remove()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("in_use", [True, False])
@pytest.mark.parametrize("hours", [0.5, 2])
def test_folders_of_older_versions_go_after_an_hour(temporary: Path, in_use: bool, hours: float) -> None:
    """They carry no lock; their database may be somebody's."""
    folder = temporary / f"{PREFIX}abcdef"
    folder.mkdir()
    holder = (
        "import sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "db.execute('PRAGMA locking_mode = EXCLUSIVE'); db.execute('PRAGMA journal_mode = WAL')\n"
        "db.execute('CREATE TABLE t (x)'); print('open', flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    app = subprocess.Popen([sys.executable, "-c", holder, str(folder / FILE)], text=True, **pipes)  # type: ignore[call-overload]
    assert app.stdout.readline() == "open\n"
    if not in_use:
        app.communicate("")
    then = folder.stat().st_mtime - hours * 3600
    os.utime(folder, (then, then))
    remove_stale()
    assert folder.exists() == (in_use or hours < 1)
    if in_use:
        app.communicate("")


def test_a_link_is_not_followed(temporary: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    sqlite3.connect(elsewhere / FILE).close()
    (temporary / f"{PREFIX}link").symlink_to(elsewhere)
    remove_stale()
    assert elsewhere.exists()
