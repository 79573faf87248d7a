"""The store's directory: damaged, full, forbidden, in use, or of a process that was killed."""

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from internvl_demo.conversation.turns import Attachment
from internvl_demo.settings import Settings
from internvl_demo.store import Store, default_data_dir, open_store
from internvl_demo.store.database import FILE
from internvl_demo.store.faults import DamagedError, StoreError
from internvl_demo.store.records import INTERRUPTED
from tests.support.stores import (
    BLUE,
    DAY,
    RED,
    Clock,
    answered,
    asked,
    files,
    open_at,
    photo_ids,
    shown,
    shown_id,
)

ROOT = Path(__file__).parents[2]


# The directory and the file


@pytest.mark.parametrize("content", [b"not a database at all " * 400, b"SQLite format 3\0" + bytes(4080)])
def test_a_damaged_database_is_set_aside_with_its_photos_and_the_next_start_works(
    tmp_path: Path, clock: Clock, content: bytes
) -> None:
    store = open_at(tmp_path, clock)
    asked(store, "me", None, "Who?", [Attachment(RED, 1)])
    store.close()
    (tmp_path / "data" / FILE).write_bytes(content)
    (tmp_path / "data" / "letter.txt").write_text("somebody else's")
    photos = {name: (tmp_path / "data" / "photos" / name).read_bytes() for name in files(tmp_path)}
    with pytest.raises(DamagedError, match="moved to") as raised:
        open_at(tmp_path, clock)
    (aside,) = (tmp_path / "data").glob("damaged-*")
    assert str(aside) in raised.value.what and "recover" in raised.value.next_step
    assert (aside / FILE).read_bytes() == content
    assert (tmp_path / "data" / "letter.txt").exists()
    assert {path.name: path.read_bytes() for path in (aside / "photos").iterdir()} == photos
    store = open_at(tmp_path, clock)
    assert store.entries("me") == []
    clock.now += 99 * DAY
    store.sweep()
    store.close()
    assert (aside / FILE).exists() and list((aside / "photos").iterdir())


@pytest.mark.parametrize("harm", ["cut", "overwritten"])
def test_a_database_damaged_in_the_middle_is_set_aside(tmp_path: Path, clock: Clock, harm: str) -> None:
    store = open_at(tmp_path, clock)
    for number in range(200):
        asked(store, "me", None, f"{number} " * 50)
    store.close()
    path = tmp_path / "data" / FILE
    whole, half = path.read_bytes(), path.stat().st_size // 2
    damaged = whole[:half] + (b"" if harm == "cut" else b"garbage!" * 512 + whole[half + 4096 :])
    path.write_bytes(damaged)
    with pytest.raises(DamagedError, match="moved to"):
        open_at(tmp_path, clock)
    (aside,) = (tmp_path / "data").glob("damaged-*")
    assert (aside / FILE).stat().st_size == len(damaged)


def test_a_database_of_a_newer_version_is_refused_and_stays_as_it_is(tmp_path: Path, clock: Clock) -> None:
    open_at(tmp_path, clock).close()
    path = tmp_path / "data" / FILE
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(StoreError, match="newer version") as raised:
            open_at(tmp_path, clock)
        assert "Update the demo" in raised.value.next_step
    assert path.read_bytes() == before


def test_a_directory_in_use_is_refused_until_it_is_given_back(tmp_path: Path, clock: Clock) -> None:
    first = open_at(tmp_path, clock)
    with pytest.raises(StoreError, match="in use"):
        open_at(tmp_path, clock)
    conversation = asked(first, "me", None, "Still here?")
    first.close()
    second = open_at(tmp_path, clock)
    assert second.record("me", conversation).title == "Still here?"
    second.close()


def test_a_file_in_the_place_of_the_directory_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreError, match="cannot be written") as raised:
            Store(folder, 30)
        assert str(folder) in raised.value.what and "INTERNVL_DATA_DIR" in raised.value.next_step
    assert (tmp_path / "file").read_text() == "mine"


