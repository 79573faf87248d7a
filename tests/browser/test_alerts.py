"""The one alert as a value: which of the things that are wrong it shows, in the page's own JavaScript."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

DO = """async (deeds) => {
    const { makeAlerts } = await import(new URL('page/widgets/notice/alerts.js', document.baseURI).href)
    const alerts = makeAlerts()
    const known = {}
    return deeds.map(([source, what, stays]) => {
        const problem = source === 'model' ? { what } : known[what] ??= { what, stays: Boolean(stays) }
        if (source === 'close') alerts.close()
        else alerts.change(source, what && problem)
        return alerts.shown()?.problem.what ?? ''
    })
}"""


@pytest.fixture(scope="module")
def page(browser: Browser, scripted_url: str) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(scripted_url)
    page.wait_for_selector("#send")
    yield page
    context.close()


# name -> what becomes known, in order, and what is shown after each
CASES: dict[str, list[tuple[list[Any], str]]] = {
    "nothing": [(["notice", None], ""), (["model", None], "")],
    "the most recent": [
        (["notice", "no question"], "no question"),
        (["trouble", "no picture"], "no picture"),
        (["notice", "no server"], "no server"),
    ],
    "what was told again is not new": [
        (["trouble", "no picture"], "no picture"),
        (["notice", "no server"], "no server"),
        (["trouble", "no picture"], "no server"),
    ],
    "what is over goes": [
        (["trouble", "no picture"], "no picture"),
        (["notice", "no server"], "no server"),
        (["notice", None], "no picture"),
        (["trouble", None], ""),
    ],
    "a model that is down takes the place": [
        (["notice", "no server"], "no server"),
        (["model", "down"], "down"),
        (["model", "still down"], "still down"),
    ],
    "what is told meanwhile stands before it": [
        (["model", "down"], "down"),
        (["trouble", "no picture"], "no picture"),
        (["model", "still down"], "no picture"),
        (["trouble", None], "still down"),
        (["model", None], ""),
    ],
    "an answer that broke off is not hidden by its cause": [
        (["notice", "broke off", True], "broke off"),
        (["model", "down"], "broke off"),
        (["notice", None], "down"),
    ],
    "closed is closed until the next time": [
        (["model", "down"], "down"),
        (["close", None], ""),
        (["model", "still down"], ""),
        (["model", None], ""),
        (["model", "down again"], "down again"),
    ],
    "a closed one hides nothing": [
        (["model", "down"], "down"),
        (["close", None], ""),
        (["notice", "no question"], "no question"),
    ],
}


@pytest.mark.parametrize("name", CASES)
def test_the_most_recent_that_stands_is_shown(page: Page, name: str) -> None:
    deeds = [deed for deed, _ in CASES[name]]
    assert page.evaluate(DO, deeds) == [shown for _, shown in CASES[name]]
