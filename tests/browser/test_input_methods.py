"""Whoever writes Chinese or Japanese composes words: the Enter that takes a word sends nothing, in no form of the page.

Safari says that the composition has ended, and then sends the key, as 229; other browsers send it first.
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.support.page_hands import add_by, attach, picture, wait_answer, write
from tests.support.panel_hands import act as act_on_row
from tests.support.panel_hands import opened
from tests.support.scripted_model import ScriptedModel
from tests.support.turn_hands import act, asked, question

KEY = """(field, [key, safari]) => {
    const composed = (name) => field.dispatchEvent(new CompositionEvent(name, { data: '猫', bubbles: true }))
    composed('compositionstart')
    if (safari) composed('compositionend')
    const how = { key, code: key, keyCode: safari ? 229 : 0, isComposing: !safari, bubbles: true, cancelable: true }
    field.dispatchEvent(new KeyboardEvent('keydown', how))
    if (!safari) composed('compositionend')
}"""
"""What a browser sends when an input method takes a key."""


class Form(NamedTuple):
    """A field with a text in it, and what is true of the page once the text went out."""

    field: Locator
    sent: Callable[[], None]


def composer(page: Page, _: ScriptedModel) -> Form:
    write(page, "猫")
    return Form(page.locator("#composer textarea"), lambda: wait_answer(page, "Hello."))


def editor(page: Page, scripted: ScriptedModel) -> Form:
    asked(page, scripted, "狗?", "First.")
    act(question(page, 1), "edit").click()
    field = question(page, 1).locator("textarea")
    field.fill("猫")
    return Form(field, lambda: expect(question(page, 1).locator(".asked")).to_contain_text("猫"))


def rename(page: Page, scripted: ScriptedModel) -> Form:
    asked(page, scripted, "狗?", "First.")
    panel = opened(page)
    act_on_row(panel, "狗?", "Rename").click()
    field = panel.get_by_role("textbox", name="Rename")
    field.fill("猫")
    return Form(field, lambda: expect(panel.locator(".title")).to_have_text("猫"))


def address(page: Page, _: ScriptedModel) -> Form:
    add_by(page, "open-address")
    field = page.locator("dialog[open] input")
    field.fill("猫")
    return Form(field, lambda: expect(page.locator("#notice [role=alert]")).to_be_visible())


def mention(page: Page, _: ScriptedModel) -> Form:
    attach(page, picture())
    field = page.locator("#composer textarea")
    write(page, "猫@")
    expect(page.locator("#tray .mention")).to_be_visible()
    return Form(field, lambda: expect(field).to_have_value("猫Image-1"))


@pytest.mark.parametrize("form", [composer, editor, rename, address, mention])
def test_a_composed_word_sends_no_form(
    page: Page, scripted: ScriptedModel, form: Callable[[Page, ScriptedModel], Form]
) -> None:
    field, sent = form(page, scripted)
    text, asked_before = field.input_value(), len(scripted.asked)
    requests: list[str] = []

    def note(request: Request) -> None:
        if request.method != "GET" and not request.url.endswith("/budget"):
            requests.append(request.url)

    page.on("request", note)
    for key in ("Enter", "Escape"):
        for safari in (True, False):
            field.evaluate(KEY, [key, safari])
            expect(field).to_be_focused()
            expect(field).to_have_value(text)
    if form is mention:
        expect(page.locator("#tray .mention")).to_be_visible()
    page.remove_listener("request", note)
    assert requests == []
    assert len(scripted.asked) == asked_before
    field.press("Enter")
    sent()


def test_leaving_a_word_does_not_stop_an_answer(page: Page, scripted: ScriptedModel) -> None:
    go_on: list[bool] = []
    scripted.script = ["One ", lambda: bool(go_on), "two."]
    write(page, "Count")
    page.click("#send")
    expect(page.locator("#conversation .bot")).to_contain_text("One")
    field = page.locator("#composer textarea")
    field.evaluate(KEY, ["Escape", True])
    field.evaluate(KEY, ["Escape", False])
    expect(page.locator("#stop")).to_be_enabled()
    go_on.append(True)
    wait_answer(page, "One two.")
