"""A region sent from the viewer, in real Chromium: which way, of what, and that it arrives whole."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from internvl_demo.settings import Settings
from tests.support.accessibility import faults
from tests.support.kept_conversation import Asked, KeptConversation
from tests.support.scripted_model import ScriptedModel
from tests.support.served_page import served
from tests.support.uploads import house_png
from tests.support.viewer_hands import box, drag, open_viewer, region, sheet_point, wait_zoom

Open = Callable[..., Page]

RAW = (
    "Image-2: <ref>the cat</ref><box>[[100, 200, 300, 400]]</box> and "
    "<ref>two dogs</ref><box>[[500, 100, 600, 300], [700, 100, 800, 300]]</box>. "
    "Image-1: <ref>the door</ref><box>[[400, 500, 500, 700]]</box>."
)
FILES = (
    ("a.png", house_png((640, 480), "#7dd3fc")),
    ("b.png", house_png((400, 200), "#312e81")),
)
REGIONS = "**/api/photos/*/regions"


@pytest.fixture(scope="module")
def kept() -> Iterator[KeptConversation]:
    """A conversation with two images and four boxes."""
    scripted = ScriptedModel()
    for url in served(scripted, Settings(checkpoint="scripted")):
        yield KeptConversation(url, scripted, Asked("What is where?", FILES, RAW))


@pytest.fixture
def page(open_page: Open, kept: KeptConversation) -> Page:
    return ready(kept.open_in(open_page))


def ready(page: Page) -> Page:
    expect(page.locator("svg .ground-box")).to_have_count(4)
    return page


def made(page: Page, act: Callable[[], None]) -> tuple[str, Any, dict[str, Any]]:
    """Of what an act asks the server for: the photo's id, the region, and the picture, once it waits to be sent."""
    waiting = page.locator("#tray .line").count()
    with page.expect_response(REGIONS) as coming:
        act()
    response = coming.value
    assert response.status == 201
    expect(page.locator("#tray .line")).to_have_count(waiting + 1)
    return response.url.split("/")[-2], response.request.post_data_json, response.json()


def click_main(page: Page) -> Callable[[], None]:
    return lambda: page.click("#viewer .act.main")


