"""The tray in real Chromium, with a camera that the browser pretends to have: chips, `@`, camera, web address."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from internvl_demo.conversation.turns import Attachment
from internvl_demo.photos.decode import photo_of, read_photo
from internvl_demo.photos.download import AddressError
from tests.support.page_hands import BROKEN, picture
from tests.support.pictures import picture as drawing
from tests.support.tray_page import Seen, served
from tests.support.uploads import png

Open = Callable[..., Page]

THREE = [picture("a.png", (64, 48)), picture("b.png", (800, 1300), "navy"), picture("c.png", (90, 90), "red")]
BEFORE = tuple(Attachment(photo_of(drawing(block_px=size), f"before-{size}.png"), 12) for size in (20, 30))
HOSTILE_NAME = "<img src=x onerror=alert(1)> ${alert(2)} {{alert(3)}} `.png"
"""Not as an upload: Gradio takes such characters out of its names."""
WEB_PAGE = AddressError("The address leads to a web page.", "Copy the address of the picture.")
SPY = """() => {
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices)
    window.streams = []
    navigator.mediaDevices.getUserMedia = async (wish) => {
        const stream = await real(wish)
        window.streams.push(stream)
        return stream
    }
}"""
ALL_STOPPED = (
    "streams.length > 0 && streams.every((one) => one.getTracks().every((t) => t.readyState === 'ended'))"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, with two cameras that are none and that every page may use."""
    camera = ["--use-fake-device-for-media-stream=device-count=2", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu", *camera]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def page_seen() -> Seen:
    return Seen()


@pytest.fixture
def seen(page_seen: Seen) -> Seen:
    for things in (page_seen.deeds, page_seen.urls, page_seen.fetched):
        things.clear()
    return page_seen


@pytest.fixture(scope="module")
def url(page_seen: Seen) -> Iterator[str]:
    with served(page_seen, BEFORE) as address:
        yield address


@pytest.fixture
def page(open_page: Open, url: str, seen: Seen) -> Page:  # noqa: ARG001
    return opened(open_page, url)


def opened(open_page: Open, url: str, **settings: Any) -> Page:
    page = open_page(url, **settings)
    expect(page.locator("#tray .open-camera")).to_be_visible()
    return page


def add(page: Page, *files: dict[str, object]) -> Locator:
    """The chips, after these files were added to a tray without any."""
    page.set_input_files("#composer input[type=file]", list(files))
    chips = page.locator("#token-count .line")
    expect(chips).to_have_count(len(files))
    expect(page.locator("#composer .thumbnail-item")).to_have_count(0)
    return chips


def names(page: Page, *wanted: str) -> None:
    expect(page.locator("#tray .line .head .name")).to_have_text(list(wanted))
    captions = [f"Image-{number}" for number in range(len(BEFORE) + 1, len(BEFORE) + 1 + len(wanted))]
    expect(page.locator("#tray .line b")).to_have_text(captions)


def listed(page: Page) -> Locator:
    return page.locator("#tray .mention [role=option]")


def write(page: Page, text: str) -> Locator:
    area = page.locator("#composer textarea")
    area.press_sequentially(text)
    return area


# What goes wrong.


def test_a_hostile_file_name_is_text_in_the_chip_and_in_the_list(page: Page, seen: Seen) -> None:
    page.on("dialog", lambda _: pytest.fail("a script ran"))
    seen.fetched.append(read_photo(png(), HOSTILE_NAME))
    page.click("#tray .open-address")
    page.fill("#tray-url", "https://example.org/")
    page.keyboard.press("Enter")
    names(page, HOSTILE_NAME)
    write(page, "@")
    expect(listed(page).last).to_have_text(f"Image-3{HOSTILE_NAME}")
    expect(page.locator("#tray img, #tray script")).to_have_count(0)


def test_a_file_that_is_no_picture_is_told_and_the_others_stay(page: Page) -> None:
    chips = add(page, picture())
    page.set_input_files("#composer input[type=file]", [BROKEN])
    expect(page.locator("#token-count [role=alert]")).to_contain_text("broken.png")
    expect(chips).to_have_count(1)
    expect(page.locator("#composer .thumbnail-item")).to_have_count(0)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("NotAllowedError", "refused"),
        ("NotFoundError", "No camera was found"),
        ("NotReadableError", "cannot be used now"),
    ],
)
def test_without_a_camera_the_dialog_says_why_and_offers_a_file(page: Page, error: str, told: str) -> None:
    page.evaluate(
        "(name) => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', name)) }",
        error,
    )
    page.click("#tray .open-camera")
    expect(page.locator("#tray .camera [role=status]")).to_contain_text(told)
    expect(page.locator("#tray .take")).to_be_disabled()
    with page.expect_file_chooser() as chooser:
        page.click("#tray .choose")
    chooser.value.set_files([picture("chosen.png")])
    names(page, "chosen.png")


