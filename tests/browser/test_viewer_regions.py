"""A region sent from the viewer, in real Chromium: which way, of what, and that it arrives whole."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gradio as gr
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageDraw
from playwright.sync_api import Page, Route, expect

from internvl_demo.answering.stream import Answer, Timing
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import DemoError
from internvl_demo.grounding.attribution import pin
from internvl_demo.grounding.parser import parse
from internvl_demo.models.base import ModelInfo
from internvl_demo.photos.decode import Photo, encode_photo, photo_of
from internvl_demo.photos.regions import derived
from internvl_demo.web.layout import CSS, I18N, theme, widget
from internvl_demo.web.session import Session
from internvl_demo.web.strings import words_for
from internvl_demo.web.viewer import NOTHING, viewer
from tests.support.viewer_hands import box, drag, region, sheet_point, wait_zoom

Open = Callable[..., Page]

RAW = (
    "Image-2: <ref>the cat</ref><box>[[100, 200, 300, 400]]</box> and "
    "<ref>two dogs</ref><box>[[500, 100, 600, 300], [700, 100, 800, 300]]</box>. "
    "Image-1: <ref>the door</ref><box>[[400, 500, 500, 700]]</box>."
)


def drawn(name: str, size_wh: tuple[int, int], sky: str) -> Photo:
    """A house in a landscape: something to look at."""
    (width, height), image = size_wh, Image.new("RGB", size_wh, sky)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, height * 0.7, width, height), fill="#4d7c0f")
    draw.rectangle((width * 0.3, height * 0.5, width * 0.7, height * 0.95), fill="#fde68a")
    draw.polygon(
        [(width * 0.25, height * 0.5), (width * 0.75, height * 0.5), (width * 0.5, height * 0.3)], "#b91c1c"
    )
    return photo_of(image, name)


IMAGES = (
    Attachment(drawn("a.png", (640, 480), "#7dd3fc"), 12),
    Attachment(drawn("b.png", (400, 200), "#312e81"), 12),
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The viewer with two images and four boxes, a composer, and a listener that tells what it was sent."""
    conversation = Conversation().ask("What is where?", IMAGES)
    parsed = parse(RAW)
    said = Answer(RAW, parsed.events, tuple(pin(parsed.events, conversation)), 0, Timing(0.1, 0.2))
    session = Session(conversation.answered(RAW), (said,))

    def shown(request: gr.Request) -> dict[str, Any]:
        words = words_for(request.headers.get("accept-language"))
        return viewer(session, ModelInfo("scripted", 64, 8192), data_url, words)

    def made(told: str, event: gr.EventData) -> str:
        try:
            photo, origin = derived(event._data, [image.photo for image in IMAGES])
        except DemoError as error:
            return json.dumps([*json.loads(told), [event._data, error.next_step]])
        new = [event._data, photo.name, photo.size_wh, origin.xyxy_px, origin.photo_id]
        return json.dumps([*json.loads(told), new])

    with gr.Blocks(analytics_enabled=False, fill_width=True) as page, gr.Row(elem_id="desk"):
        with gr.Column(elem_id="talk"):
            gr.HTML(elem_id="conversation")
            gr.Textbox(elem_id="composer")
            told = gr.Textbox("[]", elem_id="told")
            gr.Button("Send", elem_id="send")
        with gr.Column(elem_id="sight"):
            one = widget("viewer", NOTHING, apply_default_css=False)
        page.load(shown, None, one)
        one.ask_region(made, told, told)

    with ThreadPoolExecutor(1) as thread:  # Playwright keeps an event loop in this one
        launched = thread.submit(
            page.launch,
            prevent_thread_lock=True,
            quiet=True,
            ssr_mode=False,
            i18n=I18N,
            theme=theme(),
            css_paths=CSS,
        )
        address = launched.result()[1]
    yield address
    page.close()


def data_url(photo: Photo) -> str:
    mime, data = encode_photo(photo)
    return f"data:{mime};base64,{b64encode(data).decode()}"


@pytest.fixture
def page(open_page: Open, url: str) -> Page:
    return ready(open_page(url))


def ready(page: Page) -> Page:
    expect(page.locator("svg .ground-box")).to_have_count(4)
    return page


