"""A generation belongs to nobody's connection: readers come and go, it goes on, is stopped, is kept."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from internvl_demo.answering.queue import AnswerQueue
from internvl_demo.errors import BackendError
from internvl_demo.models.base import Usage
from internvl_demo.store.faults import BusyError, GoneError, StoreError
from tests.support.chat import Seen, chat, never, run, text_is, until
from tests.support.scripted_model import Script

BOXED = "Image-1: <ref>the cat</ref><box>[[100, 200, 300, 400]]</box>."
SHOWN = "Image-1: the cat."
BROKE = BackendError("It broke.", "Try again.")


# What goes wrong


@pytest.mark.parametrize(
    ("script", "text", "what"),
    [
        ([BROKE], "", "It broke."),
        (["Half ", BROKE], "Half ", "It broke."),
        ([ZeroDivisionError("secret")], "", "The demo failed while answering."),
        (["Half ", ZeroDivisionError("secret")], "Half ", "The demo failed while answering."),
    ],
)
def test_failure_keeps_text_and_reason(tmp_path: Path, script: Script, text: str, what: str) -> None:
    async def test() -> None:
        async with chat(tmp_path, script) as demo:
            started = await demo.ask()
            live = await demo.last(started.conversation)
            await until(lambda: len(demo.service.jobs) == 0)
            for seen in (live, await demo.last(started.conversation)):
                assert seen.state == "broken" and seen.text == text
                assert seen.end["what"] == what and seen.end["next_step"]
                assert "secret" not in str(seen.end)
            assert demo.record(started.conversation).questions[0].answer == (text or None)
            demo.model.script = ["Better."]
            await demo.service.retry("me", started.conversation)
            again = await demo.seen(started.conversation, text_is("Better."))
            assert again.answer != live.answer
            await until(lambda: demo.version(started.conversation).state == "complete")
            assert demo.record(started.conversation).questions[0].answer == "Better."
            assert demo.model.asked[-1] == demo.model.asked[0]

    run(test)


def test_full_queue_refuses_and_keeps_the_question(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, ["One", never], queue=AnswerQueue(running=1, waiting=1)) as demo:
            first = await demo.ask("1?")
            await demo.seen(first.conversation, text_is("One"))
            second = await demo.ask("2?")
            assert (await demo.seen(second.conversation, lambda seen: seen.place > 0)).place == 1
            third = await demo.ask("3?")
            refused = await demo.last(third.conversation)
            assert refused.end["what"] == (
                "The model is busy: 1 questions are being answered and 1 are waiting."
            )
            assert demo.record(third.conversation).questions[0].answer is None
            await demo.service.stop("me", second.conversation)
            assert demo.version(second.conversation).state == "stopped"
            assert len(demo.model.asked) == 1
            await demo.service.retry("me", second.conversation)
            await demo.service.stop("me", first.conversation)
            await demo.seen(second.conversation, text_is("One"))

    run(test)


def test_one_conversation_answers_one_question(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path) as demo:
            started = await demo.ask()
            await demo.last(started.conversation)
            demo.model.script = ["One", never]
            starts = [demo.service.retry("me", started.conversation) for _ in range(5)]
            results = await asyncio.gather(*starts, return_exceptions=True)
            assert sorted(type(one).__name__ for one in results) == ["BusyError"] * 4 + ["Started"]
            await demo.seen(started.conversation, text_is("One"))
            with pytest.raises(BusyError):
                await demo.service.retry("me", started.conversation)
            other = await demo.ask("Another?")
            await demo.seen(other.conversation, text_is("One"))
            assert len(demo.model.asked) == 3 and len(demo.service.jobs) == 2

    run(test)


def test_others_neither_see_nor_change(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, ["One", never]) as demo:
            mine = (await demo.ask()).conversation
            await demo.seen(mine, text_is("One"))
            service = demo.service
            for state in ("running", "stopped"):  # while it runs, and when only the store knows it
                answer, question = demo.version(mine).id, demo.record(mine).questions[0].id
                for forbidden in (
                    demo.last(mine, "you"),
                    service.stop("you", mine),
                    service.delete("you", mine),
                    service.retry("you", mine),
                    service.undo("you", mine),
                    service.edit("you", mine, question, "Mine?"),
                    service.rename("you", mine, "Mine"),
                    service.choose("you", mine, answer),
                    service.conversation("you", mine),
                    service.inspect("you", mine, answer),
                    service.ask("you", mine, "And?", []),
                ):
                    with pytest.raises(GoneError):
                        await forbidden
                assert demo.version(mine).state == state
                assert await service.entries("you") == []
                await service.stop("me", mine)
                await until(lambda: len(service.jobs) == 0)
            assert (await demo.last(mine)).state == "stopped"

    run(test)


@pytest.mark.parametrize("conversation", ["", "no such conversation", "../x"])
def test_unknown_conversations_are_gone(tmp_path: Path, conversation: str) -> None:
    async def test() -> None:
        async with chat(tmp_path) as demo:
            for gone in (
                demo.last(conversation),
                demo.service.stop("me", conversation),
                demo.service.retry("me", conversation),
                demo.service.ask("me", conversation, "Who?", []),
            ):
                with pytest.raises(GoneError):
                    await gone
            assert len(demo.service.jobs) == 0

    run(test)


@pytest.mark.parametrize("end", ["complete", "stopped"])
def test_full_disk_stops_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    async def test() -> None:
        go_on, text = threading.Event(), "One two." if end == "complete" else "One "
        async with chat(tmp_path, ["One ", go_on.is_set, "two."]) as demo:
            conversation = (await demo.ask()).conversation
            await demo.seen(conversation, text_is("One "))
            refused: list[str] = []

            def full(name: str) -> Callable[..., None]:
                def fail(*_: object, **__: object) -> None:
                    refused.append(name)
                    raise StoreError("The server's disk is full.", "Tell whoever runs it.")

                return fail

            with monkeypatch.context() as patched:
                for name in ("write_many", "finish"):
                    patched.setattr(demo.store, name, full(name))
                reading = asyncio.create_task(demo.last(conversation))
                await asyncio.sleep(0.1)  # it reads before the end comes
                if end == "complete":
                    go_on.set()
                else:
                    await demo.service.stop("me", conversation)
                seen = await reading
                assert seen.state == end and seen.end["what"] == "The server's disk is full."
                assert seen.text == text
                await until(lambda: refused.count("finish") >= 2)
            await until(lambda: demo.version(conversation).state == end)
            assert demo.version(conversation).raw == text
            assert (await demo.last(conversation)).end == {}

    run(test)


# Readers


def test_late_and_returning_readers_catch_up(tmp_path: Path) -> None:
    async def test() -> None:
        go_on, end = threading.Event(), threading.Event()
        async with chat(tmp_path, [BOXED, go_on.is_set, " And", end.is_set, " that is all."]) as demo:
            conversation = (await demo.ask()).conversation
            left = await demo.seen(conversation, text_is(SHOWN))
            assert demo.model.stopped == 0
            go_on.set()
            back = await demo.seen(conversation, text_is(f"{SHOWN} And"))
            assert back.number > left.number and [box["image"] for box in back.boxes] == [1]
            end.set()
            rest = await demo.seen(conversation, lambda seen: seen.ended, after=back.number)
            assert rest.text == " that is all." and "conversation" not in rest.names
            assert rest.state == "complete" and demo.model.stopped == 0

    run(test)


def test_forgotten_numbers_give_the_whole_conversation(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, [BOXED]) as demo:
            conversation = (await demo.ask()).conversation
            number = (await demo.last(conversation)).number
            for after in (0, number - 1_000_000, number + 1_000_000, -1):
                seen = await demo.seen(conversation, lambda seen: seen.ended, after=after)
                assert seen.names == ["conversation"] and seen.text == SHOWN

    run(test)


def test_leaving_stops_nothing_for_those_who_stay(tmp_path: Path) -> None:
    async def test() -> None:
        end = threading.Event()
        async with chat(tmp_path, ["One ", end.is_set, "two."]) as demo:
            conversation = (await demo.ask()).conversation
            staying = [asyncio.create_task(demo.last(conversation)) for _ in range(5)]
            leaving = [asyncio.create_task(demo.last(conversation)) for _ in range(5)]
            await demo.seen(conversation, text_is("One "))
            for reader in leaving:
                reader.cancel()
            await asyncio.wait(leaving)
            end.set()
            ends = await asyncio.gather(*staying)
            assert {seen.text for seen in ends} == {"One two."}
            assert {seen.end["usage"]["completion_tokens"] for seen in ends} == {3}
            assert len(demo.model.asked) == 1

    run(test)


def test_slow_reader_misses_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, list("word " * 100)) as demo:
            conversation = (await demo.ask()).conversation
            async with aclosing(demo.follow(conversation)) as slow:
                seen = await anext(slow)
                await demo.last(conversation)
                while not seen.ended:
                    seen = await anext(slow)
            assert seen.text == "word " * 100

    run(test)


def test_whoever_asks_may_leave_at_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, ["Hello."]) as demo:
            with demo.store._db.alone():  # so that it cannot begin yet
                asking = asyncio.create_task(demo.service.ask("me", None, "Who?", []))
                await asyncio.sleep(0.1)
                asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await until(lambda: bool(demo.store.entries("me")))
            (entry,) = demo.store.entries("me")
            await until(lambda: bool(demo.record(entry.id).questions[0].answer))

    run(test)


# Its end


@pytest.mark.parametrize("text", ["One two", ""])
def test_stop_keeps_what_came(tmp_path: Path, text: str) -> None:
    async def test() -> None:
        async with chat(tmp_path, [text, never] if text else [never]) as demo:
            conversation = (await demo.ask()).conversation
            await (demo.seen(conversation, text_is(text)) if text else until(lambda: bool(demo.model.asked)))
            await demo.service.stop("me", conversation)
            version = demo.version(conversation)
            assert (version.state, version.raw, version.failure) == ("stopped", text, None)
            assert demo.record(conversation).questions[0].answer == (text or None)
            assert demo.model.stopped == 1
            assert (await demo.last(conversation)).state == "stopped"
            await demo.service.stop("me", conversation)
            demo.model.script = ["Next."]
            await demo.ask("Next?", conversation=conversation)
            await demo.seen(conversation, text_is("Next."))

    run(test)


def test_many_may_press_stop_at_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, ["One", never]) as demo:
            conversation = (await demo.ask()).conversation
            await demo.seen(conversation, text_is("One"))
            await asyncio.gather(*(demo.service.stop("me", conversation) for _ in range(5)))
            assert (demo.version(conversation).state, demo.version(conversation).raw) == ("stopped", "One")
            assert demo.model.stopped == 1

    run(test)


def test_stop_before_the_first_step_stores_an_end(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, ["One", never]) as demo:
            conversation = (await demo.ask()).conversation
            await demo.service.stop("me", conversation)  # its task has not run yet
            assert demo.version(conversation).state == "stopped" and len(demo.service.jobs) == 0

    run(test)


def test_stop_comes_too_late_while_storing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        entered, go_on = threading.Event(), threading.Event()
        async with chat(tmp_path, ["Whole."]) as demo:
            finish = demo.store.finish

            def slowly(*values: object) -> None:
                entered.set()
                go_on.wait()
                finish(*values)  # type: ignore[arg-type]

            monkeypatch.setattr(demo.store, "finish", slowly)
            conversation = (await demo.ask()).conversation
            await until(entered.is_set)
            stops = [asyncio.create_task(demo.service.stop("me", conversation)) for _ in range(2)]
            await asyncio.sleep(0.05)  # they are pressed meanwhile
            go_on.set()
            await asyncio.gather(*stops)
            version = demo.version(conversation)
            assert (version.state, version.raw) == ("complete", "Whole.")
            assert (await demo.last(conversation)).state == "complete"

    run(test)


def test_deleting_ends_the_answer(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, ["One", never]) as demo:
            first, other = [(await demo.ask(text)).conversation for text in ("One?", "Another?")]
            await demo.seen(first, text_is("One"))
            reading = asyncio.create_task(demo.last(first))
            await asyncio.sleep(0.05)
            await demo.service.delete("me", first)
            assert demo.model.stopped == 1 and (await reading).state == "gone"
            assert [entry.id for entry in demo.store.entries("me")] == [other]
            assert (await demo.seen(other, text_is("One"))).state == "running"

    run(test)


def test_end_is_told_when_it_is_stored(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, [BOXED]) as demo:
            conversation = (await demo.ask()).conversation

            def stored(seen: Seen) -> bool:
                if not seen.ended:
                    return False
                version = demo.version(conversation)
                assert (version.state, version.raw, version.model) == ("complete", BOXED, "scripted")
                assert version.usage == Usage(prompt_tokens=100, completion_tokens=1)
                assert version.ttft_s is not None and version.total_s >= version.ttft_s
                return True

            await demo.seen(conversation, stored)

    run(test)


def test_retry_hides_the_first_answer_from_the_model(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, ["A cat."]) as demo:
            conversation = (await demo.ask()).conversation
            await demo.last(conversation)
            demo.model.script = ["A dog."]
            await demo.service.retry("me", conversation)
            await until(lambda: demo.version(conversation).raw == "A dog.")
            await demo.last(conversation)
            (question,) = demo.record(conversation).questions
            assert [version.raw for version in question.versions] == ["A cat.", "A dog."]
            assert question.answer == "A dog."
            assert demo.model.asked[0] == demo.model.asked[1]
            await demo.service.choose("me", conversation, question.versions[0].id)
            await demo.ask("And now?", conversation=conversation)
            await until(lambda: len(demo.model.asked) == 3)
            assert [turn.answer for turn in demo.model.asked[2].turns] == ["A cat.", None]
            assert len(demo.model.asked[2].images) == 2

    run(test)
