"""The list of conversations: open, rename, delete, begin anew; in real Chromium."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.conftest import ScriptedModel
from tests.test_page import CAT, picture, send, wait_answer

Open = Callable[..., Page]

HOSTILE = "<img src=x onerror=alert(1)> **b** $x$ \u202egnp.exe {name}"


@pytest.fixture
def page(open_page: Open, scripted_url: str, scripted: ScriptedModel) -> Page:
    scripted.script, scripted.stopped = ["Hello."], 0
    scripted.asked.clear()
    page = open_page(scripted_url)
    page.on("dialog", lambda _: pytest.fail("a script ran"))
    return page


def talk(page: Page, text: str, *files: dict[str, object]) -> None:
    """A conversation of one question, and the page empty again."""
    send(page, text, *files)
    wait_answer(page, "Hello.")
    page.click("#clear")
    expect(page.locator("#conversation .user")).to_have_count(0)


def listed(page: Page) -> Locator:
    """Opens the list, if it is not open: its lines."""
    if not page.locator("dialog.conversations").is_visible():
        page.click("#panel .panel-toggle")
    return page.locator(".conversations li")


def titles(page: Page) -> Locator:
    listed(page)
    return page.locator(".conversations .title")


def small(line: Locator, name: str) -> Locator:
    return line.get_by_role("button", name=name)


# What goes wrong.


def test_hostile_words_are_shown_as_they_are_and_run_nothing(page: Page) -> None:
    talk(page, HOSTILE)
    expect(titles(page)).to_have_text([HOSTILE])
    small(listed(page), "Rename").click()
    page.fill(".conversations input", f"Mine: {HOSTILE}")
    page.keyboard.press("Enter")
    expect(titles(page)).to_have_text([f"Mine: {HOSTILE}"[:80]])
    expect(page.locator(".conversations img, .conversations b, .conversations .katex")).to_have_count(0)


def test_a_very_long_question_leaves_the_list_in_shape(page: Page) -> None:
    talk(page, "W" * 10_000)
    line = listed(page)
    expect(line).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    frame, inside = page.locator("dialog.conversations").bounding_box(), line.bounding_box()
    assert frame and inside and inside["width"] <= frame["width"] and inside["height"] < 120


def test_an_empty_name_changes_nothing(page: Page) -> None:
    talk(page, "First?")
    small(listed(page), "Rename").click()
    page.fill(".conversations input", "   ")
    page.keyboard.press("Enter")
    expect(page.locator(".conversations input")).to_have_count(0)
    expect(titles(page)).to_have_text(["First?"])


def test_a_name_being_typed_outlasts_news_from_the_server(page: Page, scripted: ScriptedModel) -> None:
    talk(page, "First?")
    go_on: list[bool] = []
    scripted.script = ["Half ", lambda: bool(go_on), "and half."]
    send(page, "Second?")
    expect(page.locator("#conversation .bot")).to_contain_text("Half")
    small(listed(page).last, "Rename").click()
    page.keyboard.type("A better na")
    go_on.append(True)
    expect(page.locator("#conversation .bot")).to_contain_text("and half.")
    page.wait_for_selector("#send:not([disabled])", state="attached")
    field = page.locator(".conversations input")
    expect(field).to_be_focused()
    page.keyboard.type("me")
    expect(field).to_have_value("A better name")
    page.keyboard.press("Enter")
    expect(titles(page)).to_contain_text(["A better name"])


def test_a_conversation_deleted_in_another_tab_is_told_plainly(page: Page, scripted_url: str) -> None:
    talk(page, "First?")
    expect(listed(page)).to_have_count(1)
    other = page.context.new_page()
    other.goto(scripted_url)
    small(listed(other), "Delete").click()
    other.locator(".conversations .danger").click()
    expect(other.locator(".conversations li")).to_have_count(0)
    page.locator(".conversations .open").click()
    expect(page.locator("#notice [role=alert]")).to_contain_text("The conversation is no longer here.")


def test_nobody_sees_another_persons_conversations(page: Page, open_page: Open, scripted_url: str) -> None:
    talk(page, "Mine.")
    other = open_page(scripted_url)
    expect(listed(other)).to_have_count(0)
    expect(other.locator(".conversations .empty")).to_be_visible()
    expect(listed(page)).to_have_count(1)


# What it is for.


def test_the_newest_comes_first_and_an_older_one_comes_back_whole(
    page: Page, scripted: ScriptedModel
) -> None:
    scripted.script = [f"Hello. See {CAT}."]
    talk(page, "With pictures?", picture("a.png"), picture("b.png", (400, 200), "navy"))
    scripted.script = ["Hello."]
    talk(page, "Without?")
    expect(titles(page)).to_have_text(["Without?", "With pictures?"])
    page.locator(".conversations .open").last.click()
    wait_answer(page, "the cat")
    expect(page.locator("#viewer .thumb")).to_have_text(["Image-1", "Image-2"])
    expect(page.locator("svg .ground-box")).to_have_count(1)
    expect(listed(page).last.locator(".open")).to_have_attribute("aria-current", "true")
    page.keyboard.press("Escape")
    send(page, "And now?")
    wait_answer(page, "Hello.")
    first, second = scripted.asked[-1].turns
    assert (first.text, len(first.images), second.text) == ("With pictures?", 2, "And now?")
    expect(titles(page)).to_have_text(["With pictures?", "Without?"])


def test_a_name_of_ones_own_stays(page: Page) -> None:
    talk(page, "First?")
    small(listed(page), "Rename").click()
    expect(page.locator(".conversations input")).to_have_value("First?")
    page.keyboard.type("The holiday")
    page.keyboard.press("Enter")
    expect(titles(page)).to_have_text(["The holiday"])
    page.reload()
    page.wait_for_selector("#send")
    expect(titles(page)).to_have_text(["The holiday"])


def test_deleting_asks_first_and_takes_the_shown_conversation_off_the_page(page: Page) -> None:
    talk(page, "First?")
    send(page, "Second?")
    wait_answer(page, "Hello.")
    small(listed(page).first, "Delete").click()
    page.locator(".conversations .keep").click()
    expect(titles(page)).to_have_text(["Second?", "First?"])
    small(listed(page).first, "Delete").click()
    page.locator(".conversations .danger").click()
    expect(titles(page)).to_have_text(["First?"])
    expect(page.locator("#conversation .user")).to_have_count(0)
    page.reload()
    page.wait_for_selector("#send")
    expect(titles(page)).to_have_text(["First?"])


def test_one_can_leave_an_answer_that_is_coming_and_come_back_to_it(
    page: Page, scripted: ScriptedModel
) -> None:
    talk(page, "First?")
    go_on: list[bool] = []
    scripted.script = ["Half ", lambda: bool(go_on), "and half."]
    send(page, "Second?")
    expect(page.locator("#conversation .bot")).to_contain_text("Half")
    listed(page).last.locator(".open").click()
    expect(page.locator("#conversation .bot")).to_contain_text("Hello.")
    listed(page).first.locator(".open").click()
    expect(page.locator("#conversation .bot")).to_contain_text("Half")
    go_on.append(True)
    wait_answer(page, "Half and half.")
    assert len(scripted.asked) == 2 and scripted.stopped == 0


# For everyone.


def test_everything_is_done_by_keyboard_alone(page: Page) -> None:
    talk(page, "First?")
    talk(page, "Second?")
    page.focus("#panel .panel-toggle")
    page.keyboard.press("Enter")
    lines = page.locator(".conversations li")
    reach(page, small(lines.last, "Rename"))
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(small(lines.last, "Rename")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("Named")
    page.keyboard.press("Enter")
    expect(titles(page)).to_have_text(["Second?", "Named"])
    expect(small(lines.last, "Rename")).to_be_focused()
    reach(page, small(lines.last, "Delete"))
    page.keyboard.press("Enter")
    expect(page.locator(".conversations .danger")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(small(lines.last, "Delete")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(titles(page)).to_have_text(["Second?"])
    expect(page.locator(".panel-new")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#panel .panel-toggle")).to_be_focused()


@pytest.mark.parametrize("view", [{}, {"viewport": {"width": 390, "height": 844}, "has_touch": True}])
def test_the_list_fits_the_window(
    open_page: Open, scripted_url: str, scripted: ScriptedModel, view: dict[str, Any]
) -> None:
    scripted.script = ["Hello."]
    page = open_page(scripted_url, **view)
    talk(page, "A question that is longer than any line of the list can be on a telephone?")
    line = listed(page)
    for one in (line.locator(".open"), small(line, "Rename"), small(line, "Delete")):
        place = one.bounding_box()
        assert place and place["x"] >= 0 and place["x"] + place["width"] <= page.evaluate("innerWidth")


def reach(page: Page, wanted: Locator) -> None:
    """By the tabulator alone."""
    for _ in range(40):
        if wanted.evaluate("node => node === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"{wanted} cannot be reached")
