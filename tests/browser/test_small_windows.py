"""Small windows: nothing is cut off at a side, and pictures stand where they are read of; in real Chromium."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.page_hands import CAT, picture, send, wait_answer
from tests.support.scripted_model import ScriptedModel
from tests.support.viewer_hands import phrase

Open = Callable[..., Page]

LAPTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 720}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
TWO = [picture("a.png", (900, 600)), picture("b.png", (400, 200), "navy")]


def test_a_phone_stays_at_the_first_of_several_boxes(
    open_page: Open, scripted_url: str, scripted: ScriptedModel
) -> None:
    page = open_page(scripted_url, **PHONE)
    scripted.script = [f"Image-1: {CAT}, Image-2: <ref>a dog</ref><box>[[1, 2, 300, 400]]</box>."]
    send(page, "Where?", picture("a.png", (900, 900)), picture("b.png", (900, 900), "navy"))
    wait_answer(page, "a dog")
    area = page.locator("#conversation .look").first.bounding_box()
    assert area and area["x"] >= 0


def test_a_picture_on_a_phone_fills_its_frame(
    open_page: Open, scripted_url: str, scripted: ScriptedModel
) -> None:
    scripted.begin_anew()
    page = open_page(scripted_url, **PHONE)
    send(page, "What is it?", picture("a.png", (800, 500)), picture("b.png", (300, 900), "navy"))
    wait_answer(page, "Hello.")
    for place, ratio in enumerate((800 / 500, 300 / 900)):
        area = page.locator("#conversation .look img").nth(place).bounding_box()
        assert area and area["width"] / area["height"] == pytest.approx(ratio, abs=0.02)


OUT_OF_SIGHT = """(root) => [...document.querySelectorAll(`${root} :is(button, textarea, summary, .asked)`)]
    .filter((node) => node.checkVisibility({ visibilityProperty: true }) && !node.closest('.strip, .legend, .seen'))
    .flatMap((node) => {
        const { left, right } = node.getBoundingClientRect()
        const edge = document.querySelector(root).getBoundingClientRect()
        return left < edge.left - 1 || right > edge.right + 1 ? [node.className || node.id || node.tagName] : []
    })"""
"""What the page cuts off at a side; its own width tells nothing of that."""


NARROW: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "locale": "zh-CN"}


@pytest.mark.parametrize("view", [LAPTOP, PHONE, NARROW], ids=["laptop", "phone", "Chinese narrow phone"])
def test_nothing_is_cut_off_at_a_side(
    open_page: Open, scripted_url: str, scripted: ScriptedModel, view: Any
) -> None:
    page = open_page(scripted_url, **view)
    scripted.script = [f"Here is {CAT}."]
    send(page, "What is in both of these pictures, and where is it exactly?", *TWO)
    wait_answer(page, "the cat")
    page.locator("#conversation [data-act=edit]").click()
    expect(page.locator(".turn-edit textarea")).to_be_visible()
    for root in ("#head", "#conversation", "#composer-card"):
        assert page.evaluate(OUT_OF_SIGHT, root) == [], root
    if view is not LAPTOP:
        page.locator("#conversation .look").first.tap()
    assert page.evaluate(OUT_OF_SIGHT, "#sight") == []


def test_a_phone_that_lies_shows_boxes_beside_the_text(
    open_page: Open, scripted_url: str, scripted: ScriptedModel
) -> None:
    page = open_page(scripted_url, has_touch=True, viewport={"width": 844, "height": 390})
    scripted.script = [f"Here is {CAT}."]
    send(page, "Where is the cat?", picture("a.png", (900, 600)))
    wait_answer(page, "the cat")
    phrase(page, "the cat").tap()
    area, text = page.locator("#viewer .stage").bounding_box(), phrase(page, "the cat").bounding_box()
    assert area and text and area["height"] > 250 and text["x"] + text["width"] < area["x"]
    page.click("#viewer .shut")
    page.locator("#conversation .look").first.tap()
    page.click("#viewer .select")
    stage, panel = page.locator("#viewer .stage").bounding_box(), page.locator(".region-panel").bounding_box()
    assert stage and panel and stage["width"] > 300 and stage["x"] + stage["width"] <= panel["x"]