WITHOUT_RIGHTS = """
import os, sys
from pathlib import Path
from internvl_demo.store import Store
from internvl_demo.store.faults import StoreError

if os.getuid() == 0:
    os.setuid(65534)
try:
    Store(Path(sys.argv[1]), 30)
except StoreError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
@pytest.mark.parametrize("locked", ["the parent", "everything", "the file"])
def test_a_directory_that_cannot_be_written_is_an_error_that_names_it(locked: str) -> None:
    with tempfile.TemporaryDirectory() as base:  # not below tmp_path, which others may not even enter
        folder = Path(base, "data")
        if locked != "the parent":
            Store(folder, 30).close()
            (folder / FILE).chmod(0o444)
            folder.chmod(0o777 if locked == "the file" else 0o555)
        Path(base).chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_RIGHTS, str(folder)], cwd=ROOT, capture_output=True, text=True
        )
        for path in (Path(base), folder):
            if path.exists():
                path.chmod(0o755)
        assert done.stdout.startswith(f"{folder} cannot be written. Let this user write there, or choose")


def test_only_the_user_who_runs_the_demo_may_look_inside(store: Store, tmp_path: Path) -> None:
    assert store
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0


def test_a_full_disk_is_told_and_takes_nothing_that_was_there(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = asked(store, "me", None, "Before?", [Attachment(RED, 1)])
    answered(store, "me", conversation, "Yes.")
    with store._db.transaction() as db:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
    store._db._connection.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(2):
        with pytest.raises(StoreError, match="disk is full"):
            asked(store, "me", conversation, "too much " * 10_000)
    assert [question.text for question in store.record("me", conversation).questions] == ["Before?"]
    store._db._connection.execute("PRAGMA max_page_count = 100000")
    asked(store, "me", conversation, "Now?")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="disk is full") as raised:
            asked(store, "me", conversation, "With a picture?", [Attachment(BLUE, 1)])
    assert "/" not in str(raised.value), "people are not told where the server keeps its files"
    assert len(files(tmp_path)) == 1 and photo_ids(tmp_path) == {RED.id}
    (image,) = store.record("me", conversation).questions[0].images
    assert shown([image]) == [(RED.id, "red.png", 1)]
    asked(store, "me", conversation, "With a picture?", [Attachment(BLUE, 1)])


# Where it is


def test_with_no_days_nothing_outlives_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/nonexistent")
    code = (
        "from internvl_demo.settings import Settings\n"
        "from internvl_demo.store import open_store\n"
        "store = open_store(Settings(keep_days=0))\n"
        "record = store.ask('me', None, 'Who?', version_id='v1', model='model')\n"
        "store.sweep()\n"
        "assert store.record('me', record.id)\n"
        "print(store._folder)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == "" and not Path(done.stdout.strip()).exists()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the rules of XDG")
@pytest.mark.parametrize(
    ("xdg", "folder"),
    [
        (None, "/home/me/.local/share/internvl_demo"),
        ("", "/home/me/.local/share/internvl_demo"),
        ("relative", "/home/me/.local/share/internvl_demo"),
        ("/data", "/data/internvl_demo"),
    ],
)
def test_data_lie_where_the_platform_wants_them(
    monkeypatch: pytest.MonkeyPatch, xdg: str | None, folder: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    if xdg is not None:
        monkeypatch.setenv("XDG_DATA_HOME", xdg)
    assert default_data_dir() == Path(folder)


def test_a_host_says_where_data_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("INTERNVL_DATA_DIR", "~/chats")
    open_store(Settings(keep_days=1)).close()
    assert (tmp_path / "chats" / FILE).exists()


# A process that is killed

WRITER = """
import sys
from pathlib import Path
from PIL import Image
from internvl_demo.conversation.turns import Attachment
from internvl_demo.photos.decode import photo_of
from internvl_demo.store import Store
from internvl_demo.store.records import Coming

store = Store(Path(sys.argv[1]), 30)
for number in range(1_000_000):
    photo = photo_of(Image.effect_noise((300, 200), 50 + number % 50).convert("RGB"), f"{number}.png")
    images = (Attachment(store.add_photo("me", photo), 12),)
    record = store.ask("me", None, f"Question {number}", images, version_id=f"v{number}", model="model")
    conversation = record.id
    print("asked", conversation, number, photo.id, flush=True)
    for words in range(20):
        store.write_many([Coming(f"v{number}", "word " * words, 0.1, 1.0)])
        print("wrote", conversation, number, words, flush=True)
    if number % 2:
        store.finish(f"v{number}", "complete", "word " * 20)
        print("finished", conversation, number, 20, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
@pytest.mark.parametrize("lines", [1, 2, 24, 130])
def test_after_kill_9_everything_acknowledged_is_there_and_can_be_retried(tmp_path: Path, lines: int) -> None:
    folder = tmp_path / "data"
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    said_by_child = [child.stdout.readline() for _ in range(lines)]
    child.send_signal(signal.SIGKILL)
    said_by_child += child.stdout.readlines()
    child.wait()
    child.stdout.close()
    acknowledged: dict[str, dict[str, str]] = {}
    for line in said_by_child:
        if line.endswith("\n"):
            deed, conversation, _, value = line.split()
            acknowledged.setdefault(conversation, {})[deed] = value
    assert acknowledged
    store = Store(folder, 30)
    known = {entry.id: store.record("me", entry.id) for entry in store.entries("me")}
    for conversation, said in acknowledged.items():
        (question,) = known[conversation].questions
        if "asked" in said:
            assert shown_id(question.images[0].photo) == said["asked"]
        if "finished" in said:
            assert (question.versions[0].state, question.answer) == ("complete", "word " * 20)
        elif "wrote" in said:
            assert question.versions[0].raw.count("word") >= int(said["wrote"])
    for record in known.values():
        (question,) = record.questions
        assert record.running is None
        assert question.images[0].photo.image.size == (300, 200)
        for version in question.versions:
            assert version.state == "complete" or version.failure == INTERRUPTED
            assert question.answer == (version.raw or None)
        store.begin("me", record.id, f"again {record.id}", "model")
    store.close()


HALF = """
import os, sys, time
from pathlib import Path
from PIL import Image
from internvl_demo.photos.decode import photo_of
from internvl_demo.store import Store

def stuck(_):
    print("writing", flush=True)
    while True:
        time.sleep(1)

os.fsync = stuck
Store(Path(sys.argv[1]), 30).add_photo("me", photo_of(Image.new("RGB", (9, 7), "red"), "red.png"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_a_photo_killed_while_it_was_written_is_not_there_and_can_be_sent_again(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    child = subprocess.Popen(
        [sys.executable, "-c", HALF, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stdout.readline() == "writing\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert len(files(tmp_path)) == 1 and photo_ids(tmp_path) == set()
    clock = Clock()
    clock.now = time.time()
    store = open_at(tmp_path, clock)
    assert files(tmp_path) == set(), "the next start tidies up"
    store.add_photo("me", RED)
    assert photo_ids(tmp_path) == {RED.id}
    conversation = asked(store, "me", None, "Who?", [Attachment(RED, 1)])
    clock.now += 2 * DAY
    store.sweep()
    assert shown(store.record("me", conversation).questions[0].images) == [(RED.id, "red.png", 1)]
    store.close()
