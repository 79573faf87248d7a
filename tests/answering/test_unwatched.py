"""An answer that nobody watches: it goes on for a while, gives way to others, and keeps what came."""

import asyncio
from contextlib import aclosing
from pathlib import Path

from internvl_demo.answering.jobs import UNWATCHED
from internvl_demo.answering.queue import AnswerQueue
from tests.support.job_app import app, run


def test_it_ends_when_nobody_has_looked_for_long_and_keeps_what_came(tmp_path: Path) -> None:
    async def test() -> None:
        script = ["Half ", lambda: False]
        async with app(tmp_path, script, unwatched_s=0.5) as demo:
            conversation = demo.ask()
            job = await demo.jobs.start("me", conversation)
            await demo.seen(job, lambda progress: bool(progress.said))
            while not demo.model.stopped:
                await asyncio.sleep(0)
            ended = await demo.last(job)
            assert ended.state == "broken" and ended.said and ended.said.raw == "Half "
            assert ended.error and ended.error.what == UNWATCHED.what
            assert demo.version(conversation).raw == "Half "

    run(test)


def test_somebody_who_looks_keeps_it_going(tmp_path: Path) -> None:
    async def test() -> None:
        go_on: list[bool] = []
        async with app(tmp_path, ["Half ", lambda: bool(go_on), "and half."], unwatched_s=0.3) as demo:
            job = await demo.jobs.start("me", demo.ask())
            async with aclosing(demo.jobs.watch("me", job)) as viewer:
                await anext(viewer)
                await asyncio.sleep(1.5)  # five times as long as it would live alone
                go_on.append(True)
                last = [progress async for progress in viewer][-1]
            assert last.state == "complete" and last.said and last.said.raw == "Half and half."

    run(test)


def test_it_gives_way_while_somebody_else_waits_for_the_model(tmp_path: Path) -> None:
    async def test() -> None:
        gate = AnswerQueue(running=1, waiting=4)
        script = ["Half ", lambda: False]
        async with app(tmp_path, script, gate=gate, unwatched_s=600.0, give_way_s=0.5) as demo:
            left = await demo.jobs.start("me", demo.ask())
            await demo.seen(left, lambda progress: bool(progress.said))
            demo.model.script = ["Mine."]
            waits = await demo.jobs.start("you", demo.ask(owner="you"))
            answered = await demo.last(waits, "you")
            assert answered.state == "complete" and answered.said and answered.said.raw == "Mine."
            assert (await demo.last(left)).state == "broken"

    run(test)


def test_a_question_in_the_line_is_not_given_up_for_those_behind_it(tmp_path: Path) -> None:
    async def test() -> None:
        gate, go_on = AnswerQueue(running=1, waiting=4), list[bool]()
        async with app(tmp_path, [lambda: bool(go_on), "Done."], gate=gate, give_way_s=0.3) as demo:
            first = await demo.jobs.start("me", demo.ask())
            async with aclosing(demo.jobs.watch("me", first)) as viewer:
                await anext(viewer)
                waits = await demo.jobs.start("you", demo.ask(owner="you"))  # nobody watches this one
                await asyncio.sleep(1.5)
                go_on.append(True)
                assert [progress async for progress in viewer][-1].state == "complete"
            assert (await demo.last(waits, "you")).state == "complete"

    run(test)
