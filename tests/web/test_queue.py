"""The desk before a busy model: people see their place in the line, nobody's question is lost, all have their turn."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from internvl_demo.answering.queue import LineFull
from internvl_demo.errors import BackendError
from internvl_demo.store import Store
from internvl_demo.web import handlers
from internvl_demo.web.handlers import Desk, Person, View
from internvl_demo.web.session import spoken
from internvl_demo.web.strings import Words
from tests.support.desks import INFO, desk_of
from tests.support.scripted_model import ScriptedModel
from tests.support.scripted_server import in_a_loop

ENGLISH, CHINESE = Words(), Words(chinese=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path, keep_days=1)
    yield store
    store.close()


def asking(desk: Desk, text: str, person: str, words: Words = ENGLISH) -> AsyncGenerator[View, None]:
    return desk.ask(text, (), Person(person, person), "", words)


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
async def test_beyond_the_line_a_question_comes_back_with_a_notice(store: Store) -> None:
    desk = desk_of(ScriptedModel(["One ", lambda: False]), store, waiting=0)
    async with aclosing(asking(desk, "First?", "a")) as first:
        await until(first, answers("One "))
        for words, what in ((ENGLISH, "1 questions are being answered"), (CHINESE, "模型正忙")):
            *_, last = [view async for view in asking(desk, "Second?", "b", words)]
            assert last.notice and what in spoken(last.notice, words)["what"] and last.notice["next_step"]
            assert last.text == "Second?" and not last.session.answers
            assert not last.running
        with pytest.raises(LineFull):
            await desk.api_ask({"text": "Third?", "files": []}, "low", "c")
    await desk.jobs.close()
    assert desk.gate.running == 0


@in_a_loop
async def test_a_person_who_waits_sees_the_place_and_then_the_answer(store: Store) -> None:
    go_on: list[bool] = []
    model = ScriptedModel(["One ", lambda: bool(go_on), "two."])
    desk = desk_of(model, store)
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
            for others in (second, third):
                last = [view async for view in others][-1]
                assert answers("One two.")(last) and last.notice is None and not last.running
    assert [conversation.turns[-1].text for conversation in model.asked] == ["First?", "Second?", "3?"]


@in_a_loop
async def test_stop_while_waiting_frees_the_place_and_never_reaches_the_model(store: Store) -> None:
    model = ScriptedModel(["One ", lambda: False])
    desk = desk_of(model, store, waiting=1)
    async with aclosing(asking(desk, "First?", "a")) as first:
        await until(first, answers("One "))
        second = asking(desk, "Second?", "b")
        waiting = await until(second, says("in the line"))
        stopped = await desk.stop(Person("b", "b"), shown(waiting))
        *_, last = [view async for view in second]
        assert desk.gate.waiting == 0 and len(model.asked) == 1
        for view in (stopped, last):
            assert view.session.conversation.turns[-1].text == "Second?", "Retry finds the question"
            assert not view.running and view.notice is None
        async with aclosing(asking(desk, "Third?", "c")) as third:
            await until(third, says("number 1"))


@in_a_loop
async def test_a_crowd_of_one_persons_questions_does_not_delay_another(store: Store) -> None:
    go_on: list[bool] = []
    model = ScriptedModel([lambda: bool(go_on), "Done."])
    desk = desk_of(model, store, waiting=8)

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
async def test_there_is_a_view_now_and_then_even_while_nothing_comes(
    store: Store, script: list[object]
) -> None:
    """It is when Gradio sees that a tab has been closed."""
    model = ScriptedModel(script)  # type: ignore[arg-type]
    async with aclosing(asking(desk_of(model, store), "Well?", "a")) as views:
        for _ in range(6):
            view = await anext(views)
            assert view.running and view.notice is None


@in_a_loop
async def test_all_that_came_before_an_error_is_kept_and_marked(store: Store) -> None:
    for words, mark in ((ENGLISH, "broken off before its end"), (CHINESE, "已中断")):
        model = ScriptedModel(["<ref>a", "</ref> ", "b ", "c", BackendError("It broke.", "Try again.")])
        desk = desk_of(model, store)
        *_, last = [view async for view in asking(desk, "Well?", "a", words)]
        (said,) = last.session.answers
        assert said and said.broken_off and said.raw == "<ref>a</ref> b c"
        assert last.session.conversation.turns[0].answer == said.raw
        text = handlers_text(last, words)
        assert mark in text and "b c" in text
        model.script = ["All of it."]
        *_, again = [view async for view in desk.retry(Person("a", "a"), shown(last), words)]
        assert answers("All of it.")(again) and mark not in handlers_text(again, words)


def shown(view: View) -> str:
    """The id of the conversation that the page shows."""
    assert view.session.record
    return view.session.record.id


def handlers_text(view: View, words: Words) -> str:
    """What the conversation shows."""
    from internvl_demo.web.session import messages

    return " ".join(str(one["content"]) for one in messages(view.session, INFO, words, lambda _: ""))


def test_a_tick_is_well_under_a_second() -> None:
    assert handlers.TICK_S <= 0.5
