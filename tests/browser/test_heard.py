"""What a reader of screens says by itself while somebody uses the page: each thing once, in real Chromium."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from internvl_demo.errors import BackendError
from tests.support.heard import heard, listen
from tests.support.page_hands import BROKEN, CAT, attach, picture, send, wait_answer
from tests.support.scripted_model import ScriptedModel

GROWING = {
    "Here is ": "Here is",
    CAT: "the cat",
    ", and\n\n": "and",
    "- one\n": "one",
    "- two\n\n": "two",
    "End.": "End.",
}
"""What comes -> what is to be seen then."""


@pytest.fixture
def listened(page: Page) -> Page:
    listen(page)
    return page


# What goes wrong.


def test_a_refused_question_is_told_once(listened: Page, scripted: ScriptedModel) -> None:
    scripted.script = [BackendError("The server is away.", "Start it.")]
    send(listened, "Where is the cat?")
    expect(listened.locator("#notice [role=alert]")).to_contain_text("The server is away.")
    expect(listened.locator("#composer textarea")).to_have_value("Where is the cat?")
    assert heard(listened) == ["Waiting for the first word", "The server is away. Start it."]


def test_an_answer_that_breaks_off_is_told_with_what_came(listened: Page, scripted: ScriptedModel) -> None:
    scripted.script = ["Half an ans", BackendError("The server is away.", "Start it.")]
    send(listened, "Where is the cat?")
    alert = "The answer broke off. The server is away. Start it."
    expect(listened.locator("#notice [role=alert]")).to_have_text(alert)
    assert sorted(heard(listened)) == sorted(["Waiting for the first word", "Half an ans", alert])


def test_a_broken_file_is_told_once(listened: Page) -> None:
    attach(listened, BROKEN)
    told = heard(listened)
    assert told[0] == "Uploading 1 picture …" and len(told) == 2
    assert told[1].startswith("broken.png: The file is not a picture")


# What goes well.


def test_an_answer_that_grows_is_told_once(listened: Page, scripted: ScriptedModel) -> None:
    attach(listened, picture())
    heard(listened)
    seen: list[str] = []

    def goes_on_after(count: int) -> Callable[[], bool]:
        return lambda: len(seen) >= count

    scripted.script = [step for place, piece in enumerate(GROWING) for step in (goes_on_after(place), piece)]
    send(listened, "Where is the cat?")
    for text in GROWING.values():
        expect(listened.locator("#conversation .bot > .md")).to_contain_text(text)
        seen.append(text)
    wait_answer(listened, "End.")
    assert heard(listened) == ["Reading 1 picture · 12 tiles", "Here is the cat, and one two End."]


def test_a_stopped_answer_is_told_as_stopped(listened: Page, scripted: ScriptedModel) -> None:
    scripted.script = ["One, two, ", lambda: False]
    send(listened, "Count.")
    expect(listened.locator("#conversation .bot")).to_contain_text("One, two,")
    listened.click("#stop")
    expect(listened.locator("#stop")).to_be_disabled()
    assert heard(listened) == ["Waiting for the first word", "One, two, stopped"]


def test_waiting_is_told_once_however_long(listened: Page, scripted: ScriptedModel) -> None:
    scripted.script = [lambda: False]
    send(listened, "Where is the cat?")
    expect(listened.locator("#conversation .bot .state")).to_contain_text("2 s")
    assert heard(listened) == ["Waiting for the first word"]


def test_what_was_said_before_is_not_told_again(listened: Page) -> None:
    send(listened, "Where is the cat?")
    wait_answer(listened, "Hello.")
    heard(listened)
    listened.reload()
    listen(listened)
    expect(listened.locator("#conversation .bot")).to_contain_text("Hello.")
    listened.click("#clear")
    listened.click("#panel .panel-toggle")
    listened.click("dialog.conversations .open")
    expect(listened.locator("#conversation .bot")).to_contain_text("Hello.")
    assert heard(listened) == []


def test_chinese_is_told_in_chinese(
    open_page: Callable[..., Page], scripted_url: str, scripted: ScriptedModel
) -> None:
    scripted.begin_anew()
    page = open_page(scripted_url, locale="zh-CN")
    listen(page)
    scripted.script = ["一只猫。"]
    send(page, "图中有什么？")
    wait_answer(page, "一只猫。")
    assert heard(page) == ["正在等待第一个字", "一只猫。"]
