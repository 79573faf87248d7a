"""A generation belongs to nobody's connection: viewers come and go, it goes on, is stopped, is kept."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from internvl_demo.answering.jobs import Jobs, Progress, recalled
from internvl_demo.answering.queue import AnswerQueue, QueueFull
from internvl_demo.answering.stream import Answer, answer
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import BackendError, PhotoError
from internvl_demo.models.base import Usage
from internvl_demo.store import Store
from internvl_demo.store.faults import BusyError, GoneError, StoreError
from internvl_demo.store.records import INTERRUPTED, Version
from tests.support.job_app import PHOTO, app, run
from tests.support.scripted_model import Script, ScriptedModel

BOXED = "Image-1: <ref>the cat</ref><box>[[100, 200, 300, 400]]</box>."
BROKE = BackendError("It broke.", "Try again.")


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def raw_is(text: str) -> Callable[[Progress], bool]:
    return lambda progress: progress.said is not None and progress.said.raw == text


def never() -> bool:
    return False


# What goes wrong


@pytest.mark.parametrize(
    ("script", "raw", "what"),
    [
        ([BROKE], None, "It broke."),
        (["Half ", BROKE], "Half ", "It broke."),
        ([ZeroDivisionError("secret")], None, "The demo failed while answering."),
        (["Half ", ZeroDivisionError("secret")], "Half ", "The demo failed while answering."),
    ],
)
def test_a_failed_answer_keeps_its_text_and_its_error_for_whoever_comes_back(
    tmp_path: Path, script: Script, raw: str | None, what: str
) -> None:
    async def test() -> None:
        async with app(tmp_path, script, remember_s=0.0) as demo:
            conversation = demo.ask()
            job = await demo.jobs.start("me", conversation)
            live = await demo.last(job)
            await until(lambda: len(demo.jobs) == 0)
            for progress in (live, await demo.last(job)):
                assert progress.state == "broken" and progress.error is not None
                assert progress.error.what == what and progress.error.next_step
                assert (progress.said.raw if progress.said else None) == raw
                assert progress.said is None or progress.said.broken_off
                assert "secret" not in str(progress.error)
            assert demo.store.record("me", conversation).questions[0].answer == raw
            demo.model.script = ["Better."]
            again = await demo.last(await demo.jobs.start("me", conversation))
            assert again.said is not None and again.said.raw == "Better."
            assert demo.store.record("me", conversation).questions[0].answer == "Better."
            assert demo.model.asked[-1] == demo.model.asked[0]

    run(test)


def test_a_full_line_is_an_error_and_the_question_stays(tmp_path: Path) -> None:
    async def test() -> None:
        async with app(tmp_path, ["One", never], gate=AnswerQueue(running=1, waiting=1)) as demo:
            first, second, third = (demo.ask(f"{number}?") for number in range(3))
            job = await demo.jobs.start("me", first)
            await demo.seen(job, raw_is("One"))
            waits = await demo.jobs.start("me", second)
            assert (await demo.seen(waits, lambda progress: progress.place > 0)).place == 1
            refused = await demo.last(await demo.jobs.start("me", third))
            assert isinstance(refused.error, QueueFull) and refused.error.running == 1
            assert demo.store.record("me", third).questions[0].answer is None
            await demo.jobs.stop("me", waits)
            assert (await demo.last(waits)).state == "stopped"
            assert len(demo.model.asked) == 1
            waits = await demo.jobs.start("me", second)
            await demo.jobs.stop("me", job)
            await demo.seen(waits, raw_is("One"))

    run(test)


def test_one_conversation_is_answered_once_at_a_time(tmp_path: Path) -> None:
    async def test() -> None:
        async with app(tmp_path, ["One", never]) as demo:
            conversation = demo.ask()
            starts = [demo.jobs.start("me", conversation) for _ in range(5)]
            started = await asyncio.gather(*starts, return_exceptions=True)
            assert sorted(type(one).__name__ for one in started) == ["BusyError"] * 4 + ["str"]
            (job,) = (one for one in started if isinstance(one, str))
            await demo.seen(job, raw_is("One"))
            with pytest.raises(BusyError):
                await demo.jobs.start("me", conversation)
            other = await demo.jobs.start("me", demo.ask("Another?"))
            await demo.seen(other, raw_is("One"))
            assert len(demo.model.asked) == 2 and len(demo.jobs) == 2

    run(test)


def test_others_can_neither_see_nor_stop_nor_start_a_job(tmp_path: Path) -> None:
    async def test() -> None:
        async with app(tmp_path, ["One", never], remember_s=0.0) as demo:
            conversation = demo.ask()
            with pytest.raises(GoneError):
                await demo.jobs.start("you", conversation)
            job = await demo.jobs.start("me", conversation)
            await demo.seen(job, raw_is("One"))
            for state in ("running", "stopped"):  # while it runs, and when only the store knows it
                with pytest.raises(GoneError):
                    await demo.last(job, "you")
                await demo.jobs.stop("you", job)
                with pytest.raises(GoneError):
                    await demo.jobs.delete("you", conversation)
                assert demo.version(conversation).state == state
                await demo.jobs.stop("me", job)
                await until(lambda: len(demo.jobs) == 0)
            assert (await demo.last(job)).state == "stopped"

    run(test)


@pytest.mark.parametrize("job", ["", "no such job", "../x"])
def test_a_job_that_there_is_not_is_gone(tmp_path: Path, job: str) -> None:
    async def test() -> None:
        async with app(tmp_path) as demo:
            demo.ask()
            with pytest.raises(GoneError):
                await demo.last(job)
            await demo.jobs.stop("me", job)
            with pytest.raises(GoneError):
                await demo.jobs.start("me", "no such conversation")
            assert len(demo.jobs) == 0

    run(test)


def test_a_photo_that_is_damaged_ends_the_job_before_the_model_is_asked(tmp_path: Path) -> None:
    async def test() -> None:
        async with app(tmp_path) as demo:
            conversation = demo.ask()
            (path,) = (tmp_path / "data" / "photos").iterdir()
            path.write_bytes(b"")
            progress = await demo.last(await demo.jobs.start("me", conversation))
            assert isinstance(progress.error, PhotoError) and demo.model.asked == []

    run(test)


@pytest.mark.parametrize("end", ["complete", "stopped"])
def test_a_full_disk_stops_no_answer_and_the_text_is_kept_when_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    async def test() -> None:
        go_on, text = threading.Event(), "One two." if end == "complete" else "One "
        async with app(tmp_path, ["One ", go_on.is_set, "two."]) as demo:
            conversation = demo.ask()
            job = await demo.jobs.start("me", conversation)
            await demo.seen(job, raw_is("One "))
            refused: list[str] = []

            def full(name: str) -> Callable[..., None]:
                def fail(*_: object, **__: object) -> None:
                    refused.append(name)
                    raise StoreError("The server's disk is full.", "Tell whoever runs it.")

                return fail

            with monkeypatch.context() as patched:
                for name in ("write", "finish"):
                    patched.setattr(demo.store, name, full(name))
                if end == "complete":
                    go_on.set()
                else:
                    await demo.jobs.stop("me", job)
                progress = await demo.last(job)
                assert progress.state == end and isinstance(progress.error, StoreError)
                assert progress.said is not None and progress.said.raw == text
                await until(lambda: refused.count("finish") >= 2)
            await until(lambda: demo.version(conversation).state == end)
            assert demo.version(conversation).raw == text

    run(test)


# Viewers


def test_a_viewer_who_comes_late_or_back_catches_up(tmp_path: Path) -> None:
    async def test() -> None:
        go_on, end = threading.Event(), threading.Event()
        async with app(tmp_path, [BOXED, go_on.is_set, " And", end.is_set, " that is all."]) as demo:
            job = await demo.jobs.start("me", demo.ask())
            left = await demo.seen(job, raw_is(BOXED))
            assert demo.model.stopped == 0
            go_on.set()
            back = await demo.seen(job, raw_is(f"{BOXED} And"))
            assert back.number > left.number
            assert back.said is not None and [pinned.image for pinned in back.said.pinned] == [1]
            async with aclosing(demo.jobs.watch("me", job)) as viewer:
                assert (await anext(viewer)).number >= back.number, "the latest comes at once"
            end.set()
            later = [progress async for progress in demo.jobs.watch("me", job, after=back.number)]
            assert all(progress.number > back.number for progress in later)
            assert later[-1].state == "complete" and demo.model.stopped == 0

    run(test)


def test_many_viewers_see_the_same_end_and_leaving_stops_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        end = threading.Event()
        async with app(tmp_path, ["One ", end.is_set, "two."]) as demo:
            job = await demo.jobs.start("me", demo.ask())
            staying = [asyncio.create_task(demo.last(job)) for _ in range(5)]
            leaving = [asyncio.create_task(demo.last(job)) for _ in range(5)]
            await demo.seen(job, raw_is("One "))
            for viewer in leaving:
                viewer.cancel()
            await asyncio.wait(leaving)
            end.set()
            ends = await asyncio.gather(*staying)
            assert all(last == ends[0] for last in ends)
            assert ends[0].said is not None and ends[0].said.raw == "One two."
            assert ends[0].said.usage is not None and len(demo.model.asked) == 1

    run(test)


def test_a_slow_viewer_misses_nothing_and_holds_nobody_up(tmp_path: Path) -> None:
    async def test() -> None:
        async with app(tmp_path, list("word " * 100)) as demo:
            job = await demo.jobs.start("me", demo.ask())
            async with aclosing(demo.jobs.watch("me", job)) as slow:
                await anext(slow)
                await demo.last(job)
                last = await anext(slow)
            assert last.ended and last.said is not None and last.said.raw == "word " * 100

    run(test)


def test_whoever_starts_may_leave_before_it_has_begun(tmp_path: Path) -> None:
    async def test() -> None:
        async with app(tmp_path, ["Hello."]) as demo:
            conversation = demo.ask()
            with demo.store._db.alone():  # so that it cannot begin yet
                starting = asyncio.create_task(demo.jobs.start("me", conversation))
                await until(lambda: len(demo.jobs) == 1)
                starting.cancel()
                await asyncio.wait([starting])
            await until(lambda: bool(demo.store.record("me", conversation).questions[0].answer))

    run(test)


# Its end


@pytest.mark.parametrize("text", ["One two", ""])
def test_stop_keeps_what_came(tmp_path: Path, text: str) -> None:
    async def test() -> None:
        async with app(tmp_path, [text, never] if text else [never]) as demo:
            conversation = demo.ask()
            job = await demo.jobs.start("me", conversation)
            await (demo.seen(job, raw_is(text)) if text else until(lambda: bool(demo.model.asked)))
            await demo.jobs.stop("me", job)
            version = demo.version(conversation)
            assert (version.state, version.raw, version.failure) == ("stopped", text, None)
            assert demo.store.record("me", conversation).questions[0].answer == (text or None)
            assert demo.model.stopped == 1
            progress = await demo.last(job)
            assert (progress.state, progress.error) == ("stopped", None)
            await demo.jobs.stop("me", job)
            demo.store.ask("me", conversation, "Next?")

    run(test)


def test_many_may_press_stop_at_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with app(tmp_path, ["One", never]) as demo:
            conversation = demo.ask()
            job = await demo.jobs.start("me", conversation)
            await demo.seen(job, raw_is("One"))
            await asyncio.gather(*(demo.jobs.stop("me", job) for _ in range(5)))
            assert (demo.version(conversation).state, demo.version(conversation).raw) == ("stopped", "One")
            assert demo.model.stopped == 1

    run(test)


def test_stop_comes_too_late_for_an_answer_that_is_just_being_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        entered, go_on = threading.Event(), threading.Event()
        async with app(tmp_path, ["Whole."]) as demo:
            finish = demo.store.finish

            def slowly(*all_: object) -> None:
                entered.set()
                go_on.wait()
                finish(*all_)  # type: ignore[arg-type]

            monkeypatch.setattr(demo.store, "finish", slowly)
            conversation = demo.ask()
            job = await demo.jobs.start("me", conversation)
            await until(entered.is_set)
            stops = [asyncio.create_task(demo.jobs.stop("me", job)) for _ in range(2)]
            await asyncio.to_thread(lambda: None)  # they are pressed meanwhile
            go_on.set()
            await asyncio.gather(*stops)
            assert (demo.version(conversation).state, demo.version(conversation).raw) == (
                "complete",
                "Whole.",
            )
            assert (await demo.last(job)).state == "complete"

    run(test)


def test_deleting_a_conversation_stops_its_job(tmp_path: Path) -> None:
    async def test() -> None:
        async with app(tmp_path, ["One", never]) as demo:
            conversation, other = demo.ask(), demo.ask("Another?")
            job, kept = [await demo.jobs.start("me", each) for each in (conversation, other)]
            await demo.seen(job, raw_is("One"))
            await demo.jobs.delete("me", conversation)
            assert demo.model.stopped == 1
            assert [entry.id for entry in demo.store.entries("me")] == [other]
            assert (await demo.seen(kept, raw_is("One"))).state == "running"

    run(test)


def test_the_end_is_told_when_it_is_kept(tmp_path: Path) -> None:
    async def test() -> None:
        async with app(tmp_path, [BOXED]) as demo:
            conversation = demo.ask()
            job = await demo.jobs.start("me", conversation)
            async for progress in demo.jobs.watch("me", job):
                if progress.ended:
                    version = demo.version(conversation)
                    assert (version.state, version.raw, version.model) == ("complete", BOXED, "scripted")
                    assert version.usage == Usage(prompt_tokens=100, completion_tokens=1)
                    assert version.ttft_s is not None and version.total_s >= version.ttft_s

    run(test)


def test_retry_gives_a_second_version_and_the_model_does_not_see_the_first(tmp_path: Path) -> None:
    async def test() -> None:
        async with app(tmp_path, ["A cat."]) as demo:
            conversation = demo.ask()
            await demo.last(await demo.jobs.start("me", conversation))
            demo.model.script = ["A dog."]
            await demo.last(await demo.jobs.start("me", conversation))
            (question,) = demo.store.record("me", conversation).questions
            assert [version.raw for version in question.versions] == ["A cat.", "A dog."]
            assert question.answer == "A dog."
            assert demo.model.asked[0] == demo.model.asked[1]
            demo.store.choose("me", conversation, question.versions[0].id)
            demo.ask("And now?", conversation=conversation)
            await demo.last(await demo.jobs.start("me", conversation))
            assert [turn.answer for turn in demo.model.asked[2].turns] == ["A cat.", None]
            assert demo.model.asked[2].images == (Attachment(PHOTO, 12),) * 2

    run(test)


# Restart


def test_after_the_app_ended_in_order_what_came_is_there_and_can_be_retried(tmp_path: Path) -> None:
    async def before() -> None:
        async with app(tmp_path, ["One two", never]) as demo:
            job = await demo.jobs.start("me", demo.ask())
            await demo.seen(job, raw_is("One two"))
            watching = asyncio.create_task(demo.last(job))
            await demo.jobs.close()
            assert demo.version(demo.store.entries("me")[0].id).state == "broken"
            assert (await watching).state == "broken" and demo.model.stopped == 1

    async def afterwards() -> None:
        async with app(tmp_path, ["Three."]) as demo:
            (entry,) = demo.store.entries("me")
            job = demo.version(entry.id).id
            progress = await demo.last(job)
            assert progress.state == "broken" and progress.said is not None
            assert (progress.said.raw, progress.said.broken_off) == ("One two", True)
            assert progress.error is not None and progress.error.what == INTERRUPTED.what
            await demo.last(await demo.jobs.start("me", entry.id))
            assert demo.store.record("me", entry.id).questions[0].answer == "Three."

    run(before)
    run(afterwards)


def test_after_the_app_was_killed_what_was_kept_last_is_there(tmp_path: Path) -> None:
    """The database is copied while an answer comes, which is what a killed process leaves behind."""

    async def before() -> None:
        async with app(tmp_path / "first", ["One two", never]) as demo:
            conversation = demo.ask()
            await demo.jobs.start("me", conversation)
            await until(lambda: demo.version(conversation).raw == "One two")
            assert demo.version(conversation).state == "running"
            (tmp_path / "second" / "data").mkdir(parents=True)
            copy = sqlite3.connect(tmp_path / "second" / "data" / "conversations.db")
            demo.store._db._connection.backup(copy)
            copy.close()

    async def afterwards() -> None:
        async with app(tmp_path / "second", ["Three."]) as demo:
            (entry,) = demo.store.entries("me")
            version = demo.version(entry.id)
            assert (version.state, version.raw, version.failure) == ("broken", "One two", INTERRUPTED)
            assert demo.store.record("me", entry.id).questions[0].answer == "One two"

    run(before)
    run(afterwards)


def test_when_the_event_loop_ends_the_answer_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "data", 30)
    conversation = store.ask("me", None, "Who?")

    async def test() -> None:
        jobs = Jobs(ScriptedModel(["One", never]), store, "scripted")
        job = await jobs.start("me", conversation)
        async for progress in jobs.watch("me", job):
            if raw_is("One")(progress):
                return

    run(test)
    (version,) = store.record("me", conversation).questions[0].versions
    assert (version.state, version.raw, version.failure) == ("broken", "One", INTERRUPTED)
    store.close()


def test_an_app_that_ends_does_not_wait_for_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "data", 30)
    conversation = store.ask("me", None, "Who?")

    def fail(*_: object) -> None:
        raise StoreError("The server's disk is full.", "Tell whoever runs it.")

    async def test() -> None:
        jobs = Jobs(ScriptedModel(["One", never]), store, "scripted", save_s=0.0)
        job = await jobs.start("me", conversation)
        async for progress in jobs.watch("me", job):
            if raw_is("One")(progress):
                monkeypatch.setattr(store, "finish", fail)
                return

    run(test)
    store.close()


# What is held


def test_ended_jobs_are_forgotten_and_the_store_answers_for_them(tmp_path: Path) -> None:
    async def test() -> None:
        async with app(tmp_path, [BOXED], remember_s=0.0) as demo:
            job = await demo.jobs.start("me", demo.ask())
            live = await demo.last(job)
            await until(lambda: len(demo.jobs) == 0)
            (kept,) = [progress async for progress in demo.jobs.watch("me", job, after=99)]
            assert (kept.said, kept.state, kept.error) == (live.said, "complete", None)

    run(test)


def test_an_ended_job_is_remembered_for_a_while(tmp_path: Path) -> None:
    async def test() -> None:
        async with app(tmp_path) as demo:
            job = await demo.jobs.start("me", demo.ask())
            live = await demo.last(job)
            await asyncio.to_thread(lambda: None)  # the loop goes on meanwhile
            assert len(demo.jobs) == 1 and await demo.last(job) is live

    run(test)


@pytest.mark.parametrize(
    "raw",
    [
        BOXED,
        "",
        "No box.",
        "<ref>the",
        "<box>[[1,2,3]]</box>",
        "In image 2: <box>[[1,2,3,4]]</box>",
        "Somewhere: <box>[[1,2,3,4]]</box>",
    ],
)
def test_what_is_recalled_is_what_was_said(raw: str) -> None:
    asked = Conversation().ask("Who?", (Attachment(PHOTO, 1), Attachment(PHOTO, 1)))

    async def said() -> Answer:
        return [snapshot async for snapshot in answer(ScriptedModel([raw]), asked)][-1]

    live = asyncio.run(said())
    whole = Version("v1", raw, "complete", "m", 0.0, live.timing.ttft_s, live.timing.total_s, live.usage)
    later = asked.answered(raw).ask("And here?", (Attachment(PHOTO, 1),))
    assert recalled(later, 0, whole) == live
    assert recalled(asked, 0, Version("v1", "", "broken", "m", 0.0)) is None


def test_the_store_is_written_seldom_while_text_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("internvl_demo.answering.stream.SNAPSHOT_S", 0.0)

    async def test() -> None:
        async with app(tmp_path, list("word " * 100), save_s=3600.0) as demo:
            writes: list[str] = []
            write = demo.store.write
            monkeypatch.setattr(demo.store, "write", lambda *all_: (writes.append(all_[1]), write(*all_)))
            conversation = demo.ask()
            job = await demo.jobs.start("me", conversation)
            seen = [progress async for progress in demo.jobs.watch("me", job)]
            assert len(writes) <= 1 < len(seen)
            assert demo.version(conversation).raw == "word " * 100

    run(test)
