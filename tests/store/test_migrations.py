"""A database of an earlier version: everything in it is still there, and photos are whose they are.

`tests/data/store_version_3` was written by the program of that version: two owners, five photos, a crop and a marked
copy, an answer that was being written when the program was killed, a photo that waited in somebody's draft.
`tests/data/store_version_4` likewise: two owners, pictures of three files, one of them in a draft, a question with two
versions of its answer, one that gave way to the next, and an answer that was being written.
"""

import shutil
import sqlite3
from pathlib import Path

import pytest

from internvl_demo.conversation.options import Options
from internvl_demo.errors import PhotoError
from internvl_demo.settings import Settings
from internvl_demo.store import Store, open_store
from internvl_demo.store.database import FILE
from internvl_demo.store.faults import GoneError, StoreError
from internvl_demo.store.migrations import MIGRATIONS
from internvl_demo.store.records import INTERRUPTED, Failure
from tests.support.stores import DAY, Clock, files, open_at, shown_id

OLD = Path(__file__).parents[1] / "data" / "store_version_3"
RED = "c9bf18c899d9503288c1c572b91904a94432ac19687e4566e793783a218fc33b"
GREY = "f66750550bdedd027d8cdfb526a5fcf6bfa6cc7377a85bf89d2c25235dc17f9f"
FIRST = "caedb0b3831f4d8b902290315ee997b4"
THEIRS = "0f48345b02ed4fadb3a573f525d12370"
AGAIN = "68be5b23581b41be81362df7743726a0"
EMPTY = "8f6f03266dce4873aab1cc1d04e7e482"
BEFORE_BRANCHES = OLD.with_name("store_version_4")
ROW = "d97269965e6046f681a52d00f194b453"


def old_store(folder: Path, old: Path = OLD) -> Path:
    """A folder as the program of that version left it."""
    data = folder / "data"
    shutil.copytree(old / "photos", data / "photos")
    database = sqlite3.connect(data / FILE)
    database.executescript((old / "conversations.sql").read_text("utf-8"))
    database.close()
    return data


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Store:
    old_store(tmp_path)
    clock.now += DAY / 2
    return open_at(tmp_path, clock)


def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = old_store(tmp_path)
    broken = (*MIGRATIONS[:3], f"{MIGRATIONS[3]}; INSERT INTO no_such_table VALUES (1)", *MIGRATIONS[4:])
    with monkeypatch.context() as patched:
        patched.setattr("internvl_demo.store.database.MIGRATIONS", broken)
        with pytest.raises(StoreError, match="cannot be used"):
            open_at(tmp_path, clock)
    database = sqlite3.connect(data / FILE)
    assert database.execute("PRAGMA user_version").fetchone() == (3,)
    assert database.execute("SELECT count(*) FROM photos").fetchone() == (5,)
    database.close()
    store = open_at(tmp_path, clock)
    assert len(store.entries("owner one")) == 3
    store.close()


def test_a_photo_file_that_is_missing_hinders_nothing(tmp_path: Path, clock: Clock) -> None:
    data = old_store(tmp_path)
    for path in (data / "photos").iterdir():
        path.unlink()
    store = open_at(tmp_path, clock)
    image = store.record("owner one", FIRST).questions[0].images[0]
    assert (image.photo.name, image.photo.size_wh) == ("red.png", (90, 70))
    with pytest.raises(PhotoError, match="missing"):
        _ = image.photo.image
    store.close()


def test_an_old_id_is_no_address(store: Store) -> None:
    for owner in ("owner one", "owner two"):
        with pytest.raises(GoneError):
            store.photo(owner, RED)
    store.close()


def test_conversations_are_as_they_were(store: Store) -> None:
    titles = [(entry.id, entry.title) for entry in store.entries("owner one")]
    assert titles == [(EMPTY, ""), (AGAIN, "Again?"), (FIRST, "What is red?")]
    assert [(entry.id, entry.title) for entry in store.entries("owner two")] == [(THEIRS, "Rot")]
    record = store.record("owner one", FIRST)
    first, second = record.questions
    assert [version.id for version in first.versions] == ["v1", "v2"] and first.chosen == "v2"
    usage, options = first.versions[0].usage, first.versions[0].options
    assert usage and usage.prompt_tokens == 700 and options == Options(max_new_tokens=99)
    assert first.versions[1].failure == Failure("It broke.", "Try again.")
    assert (second.answer, second.versions[0].failure) == ("It is still bein", INTERRUPTED)
    store.close()