def test_a_browser_that_shows_no_camera_opens_the_file_field_at_once(page: Page) -> None:
    page.evaluate("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    with page.expect_file_chooser() as chooser:
        page.click("#tray .open-camera")
    assert chooser.value.element.get_attribute("capture") == "environment"


def test_a_camera_that_comes_after_the_dialog_was_left_is_switched_off(page: Page) -> None:
    page.evaluate(SPY)
    page.evaluate(
        """() => {
            const soon = navigator.mediaDevices.getUserMedia
            const allowed = new Promise((done) => { window.allow = done })
            navigator.mediaDevices.getUserMedia = async (wish) => { await allowed; return soon(wish) }
        }"""
    )
    page.click("#tray .open-camera")
    page.keyboard.press("Escape")
    expect(page.locator("#tray .camera")).to_be_hidden()
    page.evaluate("window.allow()")
    page.wait_for_function(ALL_STOPPED)


def test_an_address_that_fails_is_told_every_time_it_fails(page: Page, seen: Seen) -> None:
    for _ in range(2):
        seen.fetched.append(None)
        page.click("#tray .open-address")
        page.fill("#tray-url", "https://example.org/cat.png")
        page.keyboard.press("Enter")
        expect(page.locator("#tray .fetching")).to_contain_text("example.org")
        expect(page.locator("#token-count [role=alert]")).to_have_count(0)
        seen.fetched[0] = WEB_PAGE
        expect(page.locator("#token-count [role=alert]")).to_contain_text(
            "The address leads to a web page. Copy"
        )
        expect(page.locator("#tray .fetching")).to_be_empty()
    assert len(seen.urls) == 2


@pytest.mark.parametrize("text", ["me@before", "a.b@", "@nothing-of-that-name", "@ ", "5 @\n"])
def test_what_names_no_image_opens_no_list(page: Page, text: str) -> None:
    page.locator("#composer textarea").fill(text)
    expect(page.locator("#tray .mention")).to_be_hidden()
    assert page.locator("#composer textarea").get_attribute("role") is None


def test_enter_sends_when_the_list_was_left_and_not_while_it_is_open(page: Page) -> None:
    area = write(page, "See @")
    expect(listed(page)).to_have_count(2)
    area.press("Enter")
    expect(area).to_have_value("See Image-1")
    write(page, " and @b")
    expect(listed(page)).to_have_count(2)
    area.press("Escape")
    expect(page.locator("#tray .mention")).to_be_hidden()
    write(page, "e")
    expect(page.locator("#tray .mention")).to_be_hidden()
    expect(page.locator("#sent textarea")).to_have_value("")
    area.press("Enter")
    expect(page.locator("#sent textarea")).to_have_value("See Image-1 and @be")


def test_keys_of_an_input_method_are_left_to_it(page: Page) -> None:
    area = write(page, "看@")
    expect(listed(page)).to_have_count(2)
    taken = area.evaluate(
        """(area) => ['Enter', 'ArrowDown', 'Escape'].map((key) => {
            const event = new KeyboardEvent('keydown', { key, isComposing: true, bubbles: true, cancelable: true })
            return !area.dispatchEvent(event)
        })"""
    )
    assert taken == [False, False, False]
    expect(listed(page)).to_have_count(2)
    expect(area).to_have_value("看@")


# Chips.


def test_a_chip_tells_its_number_name_tiles_and_tokens(page: Page) -> None:
    chips = add(page, *THREE)
    names(page, "a.png", "b.png", "c.png")
    expect(chips.nth(1)).to_contain_text("800 × 1300 px → 2 × 3 = 6 tiles + thumbnail, 448 visual tokens")
    expect(chips.nth(1).locator(".grid i")).to_have_count(6)
    expect(page.locator("#token-count .total")).to_contain_text("1,344")


def test_what_was_typed_stays_when_a_picture_comes(page: Page) -> None:
    write(page, "Where is")
    add(page, picture())
    expect(page.locator("#composer textarea")).to_have_value("Where is")


def test_buttons_move_a_chip_and_keep_the_focus(page: Page, seen: Seen) -> None:
    add(page, *THREE)
    button = page.get_by_label("Move Image-3 one place later")
    button.focus()
    page.keyboard.press("Enter")
    names(page, "b.png", "a.png", "c.png")
    expect(page.get_by_label("Move Image-4 one place later")).to_be_focused()
    expect(page.locator("#tray [aria-live]")).to_have_text("a.png is now Image-4.")
    page.keyboard.press("Enter")
    names(page, "b.png", "c.png", "a.png")
    last = page.get_by_label("Move Image-5 one place later")
    expect(last).to_be_focused()
    expect(last).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("Enter")
    page.get_by_label("Move Image-5 one place earlier").click()
    names(page, "b.png", "a.png", "c.png")
    assert [(deed["at"], deed["to"]) for deed in seen.deeds] == [(0, 1), (1, 2), (2, 1)]


def test_dragging_a_thumbnail_moves_its_chip_and_escape_leaves_it(page: Page, seen: Seen) -> None:
    chips = add(page, *THREE)

    def take_to(start: int, end: int) -> None:
        for place, act in (
            (chips.nth(start).locator(".thumb"), page.mouse.down),
            (chips.nth(end), lambda: None),
        ):
            area = place.bounding_box()
            assert area
            page.mouse.move(area["x"] + area["width"] / 2, area["y"] + area["height"] / 2, steps=4)
            act()

    take_to(2, 0)
    expect(chips.nth(0)).to_have_class("line gap-before")
    page.keyboard.press("Escape")
    page.mouse.up()
    names(page, "a.png", "b.png", "c.png")
    take_to(2, 0)
    page.mouse.up()
    names(page, "c.png", "a.png", "b.png")
    assert [(deed["do"], deed["at"], deed["to"]) for deed in seen.deeds] == [("move", 2, 0)]


def test_removing_leads_to_the_next_chip_and_at_last_to_the_text(page: Page) -> None:
    add(page, *THREE)
    page.get_by_label("Remove Image-4").press("Enter")
    names(page, "a.png", "c.png")
    expect(page.get_by_label("Remove Image-4")).to_be_focused()
    page.keyboard.press("Enter")
    names(page, "a.png")
    expect(page.get_by_label("Remove Image-3")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#token-count")).to_be_hidden()
    expect(page.locator("#composer textarea")).to_be_focused()


def test_every_chip_has_a_mode_of_its_own(page: Page, seen: Seen) -> None:
    chips = add(page, *THREE)
    mode = page.get_by_label("Resolution of Image-4")
    expect(mode.locator("option:checked")).to_have_text("Default · up to 12")
    mode.select_option(label="Low · 1 tile")
    expect(chips.nth(1)).to_contain_text("1 tile, 64 visual tokens")
    mode.select_option(label="Custom")
    number = page.get_by_label("Tiles at most for Image-4")
    expect(number).to_be_focused()
    number.fill("99")
    number.press("Enter")
    expect(number).to_have_value("40")
    number.fill("2")
    number.press("Enter")
    expect(chips.nth(1)).to_contain_text("1 × 2 = 2 tiles")
    mode.select_option(index=0)
    expect(number).to_be_hidden()
    expect(chips.nth(1)).to_contain_text("2 × 3 = 6 tiles")
    assert [deed["max_tiles"] for deed in seen.deeds] == [1, 1, 40, 2, None]
    expect(chips.nth(0)).to_contain_text("1 tile")


# `@`.


def test_an_image_is_named_by_keyboard(page: Page) -> None:
    add(page, *THREE)
    area = write(page, "Is @")
    expect(listed(page)).to_have_count(5)
    expect(area).to_have_role("combobox")
    expect(area).to_have_attribute("aria-activedescendant", "mention-0")
    area.press("ArrowUp")
    expect(area).to_have_attribute("aria-activedescendant", "mention-4")
    expect(listed(page).last).to_have_attribute("aria-selected", "true")
    write(page, "b.")
    expect(listed(page)).to_have_text(["Image-4b.png"])
    area.press("Enter")
    expect(area).to_have_value("Is Image-4")
    expect(area).to_be_focused()
    assert area.get_attribute("aria-expanded") is None
    write(page, " like @5")
    area.press("Enter")
    expect(area).to_have_value("Is Image-4 like Image-5")


def test_an_image_is_named_by_mouse_in_the_middle_of_a_text(page: Page) -> None:
    area = page.locator("#composer textarea")
    area.fill("What is here?")
    area.evaluate("(area) => area.setSelectionRange(8, 8)")
    write(page, "in @")
    listed(page).nth(1).click()
    expect(area).to_have_value("What is in Image-2 here?")
    expect(area).to_be_focused()


def test_the_list_goes_when_the_text_is_left(page: Page) -> None:
    write(page, "@")
    expect(listed(page)).to_have_count(2)
    page.locator("#tray .open-camera").focus()
    expect(page.locator("#tray .mention")).to_be_hidden()


# Ways to add a picture.


def test_the_camera_takes_a_picture_and_is_switched_off(page: Page) -> None:
    page.evaluate(SPY)
    page.click("#tray .open-camera")
    expect(page.locator("#tray .take")).to_be_enabled()
    page.click("#tray .switch")
    page.wait_for_function("streams.length === 2")
    expect(page.locator("#tray .take")).to_be_enabled()
    page.click("#tray .take")
    names(page, "camera-1.jpg")
    expect(page.locator("#tray .camera")).to_be_hidden()
    expect(page.locator("#tray .open-camera")).to_be_focused()
    page.wait_for_function(ALL_STOPPED)


def test_an_address_brings_a_picture_and_may_lack_its_beginning(page: Page, seen: Seen) -> None:
    seen.fetched.append(read_photo(png(), "fetched.png"))
    page.click("#tray .open-address")
    expect(page.locator("#tray-url")).to_be_focused()
    page.keyboard.press("Enter")
    page.fill("#tray-url", "example.org/fetched.png")
    page.keyboard.press("Enter")
    names(page, "fetched.png")
    expect(page.locator("#tray .fetching")).to_be_empty()
    assert seen.urls == ["https://example.org/fetched.png"]


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_pasting_and_dropping_work_as_before(page: Page, way: str) -> None:
    page.evaluate(
        """([bytes, way]) => {
            const data = new DataTransfer()
            data.items.add(new File([new Uint8Array(bytes)], 'mine.png', { type: 'image/png' }))
            const event = way === 'paste'
                ? new ClipboardEvent('paste', { clipboardData: data, bubbles: true })
                : new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
            document.querySelector('#composer textarea').dispatchEvent(event)
        }""",
        [list(png()), way],
    )
    names(page, "mine.png")


# For everyone.


@pytest.mark.parametrize(
    ("locale", "words"), [("en-US", ["Camera", "Web address"]), ("zh-CN", ["拍照", "网址"])]
)
def test_the_tray_speaks_both_languages(open_page: Open, url: str, locale: str, words: list[str]) -> None:
    page = opened(open_page, url, locale=locale)
    expect(page.locator("#tray .tool")).to_have_text(words)


def test_on_a_phone_everything_is_within_reach(open_page: Open, url: str) -> None:
    page = opened(open_page, url, viewport={"width": 390, "height": 844}, has_touch=True)
    chips = add(page, picture("a-very-long-name-" * 5 + ".png", (3000, 1500)), picture("b.png"))
    page.get_by_label("Resolution of Image-3").select_option(label="Custom")
    expect(page.get_by_label("Tiles at most for Image-3")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for inside in (
        *chips.locator("button:visible, select, input:visible, .name").all(),
        *page.locator(".tool").all(),
    ):
        area = inside.bounding_box()
        assert area and area["x"] >= 0 and area["x"] + area["width"] <= 390, inside
    page.get_by_label("Move Image-3 one place later").tap()
    expect(page.locator("#tray .line .name").first).to_have_text("b.png")


@pytest.mark.parametrize(
    "view", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}, {"locale": "zh-CN"}]
)
@pytest.mark.parametrize("what", ["chips", "list", "camera", "address"])
def test_axe_finds_nothing_serious(open_page: Open, url: str, view: dict[str, Any], what: str) -> None:
    page = opened(open_page, url, **view)
    add(page, *THREE)
    page.locator("#tray select").nth(1).select_option("custom")
    expect(page.locator("#tray .acts input:visible")).to_have_count(1)
    if what == "list":
        write(page, "@")
        expect(listed(page)).to_have_count(5)
    if what == "camera":
        page.click("#tray .open-camera")
        expect(page.locator("#tray .take")).to_be_enabled()
    if what == "address":
        page.click("#tray .open-address")
    page.wait_for_function("document.getAnimations().length === 0")
    found = Axe().run(page, {"include": [["#tray"], ["#composer"]]}).response["violations"]
    assert [
        (one["id"], [node["target"] for node in one["nodes"]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ] == []