def told(page: Page, count: int = 1) -> list[Any]:
    """What Python was sent so far, once it is so much."""
    page.wait_for_function(
        "count => JSON.parse(document.querySelector('#told textarea').value).length >= count", arg=count
    )
    found: list[Any] = json.loads(page.locator("#told textarea").input_value())
    assert len(found) == count
    return found


def choose(page: Page, way: str) -> None:
    page.click(f"#viewer .ways label:has([value={way}])")


# What goes wrong.


@pytest.mark.parametrize(
    "said",
    [None, [], "crop", {"way": "crop", "image": 9, "box_1000": [1, 2, 3, 4]}, {"way": "eval", "image": 1}],
)
def test_what_was_tampered_with_on_its_way_is_refused_and_the_next_arrives(page: Page, said: Any) -> None:
    def tamper(route: Route) -> None:
        route.continue_(post_data=json.dumps({**route.request.post_data_json, "event_data": said}))

    page.click("#viewer .tool.select")
    box(page, "the cat").click()
    choose(page, "crop")
    page.route("**/queue/join*", tamper)
    page.click("#viewer .act.main")
    assert told(page)[0][-1].endswith(".")
    page.unroute("**/queue/join*")
    page.click("#viewer .act.main")
    assert told(page, 2)[1][1] == "b.png, crop"


def test_without_a_region_nothing_can_be_sent(page: Page) -> None:
    page.click("#viewer .tool.select")
    for way in ("coordinates", "mark", "crop"):
        choose(page, way)
        expect(page.locator("#viewer .act.main")).to_be_disabled()
    assert told(page, 0) == []


# The way that the person chooses.


def test_coordinates_are_the_way_until_another_is_chosen(page: Page) -> None:
    page.click("#viewer .tool.select")
    box(page, "the cat").click()
    expect(page.locator("#viewer .ways :checked")).to_have_value("coordinates")
    page.click("#viewer .act.main")
    tags = "Image-2: <ref>region</ref><box>[[100, 200, 300, 400]]</box>"
    expect(page.locator("#composer textarea")).to_have_value(tags)
    assert told(page, 0) == []


@pytest.mark.parametrize(("way", "kind"), [("mark", "marked"), ("crop", "crop")])
def test_a_dragged_region_arrives_as_the_picture_that_was_chosen(page: Page, way: str, kind: str) -> None:
    page.click("#viewer .tool.select")
    drag(page, sheet_point(page, 0.4, 0.25), sheet_point(page, 0.8, 0.75))
    now = region(page)
    choose(page, way)
    expect(page.locator("#viewer .act.main")).to_have_text("Add to the message")
    page.click("#viewer .act.main")
    detail, name, size_wh, *_ = told(page)[0]
    assert detail == {"way": way, **now}
    assert name == f"b.png, {kind}"
    assert (size_wh == [400, 200]) == (way == "mark")
    expect(page.locator("#composer textarea")).to_be_focused()
    expect(page.locator("#composer textarea")).to_have_value("")


def test_the_way_is_chosen_and_used_by_keyboard(page: Page) -> None:
    page.locator("#viewer .tool.select").press("Enter")
    expect(page.locator("#viewer .region")).to_be_focused()
    chosen = page.locator("#viewer .ways :checked")
    chosen.focus()
    page.keyboard.press("ArrowRight")
    expect(chosen).to_have_value("mark")
    expect(chosen).to_be_focused()
    expect(page.locator("#viewer .hint")).to_contain_text("red frame")
    page.locator("#viewer .region").press("Enter")
    assert told(page)[0][0] == {"way": "mark", "image": 2, "box_1000": [300, 300, 700, 700]}
    chosen.focus()
    page.keyboard.press("ArrowRight")
    expect(chosen).to_have_value("crop")
    page.keyboard.press("Tab")
    expect(page.locator("#viewer .act.main")).to_be_focused()
    page.keyboard.press("Enter")
    detail, name, size_wh, xyxy_px, photo_id = told(page, 2)[1]
    assert detail == {"way": "crop", "image": 2, "box_1000": [300, 300, 700, 700]}
    assert (name, size_wh, xyxy_px) == ("b.png, crop", [176, 88], [112, 56, 288, 144])
    assert photo_id == IMAGES[1].photo.id


