"""What a model thinks is one line above its answer: it counts while it streams, opens, and says when it was cut."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from internvl_demo.models.base import Thinking, Usage
from internvl_demo.models.profiles import V1_5_PROFILE, find
from internvl_demo.settings import Settings
from tests.support.page_hands import picture, send, wait_answer
from tests.support.scripted_model import ScriptedModel
from tests.support.served_page import served

THOUGHT = "There is **one** <img src=x onerror=alert(1)> <ref>cat</ref><box>[[1, 2, 3, 4]]</box>.\n\n"
SECONDS = re.compile(r"^Thought for [2-9] s$")
ANSWER = "A <ref>cat</ref><box>[[100, 200, 300, 400]]</box>."


@pytest.fixture(scope="module")
def thinker() -> ScriptedModel:
    return ScriptedModel(profile=find("internvl3.5-8b") or V1_5_PROFILE)


@pytest.fixture(scope="module")
def thinker_url(thinker: ScriptedModel) -> Iterator[str]:
    yield from served(thinker, Settings(checkpoint="scripted"))


@pytest.fixture
def page(open_page: Callable[..., Page], thinker_url: str, thinker: ScriptedModel) -> Page:
    thinker.begin_anew()
    return open_page(thinker_url)


def thinking(page: Page) -> Locator:
    return page.locator("#conversation details.thinking:visible").last


def line(page: Page) -> Locator:
    return thinking(page).locator("summary")


def test_thinking_is_folded_while_it_comes_and_counts(page: Page, thinker: ScriptedModel) -> None:
    gate: list[str] = []
    thinker.script = [Thinking(THOUGHT), lambda: "answer" in gate, ANSWER, lambda: "end" in gate]
    send(page, "What is it?", picture())
    expect(line(page)).to_contain_text("Thinking…")
    expect(line(page)).to_contain_text("2 s")
    expect(page.locator("#conversation .bot")).not_to_contain_text("There is")
    expect(page.locator("#conversation [role=status]")).to_have_text(
        "Thinking…"
    )  # heard once, without its seconds
    gate.append("answer")
    expect(line(page)).to_have_text(SECONDS, use_inner_text=True)
    told = line(page).inner_text()
    expect(page.locator("#conversation .bot > .md")).to_have_text("A cat.")
    gate.append("end")
    wait_answer(page, "A cat.")
    expect(line(page)).to_have_text(told, use_inner_text=True)
    expect(page.locator("svg .ground-box")).to_have_count(1)
    expect(page.locator("#conversation [role=status]")).to_have_text("A cat.")
    page.reload()
    expect(line(page)).to_have_text(told, use_inner_text=True)


@pytest.mark.parametrize("way", ["mouse", "keys"])
def test_thinking_opens_and_shows_safe_text_without_boxes(
    page: Page, thinker: ScriptedModel, way: str
) -> None:
    thinker.script = [Thinking(THOUGHT), ANSWER]
    send(page, "What is it?", picture())
    wait_answer(page, "A cat.")
    if way == "mouse":
        line(page).click()
    else:
        line(page).focus()
        page.keyboard.press("Enter")
    shown = thinking(page).locator(".md")
    expect(shown.locator("strong")).to_have_text("one")
    expect(shown).to_contain_text("<img src=x onerror=alert(1)> <ref>cat</ref><box>")
    expect(shown.locator("img, .ground-phrase")).to_have_count(0)
    expect(page.locator("svg .ground-box")).to_have_count(1)
    line(page).click()
    expect(shown).to_be_hidden()


def test_thinking_that_is_opened_grows_in_sight(page: Page, thinker: ScriptedModel) -> None:
    gate: list[str] = []
    thinker.script = [
        Thinking("First I look. "),
        lambda: bool(gate),
        Thinking("Then I count."),
        lambda: False,
    ]
    send(page, "How many?")
    line(page).click()
    expect(thinking(page)).to_contain_text("First I look.")
    gate.append("more")
    expect(thinking(page)).to_contain_text("First I look. Then I count.")
    page.click("#stop")
    expect(line(page)).to_contain_text("cut off before the answer")
    expect(thinking(page)).to_contain_text("Then I count.")


@pytest.mark.parametrize(
    ("locale", "told", "why"),
    [
        ("en-US", "Thought for 1 s, cut off before the answer", "reached its longest length"),
        ("zh-CN", "思考了 1 秒，未及作答即中断", "达到最长长度"),
    ],
)
def test_thinking_without_an_end_stays_folded_and_says_so(
    open_page: Callable[..., Page], thinker: ScriptedModel, thinker_url: str, locale: str, told: str, why: str
) -> None:
    thinker.begin_anew()
    thinker.script = [Thinking("Well, well"), Usage(9, 9, finish_reason="length")]
    page = open_page(thinker_url, locale=locale)
    send(page, "How many?")
    wait_answer(page, why)
    expect(line(page)).to_have_text(told, use_inner_text=True)
    expect(page.locator("#conversation .bot")).not_to_contain_text("Well, well")
    thinker.script = ["Two."]
    page.click("#retry")
    wait_answer(page, "Two.")
    page.click("[data-act=earlier]")
    expect(line(page)).to_have_text(told, use_inner_text=True)


def test_what_was_thought_is_read_from_its_top(page: Page, thinker: ScriptedModel) -> None:
    thinker.script = [Thinking("A line of thought.\n\n" * 80), "Two. " * 200]
    send(page, "How many?")
    wait_answer(page, "Two.")
    line(page).scroll_into_view_if_needed()
    line(page).click()
    expect(thinking(page).locator("p").last).to_be_attached()
    expect(line(page)).to_be_in_viewport()


def test_thinking_is_no_part_of_what_is_copied(page: Page, thinker: ScriptedModel) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    thinker.script = [Thinking(THOUGHT), ANSWER]
    send(page, "What is it?", picture())
    wait_answer(page, "A cat.")
    page.click("[data-act=copy]")
    assert page.evaluate("navigator.clipboard.readText()") == "A cat."


def test_think_first_is_switched_on_in_the_settings(page: Page, thinker: ScriptedModel) -> None:
    sheet = page.get_by_role("dialog", name="Settings")
    page.click("#open-settings")
    switch = sheet.get_by_role("switch", name="Think first")
    temperature = sheet.get_by_role("spinbutton", name="Temperature")
    expect(switch).to_have_attribute("aria-checked", "false")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    expect(temperature).to_have_value("0.6")
    page.keyboard.press("Escape")
    send(page, "What is it?")
    wait_answer(page, "Hello.")
    asked = thinker.asked_with[-1]
    assert (asked.thinking, asked.temperature) == (True, 0.6)
    page.click(".receipt.turn-1 .about")
    expect(page.locator(".told:visible")).to_contain_text("temperature 0.6, thinking first")
    page.reload()
    page.click("#open-settings")
    expect(switch).to_have_attribute("aria-checked", "true")
    temperature.fill("0")
    temperature.blur()
    page.keyboard.press("Escape")
    send(page, "And now?")
    wait_answer(page, "Hello.")
    expect(page.locator("#conversation .bot")).to_have_count(2)
    assert thinker.asked_with[-1].temperature == 0, "a person's own goes before"


def test_a_model_that_cannot_think_has_no_switch(
    open_page: Callable[..., Page], scripted_url: str, scripted: ScriptedModel
) -> None:
    scripted.begin_anew()
    page = open_page(scripted_url, local={"internvl-options": '{"thinking": true}'})
    page.click("#open-settings")
    expect(page.get_by_role("spinbutton", name="Temperature")).to_have_value("0")
    expect(page.get_by_role("switch", name="Think first")).to_have_count(0)
    page.keyboard.press("Escape")
    send(page, "What is it?")
    wait_answer(page, "Hello.")
    assert not scripted.asked_with[-1].thinking
