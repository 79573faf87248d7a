"""Versions of questions on the page: edit, step back with `< 1/2 >`, ask on from there; in real Chromium."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route, expect

from internvl_demo.errors import BackendError
from tests.support.accessibility import PHONE, VIEWS, faults, look
from tests.support.page_hands import picture
from tests.support.scripted_model import ScriptedModel
from tests.support.turn_hands import act, answer, asked, ended, question, tab_to

Open = Callable[..., Page]

ELSEWHERE = """async ([method, rest, body]) => {
    const at = (path) => import(new URL(`page/widgets/lib/${path}`, document.baseURI).href)
    const [{ page }, { call }] = await Promise.all([at('state.js'), at('api.js')])
    return await call(method, `api/conversations/${page.conversation.id}${rest}`, body ?? undefined)
}"""
"""What the same person does in another tab meanwhile."""


def elsewhere(page: Page, method: str, rest: str = "", body: object = None) -> Any:
    return page.evaluate(ELSEWHERE, [method, rest, body])


def edit(page: Page, scripted: ScriptedModel, turn: int, text: str, said: str) -> None:
    scripted.script = [said]
    act(question(page, turn), "edit").click()
    area = question(page, turn).locator("textarea")
    area.fill(text)
    area.press("Enter")
    expect(answer(page, turn)).to_contain_text(said)
    ended(page)


def shows(page: Page, *texts: str) -> None:
    """These questions, and no others."""
    expect(page.locator("#conversation .asked")).to_have_text(list(texts))


def count(page: Page, turn: int, text: str) -> None:
    expect(question(page, turn).locator(".turn-count")).to_have_text(text)


def two(page: Page, scripted: ScriptedModel) -> None:
    """A conversation of two turns, and an edit of the first beside them."""
    asked(page, scripted, "One?", "First.")
    asked(page, scripted, "Two?", "Second.")
    expect(page.locator("#conversation .user .turn-count")).to_have_count(0)
    edit(page, scripted, 1, "Un?", "Premier.")
    shows(page, "Un?")
    count(page, 1, "2/2")


# What goes wrong.


def test_a_branch_deleted_meanwhile_is_told(page: Page, scripted: ScriptedModel) -> None:
    two(page, scripted)
    act(question(page, 1), "earlier").click()
    shows(page, "One?", "Two?")
    later = elsewhere(page, "GET")["questions"][0]["siblings"][1]
    elsewhere(page, "PATCH", "", {"choose": later})
    elsewhere(page, "POST", "/undo")
    act(question(page, 1), "later").click()
    expect(page.locator("#notice")).to_contain_text("That version is no longer in the conversation.")
    shows(page, "One?", "Two?")
    expect(page.locator("#conversation .user .turn-count")).to_have_count(0)


def test_an_edit_of_a_branch_left_meanwhile_keeps_its_words(page: Page, scripted: ScriptedModel) -> None:
    two(page, scripted)
    first = elsewhere(page, "GET")["questions"][0]["siblings"][0]
    act(question(page, 1), "edit").click()
    elsewhere(page, "PATCH", "", {"choose": first})
    area = question(page, 1).locator("textarea")
    area.fill("Vraiment?")
    area.press("Enter")
    expect(page.locator("#notice")).to_contain_text("in a branch of the conversation that is not shown")
    shows(page, "One?", "Two?")
    expect(page.locator("#composer textarea")).to_have_value("Vraiment?")
    assert len(scripted.asked) == 3


def test_nothing_is_stepped_while_an_answer_comes(page: Page, scripted: ScriptedModel) -> None:
    two(page, scripted)
    expect(act(question(page, 1), "later")).to_be_disabled()
    go_on: list[bool] = []
    scripted.script = ["Half ", lambda: bool(go_on), "done."]
    page.click("#retry")
    expect(answer(page, 1)).to_contain_text("Half")
    count(page, 1, "2/2")
    expect(act(question(page, 1), "earlier")).to_be_disabled()
    expect(act(question(page, 1), "edit")).to_have_count(0)
    go_on.append(True)
    expect(act(question(page, 1), "earlier")).to_be_enabled()
    expect(answer(page, 1)).to_contain_text("Half done.")


def test_an_edit_that_fails_keeps_its_place(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, "One?", "First.", picture())
    scripted.script = [BackendError("It broke.", "Try again.")]
    act(question(page, 1), "edit").click()
    area = question(page, 1).locator("textarea")
    area.fill("Un?")
    area.press("Enter")
    expect(page.locator("#notice")).to_contain_text("It broke.")
    shows(page, "Un?")
    count(page, 1, "2/2")
    expect(page.locator("#composer textarea")).to_have_value("")
    scripted.script = ["Premier."]
    page.click("#retry")
    expect(answer(page, 1)).to_contain_text("Premier.")
    ended(page)
    act(question(page, 1), "earlier").click()
    expect(answer(page, 1)).to_contain_text("First.")


# Edit, and go back.


def test_an_edit_keeps_the_old_branch(page: Page, scripted: ScriptedModel) -> None:
    two(page, scripted)
    expect(act(question(page, 1), "later")).to_be_disabled()
    act(question(page, 1), "earlier").click()
    shows(page, "One?", "Two?")
    count(page, 1, "1/2")
    expect(answer(page, 2)).to_contain_text("Second.")
    expect(act(question(page, 1), "earlier")).to_be_disabled()
    asked(page, scripted, "Three?", "Third.")
    assert [turn.text for turn in scripted.asked[-1].turns] == ["One?", "Two?", "Three?"]
    page.reload()
    shows(page, "One?", "Two?", "Three?")
    count(page, 1, "1/2")
    act(question(page, 1), "later").click()
    shows(page, "Un?")
    expect(answer(page, 1)).to_contain_text("Premier.")
    page.reload()
    shows(page, "Un?")
    act(question(page, 1), "earlier").click()
    shows(page, "One?", "Two?", "Three?")
    expect(answer(page, 3)).to_contain_text("Third.")


def test_an_edit_is_a_version_at_once(page: Page, scripted: ScriptedModel) -> None:
    two(page, scripted)
    held: list[Route] = []
    page.route("**/questions/*", lambda route: held.append(route))
    act(question(page, 1), "edit").click()
    area = question(page, 1).locator("textarea")
    area.fill("Eins?")
    with page.expect_request("**/questions/*"):
        area.press("Enter")
    shows(page, "Eins?")
    count(page, 1, "3/3")
    expect(act(question(page, 1), "earlier")).to_be_disabled()
    scripted.script = ["Erstens."]
    held[0].continue_()
    expect(answer(page, 1)).to_contain_text("Erstens.")
    ended(page)
    count(page, 1, "3/3")
    expect(act(question(page, 1), "earlier")).to_be_enabled()


def test_a_branch_shows_its_pictures(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, "One?", "First.", picture("a.png"))
    asked(page, scripted, "Two?", "Second.", picture("b.png", (400, 200), "navy"))
    edit(page, scripted, 2, "Deux?", "Deuxième.")
    expect(question(page, 2).locator(".picture")).to_have_attribute("title", "b.png")
    edit(page, scripted, 1, "Un?", "Premier.")
    expect(page.locator("#conversation .picture")).to_have_count(1)
    act(question(page, 1), "earlier").click()
    shows(page, "One?", "Deux?")
    count(page, 2, "2/2")
    titles = [each.get_attribute("title") for each in page.locator("#conversation .picture").all()]
    assert titles == ["a.png", "b.png"]
    assert page.evaluate(
        "[...document.querySelectorAll('.picture img')].every((one) => one.naturalWidth > 0)"
    )


def test_undo_shows_the_version_before(page: Page, scripted: ScriptedModel) -> None:
    two(page, scripted)
    act(question(page, 1), "undo").click()
    shows(page, "One?", "Two?")
    expect(page.locator("#composer textarea")).to_have_value("Un?")
    expect(page.locator("#conversation .user .turn-count")).to_have_count(0)
    page.reload()
    shows(page, "One?", "Two?")


def test_the_note_of_an_edit_is_true(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, "One?", "First.")
    act(question(page, 1), "edit").click()
    expect(question(page, 1).locator(".turn-edit p")).to_contain_text("stay")
    expect(question(page, 1).locator(".turn-edit p")).not_to_contain_text("removed")


# For everyone.


def test_stepping_by_keyboard_alone(page: Page, scripted: ScriptedModel) -> None:
    two(page, scripted)
    edit(page, scripted, 1, "Eins?", "Erstens.")
    count(page, 1, "3/3")
    page.focus("#composer textarea")
    tab_to(page, "Shift+Tab", act(question(page, 1), "earlier"))
    page.keyboard.press("Enter")
    shows(page, "Un?")
    expect(act(question(page, 1), "earlier")).to_be_focused()
    page.keyboard.press("Enter")
    shows(page, "One?", "Two?")
    expect(act(question(page, 1), "later")).to_be_focused()
    page.keyboard.press("Enter")
    shows(page, "Un?")
    expect(act(question(page, 1), "later")).to_be_focused()


def test_the_arrows_have_names_in_both_languages(page: Page, scripted: ScriptedModel) -> None:
    two(page, scripted)
    names = [
        ("Earlier version of the question", "Later version of the question"),
        ("上一版问题", "下一版问题"),
    ]
    for earlier, later in names:
        expect(act(question(page, 1), "earlier")).to_have_attribute("aria-label", earlier)
        expect(act(question(page, 1), "later")).to_have_attribute("aria-label", later)
        page.click("#switch-language")


def test_a_phone_steps_too(open_page: Open, scripted_url: str, scripted: ScriptedModel) -> None:
    scripted.begin_anew()
    page = open_page(scripted_url, has_touch=True, **PHONE)
    two(page, scripted)
    box = act(question(page, 1), "earlier").bounding_box()
    assert box and min(box["width"], box["height"]) >= 44
    act(question(page, 1), "earlier").tap()
    shows(page, "One?", "Two?")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_axe_finds_nothing(page: Page, scripted: ScriptedModel) -> None:
    two(page, scripted)
    for view in VIEWS.values():
        look(page, **view)
        assert faults(page, "#conversation") == [], view