def test_photos_are_as_they_were(store: Store, tmp_path: Path) -> None:
    first, second = store.record("owner one", FIRST).questions
    red, grey = (image.photo for image in first.images)
    assert [(image.photo.name, image.max_tiles) for image in first.images] == [
        ("red.png", 12),
        ("grey.jpg", 1),
    ]
    assert (shown_id(red), shown_id(grey)) == (RED, GREY)
    assert red.original is None and grey.original and grey.original[0] == "image/jpeg"
    crop, mark = second.images
    assert (crop.photo.name, crop.photo.size_wh, crop.max_tiles) == ("red.png, crop", (47, 37), 6)
    assert crop.origin and (crop.origin.photo_id, crop.origin.xyxy_px, crop.origin.kind) == (
        red.id,
        (0, 0, 47, 37),
        "crop",
    )
    assert mark.origin and (mark.origin.photo_id, mark.origin.xyxy_px) == (grey.id, None)
    again, same_crop = store.record("owner one", AGAIN).questions[0].images
    assert (again.photo.name, shown_id(again.photo)) == ("again.png", RED)
    assert same_crop.photo == crop.photo, "one row for an owner's photo"
    (theirs,) = store.record("owner two", THEIRS).questions[0].images
    assert (theirs.photo.name, shown_id(theirs.photo)) == ("rot.png", RED)
    assert theirs.photo.id not in (red.id, again.photo.id)
    with pytest.raises(GoneError):
        store.photo("owner two", red.id)
    assert len(files(tmp_path)) == 4, "what waited in a draft had no owner"
    assert {path.name for path in (OLD / "photos").iterdir()} > files(tmp_path)
    store.close()


def test_photos_of_old_conversations_go_with_them(store: Store, tmp_path: Path) -> None:
    store.delete("owner one", FIRST)
    assert len(files(tmp_path)) == 2, "the red one and its crop are in others"
    store.delete("owner one", AGAIN)
    assert len(files(tmp_path)) == 1, "the red one is somebody else's, too"
    question, left = store.undo("owner two", THEIRS)
    assert left is None
    store.remove_photo("owner two", question.images[0].photo.id)
    assert files(tmp_path) == set()
    store.close()


@pytest.mark.parametrize("kept", ["in a file", "in a temporary folder"])
def test_questions_in_a_row_become_a_path(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    data = old_store(tmp_path, BEFORE_BRANCHES)
    if kept == "in a file":
        store = open_at(tmp_path, clock)
    else:
        monkeypatch.setattr("internvl_demo.store.temporary.tempfile.mkdtemp", lambda **_: str(data))
        monkeypatch.setattr("internvl_demo.store.store.time.time", clock)
        store = open_store(Settings(keep_days=0))
    record = store.record("owner one", ROW)
    assert [(question.text, question.answer) for question in record.questions] == [
        ("What is red?", "This <ref>one</ref>."),
        ("And blue?", "That."),
        ("Both?", "It is still bein"),
    ]
    assert [question.siblings for question in record.questions] == [(one.id,) for one in record.questions]
    assert [[image.photo.name for image in question.images] for question in record.questions] == [
        ["red.png"],
        ["blue.png"],
        ["red.png", "blue.png"],
    ]
    first, _, last = record.questions
    assert [(version.id, version.state) for version in first.versions] == [
        ("v1", "complete"),
        ("v2", "broken"),
    ]
    assert first.asked and first.asked.options and first.asked.options.max_new_tokens == 99
    assert last.versions[0].failure == INTERRUPTED
    (theirs,) = store.entries("owner two")
    assert theirs.title == "Rot" and len(files(tmp_path)) == 3
    store.edit("owner one", ROW, first.id, "Red?", version_id="v9", model="model")
    store.finish("v9", "complete", "Yes.")
    store.choose("owner one", ROW, first.id)
    again = store.record("owner one", ROW)
    assert [question.id for question in again.questions] == [question.id for question in record.questions]
    store.delete("owner one", ROW)
    assert len(files(tmp_path)) == 2, "the red one is somebody else's, too"
    store.close()


@pytest.mark.parametrize(
    ("raw", "answer", "thinking"),
    [
        ("Two.", "Two.", ""),
        ("A <think>b</think>", "A <think>b</think>", ""),
        ("<think>Well", "<think>Well", ""),
        ("<think>Well\n</think>\n\n Two </think>.", "Two </think>.", "Well\n"),
        ("<think>先看</think>两只。", "两只。", "先看"),
    ],
)
def test_what_was_thought_is_taken_out_of_old_answers(
    tmp_path: Path, clock: Clock, raw: str, answer: str, thinking: str
) -> None:
    data = old_store(tmp_path, BEFORE_BRANCHES)
    database = sqlite3.connect(data / FILE)
    database.execute("UPDATE versions SET raw = ? WHERE id = 'v1'", (raw,))
    database.commit()
    database.close()
    store = open_at(tmp_path, clock)
    version = store.record("owner one", ROW).questions[0].versions[0]
    assert (version.raw, version.thinking, version.thought_s) == (answer, thinking, None)
    store.close()


@pytest.mark.parametrize("version", range(len(MIGRATIONS)))
def test_an_empty_database_of_any_version_is_migrated(tmp_path: Path, clock: Clock, version: int) -> None:
    (tmp_path / "data").mkdir()
    database = sqlite3.connect(tmp_path / "data" / FILE)
    for script in MIGRATIONS[: min(version, 3)]:
        database.executescript(script)
    database.execute(f"PRAGMA user_version = {min(version, 3)}")
    database.close()
    store = open_at(tmp_path, clock)
    assert store.entries("me") == []
    store.ask("me", None, "Who?", version_id="v1", model="model")
    store.close()
