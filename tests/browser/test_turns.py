"""What can be done with the turns of a conversation: edit, take back, copy, versions; in real Chromium."""

from playwright.sync_api import Page, expect

from tests.support.accessibility import VIEWS, faults, look
from tests.support.page_hands import CAT, picture, send, wait_answer
from tests.support.scripted_model import ScriptedModel
from tests.support.turn_hands import act, answer, asked, ended, question, tab_to

TWO = [picture("a.png"), picture("b.png", (400, 200), "navy")]
SECOND = "Two, **exactly** so: `a < b` & $x$?\n- and a second line"


def three(page: Page, scripted: ScriptedModel) -> None:
    """A conversation of three turns, the first with two images."""
    asked(page, scripted, "One?", "First.", *TWO)
    asked(page, scripted, "Two?", "Second.")
    asked(page, scripted, "Three?", "Third.", picture("c.png", colour="red"))


def versions(page: Page, scripted: ScriptedModel, *said: str) -> None:
    """One question and several answers to it."""
    asked(page, scripted, "Which?", said[0])
    for count, text in enumerate(said[1:], 2):
        scripted.script = [text]
        page.click("#retry")
        expect(answer(page, 1).locator(".turn-count")).to_have_text(f"{count}/{count}")
        ended(page)


# What goes wrong.


def test_an_empty_edit_sends_nothing(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, "One?", "First.")
    act(question(page, 1), "edit").click()
    area = question(page, 1).locator("textarea")
    area.fill(" \n ")
    area.press("Enter")
    question(page, 1).get_by_role("button", name="Send").click()
    expect(area).to_be_visible()
    area.fill("Other?")
    area.press("Enter")
    expect(question(page, 1)).to_contain_text("Other?")
    wait_answer(page, "First.")
    assert [one.turns[-1].text for one in scripted.asked] == ["One?", "Other?"]


def test_a_coming_answer_leaves_nothing_to_do(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, "One?", "First.")
    act(question(page, 1), "edit").click()
    go_on: list[bool] = []
    scripted.script = ["Half ", lambda: bool(go_on), "done."]
    send(page, "Two?")
    expect(answer(page, 2)).to_contain_text("Half")
    expect(page.locator("#conversation .turn-acts:visible, #conversation .turn-edit")).to_have_count(0)
    go_on.append(True)
    wait_answer(page, "Half done.")
    expect(page.locator("#conversation [data-act=edit]")).to_have_count(2)
    expect(page.locator("#conversation [data-act=undo]")).to_have_count(1)
    expect(page.locator("#conversation [data-act=copy]")).to_have_count(2)


# Edit and undo.


def test_an_edited_question_keeps_its_images(page: Page, scripted: ScriptedModel) -> None:
    three(page, scripted)
    scripted.script = ["Anew."]
    act(question(page, 1), "edit").click()
    area = question(page, 1).locator("textarea")
    expect(area).to_have_value("One?")
    area.fill("Another?\nWith a second line.")
    question(page, 1).get_by_role("button", name="Send").click()
    expect(answer(page, 1)).to_contain_text("Anew.")
    wait_answer(page, "Anew.")
    (turn,) = scripted.asked[-1].turns
    assert turn.text == "Another?\nWith a second line."
    assert [image.photo.name for image in turn.images] == ["a.png", "b.png"]
    expect(page.locator("#conversation .asked")).to_have_count(1)
    expect(page.locator("#conversation .receipt")).to_have_count(1)
    expect(page.locator("#viewer .thumb")).to_have_text(["1", "2"])
    page.reload()
    expect(question(page, 1)).to_contain_text("Another?")
    expect(page.locator("#conversation .asked")).to_have_count(1)


def test_editing_by_keyboard_alone(page: Page, scripted: ScriptedModel) -> None:
    three(page, scripted)
    edit, area = act(question(page, 1), "edit"), question(page, 1).locator("textarea")
    page.focus("#composer textarea")
    tab_to(page, "Shift+Tab", edit)
    page.keyboard.press("Enter")
    expect(area).to_be_focused()
    page.keyboard.type("Never sent")
    page.keyboard.press("Escape")
    expect(area).to_have_count(0)
    expect(edit).to_be_focused()
    page.keyboard.press("Enter")
    expect(area).to_have_value("One?")
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("By")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("keys?")
    page.keyboard.press("Enter")
    expect(page.locator("#conversation .asked")).to_have_count(1)
    wait_answer(page, "Third.")
    assert [turn.text for turn in scripted.asked[-1].turns] == ["By\nkeys?"]
    assert len(scripted.asked) == 4 and len(scripted.asked[-1].images) == 2


