"""The whole page with everything open, for those who see it in another way or have no mouse; in real Chromium.

Each view (language, colours, width) is filled once; each state of it is opened, looked at and closed again.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.accessibility import faults
from tests.support.full_page import DIALOGS, close_dialog, fill, open_dialog, pointing
from tests.support.page_hands import BROKEN, CAT, attach, picture, send, wait_answer
from tests.support.scripted_model import ScriptedModel
from tests.support.shared_tab import Tabs

Open = Callable[..., Page]

DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
VIEWS: dict[str, dict[str, Any]] = {
    "English light desktop": {"locale": "en-US", "color_scheme": "light", "viewport": DESKTOP},
    "Chinese dark phone": {"locale": "zh-CN", "color_scheme": "dark", "viewport": PHONE},
    "English dark desktop": {"locale": "en-US", "color_scheme": "dark", "viewport": DESKTOP},
    "Chinese light phone": {"locale": "zh-CN", "color_scheme": "light", "viewport": PHONE},
}
"""Any two of language, colours and width meet."""
PLAIN, POINTING = "conversation", "X-ray, region, boxes and an edit"
LOOKING = re.compile("Waiting for the camera|正在等待摄像头")
STATES = (PLAIN, POINTING, *(dialog for _, dialog, _ in DIALOGS))


@pytest.fixture(scope="module", params=VIEWS.values(), ids=VIEWS)
def page(
    request: pytest.FixtureRequest, tabs: Tabs, scripted_url: str, scripted: ScriptedModel
) -> Iterator[Page]:
    """The page with something of everything; what a test opens, it closes."""
    with tabs.lend() as open_page:
        page = open_page(scripted_url, **request.param)
        fill(page, scripted)
        yield page


@pytest.fixture(params=STATES)
def state(request: pytest.FixtureRequest, page: Page) -> Iterator[Page]:
    """The filled page in one of its states."""
    if request.param == PLAIN:
        yield page
    elif request.param == POINTING:
        with pointing(page):
            yield page
    else:
        opener, dialog, close = next(row for row in DIALOGS if row[1] == request.param)
        open_dialog(page, opener)
        try:
            expect(page.locator(dialog).first).to_be_visible()
            expect(page.locator(dialog).get_by_text(LOOKING)).to_have_count(0)
            yield page
        finally:
            close_dialog(page, dialog, close)


@pytest.fixture(params=VIEWS.values(), ids=VIEWS)
def empty(request: pytest.FixtureRequest, open_page: Open, scripted_url: str) -> Page:
    """The page as it is opened, with its examples."""
    page = open_page(scripted_url, **request.param)
    expect(page.locator("#panel .panel-toggle")).not_to_have_text("")
    return page


# What is found, as lists that are empty where all is well.


def wider(page: Page) -> list[str]:
    """What is wider than its place: the page than the window, a dialog than itself or the window."""
    return page.evaluate(
        """() => [document.documentElement, ...document.querySelectorAll('dialog[open]')].filter((node) =>
            node.scrollWidth > node.clientWidth || node.getBoundingClientRect().right > innerWidth
        ).map((node) => node.className || node.tagName)"""
    )


_FOCUSED = """() => {
    const node = document.activeElement
    if (!node || node === document.body) return null
    const known = window.walked.has(node)
    window.walked.add(node)
    const around = []
    for (let one = node; one && one !== document.body; one = one.parentElement) around.push(one)
    const look = () => JSON.stringify(around.map((one) => {
        const { outlineStyle, outlineWidth, outlineColor, boxShadow, strokeWidth } = getComputedStyle(one)
        return [outlineStyle !== 'none' && outlineWidth + outlineColor, boxShadow, strokeWidth]
    }))
    const focused = look()
    node.blur()
    const ring = look() !== focused
    node.focus({ preventScroll: true })
    return { known, ring, which: node.outerHTML.slice(0, 120) }
}"""
"""In the browser: what has the focus, and whether that can be seen on it or around it. A box in an image has a
thicker line."""


def walk(page: Page) -> list[dict[str, Any]]:
    """All that Tab reaches until it comes round, each with the name that a screen reader says."""
    page.add_style_tag(content="* { transition: none !important; animation: none !important }")
    page.evaluate("window.walked = new Set()")
    session = page.context.new_cdp_session(page)
    reached = []
    for _ in range(200):
        page.keyboard.press("Tab")
        here = page.evaluate(_FOCUSED)
        if here and here["known"]:
            session.detach()
            return reached
        if here:
            node = session.send("Runtime.evaluate", {"expression": "document.activeElement"})["result"]
            asked = {"objectId": node["objectId"], "fetchRelatives": False}
            said = session.send("Accessibility.getPartialAXTree", asked)["nodes"][0]
            reached.append({**here, "name": said.get("name", {}).get("value", "").strip()})
    pytest.fail("Tab never comes round")


def unseen(reached: list[dict[str, Any]]) -> list[str]:
    return [one["which"] for one in reached if not one["ring"] or not one["name"]]


# What is promised.


def test_everyone_can_use_every_state(state: Page) -> None:
    assert (faults(state), wider(state)) == ([], [])
    if not state.locator("dialog[open]").count():
        state.locator("#viewer .thumb").first.focus()  # begins where the boxes are
    reached = walk(state)
    assert unseen(reached) == []
    assert len(reached) >= (2 if state.locator("dialog[open]").count() else 30)


def test_each_box_is_read_as_a_line(page: Page) -> None:
    lines = (
        page.get_by_role("listitem").filter(has_text=re.compile("the cat|a dog")).filter(has_text="Image-1")
    )
    with pointing(page):
        expect(lines).to_have_count(2)


def test_the_empty_page_and_its_notice(empty: Page) -> None:
    assert (faults(empty), wider(empty), unseen(walk(empty))) == ([], [], [])
    attach(empty, BROKEN)
    expect(empty.locator("#notice [role=alert]")).to_be_visible()
    assert (faults(empty), wider(empty)) == ([], [])


POINTED = (
    *(
        "#panel .panel-toggle",
        "#switch-language",
        "#conversation [data-act=undo]",
        "#conversation [data-act=copy]",
    ),
    *(
        ".plus",
        ".detail",
        ".ring",
        "#tray .thumb",
        "#tray .remove",
        "#send",
        "#retry",
        "#clear",
        "#model-pill",
    ),
    *("#conversation .about", "#conversation .picture"),
)


def test_what_is_pointed_at_stays_legible(page: Page) -> None:
    found = {}
    for which in POINTED:
        page.locator(which).first.hover()
        if bad := faults(page, which):
            found[which] = bad
    assert found == {}


def test_a_tap_hits_its_aim(open_page: Open, scripted_url: str, scripted: ScriptedModel) -> None:
    page = open_page(scripted_url, viewport=PHONE, has_touch=True)
    fill(page, scripted)
    page.evaluate("scrollTo(0, 0)")
    button = page.locator("#conversation .about").first
    button.evaluate(
        """(node) => {
            const log = node.closest('[role=log]')
            log.scrollTop += node.getBoundingClientRect().top - log.getBoundingClientRect().top - 60
        }"""
    )
    expect(page.locator("#viewer .chip")).to_have_count(0)
    place = button.bounding_box()
    assert place and place["y"] < PHONE["height"]
    page.touchscreen.tap(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    expect(page.locator("#conversation .told").first).to_be_visible()
    expect(page.locator("#viewer .chip")).to_have_count(2)  # its boxes came


def test_a_picture_is_named_by_what_it_is(open_page: Open, scripted_url: str) -> None:
    page = open_page(scripted_url)
    attach(page, picture("a.png"))
    expect(page.locator("#viewer figure").first).to_have_accessible_name("Image-1")


def test_a_phone_promises_boxes_only_where_they_are(
    open_page: Open, scripted_url: str, scripted: ScriptedModel
) -> None:
    scripted.begin_anew()
    page = open_page(scripted_url, viewport=PHONE, has_touch=True)
    scripted.script = [f"Image-2: {CAT}."]
    send(page, "Where is the cat?", picture("a.png"), picture("b.png", colour="navy"))
    wait_answer(page, "the cat")
    looks = page.locator("#conversation .look")
    expect(looks.nth(0)).to_have_accessible_name("Image-1: open it large")
    expect(looks.nth(1)).to_have_accessible_name("Boxes on Image-2: open it large")
