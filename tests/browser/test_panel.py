"""The list of a person's conversations: open, name, delete, leave and come back; in real Chromium."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.page_hands import CAT, drawn, picture, send, wait_answer
from tests.support.panel_hands import act, another_tab, begun, fresh, opened, rename, row, says, titles
from tests.support.scripted_model import ScriptedModel
from tests.support.turn_hands import tab_to

Open = Callable[..., Page]

HOSTILE = {
    "markup": "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "Markdown and formulas": "**b** $x$ [a](javascript:alert(3)) {{id}} ${title}",
    "right to left": "\u2067\u202egnp.exe",
    "without an end": "x" * 10_000,
}
"""What a conversation may be called by its first question, or by its owner."""
WHOLE = 80
"""Characters of a name that are kept."""


def three(page: Page, scripted: ScriptedModel) -> None:
    """Alpha, Beta and Gamma; Gamma is shown."""
    for name, said in (("Alpha", "First."), ("Beta", "Second."), ("Gamma", "Third.")):
        begun(page, scripted, name, said=said)


# What goes wrong.


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_is_only_text(page: Page, scripted: ScriptedModel, name: str) -> None:
    shown = name if len(name) <= WHOLE else f"{name[: WHOLE - 1]}…"
    given = name[:WHOLE]
    begun(page, scripted, "Plain", said="First.")
    begun(page, scripted, name, said="Second.")
    panel = opened(page)
    expect(titles(panel)).to_have_text([shown, "Plain"])
    rename(panel, "Plain", name)
    expect(titles(panel)).to_have_text([shown, given])
    assert titles(panel).all_text_contents() == [shown, given], "to the letter"
    expect(titles(panel).locator("*")).to_have_count(0)
    for deed in ("Rename", "Delete"):
        for place, one in enumerate((shown, given)):
            expect(panel.get_by_label(f"{deed}: ").nth(place)).to_have_attribute(
                "aria-label", f"{deed}: {one}"
            )
    assert panel.locator("time").evaluate_all(READ_FORWARDS) == [True, True]
    assert panel.evaluate("(node) => node.scrollWidth <= node.clientWidth")
    heights = panel.locator("li").evaluate_all("(rows) => rows.map((row) => row.offsetHeight)")
    assert max(heights) < 70, "a row each"
    panel.locator(".small").first.click()
    expect(panel.get_by_role("textbox", name="Rename")).to_have_value(shown)


READ_FORWARDS = """(times) => times.map((time) => {
    const place = (at) => {
        const range = document.createRange()
        range.setStart(time.firstChild, at)
        range.setEnd(time.firstChild, at + 1)
        return range.getBoundingClientRect().left
    }
    return place(0) < place(time.textContent.length - 1)
})"""
"""Whether the letters of a time stand in their order, whatever stands before them."""


@pytest.mark.parametrize("nothing", ["", " \t ", "\u3000"], ids=["empty", "spaces", "a wide space"])
def test_an_empty_name_keeps_the_old_one(page: Page, scripted: ScriptedModel, nothing: str) -> None:
    begun(page, scripted, "Alpha", said="First.")
    panel = opened(page)
    rename(panel, "Alpha", "My cats")
    expect(titles(panel)).to_have_text(["My cats"])
    rename(panel, "My cats", nothing)
    expect(titles(panel)).to_have_text(["My cats"])
    expect(act(panel, "My cats", "Rename")).to_be_focused()
    page.reload()
    expect(titles(opened(page))).to_have_text(["My cats"])


def test_opening_a_deleted_conversation_says_so(
    page: Page, scripted: ScriptedModel, scripted_url: str
) -> None:
    three(page, scripted)
    panel = opened(page)
    there = opened(another_tab(page, scripted_url))
    act(there, "Alpha", "Delete").click()
    there.get_by_role("button", name="Delete", exact=True).click()
    expect(titles(there)).to_have_text(["Gamma", "Beta"])
    row(panel, "Alpha").locator(".open").click()
    expect(page.locator("#notice")).to_contain_text("The conversation is no longer here.")
    expect(page.locator("#conversation .user")).to_have_count(0)
    panel = opened(page)
    expect(titles(panel)).to_have_text(["Gamma", "Beta"])
    expect(panel.locator("[aria-current]")).to_have_count(0)
    row(panel, "Beta").locator(".open").click()
    says(page, "Beta", "Second.")
    expect(page.locator("#notice [role=alert]")).to_be_hidden()


def test_the_list_knows_other_tabs(page: Page, scripted: ScriptedModel, scripted_url: str) -> None:
    begun(page, scripted, "Alpha", said="First.")
    begun(another_tab(page, scripted_url), scripted, "Beta", said="Second.")
    expect(titles(opened(page))).to_have_text(["Beta", "Alpha"])


def test_nobody_else_sees_a_conversation(
    page: Page, open_page: Open, scripted: ScriptedModel, scripted_url: str
) -> None:
    begun(page, scripted, "My secret", said="First.")
    number = page.evaluate("sessionStorage.getItem('internvl-conversation')")
    assert number
    stranger = open_page(scripted_url)
    panel = opened(stranger)
    expect(panel.locator("li")).to_have_count(0)
    expect(panel).to_contain_text("Conversations that you begin here are kept for this browser.")
    stranger.evaluate("(number) => sessionStorage.setItem('internvl-conversation', number)", number)
    stranger.reload()
    expect(stranger.locator("#notice")).to_contain_text("The conversation is no longer here.")
    assert "secret" not in stranger.locator("body").inner_text()
    assert "First." not in stranger.locator("body").inner_text()


# What a person can do.


def test_newest_first_and_shown_marked(page: Page, scripted: ScriptedModel) -> None:
    three(page, scripted)
    expect(page.locator("#panel .count")).to_have_text("3")
    panel = opened(page)
    expect(titles(panel)).to_have_text(["Gamma", "Beta", "Alpha"])
    expect(panel.locator("[aria-current=true] .title")).to_have_text(["Gamma"])
    row(panel, "Alpha").locator(".open").click()
    says(page, "Alpha", "First.")
    send(page, "Once more?")
    wait_answer(page, "Third.")
    panel = opened(page)
    expect(titles(panel)).to_have_text(["Alpha", "Gamma", "Beta"])
    expect(panel.locator("[aria-current=true] .title")).to_have_text(["Alpha"])
    panel.get_by_role("button", name="New conversation").click()
    expect(page.locator("#conversation .user")).to_have_count(0)
    expect(opened(page).locator("[aria-current]")).to_have_count(0)


def test_an_opened_conversation_is_complete(page: Page, scripted: ScriptedModel) -> None:
    images = [picture("a.png"), picture("b.png", (400, 200), "navy")]
    begun(page, scripted, "Where is it?", *images, said=f"In Image-2 is {CAT}.")
    send(page, "Really?")
    expect(page.locator("#conversation .bot")).to_have_count(2)
    expect(page.locator("#stop")).to_be_disabled()
    begun(page, scripted, "Other", said="Nothing.")
    expect(page.locator("#viewer img")).to_have_count(0)
    row(opened(page), "Where is it?").locator(".open").click()
    expect(page.locator("#conversation .user .asked")).to_have_count(2)
    expect(page.locator("#conversation .bot")).to_have_count(2)
    expect(page.locator("#viewer .thumb")).to_have_count(2)
    expect(page.locator("svg .ground-box")).to_have_count(1)
    assert drawn(page) == [("the cat", "2", "100,200,300,400")]
    scripted.script = ["Yes."]
    send(page, "And now?")
    wait_answer(page, "Yes.")
    assert [turn.text for turn in scripted.asked[-1].turns] == ["Where is it?", "Really?", "And now?"]
    assert len(scripted.asked[-1].images) == 2


def test_a_conversation_is_found_by_its_name(page: Page, scripted: ScriptedModel) -> None:
    three(page, scripted)
    panel = opened(page)
    expect(panel.get_by_role("heading", name="Today")).to_have_count(1)
    search = panel.get_by_role("searchbox", name="Search")
    search.fill("ALPH")
    expect(titles(panel)).to_have_text(["Alpha"])
    search.fill("<b>nothing")
    expect(titles(panel)).to_have_count(0)
    expect(panel.locator(".empty")).to_contain_text("No conversation has this in its name.")
    page.keyboard.press("Escape")
    expect(titles(panel)).to_have_count(3)
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()


def test_renaming_stays_unless_escaped(page: Page, scripted: ScriptedModel) -> None:
    three(page, scripted)
    panel = opened(page)
    rename(panel, "Beta", "  The   cats ")
    expect(titles(panel)).to_have_text(["Gamma", "The cats", "Alpha"])
    act(panel, "Alpha", "Rename").click()
    panel.get_by_role("textbox", name="Rename").fill("Dogs")
    page.keyboard.press("Escape")
    expect(titles(panel)).to_have_text(["Gamma", "The cats", "Alpha"])
    expect(act(panel, "Alpha", "Rename")).to_be_focused()
    says(page, "Gamma", "Third.")
    page.reload()
    says(page, "Gamma", "Third.")
    expect(titles(opened(page))).to_have_text(["Gamma", "The cats", "Alpha"])


def test_deleting_asks_first(page: Page, scripted: ScriptedModel) -> None:
    three(page, scripted)
    panel = opened(page)
    act(panel, "Alpha", "Delete").click()
    expect(panel).to_contain_text("Delete it for ever?")
    panel.get_by_role("button", name="Keep").click()
    expect(titles(panel)).to_have_text(["Gamma", "Beta", "Alpha"])
    for name, left in (("Alpha", ["Gamma", "Beta"]), ("Gamma", ["Beta"])):
        says(page, "Gamma", "Third.")
        act(panel, name, "Delete").click()
        panel.get_by_role("button", name="Delete", exact=True).click()
        expect(titles(panel)).to_have_text(left)
    expect(page.locator("#conversation .user")).to_have_count(0)
    page.reload()
    expect(page.locator("#panel .count")).to_have_text("1")
    expect(page.locator("#conversation .user")).to_have_count(0)
    expect(page.locator("#notice [role=alert]")).to_be_hidden()


def test_a_running_answer_can_be_left(page: Page, scripted: ScriptedModel) -> None:
    away: list[bool] = []
    back: list[bool] = []
    begun(page, scripted, "Alpha", said="First.")
    fresh(page)
    scripted.script = ["Half, ", lambda: bool(away), "more, ", lambda: bool(back), "all of it."]
    send(page, "Beta")
    expect(page.locator("#conversation .bot")).to_contain_text("Half,")
    row(opened(page), "Alpha").locator(".open").click()
    says(page, "Alpha", "First.")
    expect(page.locator("#stop")).to_be_disabled()
    expect(page.locator("#stop")).to_be_disabled()
    away.append(True)
    row(opened(page), "Beta").locator(".open").click()
    says(page, "Beta", "Half, more,")
    expect(page.locator("#stop")).to_be_enabled()
    back.append(True)
    wait_answer(page, "Half, more, all of it.")
    says(page, "Beta", "Half, more, all of it.")
    assert len(scripted.asked) == 2 and scripted.stopped == 0, "asked once, and never stopped"


# For everyone.


def test_everything_works_by_keyboard(page: Page, scripted: ScriptedModel) -> None:
    three(page, scripted)
    toggle, keys = page.locator("#panel .panel-toggle"), page.keyboard
    panel = page.get_by_role("dialog", name="Conversations")
    page.focus("#composer textarea")
    tab_to(page, "Shift+Tab", toggle)
    keys.press("Enter")
    tab_to(page, "Tab", act(panel, "Beta", "Rename"))
    keys.press("Enter")
    expect(panel.get_by_role("textbox", name="Rename")).to_be_focused()
    keys.type("In other words")  # the old name is selected whole
    keys.press("Enter")
    expect(titles(panel)).to_have_text(["Gamma", "In other words", "Alpha"])
    expect(act(panel, "In other words", "Rename")).to_be_focused()
    tab_to(page, "Tab", act(panel, "Alpha", "Delete"))
    keys.press("Enter")
    expect(panel.get_by_role("button", name="Delete", exact=True)).to_be_focused()
    keys.press("Tab")
    keys.press("Enter")
    expect(act(panel, "Alpha", "Delete")).to_be_focused()
    keys.press("Enter")
    keys.press("Enter")
    expect(titles(panel)).to_have_text(["Gamma", "In other words"])
    expect(panel.get_by_role("button", name="New conversation")).to_be_focused()
    tab_to(page, "Tab", row(panel, "In other words").locator(".open"))
    keys.press("Enter")
    says(page, "Beta", "Second.")
    expect(toggle).to_be_focused()
    keys.press("Enter")
    keys.press("Escape")
    expect(panel).to_be_hidden()
    expect(toggle).to_be_focused()


def test_a_name_half_typed_stays(page: Page, scripted: ScriptedModel) -> None:
    go_on: list[bool] = []
    scripted.script = ["Half ", lambda: bool(go_on), "done."]
    send(page, "Alpha")
    expect(page.locator("#conversation .bot")).to_contain_text("Half")
    panel = opened(page)
    act(panel, "Alpha", "Rename").click()
    field = panel.get_by_role("textbox", name="Rename")
    page.keyboard.type("My ca")
    page.keyboard.press("ArrowLeft")
    go_on.append(True)
    expect(page.locator("#conversation [data-act=undo]")).to_have_count(1)
    page.keyboard.type("big ")
    expect(field).to_have_value("My cbig a")
    page.keyboard.press("Enter")
    expect(titles(panel)).to_have_text(["My cbig a"])


def test_the_list_is_within_reach_on_phones(
    open_page: Open, scripted_url: str, scripted: ScriptedModel
) -> None:
    page = open_page(scripted_url, viewport={"width": 390, "height": 844}, has_touch=True)
    begun(page, scripted, "A long question, " * 20, said="First.")
    begun(page, scripted, "Beta", said="Second.")
    page.get_by_role("button", name="Conversations").tap()
    panel = page.get_by_role("dialog", name="Conversations")
    for one in panel.locator("button").all():
        area = one.bounding_box()
        assert area and area["x"] >= 0 and area["x"] + area["width"] <= 390 and area["height"] >= 34, one
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    panel.locator(".open").last.tap()
    expect(panel).to_be_hidden()
    says(page, "A long question, A long", "First.")
    page.get_by_role("button", name="Conversations").tap()
    page.touchscreen.tap(380, 400)  # beside it
    expect(panel).to_be_hidden()