def test_undo_fills_the_composer_again(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, "One?", "First.")
    asked(page, scripted, SECOND, "Second.", *TWO)
    act(question(page, 2), "undo").click()
    expect(page.locator("#composer textarea")).to_have_value(SECOND)
    expect(page.locator("#tray .line .name")).to_have_text(["a.png", "b.png"])
    expect(page.locator("#tray .line .head b")).to_have_text(["Image-1", "Image-2"])
    expect(page.locator("#conversation .asked")).to_have_count(1)
    expect(page.locator("#viewer img")).to_have_count(2)  # they wait
    page.click("#send")
    wait_answer(page, "Second.")
    first, second = scripted.asked[-1].turns
    assert (first.text, first.answer, second.text, len(second.images)) == ("One?", "First.", SECOND, 2)


def test_undo_of_the_only_question(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, "One?", "First.", picture("a.png"))
    act(question(page, 1), "undo").click()
    expect(page.locator("#composer textarea")).to_have_value("One?")
    expect(page.locator("#tray .line")).to_have_count(1)
    expect(page.locator("#conversation .asked")).to_have_count(0)
    page.click("#panel .panel-toggle")
    expect(page.locator(".conversations li")).to_have_count(0)


# Versions and copies.


def test_the_shown_version_is_what_counts(page: Page, scripted: ScriptedModel) -> None:
    versions(page, scripted, "Red.", "Green.", "Blue.")
    expect(act(answer(page, 1), "later")).to_be_disabled()
    act(answer(page, 1), "earlier").click()
    expect(answer(page, 1).locator(".turn-count")).to_have_text("2/3")
    expect(answer(page, 1)).to_contain_text("Green.")
    act(answer(page, 1), "earlier").click()
    expect(answer(page, 1).locator(".turn-count")).to_have_text("1/3")
    expect(answer(page, 1)).to_contain_text("Red.")
    expect(act(answer(page, 1), "earlier")).to_be_disabled()
    act(answer(page, 1), "later").click()
    expect(answer(page, 1)).to_contain_text("Green.")
    asked(page, scripted, "And now?", "Well.")
    assert [turn.answer for turn in scripted.asked[-1].turns] == ["Green.", None]


def test_a_version_is_chosen_side_by_side(page: Page, scripted: ScriptedModel) -> None:
    versions(page, scripted, f"See {CAT}.", "Nothing.")
    act(answer(page, 1), "beside").press("Enter")
    dialog = page.locator("dialog.turn-versions")
    expect(dialog.locator(".said")).to_have_text(["See the cat.", "Nothing."])
    expect(dialog.locator("section[aria-current=true] .said")).to_have_text("Nothing.")
    expect(dialog.locator(".note").first).to_contain_text("first token")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    act(answer(page, 1), "beside").click()
    dialog.get_by_role("button", name="Go on from this one").click()
    expect(answer(page, 1).locator(".turn-count")).to_have_text("1/2")
    expect(answer(page, 1)).to_contain_text("See the cat.")
    asked(page, scripted, "And now?", "Well.")
    assert [turn.answer for turn in scripted.asked[-1].turns] == [f"See {CAT}.", None]


def test_copy_gives_the_answers_text(page: Page, scripted: ScriptedModel) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    asked(page, scripted, "Where?", f"See **{CAT}** at $x < 2$ & `a`.", picture())
    act(answer(page, 1), "copy").click()
    expect(act(answer(page, 1), "copy")).to_have_attribute("aria-label", "Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "See **the cat** at $x < 2$ & `a`."


# For everyone.


def test_axe_finds_nothing(page: Page, scripted: ScriptedModel) -> None:
    versions(page, scripted, "Red.", "Green.")
    for view in VIEWS.values():
        look(page, **view)
        act(question(page, 1), "edit").click()
        assert faults(page) == [], view
        question(page, 1).locator("textarea").press("Escape")
        act(answer(page, 1), "beside").click()
        assert faults(page) == [], view
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), view
        page.keyboard.press("Escape")
