"""What is kept: conversations and photos belong to one owner, are as they were, and go when their time is over."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.models.base import Usage
from internvl_demo.store import Store
from internvl_demo.store.faults import BusyError, GoneError
from internvl_demo.store.records import Coming, Failure, Record
from tests.support.stores import BLUE, DAY, RED, Clock, answered, asked, open_at, photo_ids, shown


def edit(store: Store, owner: str, conversation_id: str, question_id: str, text: str = "Else?") -> Record:
    return store.edit(owner, conversation_id, question_id, text, version_id="edited", model="model")


USAGE = Usage(700, 12, cached_tokens=600, encoded_views=3, finish_reason="length")


# Owners


def test_what_belongs_to_somebody_else_is_as_if_it_were_not_there(store: Store) -> None:
    mine = asked(store, "me", None, "Secret?")
    answered(store, "me", mine, "Yes.", "v1")
    answered(store, "me", mine, "No.", "v2")
    before = store.record("me", mine)
    attempts: list[Callable[[str, str], object]] = [
        store.record,
        store.undo,
        store.delete,
        lambda owner, id_: store.ask(owner, id_, "And?", version_id="v3", model="model"),
        lambda owner, id_: edit(store, owner, id_, before.questions[0].id),
        lambda owner, id_: store.choose(owner, id_, "v1"),
        lambda owner, id_: store.rename(owner, id_, "Mine"),
        lambda owner, id_: store.begin(owner, id_, "v3", "model"),
    ]
    for attempt in attempts:
        said = set()
        for owner, id_ in [("you", mine), ("you", "no such conversation")]:
            with pytest.raises(GoneError) as raised:
                attempt(owner, id_)
            said.add(str(raised.value))
        assert len(said) == 1, "the error does not tell whether it exists"
    theirs = asked(store, "you", None, "Mine?")
    with pytest.raises(GoneError):  # a part of mine, through a conversation of theirs
        edit(store, "you", theirs, before.questions[0].id)
    with pytest.raises(GoneError):
        store.choose("you", theirs, "v1")
    assert [entry.id for entry in store.entries("you")] == [theirs]
    assert store.record("me", mine) == before


def test_nobody_is_no_owner(store: Store) -> None:
    for attempt in (lambda: asked(store, "", None, "?"), lambda: store.entries("")):
        with pytest.raises(ValueError, match="owner"):
            attempt()


def test_the_files_do_not_hold_what_an_owner_is_known_by(store: Store, tmp_path: Path) -> None:
    asked(store, "browser-5d41402abc4b2a76", None, "Who am I?")
    store.close()
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("conversations*"))
    assert b"Who am I?" in kept and b"5d41402abc4b2a76" not in kept


# What is not possible


def test_while_an_answer_is_being_written_its_conversation_stays_as_it_is(store: Store) -> None:
    mine = asked(store, "me", None, "One?")
    answered(store, "me", mine, "1", "v1")
    store.begin("me", mine, "v2", "model")
    before = store.record("me", mine)
    attempts: list[Callable[[], object]] = [
        lambda: store.ask("me", mine, "Two?", version_id="v3", model="model"),
        lambda: edit(store, "me", mine, before.questions[0].id),
        lambda: store.undo("me", mine),
        lambda: store.choose("me", mine, "v1"),
        lambda: store.begin("me", mine, "v3", "model"),
    ]
    for attempt in attempts:
        with pytest.raises(BusyError, match="still being answered"):
            attempt()
    assert store.record("me", mine) == before
    store.rename("me", mine, "Numbers")
    asked(store, "me", None, "Another conversation?")
    store.finish("v2", "stopped", "")
    asked(store, "me", mine, "Two?")


def test_what_is_gone_is_told(store: Store, clock: Clock) -> None:
    mine = asked(store, "me", None, "One?")
    answered(store, "me", mine, "1", "v1")
    asked(store, "me", mine, "Two?")
    store.undo("me", mine)
    empty = asked(store, "me", None, "")
    with store._db.transaction() as db:  # as versions before this one left it
        db.execute("DELETE FROM questions WHERE conversation = ?", (empty,))
    with pytest.raises(GoneError, match="question"):
        edit(store, "me", mine, "no such question")
    with pytest.raises(GoneError, match="version"):
        store.choose("me", mine, "no such version")
    with pytest.raises(GoneError, match="version"):
        store.choose("me", empty, "v1")
    before = store.entries("me")
    clock.now += 1
    with pytest.raises(GoneError, match="no question"):
        store.begin("me", empty, "v9", "model")
    with pytest.raises(GoneError, match="no question"):
        store.undo("me", empty)
    assert store.entries("me") == before, "what is refused changes nothing"
    with pytest.raises(GoneError, match="picture"):
        store.photo("me", "../../etc/passwd")


def test_only_the_last_answers_versions_can_be_chosen(store: Store) -> None:
    mine = asked(store, "me", None, "One?")
    answered(store, "me", mine, "1", "v1")
    answered(store, "me", mine, "one", "v2")
    store.choose("me", mine, "v1")
    asked(store, "me", mine, "Two?")
    with pytest.raises(GoneError, match="version of the last answer"):
        store.choose("me", mine, "v2")
    store.undo("me", mine)
    store.choose("me", mine, "v2")
    assert store.record("me", mine).questions[0].answer == "one"


def test_the_end_of_an_answer_whose_conversation_was_deleted_changes_nothing(store: Store) -> None:
    mine = asked(store, "me", None, "One?")
    store.begin("me", mine, "v1", "model")
    store.delete("me", mine)
    store.write_many([Coming("v1", "1", None, 0.0)])
    store.finish("v1", "complete", "1")
    assert store.entries("me") == []


def test_what_was_written_late_does_not_undo_the_end(store: Store) -> None:
    mine = asked(store, "me", None, "Count?")
    store.begin("me", mine, "v1", "model")
    store.finish("v1", "stopped", "1 2 3")
    store.write_many([Coming("v1", "1 2", None, 0.0)])
    store.finish("v1", "broken", "1")
    assert (store.record("me", mine).questions[0].answer, store.record("me", mine).running) == ("1 2 3", None)


# Time to live


@pytest.mark.parametrize(
    ("what", "days", "remains"),
    [
        ("a conversation", 30 - 0.01, True),
        ("a conversation", 30 + 0.01, False),
        ("a photo of no conversation", 0.99, True),
        ("a photo of no conversation", 1.01, False),
        ("a photo of no conversation, added again", 1.4, True),
        ("a photo of no conversation, in a draft", 1.4, True),
        ("a photo of no conversation, in a draft", 2.1, False),
        ("opened at half time", 31, True),
        ("opened at half time", 45.5, False),
        ("renamed at half time", 31, True),
        ("asked again at half time", 31, True),
        ("just being answered", 99, True),
    ],
)
def test_what_nobody_touches_goes_in_its_time(
    store: Store, tmp_path: Path, clock: Clock, what: str, days: float, remains: bool
) -> None:
    red, mine = RED, ""
    if what.startswith("a photo"):
        red = store.add_photo("me", RED)
    else:
        mine = asked(store, "me", None, "Who?", (Attachment(RED, 1),))
    deeds: dict[str, Callable[[], object]] = {
        "a photo of no conversation, added again": lambda: store.add_photo("me", RED),
        "a photo of no conversation, in a draft": lambda: store.wait("me", [red.id]),
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


def test_what_people_delete_is_not_in_the_file_any_more(store: Store, tmp_path: Path) -> None:
    mine = asked(store, "me", None, "My dearest secret?")
    answered(store, "me", mine, "A hidden treasure.")
    asked(store, "me", None, "Something else?")
    store.delete("me", mine)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("conversations*"))
    assert b"Something else?" in kept
    assert b"dearest" not in kept and b"treasure" not in kept, "not even while the demo runs"


@pytest.mark.parametrize("deed", ["undo", "delete a branch", "sweep"])
def test_deeds_that_delete_overwrite_text(store: Store, tmp_path: Path, clock: Clock, deed: str) -> None:
    mine = asked(store, "me", None, "First?")
    answered(store, "me", mine, "Yes.", "v1")
    asked(store, "me", mine, "My dearest secret?")
    answered(store, "me", mine, "A hidden treasure.", "v2")
    if deed == "undo":
        store.undo("me", mine)
    elif deed == "delete a branch":
        edit(store, "me", mine, store.record("me", mine).questions[0].id)
        store.finish("edited", "stopped", "")
        store.delete("me", mine)
    else:
        clock.now += 30.5 * DAY
        store.sweep()
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("conversations*"))
    assert b"dearest" not in kept and b"treasure" not in kept


# What people do


def test_versions_of_an_answer_lie_side_by_side_and_the_last_good_one_is_chosen(store: Store) -> None:
    mine = asked(store, "me", None, "Who?")
    answered(store, "me", mine, "A cat.", "v1")
    store.begin("me", mine, "v2", "model")
    assert store.record("me", mine).questions[0].chosen == "v1", "until there is something better"
    running = store.record("me", mine).running
    assert running is not None and running.id == "v2"
    store.finish("v2", "broken", "", failure=Failure("It broke.", "Try again."))
    question = store.record("me", mine).questions[0]
    assert (question.answer, question.versions[1].failure) == ("A cat.", Failure("It broke.", "Try again."))
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


def test_what_was_thought_is_a_version_that_no_model_is_sent(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    mine = asked(store, "me", None, "Who?")
    store.begin("me", mine, "v1", "model")
    store.finish("v1", "stopped", "", thinking="Well", thought_s=2.0)
    answered(store, "me", mine, "A cat.", "v2")
    store.choose("me", mine, "v1")
    assert store.record("me", mine).questions[0].chosen == "v1"
    store.begin("me", mine, "v3", "model")
    store.write_many([Coming("v3", "", 0.5, 1.0, "Hm", 0.5)])
    store.close()
    with closing(open_at(tmp_path, clock)) as again:
        question = again.record("me", mine).questions[0]
        kept = [(version.id, version.thinking, version.thought_s) for version in question.versions]
        assert kept == [("v1", "Well", 2.0), ("v2", "", None), ("v3", "Hm", 0.5)]
        assert (question.chosen, question.versions[2].state) == ("v3", "broken")
        assert again.conversation(again.record("me", mine)).turns[0].answer == ""


def test_an_earlier_question_is_edited_with_its_images_kept(store: Store) -> None:
    mine = asked(store, "me", None, "Who?", (Attachment(RED, 1), Attachment(BLUE, 40)))
    answered(store, "me", mine, "A cat.", "v1")
    asked(store, "me", mine, "Sure?", (Attachment(BLUE, 1),))
    answered(store, "me", mine, "Yes.", "v2")
    asked(store, "me", mine, "Really?")
    images = store.record("me", mine).questions[0].images
    record = edit(store, "me", mine, store.record("me", mine).questions[0].id, "Which animal?")
    assert record == store.record("me", mine), "it is given as it is then"
    assert store.conversation(record) == Conversation(id=mine).ask("Which animal?", images)
    assert shown(images) == [(RED.id, "red.png", 1), (BLUE.id, "blue.png", 40)]
    (version,) = record.questions[0].versions
    assert record.running == version and version.id == "edited"


def test_a_version_keeps_what_its_answer_cost(store: Store, clock: Clock) -> None:
    mine = asked(store, "me", None, "Who?")
    store.begin("me", mine, "v1", "the model")
    store.write_many([Coming("v1", "A <ref>", 0.5, 1.0)])
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
        ids.append(asked(store, "me", None, text))
    first, second, third = ids
    clock.now += 1
    asked(store, "me", first, "Again?")
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
    mine = asked(store, "me", None, text, (Attachment(replace(RED, name=text), 1),))
    answered(store, "me", mine, text)
    question = store.record("me", mine).questions[0]
    back = text.replace("\ud83d", "\ufffd")
    assert (question.text, question.answer, question.images[0].photo.name) == (back, back, back)


def test_many_threads_may_call_at_once(store: Store) -> None:
    mine = asked(store, "me", None, "Who?")
    at_once = threading.Barrier(4)

    def use(number: int) -> None:
        at_once.wait()
        for _ in range(5):
            store.add_photo("me", (RED, BLUE)[number % 2])
            other = asked(store, f"owner {number}", None, "?", (Attachment(RED, 1),))
            store.conversation(store.record(f"owner {number}", other))
            store.delete(f"owner {number}", other)
            store.rename("me", mine, f"{number}")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(use, range(4)))
    assert len(store.entries("me")) == 1
