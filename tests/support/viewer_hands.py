"""What a hand does at the viewer, and what an eye finds there: locators and gestures for its tests."""

import json
import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, expect


def open_viewer(page: Page, place: int = 0) -> None:
    """On a phone it lies over the conversation, behind each picture of a question; their places count from 0."""
    if page.locator("#viewer").is_hidden():
        page.locator("#conversation .picture").nth(place).click()


def close_viewer(page: Page) -> None:
    if page.locator("#viewer .shut").is_visible():
        page.click("#viewer .shut")


def box(page: Page, label: str) -> Locator:
    return page.locator(f'.ground-box[data-label="{label}"]')


def phrase(page: Page, text: str) -> Locator:
    return page.locator(".ground-phrase[tabindex]", has_text=text)


def zoom(page: Page) -> int:
    return int(page.locator("#viewer .stage").get_attribute("data-zoom") or 0)


def lit(locator: Locator) -> None:
    expect(locator).to_have_class(re.compile(r"\blit\b"))


def wait_zoom(page: Page, wanted: Callable[[int], bool]) -> int:
    page.wait_for_function(
        "document.querySelector('#viewer .sheet:not([hidden])').getAnimations().length === 0"
    )
    level = zoom(page)
    assert wanted(level), level
    return level


def region(page: Page) -> dict[str, Any]:
    page.wait_for_function("document.querySelector('#viewer .widget').dataset.region")
    return json.loads(page.locator("#viewer .widget").get_attribute("data-region") or "null")


def sheet_point(page: Page, across: float, down: float) -> tuple[float, float]:
    """A point of the image shown, in fractions -> in the window."""
    area = page.locator("#viewer .sheet:not([hidden])").bounding_box()
    assert area
    return area["x"] + across * area["width"], area["y"] + down * area["height"]


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + 8, start[1] + 8)
    page.mouse.move(*end)
    page.mouse.up()
