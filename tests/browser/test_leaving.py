"""What a person leaves while an answer comes, and what they find instead; in real Chromium."""

from playwright.sync_api import Page, expect

from tests.support.page_hands import choose_detail, picture, send, wait_answer, write
from tests.support.panel_hands import act, another_tab, begun, fresh, opened, rename, row, says, titles
from tests.support.scripted_model import ScriptedModel


def half(page: Page, scripted: ScriptedModel, question: str, *files: dict[str, object]) -> list[bool]:
    """A question whose answer comes half; the rest when the list is no longer empty."""
    go_on: list[bool] = []
    scripted.script = ["Half, ", lambda: bool(go_on), "all of it."]
    send(page, question, *files)
    expect(page.locator("#conversation .bot").last).to_contain_text("Half,")
    return go_on


def other(page: Page, title: str) -> None:
    row(opened(page), title).locator(".open").click()


def stays(page: Page, holds: str) -> None:
    """For longer than two views of a stream that was forgotten would take to come."""
    page.evaluate(
        """async (holds) => {
            const end = Date.now() + 1200
            while (Date.now() < end) {
                if (!eval(holds)) throw new Error(`no longer: ${holds}`)
                await new Promise(requestAnimationFrame)
            }
        }""",
        holds,
    )


ASKED = "document.querySelectorAll('#conversation .user .asked').length"


def test_deleting_another_keeps_the_answer(page: Page, scripted: ScriptedModel) -> None:
    begun(page, scripted, "Alpha", said="First.")
    fresh(page)
    go_on = half(page, scripted, "Beta")
    panel = opened(page)
    act(panel, "Alpha", "Delete").click()
    panel.get_by_role("button", name="Delete", exact=True).click()
    expect(titles(panel)).to_have_text(["Beta"])
    stays(page, "!document.querySelector('#stop').disabled && /Half,/.test(document.body.innerText)")
    go_on.append(True)
    wait_answer(page, "Half, all of it.")
    assert scripted.stopped == 0


def test_deleting_the_shown_one_empties_the_page(page: Page, scripted: ScriptedModel) -> None:
    half(page, scripted, "Beta")
    panel = opened(page)
    act(panel, "Beta", "Delete").click()
    panel.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#conversation .user")).to_have_count(0)
    stays(page, f"{ASKED} === 0 && !document.querySelector('#notice .shown')")
    expect(page.locator("#stop")).to_be_disabled()


def test_a_left_answer_stays_away(page: Page, scripted: ScriptedModel) -> None:
    begun(page, scripted, "Alpha", said="First.")
    fresh(page)
    go_on = half(page, scripted, "Beta")
    other(page, "Alpha")
    says(page, "Alpha", "First.")
    other(page, "Beta")
    says(page, "Beta", "Half,")
    other(page, "Alpha")
    says(page, "Alpha", "First.")
    stays(page, "/First\\./.test(document.querySelector('#conversation').innerText)")
    other(page, "Beta")
    says(page, "Beta", "Half,")
    page.click("#clear")
    expect(page.locator("#conversation .user")).to_have_count(0)
    stays(page, f"{ASKED} === 0 && document.querySelector('#stop').disabled")
    go_on.append(True)
    stays(page, f"{ASKED} === 0")
    assert scripted.stopped == 0


def test_the_bars_new_conversation_is_new(page: Page, scripted: ScriptedModel) -> None:
    choose_detail(page, "High")
    go_on = half(
        page, scripted, "These?", picture("a.png", (2000, 1250)), picture("b.png", (2000, 1250), "navy")
    )
    page.set_input_files("#composer input[type=file]", [picture("c.png", (2000, 1250), "gold")])
    write(page, "And this?")
    page.click("#context-bar button:has-text('new conversation')")
    expect(page.locator("#conversation .user")).to_have_count(0)
    stays(page, f"{ASKED} === 0")
    expect(page.locator("#composer textarea")).to_have_value("And this?")
    go_on.append(True)
    scripted.script = ["Gold."]
    page.click("#send")
    wait_answer(page, "Gold.")
    assert len(scripted.asked[-1].turns) == 1


def test_renaming_keeps_the_coming_answer(page: Page, scripted: ScriptedModel) -> None:
    go_on = half(page, scripted, "Beta")
    panel = opened(page)
    page.evaluate(
        """() => {
            window.without = 0
            const said = document.querySelector('#conversation')
            const look = () => { window.without += !/Half,/.test(said.innerText) }
            new MutationObserver(look).observe(said, { childList: true, subtree: true })
        }"""
    )
    rename(panel, "Beta", "The cats")
    expect(titles(panel)).to_have_text(["The cats"])
    go_on.append(True)
    wait_answer(page, "Half, all of it.")
    assert page.evaluate("window.without") == 0


def test_a_busy_conversation_says_so(page: Page, scripted: ScriptedModel, scripted_url: str) -> None:
    begun(page, scripted, "Alpha", said="First.")
    late = another_tab(page, scripted_url)
    other(late, "Alpha")
    says(late, "Alpha", "First.")
    go_on = half(page, scripted, "Once more?")
    write(late, "And I?")
    late.click("#send")
    expect(late.locator("#notice")).to_contain_text("still being answered")
    expect(late.locator("#conversation .bot").last).to_contain_text("Half,")
    stays(late, "document.querySelector('#notice .shown') && /Half,/.test(document.body.innerText)")
    expect(late.locator("#stop")).to_be_enabled()
    expect(late.locator("#composer textarea")).to_have_value("And I?")
    go_on.append(True)
    wait_answer(late, "Half, all of it.")
    expect(late.locator("#notice [role=alert]")).to_be_hidden()
