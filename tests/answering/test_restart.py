"""An app that ends or dies keeps what came of its answers, and does not wait for a full disk."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from internvl_demo.errors import BackendError
from internvl_demo.store.faults import StoreError
from internvl_demo.store.records import INTERRUPTED
from tests.support.chat import Chat, chat, chat_on, never, run, text_is, until

BOXED = "Image-1: <ref>the cat</ref><box>[[100, 200, 300, 400]]</box>."
SHOWN = "Image-1: the cat."
BROKE = BackendError("It broke.", "Try again.")


def test_ending_in_order_keeps_what_came(tmp_path: Path) -> None:
    async def before() -> None:
        async with chat(tmp_path, ["One two", never]) as demo:
            conversation = (await demo.ask()).conversation
            await demo.seen(conversation, text_is("One two"))
            watching = asyncio.create_task(demo.last(conversation))
            await asyncio.sleep(0.05)
            await demo.service.close()
            assert demo.version(conversation).state == "broken"
            assert (await watching).state == "broken" and demo.model.stopped == 1

    async def afterwards() -> None:
        async with chat(tmp_path, ["Three."]) as demo:
            (entry,) = demo.store.entries("me")
            seen = await demo.last(entry.id)
            assert (seen.state, seen.text, seen.end["what"]) == ("broken", "One two", INTERRUPTED.what)
            await demo.service.retry("me", entry.id)
            await demo.seen(entry.id, text_is("Three."))
            await until(lambda: demo.record(entry.id).questions[0].answer == "Three.")

    run(before)
    run(afterwards)


def test_kill_keeps_what_was_stored_last(tmp_path: Path) -> None:
    """The database is copied while an answer comes, which is what a killed process leaves behind."""

    async def before() -> None:
        async with chat(tmp_path / "first", ["One two", never]) as demo:
            conversation = (await demo.ask(images=0)).conversation
            await until(lambda: demo.version(conversation).raw == "One two")
            assert demo.version(conversation).state == "running"
            (tmp_path / "second" / "data").mkdir(parents=True)
            copy = sqlite3.connect(tmp_path / "second" / "data" / "conversations.db")
            demo.store._db._connection.backup(copy)
            copy.close()

    async def afterwards() -> None:
        async with chat(tmp_path / "second", ["Three."]) as demo:
            (entry,) = demo.store.entries("me")
            version = demo.version(entry.id)
            assert (version.state, version.raw, version.failure) == ("broken", "One two", INTERRUPTED)
            assert demo.record(entry.id).questions[0].answer == "One two"

    run(before)
    run(afterwards)


def test_event_loop_that_ends_keeps_the_answer(tmp_path: Path) -> None:
    opened: list[Chat] = []

    async def test() -> None:
        demo = chat_on(tmp_path, ["One", never])  # not closed: the loop goes away under it
        opened.append(demo)
        conversation = (await demo.ask(images=0)).conversation
        await demo.seen(conversation, text_is("One"))

    run(test)
    store = opened[0].store
    (entry,) = store.entries("me")
    (version,) = store.record("me", entry.id).questions[0].versions
    assert (version.state, version.raw, version.failure) == ("broken", "One", INTERRUPTED)
    store.close()


def test_ending_does_not_wait_for_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StoreError("The server's disk is full.", "Tell whoever runs it.")

    async def test() -> None:
        async with chat(tmp_path, ["One", never]) as demo:
            conversation = (await demo.ask()).conversation
            await demo.seen(conversation, text_is("One"))
            monkeypatch.setattr(demo.store, "finish", fail)
            await asyncio.wait_for(demo.service.close(), 5)

    run(test)
