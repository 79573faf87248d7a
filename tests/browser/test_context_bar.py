"""The context bar in real Chromium: what it says, for everyone, and what a click on a change does."""

from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from internvl_demo.conversation.turns import Attachment
from internvl_demo.photos.decode import photo_of
from internvl_demo.web.language import Words
from internvl_demo.web.widgets.context_bar.view import context_bar
from tests.support.accessibility import VIEWS, faults, look
from tests.support.budgets import FITS, HOPELESS, TOO_LONG, WIDE, budget_of
from tests.support.hostile_texts import HOSTILE_QUESTION
from tests.support.page_hands import attach, choose_detail, picture, wait_answer, write
from tests.support.scripted_model import ScriptedModel

ENGLISH, CHINESE = Words(), Words("zh")
ASK_AGAIN = """() => import(new URL('page/widgets/lib/drafting.js', document.baseURI))
    .then(({ askBudget }) => { askBudget() })"""


@pytest.fixture
def bar(page: Page) -> Page:
    """The page with a picture that waits, so that the bar is asked about."""
    attach(page, picture())
    expect(page.locator("#context-bar .part")).not_to_have_count(0)
    return page


def show(page: Page, value: dict[str, Any]) -> None:
    """Let the server answer so."""

    def answer(route: Route) -> None:
        route.fulfill(json=value)

    page.unroute("**/api/budget")
    page.route("**/api/budget", answer)
    page.evaluate(ASK_AGAIN)
    expect(page.locator("#context-bar .sentence")).to_have_text(value["sentence"])


# What goes wrong.


def test_hostile_text_stays_text(bar: Page) -> None:
    part = {
        "kind": f'x" onclick="{HOSTILE_QUESTION}',
        "caption": HOSTILE_QUESTION,
        "tokens": 1,
        "share": "1e9; x",
        "text": HOSTILE_QUESTION,
    }
    hostile = {
        "parts": [part, {**part, "share": -3}, {**part, "share": None}, {**part, "share": 7}],
        "sentence": HOSTILE_QUESTION,
        "limit": "javascript:alert(6)",
        "problem": {"what": HOSTILE_QUESTION, "next_step": HOSTILE_QUESTION},
        "fixes": [{"key": HOSTILE_QUESTION, "text": HOSTILE_QUESTION}],
    }
    show(bar, hostile)
    expect(bar.locator("#context-bar .trouble")).to_have_text(f"{HOSTILE_QUESTION} {HOSTILE_QUESTION}")
    expect(bar.locator("#context-bar .part.text")).to_have_count(4)
    expect(bar.locator("#context-bar :is(img, script, strong strong, [onclick])")).to_have_count(0)
    expect(bar.get_by_role("button", name="<img")).to_have_text(HOSTILE_QUESTION)


def test_a_hostile_file_name_stays_text(bar: Page) -> None:
    name = "<img src=x onerror=alert(5)>{{alert(6)}}${alert(7)}{count}.png"
    photo = photo_of(Image.new("RGB", (2000, 2000)), name)
    show(bar, context_bar(budget_of(4096, Attachment(WIDE, 1), Attachment(photo, 36)), ENGLISH))
    expect(bar.locator("#context-bar .fix").last).to_have_text(f"Leave out Image-3 ({name})")


def test_what_nothing_helps_offers_nothing(bar: Page) -> None:
    show(bar, context_bar(HOPELESS, ENGLISH))
    expect(bar.get_by_role("status").filter(has_text="No single change is enough")).to_be_visible()
    expect(bar.locator("#context-bar button")).to_have_count(0)


# What is shown and done.


def test_an_empty_page_has_no_bar(page: Page) -> None:
    expect(page.locator("#context-bar")).to_be_hidden()
    attach(page, picture())
    expect(page.locator("#context-bar .part")).not_to_have_count(0)
    expect(page.locator("#context-bar")).to_be_hidden()
    page.click("#composer-card .ring")
    expect(page.locator("#context-bar")).to_be_visible()
    expect(page.locator("#context-bar .trouble")).to_be_hidden()
    expect(page.locator("#context-bar .over")).to_have_count(0)
    page.get_by_label("Remove Image-1").click()
    expect(page.locator("#context-bar")).to_be_hidden()


def test_a_change_is_applied_to_the_draft(page: Page, scripted: ScriptedModel) -> None:
    choose_detail(page, "High")
    attach(
        page, *[picture(f"{n}.png", (2000, 1250), c) for n, c in enumerate(("red", "navy", "teal", "gold"))]
    )
    expect(page.locator("#context-bar .over")).to_have_count(1)
    page.locator("#context-bar .fix", has_text="Fewer tiles").click()
    expect(page.locator("#context-bar .trouble")).to_be_hidden()
    expect(page.locator("#context-bar .over")).to_have_count(0)
    assert not scripted.asked


def test_a_shorter_answer_is_asked_for_once(bar: Page) -> None:
    value = context_bar(TOO_LONG, ENGLISH)
    shorter = {"key": "shorter-answer-300", "text": "Shorter", "images": None, "max_new_tokens": 300}
    show(bar, {**value, "fixes": [shorter]})
    with bar.expect_request("**/api/budget") as asked:
        bar.click("#context-bar .fix")
    assert asked.value.post_data_json["max_new_tokens"] == 300
    bar.unroute("**/api/budget")
    for options in ({"max_new_tokens": 300}, {}):
        write(bar, "Which?")
        with bar.expect_request("**/questions") as sent:
            bar.click("#send")
        assert sent.value.post_data_json["options"] == options
        wait_answer(bar, "Hello.")


def test_typing_on_keeps_the_focus_on_an_offer(bar: Page) -> None:
    value = context_bar(TOO_LONG, ENGLISH)
    show(bar, value)
    bar.locator("#context-bar .fix").focus()
    show(bar, {**value, "sentence": "another"})
    expect(bar.locator("#context-bar .fix")).to_be_focused()
    bar.keyboard.press("Enter")
    expect(bar.locator("#context-bar .trouble")).to_be_hidden()


# For everyone.


def test_the_bar_is_read_aloud_as_a_list(bar: Page) -> None:
    value = context_bar(FITS, CHINESE)
    show(bar, value)
    bar.click("#composer-card .ring")
    items = bar.locator("#context-bar").get_by_role("listitem")
    expect(items).to_have_text([part["text"] for part in value["parts"]])
    height = {
        which: (bar.locator(f"#context-bar{which}").bounding_box() or {"height": 0})["height"]
        for which in (" .bar", "")
    }
    assert 0 < height[" .bar"] <= 26 and 0 < height[""] <= 56


def test_axe_finds_nothing(bar: Page) -> None:
    for found in (FITS, TOO_LONG, HOPELESS):
        show(bar, context_bar(found, ENGLISH))
        for view, how in VIEWS.items():
            look(bar, **how)
            assert faults(bar, "#context-bar") == [], view
            assert bar.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
