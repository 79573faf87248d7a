"""Reading back while an answer comes: the text is followed only while the reader is at its end; in real Chromium."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.accessibility import PHONE
from tests.support.page_hands import send, wait_answer
from tests.support.scripted_model import ScriptedModel

Open = Callable[..., Page]

LONG = "".join(f"Line {number} of many.\n\n" for number in range(60))
PILL = "#conversation .new-text"
TOP = "document.querySelector('#conversation .log').scrollTop"
BELOW = """(() => { const log = document.querySelector('#conversation .log')
    return log.scrollHeight - log.clientHeight - log.scrollTop })()"""
READ = """() => {
    const log = document.querySelector('#conversation .log').getBoundingClientRect()
    const lines = [...document.querySelectorAll('#conversation .md p')]
    window.line ??= lines.find((one) => one.getBoundingClientRect().top > log.top + log.height / 3)
    return Math.round(window.line.getBoundingClientRect().top)
}"""
AT_END_PX = 24


@pytest.fixture
def go_on(page: Page, scripted: ScriptedModel) -> Iterator[list[str]]:
    """A long answer has come, and goes on by a word for each thing in the list."""
    steps: list[str] = []

    def wait_for(count: int) -> Callable[[], bool]:
        return lambda: len(steps) >= count

    more = [step for count in (1, 2, 3) for step in (wait_for(count), f"More {count}.\n\n" + LONG)]
    scripted.script = [LONG, *more]
    send(page, "Tell me all.")
    expect(page.locator("#conversation .bot")).to_contain_text("Line 59")
    yield steps
    steps.extend(["end"] * 3)


def scroll_up(page: Page) -> None:
    """As a hand does."""
    before = page.evaluate(TOP)
    page.locator("#conversation .log").hover()
    page.mouse.wheel(0, -900)
    page.wait_for_function(f"(before) => {TOP} <= before - 600", arg=before)
    page.wait_for_function(
        f"""() => new Promise((done) => {{ const top = {TOP}
            setTimeout(() => done({TOP} === top), 150) }})"""
    )


def read_at(page: Page) -> float:
    """How high in the window the line stands that was read when this was asked the first time."""
    return page.evaluate(READ)


def at_end(page: Page) -> None:
    page.wait_for_function(f"{BELOW} <= {AT_END_PX}")


def test_who_reads_back_is_left_in_peace(page: Page, go_on: list[str]) -> None:
    at_end(page)
    expect(page.locator(PILL)).to_be_hidden()
    scroll_up(page)
    line = read_at(page)
    go_on.append("one")
    expect(page.locator("#conversation .bot")).to_contain_text("More 1.")
    expect(page.locator(PILL)).to_be_visible()
    expect(page.locator(PILL)).to_have_text("New text")
    assert read_at(page) == line
    go_on.append("two")
    expect(page.locator("#conversation .bot")).to_contain_text("More 2.")
    assert read_at(page) == line


def test_the_pill_leads_to_the_end_and_follows_again(page: Page, go_on: list[str]) -> None:
    scroll_up(page)
    go_on.append("one")
    page.click(PILL)
    expect(page.locator(PILL)).to_be_hidden()
    at_end(page)
    go_on.append("two")
    expect(page.locator("#conversation .bot")).to_contain_text("More 2.")
    at_end(page)
    expect(page.locator(PILL)).to_be_hidden()


def test_who_scrolls_down_again_follows_again(page: Page, go_on: list[str]) -> None:
    scroll_up(page)
    go_on.append("one")
    expect(page.locator(PILL)).to_be_visible()
    page.locator("#conversation .log").focus()
    page.keyboard.press("End")
    at_end(page)
    expect(page.locator(PILL)).to_be_hidden()
    go_on.append("two")
    expect(page.locator("#conversation .bot")).to_contain_text("More 2.")
    at_end(page)


def test_an_answer_that_ends_moves_nobody(page: Page, go_on: list[str]) -> None:
    scroll_up(page)
    line = read_at(page)
    go_on.extend(["one", "two", "three"])
    wait_answer(page, "More 3.")
    assert read_at(page) == line


@pytest.mark.parametrize("view", [{}, PHONE], ids=["desk", "phone"])
def test_a_short_answer_that_ends_stays_where_it_is(
    open_page: Open, scripted_url: str, scripted: ScriptedModel, view: dict[str, object]
) -> None:
    scripted.begin_anew()
    page = open_page(scripted_url, has_touch=bool(view), **view)
    go: list[bool] = []
    scripted.script = ["It is ", lambda: bool(go), "a cat."]
    send(page, "What is it?")
    text = page.locator("#conversation .bot > .md")
    expect(text).to_contain_text("It is")
    before = text.bounding_box()
    go.append(True)
    wait_answer(page, "It is a cat.")
    expect(page.locator("#conversation [data-act=edit]")).to_have_count(1)
    after = text.bounding_box()
    assert before and after and before["y"] == after["y"]


def test_ones_own_question_is_always_in_sight(page: Page, go_on: list[str], scripted: ScriptedModel) -> None:
    go_on.extend(["one", "two", "three"])
    wait_answer(page, "More 3.")
    scroll_up(page)
    scripted.script = ["Yes."]
    send(page, "Was that all?")
    expect(page.locator("#conversation .asked").last).to_be_in_viewport()
    wait_answer(page, "Yes.")
    at_end(page)


def test_a_phone_reads_back_too(open_page: Open, scripted_url: str, scripted: ScriptedModel) -> None:
    scripted.begin_anew()
    page = open_page(scripted_url, has_touch=True, **PHONE)
    go: list[bool] = []
    scripted.script = [LONG, lambda: bool(go), "More."]
    send(page, "Tell me all.")
    expect(page.locator("#conversation .bot")).to_contain_text("Line 59")
    at_end(page)
    scroll_up(page)
    line = read_at(page)
    go.append(True)
    wait_answer(page, "More.")
    assert read_at(page) == line
    pill = page.locator(PILL).bounding_box()
    assert pill and pill["height"] >= 44 and pill["x"] >= 0 and pill["x"] + pill["width"] <= 390
    page.locator(PILL).tap()
    at_end(page)
