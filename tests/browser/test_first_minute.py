"""The first minute: what a stranger sees before and after a first question, on a laptop and on a phone."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.opening import SEND
from tests.support.page_hands import CAT, attach, picture, send, wait_answer, write
from tests.support.scripted_model import ScriptedModel
from tests.support.viewer_hands import drag, phrase, sheet_point, wait_zoom

Open = Callable[..., Page]

LAPTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 720}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
TWO = [picture("a.png", (900, 600)), picture("b.png", (400, 200), "navy")]
LEAST_TARGET_PX = 44

MEASURE_SHIFTS = """() => {
    window.shifted = 0
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value
    }).observe({ type: 'layout-shift', buffered: true })
}"""

SMALL_TARGETS = """(least) => [...document.querySelectorAll(
        'button, a[href], select, summary, input:not([type=file]), textarea, label:has(input)')]
    .filter((node) => node.checkVisibility({ visibilityProperty: true }) && node.getClientRects().length)
    .filter((node) => !node.parentElement.closest('label, [inert]') && !node.matches('.again, .ground-box'))
    .flatMap((node) => {
        const after = getComputedStyle(node, '::after')
        const more = after.content === 'none' ? 0 : -parseFloat(after.top) || 0
        const { width, height } = node.getBoundingClientRect()
        const name = node.id || node.className || node.tagName
        return Math.min(width, height) + 2 * more < least ? [`${name} ${width}x${height}`] : []
    })"""


def in_sight(page: Page, selector: str) -> bool:
    area = page.locator(selector).bounding_box()
    size = page.viewport_size
    assert area and size
    return area["y"] >= 0 and area["y"] + area["height"] <= size["height"] and area["width"] > 0


@pytest.fixture
def waiting(request: pytest.FixtureRequest, scripted: ScriptedModel) -> Iterator[list[bool]]:
    """An answer that goes on when something is in the list."""
    if "page" in request.fixturenames:
        request.getfixturevalue("page")  # opening one has the model begin anew
    go_on: list[bool] = []
    scripted.script = [lambda: bool(go_on), f"Here is {CAT}, and more.\n\n" + "Words. " * 60]
    yield go_on
    go_on.append(True)


@pytest.mark.parametrize(
    ("files", "least"), [([], 500), (TWO, 440)], ids=["nothing waits", "two pictures wait"]
)
def test_a_laptop_is_for_the_talk(open_page: Open, scripted_url: str, files: Any, least: int) -> None:
    page = open_page(scripted_url, **LAPTOP)
    if files:
        attach(page, *files)
    area = page.locator("#conversation").bounding_box()
    assert area and area["height"] >= least
    assert in_sight(page, "#send")
    assert page.evaluate("document.documentElement.scrollHeight") <= 720


def test_a_phone_always_shows_send(open_page: Open, scripted_url: str, scripted: ScriptedModel) -> None:
    page = open_page(scripted_url, **PHONE)
    assert in_sight(page, "#send")
    attach(page, *TWO)
    assert in_sight(page, "#send")
    scripted.script = [f"Here is {CAT}. " + "Words. " * 200]
    send(page, "Where is the cat?")
    wait_answer(page, "the cat")
    assert in_sight(page, "#send") and in_sight(page, "#composer textarea")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("view", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_nothing_jumps(open_page: Open, scripted_url: str, view: Any, waiting: list[bool]) -> None:
    page = open_page(scripted_url, **view)
    page.wait_for_timeout(500)
    page.evaluate(MEASURE_SHIFTS)
    page.wait_for_timeout(300)
    loading = page.evaluate("window.shifted")
    assert loading < 0.05
    attach(page, *TWO)
    write(page, "Where is the cat?")
    page.click("#send")
    expect(page.locator("#conversation .state")).to_contain_text("Reading 2 pictures")
    page.wait_for_timeout(300)
    page.evaluate("window.shifted = 0")  # until here it is the press that moves the page
    expect(page.locator("#conversation .state")).to_contain_text("1 s")
    waiting.append(True)
    wait_answer(page, "Words.")
    page.wait_for_timeout(300)
    assert page.evaluate("window.shifted") < 0.05


def test_a_question_is_there_before_the_server_has_it(page: Page) -> None:
    held: list[Route] = []
    page.route("**/api/conversations/new/questions", lambda route: held.append(route))
    attach(page, picture())
    send(page, "Where is the cat?")
    expect(page.locator("#conversation .asked")).to_have_text("Where is the cat?")
    expect(page.locator("#conversation .bot .state")).to_contain_text("Reading 1 picture")
    expect(page.locator("#composer textarea")).to_have_value("")
    expect(page.locator("#stop")).to_be_visible()
    held[0].continue_()
    wait_answer(page, "Hello.")


def test_a_question_is_shown_within_a_tenth_of_a_second(
    open_page: Open, scripted_url: str, scripted: ScriptedModel
) -> None:
    scripted.begin_anew()
    page = open_page(scripted_url, **LAPTOP)
    took = []
    for _ in range(3):
        write(page, "Where is the cat?")
        took.append(page.evaluate(SEND))
        wait_answer(page, "Hello.")
        page.click("#clear")
        expect(page.locator("#conversation .asked")).to_have_count(0)
    assert min(took) < 100, took


def test_a_refused_question_comes_back_with_all_it_had(page: Page) -> None:
    refused = {"what": "It cannot be asked.", "next_step": "Ask otherwise."}
    page.route("**/api/conversations/new/questions", lambda route: route.fulfill(status=422, json=refused))
    attach(page, picture())
    send(page, "Where is the cat?")
    expect(page.locator("#notice [role=alert]")).to_contain_text("It cannot be asked.")
    expect(page.locator("#conversation .asked")).to_have_count(0)
    expect(page.locator("#composer textarea")).to_have_value("Where is the cat?")
    expect(page.locator("#tray .line")).to_have_count(1)


@pytest.mark.usefixtures("waiting")
def test_the_answer_says_what_it_waits_for(page: Page) -> None:
    send(page, "Where is the cat?", *TWO)
    state = page.locator("#conversation .bot .state")
    expect(state).to_contain_text("Reading 2 pictures")
    expect(state).to_contain_text("tiles")
    expect(state).to_contain_text("1 s")


@pytest.mark.usefixtures("waiting")
def test_a_stopped_answer_says_so(page: Page) -> None:
    send(page, "Where is the cat?")
    expect(page.locator("#stop")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#conversation .bot .state")).to_have_text("stopped")


@pytest.mark.usefixtures("waiting")
def test_enter_while_an_answer_comes_says_why_not(page: Page) -> None:
    send(page, "Where is the cat?")
    write(page, "And the dog?")
    page.press("#composer textarea", "Enter")
    expect(page.locator("#composer-card .hint")).to_contain_text("Esc stops it")
    expect(page.locator("#composer textarea")).to_have_value("And the dog?")


def test_every_target_is_large_enough_for_a_finger(
    open_page: Open, scripted_url: str, scripted: ScriptedModel
) -> None:
    page = open_page(scripted_url, **PHONE)
    assert page.evaluate("matchMedia('(pointer: coarse)').matches")
    scripted.script = [f"Here is {CAT}."]
    send(page, "Where is the cat?", *TWO)
    wait_answer(page, "the cat")
    attach(page, picture("c.png", colour="red"))
    assert page.evaluate(SMALL_TARGETS, LEAST_TARGET_PX) == []
    for opener in (
        "#composer-card .plus",
        "#composer-card .detail",
        "#tray .thumb",
        "#conversation .about",
        "#model-pill",
    ):
        page.locator(opener).first.tap()
        assert page.evaluate(SMALL_TARGETS, LEAST_TARGET_PX) == [], opener
        page.keyboard.press("Escape")


def test_a_waiting_picture_is_looked_at_and_pointed_into(page: Page, scripted: ScriptedModel) -> None:
    expect(page.locator("#sight")).to_be_hidden()
    attach(page, picture("a.png", (900, 600)))
    page.click("#viewer .xray")
    expect(page.locator("#viewer .xray-tile")).to_have_count(6)
    page.click("#viewer .select")
    drag(page, sheet_point(page, 0.25, 0.25), sheet_point(page, 0.5, 0.5))
    page.click("#viewer .acts .main")
    expect(page.locator("#tray .place")).to_contain_text("Region of Image-1: 250, 250, 500, 500")
    expect(page.locator("#composer textarea")).to_have_value("")
    expect(page.locator("#viewer .region")).to_have_count(0)  # nothing stays dark
    page.reload()
    expect(page.locator("#tray .place")).to_contain_text("250, 250, 500, 500")
    send(page, "What is this?")
    wait_answer(page, "Hello.")
    asked = "What is this?\n<ref>region</ref><box>[[250, 250, 500, 500]]</box>"
    assert scripted.asked[-1].turns[-1].text == asked
    expect(page.locator("#conversation .asked")).to_have_text("What is this?")
    expect(page.locator("#conversation .place")).to_contain_text("250, 250, 500, 500")
    expect(page.locator("#tray .place")).to_have_count(0)


def test_a_region_goes_with_its_picture(page: Page, scripted: ScriptedModel) -> None:
    attach(page, *TWO)
    page.click("#viewer .thumb >> nth=1")
    page.click("#viewer .select")
    drag(page, sheet_point(page, 0.25, 0.25), sheet_point(page, 0.5, 0.5))
    page.click("#viewer .acts .main")
    expect(page.locator("#tray .place")).to_contain_text("Region of Image-2")
    page.get_by_label("Remove Image-1").click()
    expect(page.locator("#tray .place")).to_contain_text("Region of Image-1")
    send(page, "What is this?")
    wait_answer(page, "Hello.")
    assert scripted.asked[-1].turns[-1].text.startswith("What is this?\n<ref>region</ref>")
    attach(page, picture("c.png", colour="red"))
    page.click("#viewer .select")
    drag(page, sheet_point(page, 0.25, 0.25), sheet_point(page, 0.5, 0.5))
    page.click("#viewer .acts .main")
    page.get_by_label("Remove Image-2").click()
    expect(page.locator("#tray .place")).to_have_count(0)


def test_a_region_stays_with_an_edited_and_a_withdrawn_question(page: Page, scripted: ScriptedModel) -> None:
    attach(page, picture("a.png", (900, 600)))
    page.click("#viewer .select")
    drag(page, sheet_point(page, 0.25, 0.25), sheet_point(page, 0.5, 0.5))
    page.click("#viewer .acts .main")
    send(page, "What is this?")
    wait_answer(page, "Hello.")
    page.click("#conversation [data-act=edit]")
    expect(page.locator(".turn-edit textarea")).to_have_value("What is this?")
    page.fill(".turn-edit textarea", "Who is this?")
    page.keyboard.press("Enter")
    expect(page.locator("#conversation .asked")).to_have_text("Who is this?")
    wait_answer(page, "Hello.")
    assert scripted.asked[-1].turns[-1].text.startswith("Who is this?\n<ref>region</ref>")
    page.click("#conversation [data-act=undo]")
    expect(page.locator("#conversation .asked")).to_have_text("What is this?")
    expect(page.locator("#composer textarea")).to_have_value("Who is this?")
    expect(page.locator("#tray .place")).to_contain_text("Region of Image-1: 250, 250, 500, 500")


def test_a_phone_shows_boxes_where_they_are_read_of(
    open_page: Open, scripted_url: str, scripted: ScriptedModel
) -> None:
    page = open_page(scripted_url, **PHONE)
    scripted.script = [f"Here is {CAT}."]
    send(page, "Where is the cat?", picture("a.png", (900, 600)))
    wait_answer(page, "the cat")
    expect(page.locator("#conversation .look rect.line")).to_have_count(1)
    expect(page.locator("#viewer")).to_be_hidden()
    phrase(page, "the cat").tap()
    expect(page.locator("#viewer .stage")).to_be_visible()
    area = page.locator("#sight").bounding_box()
    assert area and 0.4 * 844 <= area["height"] <= 0.5 * 844
    assert wait_zoom(page, lambda level: level > 150)
    assert in_sight(page, ".ground-phrase")
    page.click("#viewer .shut")
    expect(page.locator("#viewer")).to_be_hidden()
    page.locator("#conversation .look").tap()
    area = page.locator("#sight").bounding_box()
    assert area and area["height"] == 844
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()


def test_a_phone_turns_to_the_picture_with_the_box(
    open_page: Open, scripted_url: str, scripted: ScriptedModel
) -> None:
    page = open_page(scripted_url, **PHONE)
    scripted.script = [f"Image-2: {CAT}."]
    send(page, "Where is the cat?", picture("a.png", (900, 900)), picture("b.png", (900, 900), "navy"))
    wait_answer(page, "the cat")
    expect(page.locator("#conversation .look")).to_have_count(2)
    area = page.locator("#conversation .look").nth(1).bounding_box()
    assert area and area["x"] >= 0 and area["x"] + area["width"] <= 390


def test_keys_reach_everything(page: Page, scripted: ScriptedModel) -> None:
    scripted.script = [f"Here is {CAT}."]
    send(page, "Where is the cat?", *TWO)
    wait_answer(page, "the cat")
    page.locator("#conversation .log").focus()
    page.keyboard.press("?")
    expect(page.locator("dialog.keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    expect(page.locator("#viewer .tool.xray")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("t")
    page.keyboard.press("r")
    expect(page.locator("#viewer .tool.select")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("r")
    page.keyboard.press("Alt+2")
    expect(page.locator("#viewer .thumb").nth(1)).to_have_attribute("aria-current", "true")
    page.locator("#conversation .log").focus()
    page.keyboard.press("/")
    expect(page.locator("#composer textarea")).to_be_focused()
    page.keyboard.type("b?")
    expect(page.locator("#composer textarea")).to_have_value("b?")
    write(page, "")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".turn-edit textarea")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.locator("dialog.conversations")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Shift+O")
    expect(page.locator("#conversation .asked")).to_have_count(0)
    expect(page.locator("#composer textarea")).to_be_focused()


def test_the_detail_menu_tells_grid_tokens_and_seconds(open_page: Open, scripted_url: str) -> None:
    page = open_page(scripted_url, local={"internvl-pace": '{"scripted": 0.01}'})  # seconds for each token
    attach(page, picture("a.png", (900, 600)))
    page.click("#composer-card .detail")
    expect(page.locator("#composer-card .facts")).to_have_text(
        "3 × 2 = 6 tiles + thumbnail · 448 visual tokens · about 4.5 s"
    )
    lines = page.locator("#composer-card .preview path.line")
    expect(lines).to_have_attribute("d", "M1 0v2M2 0v2M0 1h3")
    page.click("#mode label:has-text('Low')")
    expect(page.locator("#composer-card .facts")).to_have_text("1 tile · 64 visual tokens · about 0.6 s")
    expect(lines).to_have_attribute("d", "")
    expect(page.locator("#composer-card .detail")).to_have_text("Detail: low")


def test_a_pointless_detail_says_so(page: Page) -> None:
    attach(page, picture("a.png", (1792, 1344)))
    page.click("#composer-card .detail")
    high = page.locator("#mode label", has_text="High")
    expect(high).to_contain_text("no gain")
    expect(page.locator("#mode label", has_text="Standard")).to_contain_text("832 tokens")
