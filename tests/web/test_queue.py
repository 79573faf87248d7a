"""The service before a busy model: people see their place in the queue, and all have their turn."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from internvl_demo.answering.jobs import Times
from internvl_demo.answering.queue import AnswerQueue, QueueFull
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import BackendError
from internvl_demo.web import follow
from internvl_demo.web.follow import Follower
from internvl_demo.web.language import Words
from tests.support.chat import chat, events_of, never, run, text_is, until


def test_beyond_the_queue_a_question_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, ["One ", never], queue=AnswerQueue(1, 0)) as demo:
            first = (await demo.ask("First?")).conversation
            await demo.seen(first, text_is("One "))
            second = (await demo.ask("Second?", owner="you")).conversation
            refused = await demo.last(second, "you")
            assert refused.state == "broken" and "1 questions are being answered" in refused.end["what"]
            assert refused.end["next_step"] and refused.text == ""
            taken = await demo.service.undo("you", second)
            assert (taken.text, taken.conversation, len(taken.images)) == ("Second?", None, 1)
            with pytest.raises(QueueFull):
                await demo.service.ask_once("c", Conversation().ask("Third?"), Options())
            await demo.service.stop("me", first)
            assert demo.service.models.first.queue.running == 0

    run(test)


def test_who_waits_sees_the_place_and_then_the_answer(tmp_path: Path) -> None:
    async def test() -> None:
        go_on: list[bool] = []
        script = ["One ", lambda: bool(go_on), "two."]
        async with chat(tmp_path, script, queue=AnswerQueue(1, 3)) as demo:
            first = (await demo.ask("First?")).conversation
            await demo.seen(first, text_is("One "))
            second = (await demo.ask("Second?", owner="b")).conversation
            third = (await demo.ask("3?", owner="c")).conversation
            assert (await demo.seen(second, lambda seen: seen.place == 1, "b")).state == "running"
            assert (await demo.seen(third, lambda seen: seen.place == 2, "c")).state == "running"
            go_on.append(True)
            for conversation, owner in ((first, "me"), (second, "b"), (third, "c")):
                seen = await demo.last(conversation, owner)
                assert (seen.text, seen.place) == ("One two.", 0)
            asked = [conversation.turns[-1].text for conversation in demo.model.asked]
            assert asked == ["First?", "Second?", "3?"]

    run(test)


def test_stop_while_waiting_never_reaches_the_model(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, ["One ", never], queue=AnswerQueue(1, 1)) as demo:
            first = (await demo.ask("First?")).conversation
            await demo.seen(first, text_is("One "))
            second = (await demo.ask("Second?", owner="b")).conversation
            await demo.seen(second, lambda seen: seen.place == 1, "b")
            await demo.service.stop("b", second)
            assert demo.service.models.first.queue.waiting == 0 and len(demo.model.asked) == 1
            stopped = await demo.last(second, "b")
            assert stopped.state == "stopped" and stopped.end == {}
            assert stopped.conversation["questions"][-1]["text"] == "Second?", "Retry finds the question"
            third = (await demo.ask("Third?", owner="c")).conversation
            await demo.seen(third, lambda seen: seen.place == 1, "c")

    run(test)


def test_a_crowd_of_one_person_delays_nobody(tmp_path: Path) -> None:
    async def test() -> None:
        go_on: list[bool] = []
        async with chat(tmp_path, [lambda: bool(go_on), "Done."], queue=AnswerQueue(1, 8)) as demo:
            started = []
            for text, owner in [("a1", "a"), ("a2", "a"), ("a3", "a"), ("a4", "a"), ("b1", "b")]:
                started.append(((await demo.ask(text, owner=owner)).conversation, owner))
                await asyncio.sleep(0.05)
            go_on.append(True)
            for conversation, owner in started:
                await demo.last(conversation, owner)
            asked = [conversation.turns[-1].text for conversation in demo.model.asked]
            assert asked == ["a1", "a2", "b1", "a3", "a4"]

    run(test)


@pytest.mark.parametrize("script", [[never], ["One ", never]], ids=["silent", "some text"])
def test_a_silent_line_is_kept_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: list[object]
) -> None:
    """Proxies close a line on which nothing comes for a minute."""
    assert follow.HEARTBEAT_S <= 15
    monkeypatch.setattr(follow, "HEARTBEAT_S", 0.05)

    async def test() -> None:
        async with chat(tmp_path, script) as demo:  # type: ignore[arg-type]
            conversation = (await demo.ask()).conversation
            stream: AsyncGenerator[bytes, None] = Follower(demo.service, "me", conversation, Words()).stream()
            beats = 0
            async with aclosing(stream) as chunks:
                async for chunk in chunks:
                    beats += chunk == follow.HEARTBEAT
                    if beats == 3:
                        break
            assert events_of(follow.HEARTBEAT) == []

    run(test)


def test_what_came_before_an_error_is_kept_and_marked(tmp_path: Path) -> None:
    async def test() -> None:
        script: list[Any] = ["<ref>a", "</ref> ", "b ", "c", BackendError("It broke.", "Try again.")]
        async with chat(tmp_path, script) as demo:
            conversation = (await demo.ask("Well?")).conversation
            await demo.last(conversation)
            broken = (await demo.last(conversation)).conversation["questions"][0]["answers"][-1]
            assert broken["receipt"]["broken_off"] and broken["text"] == "a b c"
            assert broken["failure"] == {"what": "It broke.", "next_step": "Try again."}
            assert demo.record(conversation).questions[0].answer == "<ref>a</ref> b c"
            demo.model.script = ["All of it."]
            await demo.service.retry("me", conversation)
            await demo.seen(conversation, text_is("All of it."))
            await until(lambda: demo.version(conversation).state == "complete")
            whole = (await demo.last(conversation)).conversation["questions"][0]["answers"][-1]
            assert not whole["receipt"]["broken_off"] and whole["failure"] is None

    run(test)


def test_text_between_two_pauses_comes_at_once(tmp_path: Path) -> None:
    """What came while a reader paused goes out as one event, soon after the pause, even if the model then rests."""

    async def test() -> None:
        async with chat(tmp_path, [*"a burst of letters", never], times=Times()) as demo:
            conversation = (await demo.ask()).conversation
            seen = await asyncio.wait_for(demo.seen(conversation, text_is("a burst of letters")), 5)
            assert seen.names.count("answer.delta") <= 4

    run(test)
