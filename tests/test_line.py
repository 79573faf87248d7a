"""The desk before a busy model: people see their place in the line, nobody's question is lost, all have their turn."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import pytest

from internvl_demo.admission import Admission, LineFull
from internvl_demo.backends.base import ModelInfo, Options
from internvl_demo.errors import BackendError
from internvl_demo.ui import handlers
from internvl_demo.ui.handlers import Desk, View
from internvl_demo.ui.session import Session
from internvl_demo.ui.strings import Words
from tests.conftest import ScriptedModel
from tests.scripted_server import in_a_loop

INFO = ModelInfo("scripted", tokens_per_tile=64, context_length=8192)
ENGLISH, CHINESE = Words(), Words(chinese=True)


def desk_of(model: ScriptedModel, running: int = 1, waiting: int = 3) -> Desk:
    return Desk(model, INFO, Options(), Admission(running, waiting))


def asking(desk: Desk, text: str, person: str, words: Words = ENGLISH) -> AsyncGenerator[View, None]:
    return desk.ask({"text": text, "files": []}, "low", Session(), words, person)


async def until(views: AsyncGenerator[View, None], holds: Callable[[View], bool]) -> View:
    """The first view for which it holds."""
    while not holds(view := await anext(views)):
        pass
    return view


def says(words: str) -> Callable[[View], bool]:
    return lambda view: bool(view.notice) and words in view.notice["what"]


def answers(text: str) -> Callable[[View], bool]:
    return lambda view: (
        bool(view.session.answers) and bool((said := view.session.answers[-1]) and said.raw == text)
    )


@in_a_loop
async def test_beyond_the_line_a_question_comes_back_with_a_notice() -> None:
    desk = desk_of(ScriptedModel(["One ", lambda: False]), waiting=0)
    async with aclosing(asking(desk, "First?", "a")) as first:
        await until(first, answers("One "))
        for words, what in ((ENGLISH, "1 questions are being answered"), (CHINESE, "模型正忙")):
            *_, last = [view async for view in asking(desk, "Second?", "b", words)]
            assert last.notice and what in last.notice["what"] and last.notice["next_step"]
            assert last.message == {"text": "Second?", "files": []} and not last.session.answers
            assert not last.running
        with pytest.raises(LineFull):
            await desk.api_ask({"text": "Third?", "files": []}, "low", "c")
    assert desk.gate.running == 0


@in_a_loop
async def test_a_person_who_waits_sees_the_place_and_then_the_answer() -> None:
    go_on: list[bool] = []
    model = ScriptedModel(["One ", lambda: bool(go_on), "two."])
    desk = desk_of(model)
    async with aclosing(asking(desk, "First?", "a")) as first:
        await until(first, answers("One "))
        async with (
            aclosing(asking(desk, "Second?", "b")) as second,
            aclosing(asking(desk, "3?", "c")) as third,
        ):
            view = await until(second, says("You are number 1 in the line."))
            assert view.running and view.session.conversation.waiting
            assert says("number 2")(await until(third, says("in the line")))
            go_on.append(True)
            *_, done = [view async for view in first]
            assert done.session.conversation.turns[-1].answer == "One two."
            cleared = await until(second, lambda view: view.notice is None)
            assert cleared.running
            await until(third, says("number 1"))
            assert answers("One two.")([view async for view in second][-1])
            assert answers("One two.")([view async for view in third][-1])
    assert [conversation.turns[-1].text for conversation in model.asked] == ["First?", "Second?", "3?"]


@in_a_loop
async def test_stop_while_waiting_frees_the_place_and_never_reaches_the_model() -> None:
    model = ScriptedModel(["One ", lambda: False])
    desk = desk_of(model, waiting=1)
    async with aclosing(asking(desk, "First?", "a")) as first:
        await until(first, answers("One "))
        second = asking(desk, "Second?", "b")
        waiting = await until(second, says("in the line"))
        await second.aclose()
        assert desk.gate.waiting == 0 and len(model.asked) == 1
        assert waiting.session.conversation.turns[-1].text == "Second?", "Retry finds the question"
        async with aclosing(asking(desk, "Third?", "c")) as third:
            await until(third, says("number 1"))


@in_a_loop
async def test_a_crowd_of_one_persons_questions_does_not_delay_another() -> None:
    go_on: list[bool] = []
    model = ScriptedModel([lambda: bool(go_on), "Done."])
    desk = desk_of(model, waiting=8)

    async def ask(text: str, person: str) -> None:
        async for _ in asking(desk, text, person):
            pass

    async def queued(count: int) -> None:
        while desk.gate.running + desk.gate.waiting < count:
            await asyncio.sleep(0)

    tasks = []
    for number, (text, person) in enumerate(
        [("a1", "a"), ("a2", "a"), ("a3", "a"), ("a4", "a"), ("b1", "b")], 1
    ):
        tasks.append(asyncio.ensure_future(ask(text, person)))
        await queued(number)
    go_on.append(True)
    await asyncio.gather(*tasks)
    asked = [conversation.turns[-1].text for conversation in model.asked]
    assert asked == ["a1", "a2", "b1", "a3", "a4"]


@pytest.mark.parametrize("script", [[lambda: False], ["One ", lambda: False]], ids=["silent", "some text"])
@in_a_loop
async def test_there_is_a_view_now_and_then_even_while_nothing_comes(script: list[object]) -> None:
    """It is when Gradio sees that a tab has been closed, and stops the model."""
    model = ScriptedModel(script)  # type: ignore[arg-type]
    views = asking(desk_of(model), "Well?", "a")
    for _ in range(6):
        view = await anext(views)
        assert view.running and view.notice is None
    await views.aclose()
    assert model.stopped == 1


@in_a_loop
async def test_all_that_came_before_an_error_is_kept_and_marked() -> None:
    for words, mark in ((ENGLISH, "broken off before its end"), (CHINESE, "已中断")):
        model = ScriptedModel(["<ref>a", "</ref> ", "b ", "c", BackendError("It broke.", "Try again.")])
        desk = desk_of(model)
        *_, last = [view async for view in asking(desk, "Well?", "a", words)]
        (said,) = last.session.answers
        assert said and said.broken_off and said.raw == "<ref>a</ref> b c"
        assert last.session.conversation.turns[0].answer == said.raw
        shown = handlers_text(last, words)
        assert mark in shown and "b c" in shown
        model.script = ["All of it."]
        *_, again = [view async for view in desk.retry(last.session, words, "a")]
        assert answers("All of it.")(again) and mark not in handlers_text(again, words)


def handlers_text(view: View, words: Words) -> str:
    """What the conversation shows."""
    from internvl_demo.ui.session import messages

    return " ".join(str(one["content"]) for one in messages(view.session, INFO, words, lambda _: ""))


def test_a_tick_is_well_under_a_second() -> None:
    assert handlers.TICK_S <= 0.5
