"""An answer that nobody follows: it goes on for a while, gives way to others, and keeps what came."""

import asyncio
from contextlib import aclosing
from pathlib import Path

from internvl_demo.answering.jobs import UNWATCHED, Times
from internvl_demo.answering.queue import AnswerQueue
from tests.support.chat import chat, never, run, text_is, until


def test_unwatched_answer_ends_and_keeps_text(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, ["Half ", never], times=Times(save_s=0.01, unwatched_s=0.5)) as demo:
            conversation = (await demo.ask()).conversation
            await until(lambda: bool(demo.model.stopped))
            ended = await demo.last(conversation)
            assert (ended.state, ended.text, ended.end["what"]) == ("broken", "Half ", UNWATCHED.what)
            assert demo.version(conversation).raw == "Half "

    run(test)


def test_reader_keeps_it_going(tmp_path: Path) -> None:
    async def test() -> None:
        go_on: list[bool] = []
        script = ["Half ", lambda: bool(go_on), "and half."]
        async with chat(tmp_path, script, times=Times(save_s=0.01, unwatched_s=0.3)) as demo:
            conversation = (await demo.ask()).conversation
            async with aclosing(demo.follow(conversation)) as reader:
                await anext(reader)
                await asyncio.sleep(1.5)  # five times as long as it would live alone
                go_on.append(True)
                async for seen in reader:
                    if seen.ended:
                        break
            assert (seen.state, seen.text) == ("complete", "Half and half.")

    run(test)


def test_unwatched_answer_gives_way_to_others(tmp_path: Path) -> None:
    async def test() -> None:
        queue = AnswerQueue(running=1, waiting=4)
        times = Times(save_s=0.01, unwatched_s=600.0, give_way_s=0.5)
        async with chat(tmp_path, ["Half ", never], queue=queue, times=times) as demo:
            left = (await demo.ask()).conversation
            await demo.seen(left, text_is("Half "))
            demo.model.script = ["Mine."]
            waits = (await demo.ask(owner="you")).conversation
            answered = await demo.last(waits, "you")
            assert (answered.state, answered.text) == ("complete", "Mine.")
            assert (await demo.last(left)).state == "broken"

    run(test)


def test_queued_question_is_not_given_up(tmp_path: Path) -> None:
    async def test() -> None:
        queue, go_on = AnswerQueue(running=1, waiting=4), list[bool]()
        times = Times(save_s=0.01, give_way_s=0.3)
        async with chat(tmp_path, [lambda: bool(go_on), "Done."], queue=queue, times=times) as demo:
            first = (await demo.ask()).conversation
            async with aclosing(demo.follow(first)) as reader:
                await anext(reader)
                waits = (await demo.ask(owner="you")).conversation  # nobody follows this one
                await asyncio.sleep(1.5)
                go_on.append(True)
                async for seen in reader:
                    if seen.ended:
                        break
                assert seen.state == "complete"
            assert (await demo.last(waits, "you")).state == "complete"

    run(test)
