"""What is held of answers in memory and written to the store, and how often it is read."""

import asyncio
import threading
from pathlib import Path

import pytest

from internvl_demo.answering.jobs import Times
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import BackendError
from tests.support.chat import chat, run, text_is, until

BOXED = "Image-1: <ref>the cat</ref><box>[[100, 200, 300, 400]]</box>."
SHOWN = "Image-1: the cat."
SHORT = Options(max_new_tokens=256)
BROKE = BackendError("It broke.", "Try again.")


def test_ended_answers_are_forgotten_in_memory(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, [BOXED], times=Times(save_s=0.01, remember_s=0.0)) as demo:
            conversation = (await demo.ask()).conversation
            live = await demo.last(conversation)
            await until(lambda: len(demo.service.jobs) == 0 and not demo.service.jobs._feeds)
            kept = await demo.last(conversation)
            assert (kept.text, kept.state, kept.end) == (live.text, "complete", {})
            assert [box["box_1000"] for box in kept.boxes] == [[100, 200, 300, 400]]

    run(test)


def test_readers_who_rest_hold_no_events(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, ["word "] * 50, times=Times(save_s=0.01, remember_s=0.05)) as demo:
            conversation = (await demo.ask()).conversation
            resting = asyncio.create_task(demo.seen(conversation, lambda _: False))
            await demo.last(conversation)
            feed = demo.service.jobs.feed(conversation)
            await until(lambda: not feed._events)
            assert feed.readers == 1
            demo.model.script = ["Again."]
            await demo.service.retry("me", conversation)  # and they still hear what comes next
            await demo.seen(conversation, text_is("Again."))
            resting.cancel()

    run(test)


@pytest.mark.parametrize(
    "raw",
    [
        BOXED,
        "No box.",
        "<ref>the",
        "<box>[[1,2,3]]</box>",
        "In image 2: <box>[[1,2,3,4]]</box>",
        "Somewhere: <box>[[1,2,3,4]]</box>",
    ],
)
def test_what_is_read_again_is_what_came(tmp_path: Path, raw: str) -> None:
    async def test() -> None:
        go_on: list[bool] = []
        async with chat(tmp_path, [lambda: bool(go_on), raw]) as demo:
            conversation = (await demo.ask(images=2)).conversation
            reading = asyncio.create_task(demo.last(conversation))
            await asyncio.sleep(0.05)
            go_on.append(True)
            live = await reading
            again = await demo.last(conversation)
            plain = [{name: box[name] for name in box if name != "answer"} for box in live.boxes]
            assert (again.text, again.boxes) == (live.text, plain)
            stored = again.conversation["questions"][0]["answers"][0]["receipt"]
            for name in ("usage", "dropped_boxes", "guess", "images", "broken_off"):
                assert stored[name] == live.end["receipt"][name]

    run(test)


def test_store_is_written_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with chat(tmp_path, list("word " * 100), times=Times(save_s=3600.0)) as demo:
            writes: list[object] = []
            monkeypatch.setattr(demo.store, "write_many", writes.append)
            conversation = (await demo.ask()).conversation
            await demo.last(conversation)
            assert len(writes) <= 1
            assert demo.version(conversation).raw == "word " * 100

    run(test)


def test_a_question_reads_its_conversation_once(tmp_path: Path) -> None:
    async def test() -> None:
        go_on = threading.Event()
        async with chat(tmp_path) as demo:
            conversation = (await demo.ask()).conversation
            await demo.last(conversation)
            demo.model.script = ["One ", go_on.is_set, "two."]
            reads: list[str] = []
            demo.store._db._connection.set_trace_callback(
                lambda sql: (
                    reads.append(sql) if sql.startswith("SELECT * FROM versions WHERE question") else None
                )
            )
            await demo.ask("And now?", conversation=conversation)
            await demo.seen(conversation, text_is("One "))
            assert len(reads) == len(set(reads)) == 2, "each question with its answers, once"
            reads.clear()
            await demo.service.budget("me", conversation, "What is typed", [], SHORT)
            assert reads == []  # typing reads nothing while the answer comes
            go_on.set()

    run(test)


def test_a_new_conversation_needs_no_history(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path) as demo:
            found = await demo.service.budget("me", None, "What is typed", [], SHORT)
            assert found.fits and Conversation().turns == ()

    run(test)
