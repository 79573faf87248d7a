"""A deed is one transaction: all of it happens, and what it says is what is there; or nothing does."""

from collections.abc import Callable
from typing import Any

import pytest

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import ContextError
from internvl_demo.models.base import Usage
from internvl_demo.store import Store
from internvl_demo.store.records import Coming, Record
from tests.support.stores import BLUE, RED, answered, asked, kept, shown


def edit(store: Store, owner: str, conversation_id: str, question_id: str, text: str = "Else?") -> Record:
    return store.edit(owner, conversation_id, question_id, text, version_id="edited", model="model")


USAGE = Usage(700, 12, cached_tokens=600, encoded_views=3, finish_reason="length")


def test_a_question_begins_its_answer(store: Store) -> None:
    images = kept(store, "me", [Attachment(RED, 12)])
    options = Options(7, 0.5, 0.9, 3, 1.2, "Be brief. \u2028 简短。")
    record = store.ask("me", None, "Who?", images, version_id="v1", model="the model", options=options)
    assert record == store.record("me", record.id)
    (question,) = record.questions
    (version,) = question.versions
    assert (question.text, question.images, question.chosen) == ("Who?", images, None)
    assert (version.id, version.state, version.model, version.options) == (
        "v1",
        "running",
        "the model",
        options,
    )
    assert store.conversation(record) == Conversation(id=record.id).ask("Who?", images)


def test_a_check_that_refuses_takes_everything_back(store: Store) -> None:
    mine = asked(store, "me", None, "One?", [Attachment(RED, 1)])
    answered(store, "me", mine, "1", "v1")
    asked(store, "me", mine, "Two?")
    before, entries = store.record("me", mine), store.entries("me")
    images, seen = kept(store, "me", [Attachment(BLUE, 1)]), list[Record]()

    def refuse(record: Record) -> None:
        seen.append(record)
        raise ContextError("It is too long.", "Make it shorter.")

    how: dict[str, Any] = {"version_id": "v9", "model": "model", "check": refuse}
    attempts: list[Callable[[], object]] = [
        lambda: store.ask("me", None, "New?", images, **how),
        lambda: store.ask("me", mine, "Instead?", images, **how),
        lambda: store.edit("me", mine, before.questions[0].id, "Else?", **how),
        lambda: store.begin("me", mine, **how),
    ]
    for attempt in attempts:
        with pytest.raises(ContextError, match="too long"):
            attempt()
    assert (store.record("me", mine), store.entries("me")) == (before, entries)
    texts = [[question.text for question in record.questions] for record in seen]
    assert texts == [["New?"], ["One?", "Instead?"], ["Else?"], ["One?", "Two?"]]
    assert all(record.running and record.running.id == "v9" for record in seen)
    assert store.photo("me", images[0].photo.id), "it still waits"
    store.ask("me", mine, "Instead?", images, version_id="v9", model="model")


def test_many_answers_are_written_at_once(store: Store) -> None:
    records = [store.ask("me", None, "?", version_id=f"v{number}", model="model") for number in range(3)]
    store.finish("v2", "stopped", "the end")
    store.write_many([Coming(f"v{number}", f"words {number}", 0.5, 1.0 + number) for number in range(3)])
    store.write_many([Coming("no such version", "words", None, 0.0)])
    raw = [store.record("me", record.id).questions[0].versions[0].raw for record in records]
    assert raw == ["words 0", "words 1", "the end"]


def test_undo_gives_the_question_back(store: Store) -> None:
    mine = asked(store, "me", None, "One?", [Attachment(RED, 1)])
    answered(store, "me", mine, "1", "v1")
    asked(store, "me", mine, "Two?", [Attachment(BLUE, 6)])
    question, left = store.undo("me", mine)
    assert (question.text, shown(question.images)) == ("Two?", [(BLUE.id, "blue.png", 6)])
    assert left == store.record("me", mine) and [each.text for each in left.questions] == ["One?"]
    store.ask("me", mine, "Two!", question.images, version_id="v2", model="model")
    store.finish("v2", "complete", "2")
    store.undo("me", mine)
    question, left = store.undo("me", mine)
    assert (question.text, left, store.entries("me")) == ("One?", None, []), "nothing else was in it"
    assert shown(question.images) == [(RED.id, "red.png", 1)], "the picture waits to be sent again"
