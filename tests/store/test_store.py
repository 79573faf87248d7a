"""What is kept: conversations and photos belong to one owner, are as they were, and go when their time is over."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import PhotoError
from internvl_demo.models.base import Usage
from internvl_demo.photos.decode import Photo, photo_of, read_photo
from internvl_demo.store import Store
from internvl_demo.store.faults import BusyError, GoneError
from internvl_demo.store.records import Failure
from tests.support.stores import BLUE, DAY, HOUR, RED, Clock, answered, files, open_at, photo_ids
from tests.support.uploads import png

USAGE = Usage(700, 12, cached_tokens=600, encoded_views=3, finish_reason="length")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    opened = open_at(tmp_path, clock)
    yield opened
    opened.close()


# Owners


def test_what_belongs_to_somebody_else_is_as_if_it_were_not_there(store: Store) -> None:
    mine = store.ask("me", None, "Secret?")
    answered(store, "me", mine, "Yes.", "v1")
    answered(store, "me", mine, "No.", "v2")
    before = store.record("me", mine)
    attempts: list[Callable[[str, str], object]] = [
        store.record,
        store.undo,
        store.delete,
        lambda owner, id_: store.ask(owner, id_, "And?"),
        lambda owner, id_: store.edit(owner, id_, before.questions[0].id, "Else?"),
        lambda owner, id_: store.choose(owner, id_, "v1"),
        lambda owner, id_: store.rename(owner, id_, "Mine"),
        lambda owner, id_: store.begin(owner, id_, "v3", "model"),
        lambda owner, _: store.record_of(owner, "v1"),
    ]
    for attempt in attempts:
        said = set()
        for owner, id_ in [("you", mine), ("you", "no such conversation")]:
            with pytest.raises(GoneError) as raised:
                attempt(owner, id_)
            said.add(str(raised.value))
        assert len(said) == 1, "the error does not tell whether it exists"
    theirs = store.ask("you", None, "Mine?")
    for attempt in (store.edit, store.choose):
        with pytest.raises(GoneError):  # a part of mine, through a conversation of theirs
            attempt("you", theirs, *([before.questions[0].id, "?"] if attempt == store.edit else ["v1"]))
    assert [entry.id for entry in store.entries("you")] == [theirs]
    assert store.record("me", mine) == before


def test_nobody_is_no_owner(store: Store) -> None:
    for attempt in (lambda: store.ask("", None, "?"), lambda: store.entries("")):
        with pytest.raises(ValueError, match="owner"):
            attempt()


def test_the_files_do_not_hold_what_an_owner_is_known_by(store: Store, tmp_path: Path) -> None:
    store.ask("browser-5d41402abc4b2a76", None, "Who am I?")
    store.close()
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("conversations*"))
    assert b"Who am I?" in kept and b"5d41402abc4b2a76" not in kept


# What is not possible


def test_while_an_answer_is_being_written_its_conversation_stays_as_it_is(store: Store) -> None:
    mine = store.ask("me", None, "One?")
    answered(store, "me", mine, "1", "v1")
    store.begin("me", mine, "v2", "model")
    before = store.record("me", mine)
    attempts: list[Callable[[], object]] = [
        lambda: store.ask("me", mine, "Two?"),
        lambda: store.edit("me", mine, before.questions[0].id, "Else?"),
        lambda: store.undo("me", mine),
        lambda: store.choose("me", mine, "v1"),
        lambda: store.begin("me", mine, "v3", "model"),
    ]
    for attempt in attempts:
        with pytest.raises(BusyError, match="still being answered"):
            attempt()
    assert store.record("me", mine) == before
    store.rename("me", mine, "Numbers")
    store.ask("me", None, "Another conversation?")
    store.finish("v2", "stopped", "")
    store.ask("me", mine, "Two?")


def test_what_is_gone_is_told(store: Store, clock: Clock) -> None:
    mine = store.ask("me", None, "One?")
    answered(store, "me", mine, "1", "v1")
    store.ask("me", mine, "Two?")
    store.undo("me", mine)
    empty = store.ask("me", None, "")
    store.undo("me", empty)
    with pytest.raises(GoneError, match="question"):
        store.edit("me", mine, "no such question", "?")
    with pytest.raises(GoneError, match="version"):
        store.choose("me", mine, "no such version")
    with pytest.raises(GoneError, match="version"):
        store.choose("me", empty, "v1")
    before = store.entries("me")
    clock.now += 1
    with pytest.raises(GoneError, match="no question"):
        store.begin("me", empty, "v9", "model")
    assert store.entries("me") == before, "what is refused changes nothing"
    with pytest.raises(GoneError, match="picture"):
        store.photo("../../etc/passwd")


def test_only_the_last_answers_versions_can_be_chosen(store: Store) -> None:
    mine = store.ask("me", None, "One?")
    answered(store, "me", mine, "1", "v1")
    answered(store, "me", mine, "one", "v2")
    store.choose("me", mine, "v1")
    store.ask("me", mine, "Two?")
    with pytest.raises(GoneError, match="version of the last answer"):
        store.choose("me", mine, "v2")
    store.undo("me", mine)
    store.choose("me", mine, "v2")
    assert store.record("me", mine).questions[0].answer == "one"


@pytest.mark.parametrize("harm", ["missing", "cut", "another picture", "empty"])
def test_a_damaged_photo_is_told_and_sending_it_again_mends_it(
    store: Store, tmp_path: Path, clock: Clock, harm: str
) -> None:
    mine = store.ask("me", None, "Who?", (Attachment(RED, 1),))
    store.close()
    store = open_at(tmp_path, clock)
    (path,) = (tmp_path / "data" / "photos").iterdir()
    content = {"cut": path.read_bytes()[:-9], "another picture": png(), "empty": b""}
    path.unlink() if harm == "missing" else path.write_bytes(content[harm])
    record = store.record("me", mine)
    assert record.questions[0].images[0].name == "red.png", "the rest of the conversation can be read"
    with pytest.raises(PhotoError, match=r"missing|damaged"):
        store.conversation(record)
    store.add_photo(RED)
    assert store.conversation(record).images == (Attachment(RED, 1),)
    store.close()


def test_the_end_of_an_answer_whose_conversation_was_deleted_changes_nothing(store: Store) -> None:
    mine = store.ask("me", None, "One?")
    store.begin("me", mine, "v1", "model")
    store.delete("me", mine)
    store.write("v1", "1", None, 0.0)
    store.finish("v1", "complete", "1")
    assert store.entries("me") == []


def test_what_was_written_late_does_not_undo_the_end(store: Store) -> None:
    mine = store.ask("me", None, "Count?")
    store.begin("me", mine, "v1", "model")
    store.finish("v1", "stopped", "1 2 3")
    store.write("v1", "1 2", None, 0.0)
    store.finish("v1", "broken", "1")
    assert (store.record("me", mine).questions[0].answer, store.record("me", mine).running) == ("1 2 3", None)


# Photos


def photo_from_a_file(format_: str, mode: str = "RGB") -> Photo:
    file = BytesIO()
    Image.effect_noise((90, 60), 80).convert(mode).save(file, format_, quality=80)
    return read_photo(file.getvalue(), "noise")


@pytest.mark.parametrize(
    ("photo", "suffix"),
    [
        (RED, "png"),
        (photo_of(Image.merge("RGB", [Image.effect_noise((2100, 1000), 90) for _ in "RGB"]), "large"), "png"),
        (photo_from_a_file("PNG"), "png"),
        (photo_from_a_file("JPEG"), "jpeg"),
        (photo_from_a_file("JPEG", "L"), "jpeg"),
        (photo_from_a_file("WEBP"), "webp"),
        (photo_from_a_file("BMP"), "png"),
    ],
    ids=["drawn", "2 megapixels", "PNG", "JPEG", "grey JPEG", "WebP", "BMP"],
)
def test_a_photo_comes_back_with_its_id_its_pixels_and_the_file_that_was_sent(
    tmp_path: Path, clock: Clock, photo: Photo, suffix: str
) -> None:
    store = open_at(tmp_path, clock)
    mine = store.ask("me", None, "Who?", (Attachment(photo, 12),))
    store.close()
    (name,) = files(tmp_path)
    assert photo_ids(tmp_path) == {photo.id} and name.endswith(f".{suffix}")
    store = open_at(tmp_path, clock)
    (image,) = store.record("me", mine).questions[0].images
    assert (image.photo_id, image.name, image.size_wh, image.max_tiles) == (
        photo.id,
        photo.name,
        photo.size_wh,
        12,
    )
    back = store.conversation(store.record("me", mine)).images[0].photo
    assert back == photo and back.original == photo.original
    assert back.image.tobytes() == photo.image.tobytes() and photo_of(back.image).id == photo.id
    store.close()


def test_one_picture_under_two_names_is_one_file(store: Store, tmp_path: Path) -> None:
    other = replace(RED, name="rot.png")
    mine = store.ask("me", None, "Same?", (Attachment(RED, 1), Attachment(other, 40)))
    assert photo_ids(tmp_path) == {RED.id}
    assert store.conversation(store.record("me", mine)).images == (Attachment(RED, 1), Attachment(other, 40))


def test_a_file_that_is_being_written_has_no_photos_name(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.append(files(tmp_path)))
    store.add_photo(RED)
    ((name,),) = seen
    assert name.endswith(".new") and photo_ids(tmp_path) == {RED.id}


def test_one_picture_sent_in_two_files_at_once_is_there_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = BytesIO()
    RED.image.save(file, "PNG", compress_level=0)
    sent = read_photo(file.getvalue(), "red.png")
    assert sent == RED and sent.original is not None
    both = threading.Barrier(2)
    monkeypatch.setattr(os, "fsync", lambda _: both.wait())
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(store.add_photo, (RED, sent)))
    assert store.photo(RED.id, "red.png") == RED


# Time to live


@pytest.mark.parametrize(
    ("what", "days", "remains"),
    [
        ("a conversation", 30 - 0.01, True),
        ("a conversation", 30 + 0.01, False),
        ("a photo of no conversation", 0.04, True),
        ("a photo of no conversation", 0.05, False),
        ("a photo of no conversation, added again", 0.05, True),
        ("opened at half time", 31, True),
        ("opened at half time", 46, False),
        ("renamed at half time", 31, True),
        ("asked again at half time", 31, True),
        ("just being answered", 99, True),
    ],
)
def test_what_nobody_touches_goes_in_its_time(
    store: Store, tmp_path: Path, clock: Clock, what: str, days: float, remains: bool
) -> None:
    if what.startswith("a photo"):
        store.add_photo(RED)
        mine = ""
    else:
        mine = store.ask("me", None, "Who?", (Attachment(RED, 1),))
    deeds: dict[str, Callable[[], object]] = {
        "a photo of no conversation, added again": lambda: store.add_photo(RED),
        "opened at half time": lambda: store.record("me", mine),
        "renamed at half time": lambda: store.rename("me", mine, "Red"),
        "asked again at half time": lambda: store.begin("me", mine, "v1", "model"),
        "just being answered": lambda: store.begin("me", mine, "v1", "model"),
    }
    first = min(15.0, days / 2)
    clock.now += first * DAY
    deeds.get(what, lambda: None)()
    if what.startswith("asked"):
        store.finish("v1", "stopped", "")
    clock.now += (days - first) * DAY
    store.sweep()
    assert photo_ids(tmp_path) == ({RED.id} if remains else set())
    assert [entry.id for entry in store.entries("me")] == ([mine] if remains and mine else [])


def test_a_photo_stays_as_long_as_any_conversation_names_it(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    mine = store.ask("me", None, "Who?", (Attachment(RED, 1),))
    theirs = store.ask("you", None, "Who?", (Attachment(RED, 1), Attachment(BLUE, 1)))
    clock.now += 2 * HOUR
    store.delete("you", theirs)
    assert photo_ids(tmp_path) == {RED.id}
    assert store.conversation(store.record("me", mine)).images == (Attachment(RED, 1),)
    store.undo("me", mine)
    store.sweep()
    assert files(tmp_path) == set()
    with pytest.raises(GoneError):
        store.photo(RED.id)


def test_a_photo_of_a_deleted_conversation_goes_within_the_hour(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    store.delete("me", store.ask("me", None, "Who?", (Attachment(RED, 1),)))
    store.sweep()
    assert photo_ids(tmp_path) == {RED.id}, "somebody may just have added the same"
    clock.now += HOUR + 1
    store.sweep()
    assert files(tmp_path) == set()


def test_files_that_no_photo_belongs_to_go_after_an_hour(store: Store, tmp_path: Path, clock: Clock) -> None:
    stray = tmp_path / "data" / "photos" / "half.new"
    stray.write_bytes(b"half a picture")
    os.utime(stray, (clock.now, clock.now))
    store.sweep()
    assert stray.exists(), "it may just be being written"
    clock.now += HOUR + 1
    store.sweep()
    assert not stray.exists()


def test_what_people_delete_is_not_in_the_file_any_more(store: Store, tmp_path: Path) -> None:
    mine = store.ask("me", None, "My dearest secret?")
    answered(store, "me", mine, "A hidden treasure.")
    store.ask("me", None, "Something else?")
    store.delete("me", mine)
    store.close()
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("conversations*"))
    assert b"Something else?" in kept
    assert b"dearest" not in kept and b"treasure" not in kept


# What people do


def test_versions_of_an_answer_lie_side_by_side_and_the_last_good_one_is_chosen(store: Store) -> None:
    mine = store.ask("me", None, "Who?")
    answered(store, "me", mine, "A cat.", "v1")
    store.begin("me", mine, "v2", "model")
    assert store.record("me", mine).questions[0].chosen == "v1", "until there is something better"
    running = store.record("me", mine).running
    assert running is not None and running.id == "v2"
    store.finish("v2", "broken", "", failure=Failure("It broke.", "Try again."))
    question = store.record("me", mine).questions[0]
    assert (question.answer, question.versions[1].failure) == ("A cat.", ("It broke.", "Try again."))
    with pytest.raises(GoneError, match="version"):
        store.choose("me", mine, "v2")
    store.begin("me", mine, "v3", "model")
    store.finish("v3", "stopped", "A do")
    question = store.record("me", mine).questions[0]
    assert question.answer == "A do"
    assert [(version.id, version.state) for version in question.versions] == [
        ("v1", "complete"),
        ("v3", "stopped"),
    ]
    store.choose("me", mine, "v1")
    assert store.conversation(store.record("me", mine)).turns[0].answer == "A cat."


def test_an_earlier_question_is_edited_with_its_images_kept_and_what_followed_gone(store: Store) -> None:
    mine = store.ask("me", None, "Who?", (Attachment(RED, 1), Attachment(BLUE, 40)))
    answered(store, "me", mine, "A cat.", "v1")
    store.ask("me", mine, "Sure?", (Attachment(BLUE, 1),))
    answered(store, "me", mine, "Yes.", "v2")
    store.ask("me", mine, "Really?")
    store.edit("me", mine, store.record("me", mine).questions[0].id, "Which animal?")
    expected = Conversation(id=mine).ask("Which animal?", (Attachment(RED, 1), Attachment(BLUE, 40)))
    assert store.conversation(store.record("me", mine)) == expected
    assert store.record("me", mine).questions[0].versions == ()


def test_a_version_keeps_what_its_answer_cost(store: Store, clock: Clock) -> None:
    mine = store.ask("me", None, "Who?")
    store.begin("me", mine, "v1", "the model")
    store.write("v1", "A <ref>", 0.5, 1.0)
    (version,) = store.record("me", mine).questions[0].versions
    assert (version.raw, version.ttft_s, version.total_s, version.state) == ("A <ref>", 0.5, 1.0, "running")
    clock.now += 3
    store.finish("v1", "complete", "A <ref>cat</ref>", 0.5, 3.0, USAGE)
    (version,) = store.record("me", mine).questions[0].versions
    assert (version.raw, version.model, version.usage) == ("A <ref>cat</ref>", "the model", USAGE)
    assert (version.started_at, version.ttft_s, version.total_s) == (clock.now - 3, 0.5, 3.0)


def test_conversations_are_listed_by_their_last_change_and_can_be_named(store: Store, clock: Clock) -> None:
    ids = []
    for text in ("  \n First  one?\nYes.", "Second?", "x" * 100):
        clock.now += 1
        ids.append(store.ask("me", None, text))
    first, second, third = ids
    clock.now += 1
    store.ask("me", first, "Again?")
    store.rename("me", second, " Mine\x00\nand more ")
    clock.now += 1
    assert [(entry.id, entry.title) for entry in store.entries("me")] == [
        (first, "Again?"),
        (third, "x" * 79 + "…"),
        (second, "Mine\x00"),
    ]
    store.rename("me", second, "")
    assert store.record("me", second).title == "Second?"
    store.delete("me", first)
    assert [entry.id for entry in store.entries("me")] == [third, second]


@pytest.mark.parametrize(
    "text", ["", "a\0b", "half \ud83d a pair", "猫\u202e", "'; DROP TABLE questions; --", "\r\n"]
)
def test_any_text_is_kept(store: Store, text: str) -> None:
    mine = store.ask("me", None, text, (Attachment(replace(RED, name=text), 1),))
    answered(store, "me", mine, text)
    question = store.record("me", mine).questions[0]
    shown = text.replace("\ud83d", "\ufffd")
    assert (question.text, question.answer, question.images[0].name) == (shown, shown, shown)


def test_many_threads_may_call_at_once(store: Store) -> None:
    mine = store.ask("me", None, "Who?")
    at_once = threading.Barrier(4)

    def use(number: int) -> None:
        at_once.wait()
        for _ in range(5):
            store.add_photo((RED, BLUE)[number % 2])
            other = store.ask(f"owner {number}", None, "?", (Attachment(RED, 1),))
            store.conversation(store.record(f"owner {number}", other))
            store.delete(f"owner {number}", other)
            store.rename("me", mine, f"{number}")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(use, range(4)))
    assert len(store.entries("me")) == 1
