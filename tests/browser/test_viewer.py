"""The viewer: what a person sees and does beside the conversation, in real Chromium, by mouse, touch and keys."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from internvl_demo.conversation.tiling import plan_tiles
from tests.support.accessibility import faults
from tests.support.hostile_texts import HOSTILE_QUESTION
from tests.support.page_hands import choose_detail, picture, send, wait_answer
from tests.support.scripted_model import ScriptedModel
from tests.support.viewer_hands import (
    box,
    drag,
    lit,
    open_viewer,
    phrase,
    region,
    sheet_point,
    wait_zoom,
    zoom,
)

Open = Callable[..., Page]

CAT = "<ref>the cat</ref><box>[[100, 200, 300, 400]]</box>"
DOGS = "<ref>two dogs</ref><box>[[500, 100, 600, 300], [700, 100, 800, 300]]</box>"
TWO = [picture("a.png", (640, 480)), picture("b.png", (400, 200), "navy")]


def asked(page: Page, scripted: ScriptedModel, *script: str, files: list[dict[str, object]] = TWO) -> None:
    """A question with these images, answered to the end."""
    scripted.script = list(script)
    turn = page.locator("#conversation .asked").count() + 1
    send(page, "What is where?", *files)
    expect(page.locator(f"#conversation .receipt.turn-{turn}")).to_be_visible()
    expect(page.locator("#stop")).to_be_disabled()
    boxes = sum(step.count("[") for step in script) - sum(step.count("<box>") for step in script)
    expect(page.locator("svg .ground-box")).to_have_count(boxes)


# What goes wrong.


def test_a_hostile_label_is_text_everywhere(page: Page, scripted: ScriptedModel) -> None:
    name = "<img src=x onerror=alert(5)>.png"
    asked(
        page, scripted, f"<ref>{HOSTILE_QUESTION}</ref><box>[[1, 2, 900, 900]]</box>", files=[picture(name)]
    )
    assert page.locator(".ground-box").get_attribute("data-label") == HOSTILE_QUESTION
    expect(page.locator("#viewer .chip")).to_have_text(HOSTILE_QUESTION)
    page.click("#viewer summary")
    expect(page.locator("#viewer .box-list li")).to_contain_text(HOSTILE_QUESTION)
    expect(page.locator("#viewer script, #viewer img[src=x], #conversation img[src=x]")).to_have_count(0)
    page.hover(".ground-box")
    lit(page.locator("#viewer .ground-label"))


def test_the_same_words_elsewhere_are_no_link(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, f"A hat on the cat? No: {CAT}, and the cat again.", files=[picture()])
    expect(page.locator(".ground-phrase")).to_have_count(1)
    before = page.evaluate("document.querySelector('.ground-phrase').previousSibling.textContent")
    assert before.endswith("No: ")


def test_clear_leaves_nothing_of_the_viewer(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, CAT)
    page.click("#clear")
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.locator("#viewer button, svg .ground-box")).to_have_count(0)
    asked(page, scripted, CAT, files=[picture()])
    expect(page.locator("#viewer .thumb")).to_have_text(["1"])


# Images, zoom and pan.


def test_the_first_box_turns_to_its_image(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, f"Image-2: {CAT}")
    expect(page.locator("#viewer .thumb")).to_have_text(["1", "2"])
    expect(page.locator("#viewer .thumb[aria-current=true]")).to_have_text("2")
    expect(box(page, "the cat")).to_be_visible()
    page.click("#viewer .thumb >> nth=0")
    expect(box(page, "the cat")).to_be_hidden()
    expect(page.locator("#viewer .what")).to_contain_text("640 × 480")


def test_wheel_drag_and_keys_zoom_and_move(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, "Hello.", files=[picture("a.png", (640, 480))])
    stage = page.locator("#viewer .stage")
    before = sheet_point(page, 0.25, 0.25)
    page.mouse.move(*before)
    page.mouse.wheel(0, -400)
    page.wait_for_function("Number(document.querySelector('#viewer .stage').dataset.zoom) > 150")
    assert sheet_point(page, 0.25, 0.25) == pytest.approx(before, abs=2), (
        "what is under the mouse stays there"
    )
    left, top = sheet_point(page, 0.5, 0.5)
    drag(page, (left, top), (left - 60, top))
    assert sheet_point(page, 0.5, 0.5)[0] == pytest.approx(left - 60, abs=3)
    stage.focus()
    page.keyboard.press("0")
    wait_zoom(page, lambda level: level == 100)
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert 200 < wait_zoom(page, lambda level: level > 200) < 250
    at = sheet_point(page, 0.5, 0.5)
    page.keyboard.press("ArrowRight")
    wait_zoom(page, lambda level: level > 200)
    assert sheet_point(page, 0.5, 0.5)[0] < at[0] - 20
    page.keyboard.press("-")
    wait_zoom(page, lambda level: 140 < level < 160)
    page.click("#viewer .level")
    wait_zoom(page, lambda level: level == 100)


def test_two_fingers_zoom(open_page: Open, scripted_url: str, scripted: ScriptedModel) -> None:
    page = open_page(scripted_url, viewport={"width": 390, "height": 844}, has_touch=True)
    asked(page, scripted, "Hello.", files=[picture("a.png", (640, 480))])
    open_viewer(page)
    x, y = sheet_point(page, 0.5, 0.5)
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, apart: int) -> None:
        points = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        touch.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [] if kind == "touchEnd" else points}
        )

    fingers("touchStart", 20)
    for apart in (30, 40, 50, 60):
        fingers("touchMove", apart)
    fingers("touchEnd", 60)
    page.wait_for_function("Number(document.querySelector('#viewer .stage').dataset.zoom) > 180")


def test_zoom_and_image_outlast_a_streaming_answer(page: Page, scripted: ScriptedModel) -> None:
    go_on: list[bool] = []
    scripted.script = [
        f"Image-2: {CAT}",
        lambda: bool(go_on),
        f" and Image-2: {DOGS}",
        lambda: len(go_on) > 1,
        ".",
    ]
    send(page, "Where?", *TWO)
    expect(page.locator("svg .ground-box")).to_have_count(1)
    page.click("#viewer .thumb >> nth=0")
    page.click("#viewer [aria-label='Zoom in']")
    level = wait_zoom(page, lambda level: level > 100)
    page.evaluate("window.sheet = document.querySelector('#viewer .sheet:not([hidden])')")
    page.evaluate("window.box = document.querySelector('svg .ground-box')")
    go_on.append(True)
    expect(page.locator("svg .ground-box")).to_have_count(3)
    expect(page.locator("#stop")).to_be_enabled()
    expect(page.locator("#viewer .thumb[aria-current=true]")).to_have_text("1")
    assert zoom(page) == level
    assert page.evaluate("window.sheet === document.querySelector('#viewer .sheet:not([hidden])')")
    assert page.evaluate("window.box.isConnected"), "a box stays where it is while others come"
    go_on.append(True)
    expect(page.locator("#stop")).to_be_disabled()
    assert zoom(page) == level


# Boxes and phrases.


def test_hovering_lights_phrase_and_boxes(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, f"Here are {CAT} and {DOGS}.", files=[picture("a.png", (640, 480))])
    phrase(page, "two dogs").hover()
    expect(page.locator("#viewer g.lit .ground-box")).to_have_count(2)
    expect(page.locator("#viewer g.lit .ground-box[data-label='two dogs']")).to_have_count(2)
    box(page, "the cat").hover()
    lit(phrase(page, "the cat"))
    expect(page.locator(".ground-phrase.lit")).to_have_count(1)
    page.mouse.move(1, 1)
    expect(page.locator(".lit")).to_have_count(0)


def test_focus_lights_and_enter_zooms(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, f"Here are {CAT} and {DOGS}.", files=[picture("a.png", (640, 480))])
    phrase(page, "the cat").focus()
    lit(box(page, "the cat").locator(".."))
    page.keyboard.press("Tab")
    expect(phrase(page, "two dogs")).to_be_focused()
    expect(page.locator("#viewer g.lit")).to_have_count(2)
    page.keyboard.press("Enter")
    wait_zoom(page, lambda level: level > 150)
    page.locator("#viewer .stage").focus()
    page.keyboard.press("Tab")
    expect(box(page, "the cat")).to_be_focused()
    lit(phrase(page, "the cat"))
    page.keyboard.press("ArrowRight")
    expect(box(page, "two dogs").first).to_be_focused()
    lit(phrase(page, "two dogs"))
    page.keyboard.press("Enter")
    wait_zoom(page, lambda level: level > 300)


def test_a_click_on_a_phrase_zooms_to_its_box(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, f"Image-1: {DOGS}. Image-2: {CAT}.")
    expect(page.locator("#viewer .thumb[aria-current=true]")).to_have_text("1")
    phrase(page, "the cat").click()
    expect(page.locator("#viewer .thumb[aria-current=true]")).to_have_text("2")
    wait_zoom(page, lambda level: level > 150)
    at, stage = box(page, "the cat").bounding_box(), page.locator("#viewer .stage").bounding_box()
    assert at and stage
    assert at["x"] + at["width"] / 2 == pytest.approx(stage["x"] + stage["width"] / 2, abs=30)
    assert at["x"] >= stage["x"] and at["y"] >= stage["y"]


def test_a_label_hides_and_shows_its_boxes(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, f"Here are {CAT} and {DOGS}.", files=[picture("a.png", (640, 480))])
    chip = page.locator("#viewer .chip", has_text="two dogs × 2")
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "false")
    for one in box(page, "two dogs").all():
        expect(one).to_be_hidden()
    expect(box(page, "the cat")).to_be_visible()
    chip.press("Enter")
    expect(box(page, "two dogs").first).to_be_visible()


def test_boxes_are_told_in_words(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, f"Image-2: {CAT}")
    page.click("#viewer summary:has-text('1 box as text')")
    line = page.locator("#viewer .box-list button")
    expect(line).to_have_text("the cat: Image-2, from 10 to 30 % across and 20 to 40 % down")
    expect(box(page, "the cat")).to_have_attribute("aria-label", line.inner_text())
    line.press("Enter")
    wait_zoom(page, lambda level: level > 150)


def test_an_older_answer_shows_its_boxes(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, CAT, files=[picture()])
    scripted.script = [DOGS]
    send(page, "And the dogs?")
    expect(box(page, "two dogs")).to_have_count(2)
    expect(box(page, "the cat")).to_have_count(0)
    page.locator("#conversation [data-testid=bot]").first.click()
    expect(box(page, "the cat")).to_have_count(1)
    expect(box(page, "two dogs")).to_have_count(0)
    page.locator("#conversation [data-testid=bot]").last.focus()
    expect(box(page, "two dogs")).to_have_count(2)
    phrase(page, "the cat").click()
    expect(box(page, "the cat")).to_have_count(1)
    scripted.script = ["No boxes."]
    send(page, "Thanks.")
    wait_answer(page, "No boxes.")
    expect(page.locator("svg .ground-box")).to_have_count(0)


def test_a_box_on_a_crop_is_also_on_its_image(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, CAT, files=[picture("a.png", (640, 480))])
    box(page, "the cat").click()
    page.click("#viewer .frame .again")
    expect(page.locator("#tray .line")).to_have_count(1)
    scripted.script = ["Image-2: <ref>an ear</ref><box>[[0, 0, 500, 500]]</box>"]
    send(page, "Closer?")
    ears = box(page, "an ear")
    expect(ears).to_have_count(2)
    assert [ear.get_attribute("data-image") for ear in ears.all()] == ["1", "2"]
    phrase(page, "an ear").hover()
    expect(page.locator("#viewer g.lit")).to_have_count(2)
    page.click("#viewer .thumb >> nth=0")
    expect(page.locator(".ground-phrase.lit")).to_have_count(0)
    ears.first.hover()
    lit(phrase(page, "an ear"))


# Tiles.


def test_the_xray_draws_exactly_the_planned_grid(page: Page, scripted: ScriptedModel) -> None:
    scripted.script = ["Hello."]
    choose_detail(page, "High")
    send(page, "What?", picture("4k.png", (3840, 2160)))
    wait_answer(page, "Hello.")
    page.click("#viewer .tool.xray")
    plan = plan_tiles((3840, 2160), 40)
    grid = page.locator("#viewer .sheet .xray-grid")
    expect(grid.locator(".xray-tile")).to_have_count(plan.tiles)
    assert grid.get_attribute("data-grid") == f"{plan.grid[0]} × {plan.grid[1]}"
    last = grid.locator(".xray-tile").last
    columns, rows = plan.grid
    place = [float(last.get_attribute(name) or 0) for name in ("x", "y", "width", "height")]
    wide, high = 3840 / columns, 2160 / rows
    assert place == pytest.approx([3840 - wide, 2160 - high, wide, high])
    panel = page.locator("#viewer .xray-panel")
    expect(panel).to_contain_text(f"3840 × 2160 px → {plan.canvas_wh[0]} × {plan.canvas_wh[1]} px")
    expect(panel).to_contain_text(f"{plan.tiles} tiles + thumbnail, {plan.views * 64:,} visual tokens")
    expect(panel.locator(".model-thumbnail")).to_be_visible()
    names = ["Low: 1 tile", "Standard: up to 12 tiles", "High: up to 40 tiles (as sent)"]
    expect(panel.locator("option")).to_have_text(names)
    panel.locator("select").select_option(label="Low: 1 tile")
    expect(grid.locator(".xray-tile")).to_have_count(1)
    expect(panel.locator(".model-thumbnail")).to_be_hidden()


# A region.


def test_a_dragged_rectangle_goes_into_the_question(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, f"Image-2: {CAT}")
    page.fill("#composer textarea", "What is this?")
    page.click("#viewer .tool.select")
    drag(page, sheet_point(page, 0.8, 0.75), sheet_point(page, 0.4, 0.25))
    now = region(page)
    assert now["image"] == 2
    assert now["box_1000"] == pytest.approx([400, 250, 800, 750], abs=8)
    drag(page, sheet_point(page, 0.6, 0.5), sheet_point(page, 0.5, 0.5))
    moved = region(page)["box_1000"]
    assert moved == pytest.approx([300, 250, 700, 750], abs=12)
    corner = sheet_point(page, moved[2] / 1000, moved[3] / 1000)
    drag(page, corner, sheet_point(page, 0.9, 0.9))
    last = region(page)["box_1000"]
    assert last == pytest.approx([300, 250, 900, 900], abs=15)
    page.click("#viewer .act.main")
    where = ", ".join(map(str, last))
    expect(page.locator("#tray .place")).to_contain_text(f"Region of Image-2: {where}")
    scripted.script = ["A wall."]
    page.click("#send")
    wait_answer(page, "A wall.")
    tags = f"Image-2: <ref>region</ref><box>[[{where}]]</box>"
    assert scripted.asked[-1].turns[-1].text == f"What is this?\n{tags}"


# For everyone.


def test_another_language_keeps_what_is_looked_at(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, f"Image-1: {DOGS}. Image-2: {CAT}.")
    page.click("#viewer .thumb >> nth=1")
    page.click("#viewer .chip >> nth=0")
    page.click("#viewer .tool.xray")
    page.click("#viewer [aria-label='Zoom in']")
    level = wait_zoom(page, lambda level: level > 100)
    page.click("#switch-language")
    expect(page.locator("#viewer .tool.xray")).to_have_text("分块")
    expect(page.locator("#viewer .tool.xray")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#viewer .thumb[aria-current=true]")).to_have_text("2")
    expect(page.locator("#viewer .chip >> nth=0")).to_have_attribute("aria-pressed", "false")
    assert zoom(page) == level


@pytest.mark.parametrize(
    ("locale", "words"),
    [("en-US", ["Tiles", "Select", "1 box as text"]), ("zh-CN", ["分块", "框选", "1 个框的文字说明"])],
)
def test_the_viewer_speaks_both_languages(
    open_page: Open, scripted_url: str, scripted: ScriptedModel, locale: str, words: list[str]
) -> None:
    page = open_page(scripted_url, locale=locale)
    asked(page, scripted, CAT, files=[picture()])
    expect(page.locator("#viewer .tool.xray")).to_have_text(words[0])
    expect(page.locator("#viewer .tool.select")).to_have_text(words[1])
    expect(page.locator("#viewer summary")).to_have_text(words[2])


def test_on_a_phone_everything_is_within_reach(
    open_page: Open, scripted_url: str, scripted: ScriptedModel
) -> None:
    page = open_page(scripted_url, viewport={"width": 390, "height": 844}, has_touch=True)
    asked(page, scripted, f"Image-2: {CAT} {DOGS}")
    open_viewer(page)
    page.tap("#viewer .tool.xray")
    page.locator("#viewer .tool.select").press("Enter")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for name in (".stage", ".zoom", ".tool.xray", ".tool.select", ".act.main", ".xray-panel", ".box-list"):
        area = page.locator(f"#viewer {name}").bounding_box()
        assert area and area["x"] >= 0 and area["x"] + area["width"] <= 390, name
    stage = page.locator("#viewer .stage").bounding_box()
    assert stage and stage["height"] >= 200


@pytest.mark.parametrize(
    "view", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}, {"locale": "zh-CN"}]
)
def test_axe_finds_nothing(
    open_page: Open, scripted_url: str, scripted: ScriptedModel, view: dict[str, Any]
) -> None:
    page = open_page(scripted_url, **view)
    asked(page, scripted, f"Image-2: {CAT} {DOGS}")
    expect(page.locator(".ground-phrase[tabindex]")).to_have_count(2)
    open_viewer(page)
    page.click("#viewer .tool.xray")
    page.locator("#viewer .tool.select").press("Enter")
    page.click("#viewer summary")
    page.click("#viewer .chip >> nth=0")
    page.wait_for_function("document.getAnimations().length === 0")
    assert faults(page) == []