def test_the_image_does_not_move_when_the_way_changes(page: Page) -> None:
    page.click("#viewer .tool.select")
    at = sheet_point(page, 0.5, 0.5)
    for way in ("mark", "crop", "coordinates"):
        choose(page, way)
        assert sheet_point(page, 0.5, 0.5) == pytest.approx(at, abs=0.5)
    box(page, "the cat").click()
    assert sheet_point(page, 0.5, 0.5) == pytest.approx(at, abs=0.5)


# Zoom and ask again.


def test_a_box_that_was_zoomed_to_is_asked_about_again(page: Page) -> None:
    again = page.locator("#viewer .frame .again")
    expect(again).to_be_hidden()
    box(page, "the cat").click()
    wait_zoom(page, lambda level: level > 150)
    expect(again).to_have_text("Zoom and ask again: the cat")
    again.click()
    assert told(page)[0][0] == {"way": "crop", "image": 2, "box_1000": [100, 200, 300, 400]}
    expect(page.locator("#composer textarea")).to_be_focused()


def test_by_keyboard_from_the_box_to_asking_again(page: Page) -> None:
    page.locator("#viewer .stage").focus()
    page.keyboard.press("Tab")
    expect(box(page, "the cat")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#viewer .frame .again")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("#viewer .frame .again")).to_be_focused()
    page.keyboard.press("Enter")
    assert told(page)[0][0] == {"way": "crop", "image": 2, "box_1000": [500, 100, 600, 300]}


def test_asking_again_is_offered_only_while_its_image_is_shown(page: Page) -> None:
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
def test_every_line_of_the_box_list_asks_again(page: Page, press: str) -> None:
    page.click("#viewer .box-list summary")
    button = page.locator("#viewer .box-list li", has_text="the door").locator(".again")
    name = "Zoom and ask again: the door: Image-1, from 40 to 50 % across and 50 to 70 % down"
    expect(button).to_have_attribute("aria-label", name)
    if press == "click":
        button.click()
    else:
        button.press(press)
    detail, name, _, xyxy_px, photo_id = told(page)[0]
    assert detail == {"way": "crop", "image": 1, "box_1000": [400, 500, 500, 700]}
    assert (name, xyxy_px, photo_id) == ("a.png, crop", [253, 235, 323, 341], IMAGES[0].photo.id)
    expect(page.locator("#viewer .thumb[aria-current=true]")).to_have_text("Image-1")
    wait_zoom(page, lambda level: level > 100)


# For everyone.


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en-US", ["Coordinates", "Marked copy", "Crop", "Zoom and ask again"]),
        ("zh-CN", ["坐标", "标记副本", "裁剪", "放大再问"]),
    ],
)
def test_the_ways_speak_both_languages(open_page: Open, url: str, locale: str, words: list[str]) -> None:
    page = ready(open_page(url, locale=locale))
    page.click("#viewer .tool.select")
    expect(page.locator("#viewer .ways label")).to_have_text(words[:3])
    page.click("#viewer .box-list summary")
    expect(page.locator("#viewer .box-list .again").first).to_have_value(words[3])


def test_on_a_phone_every_way_is_within_reach(open_page: Open, url: str) -> None:
    page = ready(open_page(url, viewport={"width": 390, "height": 844}, has_touch=True))
    box(page, "the cat").click()
    again = page.locator("#viewer .frame .again").bounding_box()
    zoom = page.locator("#viewer .zoom").bounding_box()
    assert again and zoom and again["y"] + again["height"] < zoom["y"] and again["height"] >= 38
    page.tap("#viewer .tool.select")
    page.tap("#viewer .box-list summary")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    areas = [
        one.bounding_box() for one in page.locator("#viewer .ways label, #viewer .box-list .again").all()
    ]
    assert len(areas) == 7
    for area in areas:
        assert area and area["x"] >= 0 and area["x"] + area["width"] <= 390 and area["height"] >= 32


@pytest.mark.parametrize(
    "view", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}, {"locale": "zh-CN"}]
)
def test_axe_finds_nothing_serious_in_the_viewer(open_page: Open, url: str, view: dict[str, Any]) -> None:
    page = ready(open_page(url, **view))
    page.click("#viewer .box-list summary")
    for act in (lambda: box(page, "the cat").click(), lambda: page.click("#viewer .tool.select")):
        act()
        page.wait_for_function("document.getAnimations().length === 0")
        found = Axe().run(page, context="#viewer").response["violations"]
        assert [
            (one["id"], [node["target"] for node in one["nodes"]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ] == []