def no_pictures(page: Page) -> list[str]:
    """The addresses that are asked for a picture, from now on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/regions" in request.url else None)
    return asked


def choose(page: Page, way: str) -> None:
    page.click(f"#viewer .ways label:has([value={way}])")


# What goes wrong.


@pytest.mark.parametrize(
    "sent",
    [
        None,
        [],
        "crop",
        {"way": "crop", "box_1000": [1, 2, 3]},
        {"way": "crop", "box_1000": [300, 2, 300, 4]},
        {"way": "eval", "box_1000": [1, 2, 3, 4]},
    ],
)
def test_a_tampered_region_is_refused(page: Page, sent: Any) -> None:
    def tamper(route: Route) -> None:
        route.continue_(post_data=json.dumps(sent))

    page.click("#viewer .tool.select")
    box(page, "the cat").click()
    choose(page, "crop")
    page.route(REGIONS, tamper)
    with page.expect_response(REGIONS) as coming:
        page.click("#viewer .act.main")
    assert coming.value.status in (400, 422)
    expect(page.locator("#notice [role=alert]")).to_contain_text(coming.value.json()["next_step"])
    page.unroute(REGIONS)
    assert made(page, click_main(page))[2]["name"] == "b.png, crop"
    expect(page.locator("#notice [role=alert]")).to_be_hidden()


def test_without_a_region_nothing_can_be_sent(page: Page) -> None:
    page.click("#viewer .tool.select")
    for way in ("coordinates", "mark", "crop"):
        choose(page, way)
        expect(page.locator("#viewer .act.main")).to_be_disabled()


def test_a_drag_without_area_selects_nothing(page: Page) -> None:
    page.click("#viewer .tool.select")
    drag(page, sheet_point(page, 0.5, 0.5), sheet_point(page, 0.5, 0.501))
    expect(page.locator("#viewer .region")).to_have_count(0)
    assert not page.locator("#viewer .widget").get_attribute("data-region")


# A region.


def test_a_region_is_made_by_keyboard(page: Page) -> None:
    page.evaluate(
        """async () => {
            const { on } = await import(new URL('page/widgets/lib/page.js', document.baseURI))
            on('region', (region) => (window.told ??= []).push(JSON.stringify(region)))
        }"""
    )
    page.locator("#viewer .tool.select").press("Enter")
    expect(page.locator("#viewer .region")).to_be_focused()
    start = region(page)["box_1000"]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowLeft")
    x1, y1, x2, y2 = start
    wanted = [x1 + 10, y1 + 10, x2, y2 + 10]
    assert region(page) == {"image": 2, "box_1000": wanted}
    expect(page.locator("#viewer .region")).to_have_attribute(
        "aria-label", re.compile(re.escape(", ".join(map(str, wanted))))
    )
    page.keyboard.press("Enter")
    where = ", ".join(map(str, wanted))
    expect(page.locator("#tray .place")).to_contain_text(f"Region of Image-2: {where}")
    expect(page.locator("#composer textarea")).to_be_focused()
    expect(page.locator("#viewer .region")).to_have_count(0)
    page.locator("#viewer .tool.select").press("Enter")
    page.locator("#viewer .region").press("Escape")
    expect(page.locator("#viewer .region")).to_have_count(0)
    expect(page.locator("#viewer .tool.select")).to_be_focused()
    told = [json.loads(one) for one in page.evaluate("window.told")]
    assert {"image": 2, "box_1000": wanted} in told and told[-1] is None


def test_a_click_on_a_box_makes_it_the_region(page: Page) -> None:
    page.click("#viewer .tool.select")
    box(page, "the cat").click()
    assert region(page) == {"image": 2, "box_1000": [100, 200, 300, 400]}


# The way that the person chooses.


def test_coordinates_are_the_first_way(page: Page) -> None:
    asked = no_pictures(page)
    page.click("#viewer .tool.select")
    box(page, "the cat").click()
    expect(page.locator("#viewer .ways :checked")).to_have_value("coordinates")
    page.click("#viewer .act.main")
    expect(page.locator("#tray .place")).to_contain_text("Region of Image-2: 100, 200, 300, 400")
    expect(page.locator("#composer textarea")).to_have_value("")
    page.click("#tray .place .remove")
    expect(page.locator("#tray .place")).to_have_count(0)
    assert not asked


@pytest.mark.parametrize(("way", "kind"), [("mark", "marked"), ("crop", "crop")])
def test_a_dragged_region_arrives_as_chosen(page: Page, kept: KeptConversation, way: str, kind: str) -> None:
    page.click("#viewer .tool.select")
    drag(page, sheet_point(page, 0.4, 0.25), sheet_point(page, 0.8, 0.75))
    now = region(page)
    choose(page, way)
    expect(page.locator("#viewer .act.main")).to_have_text("Ask about this")
    photo, sent, picture = made(page, click_main(page))
    assert (photo, sent) == (kept.photos[1]["id"], {"way": way, "box_1000": now["box_1000"]})
    assert now["image"] == 2 and picture["name"] == f"b.png, {kind}"
    assert (picture["size_wh"] == [400, 200]) == (way == "mark")
    expect(page.locator("#composer textarea")).to_be_focused()
    expect(page.locator("#composer textarea")).to_have_value("")


def test_the_way_is_chosen_and_used_by_keyboard(page: Page, kept: KeptConversation) -> None:
    page.locator("#viewer .tool.select").press("Enter")
    expect(page.locator("#viewer .region")).to_be_focused()
    chosen = page.locator("#viewer .ways :checked")
    chosen.focus()
    page.keyboard.press("ArrowRight")
    expect(chosen).to_have_value("mark")
    expect(chosen).to_be_focused()
    expect(page.locator("#viewer .hint")).to_contain_text("red frame")
    marked = made(page, lambda: page.locator("#viewer .region").press("Enter"))
    assert marked[1] == {"way": "mark", "box_1000": [300, 300, 700, 700]}
    chosen.focus()
    page.keyboard.press("ArrowRight")
    expect(chosen).to_have_value("crop")
    page.keyboard.press("Tab")
    expect(page.locator("#viewer .act.main")).to_be_focused()
    photo, sent, picture = made(page, lambda: page.keyboard.press("Enter"))
    assert (photo, sent) == (kept.photos[1]["id"], {"way": "crop", "box_1000": [300, 300, 700, 700]})
    assert (picture["name"], picture["size_wh"]) == ("b.png, crop", [176, 88])
    assert picture["origin"] == {"photo": photo, "xyxy_px": [112, 56, 288, 144], "kind": "crop"}


def test_the_image_stays_when_the_way_changes(page: Page) -> None:
    page.click("#viewer .tool.select")
    at = sheet_point(page, 0.5, 0.5)
    for way in ("mark", "crop", "coordinates"):
        choose(page, way)
        assert sheet_point(page, 0.5, 0.5) == pytest.approx(at, abs=0.5)
    box(page, "the cat").click()
    assert sheet_point(page, 0.5, 0.5) == pytest.approx(at, abs=0.5)


# Zoom and ask again.


def test_a_zoomed_box_is_asked_about_again(page: Page, kept: KeptConversation) -> None:
    again = page.locator("#viewer .frame .again")
    expect(again).to_be_hidden()
    box(page, "the cat").click()
    wait_zoom(page, lambda level: level > 150)
    expect(again).to_have_text("Zoom and ask again: the cat")
    photo, sent, _ = made(page, again.click)
    assert (photo, sent) == (kept.photos[1]["id"], {"way": "crop", "box_1000": [100, 200, 300, 400]})
    expect(page.locator("#composer textarea")).to_be_focused()


def test_asking_again_works_by_keyboard(page: Page) -> None:
    page.locator("#viewer .stage").focus()
    page.keyboard.press("Tab")
    expect(box(page, "the cat")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#viewer .frame .again")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("#viewer .frame .again")).to_be_focused()
    sent = made(page, lambda: page.keyboard.press("Enter"))[1]
    assert sent == {"way": "crop", "box_1000": [500, 100, 600, 300]}


def test_asking_again_is_offered_on_its_image(page: Page) -> None:
    again = page.locator("#viewer .frame .again")
    box(page, "the cat").click()
    expect(again).to_be_visible()
    page.click("#viewer .thumb >> nth=0")
    expect(again).to_be_hidden()
    box(page, "the door").click()
    expect(again).to_have_text("Zoom and ask again: the door")
    page.click("#viewer .tool.select")
    expect(again).to_be_hidden()


@pytest.mark.parametrize("press", ["click", "Enter"])
def test_every_listed_box_asks_again(page: Page, kept: KeptConversation, press: str) -> None:
    page.click("#viewer .box-list summary")
    button = page.locator("#viewer .box-list li", has_text="the door").locator(".again")
    name = "Zoom and ask again: the door: Image-1, from 40 to 50 % across and 50 to 70 % down"
    expect(button).to_have_attribute("aria-label", name)
    act = button.click if press == "click" else lambda: button.press(press)
    photo, sent, picture = made(page, act)
    assert (photo, sent) == (kept.photos[0]["id"], {"way": "crop", "box_1000": [400, 500, 500, 700]})
    assert (picture["name"], picture["origin"]["xyxy_px"]) == ("a.png, crop", [253, 235, 323, 341])
    expect(page.locator("#viewer .thumb[aria-current=true]")).to_have_text("3")  # what waits is shown
    page.click("#viewer .thumb >> nth=0")
    wait_zoom(page, lambda level: level > 100)


# For everyone.


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en-US", ["Position", "Marked copy", "Crop", "Zoom and ask again"]),
        ("zh-CN", ["位置", "标记副本", "裁剪", "放大再问"]),
    ],
)
def test_the_ways_speak_both_languages(
    open_page: Open, kept: KeptConversation, locale: str, words: list[str]
) -> None:
    page = ready(kept.open_in(open_page, locale=locale))
    page.click("#viewer .tool.select")
    expect(page.locator("#viewer .ways label")).to_have_text(words[:3])
    page.click("#viewer .box-list summary")
    expect(page.locator("#viewer .box-list .again").first).to_have_value(words[3])


def test_every_way_is_within_reach_on_phones(open_page: Open, kept: KeptConversation) -> None:
    page = ready(kept.open_in(open_page, viewport={"width": 390, "height": 844}, has_touch=True))
    open_viewer(page, 1)
    box(page, "the cat").click()
    again = page.locator("#viewer .frame .again").bounding_box()
    assert again and again["height"] >= 44
    page.tap("#viewer .tool.select")
    page.tap("#viewer .box-list summary")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    areas = [
        one.bounding_box() for one in page.locator("#viewer .ways label, #viewer .box-list .again").all()
    ]
    assert len(areas) == 7
    for area in areas:
        assert area and area["x"] >= 0 and area["x"] + area["width"] <= 390 and area["height"] >= 40


@pytest.mark.parametrize(
    "view", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}, {"locale": "zh-CN"}]
)
def test_axe_finds_nothing_in_the_viewer(
    open_page: Open, kept: KeptConversation, view: dict[str, Any]
) -> None:
    page = ready(kept.open_in(open_page, **view))
    open_viewer(page, 1)
    for act in (
        lambda: box(page, "the cat").click(),
        lambda: page.click("#viewer .tool.select"),
        lambda: page.click("#viewer .box-list summary"),
    ):
        act()
        page.wait_for_function("document.getAnimations().length === 0")
        assert faults(page, "#viewer") == []
