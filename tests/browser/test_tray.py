"""The tray: chips, `@`, the camera that the browser pretends to have, a web address; in real Chromium."""

import asyncio
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from internvl_demo.photos.download import AddressError
from tests.support.accessibility import VIEWS, faults, look
from tests.support.page_hands import BROKEN, FETCH_FILE, add_by, attach, picture, wait_answer
from tests.support.scripted_model import ScriptedModel
from tests.support.uploads import png

THREE = [picture("a.png", (64, 48)), picture("b.png", (800, 1300), "navy"), picture("c.png", (90, 90), "red")]
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
NO_CAMERA = {
    "NotAllowedError": "refused",
    "NotFoundError": "No camera was found",
    "NotReadableError": "cannot be used now",
}
PASTE = """([bytes, text]) => {
    const data = new DataTransfer()
    data.items.add(new File([new Uint8Array(bytes)], 'pasted.png', { type: 'image/png' }))
    if (text) data.items.add(text, 'text/plain')
    const event = new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })
    document.querySelector('#composer textarea').dispatchEvent(event)
}"""


def chips(page: Page) -> Locator:
    return page.locator("#tray .line")


def names(page: Page, *wanted: str) -> None:
    expect(page.locator("#tray .line .head .name")).to_have_text(list(wanted))
    expect(page.locator("#tray .line .head b")).to_have_text(
        [f"Image-{n}" for n in range(1, len(wanted) + 1)]
    )


def listed(page: Page) -> Locator:
    return page.locator("#tray .mention [role=option]")


def write(page: Page, text: str) -> Locator:
    area = page.locator("#composer textarea")
    area.press_sequentially(text)
    return area


def fetch(page: Page, address: str) -> None:
    add_by(page, "open-address")
    page.fill("#tray-url", address)
    page.keyboard.press("Enter")


# What goes wrong.


def test_no_picture_harms_the_others(page: Page) -> None:
    attach(page, picture())
    attach(page, BROKEN)
    expect(page.locator("#notice [role=alert]")).to_contain_text("broken.png")
    names(page, "one.png")


def test_the_dialog_tells_why_no_camera(page: Page) -> None:
    for error, told in NO_CAMERA.items():
        page.evaluate(
            "(n) => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', n)) }",
            error,
        )
        add_by(page, "open-camera")
        expect(page.locator("#composer-card .camera [role=status]")).to_contain_text(told)
        expect(page.locator("#composer-card .take")).to_be_disabled()
        with page.expect_file_chooser() as chooser:
            page.click("#composer-card .choose")
    chooser.value.set_files([picture("chosen.png")])
    names(page, "chosen.png")


def test_without_cameras_the_phones_own(page: Page) -> None:
    page.evaluate("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    with page.expect_file_chooser() as chooser:
        add_by(page, "open-camera")
    assert chooser.value.element.get_attribute("capture") == "environment"


def test_a_late_camera_is_switched_off(page: Page) -> None:
    page.evaluate(SPY)
    page.evaluate(
        """() => {
            const soon = navigator.mediaDevices.getUserMedia
            const allowed = new Promise((done) => { window.allow = done })
            navigator.mediaDevices.getUserMedia = async (wish) => { await allowed; return soon(wish) }
        }"""
    )
    add_by(page, "open-camera")
    page.keyboard.press("Escape")
    expect(page.locator("#composer-card .camera")).to_be_hidden()
    page.evaluate("window.allow()")
    page.wait_for_function(ALL_STOPPED)


def test_a_failed_address_is_always_told(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    urls: list[str] = []
    answers: list[tuple[str, bytes] | AddressError] = []

    async def fetched(url: str) -> tuple[str, bytes]:
        urls.append(url)
        while not answers:
            await asyncio.sleep(0.01)
        answer = answers.pop()
        if isinstance(answer, AddressError):
            raise answer
        return answer

    monkeypatch.setattr(FETCH_FILE, fetched)
    waits, alert = page.locator("#tray .fetching"), page.locator("#notice [role=alert]")
    for answer in (WEB_PAGE, WEB_PAGE, ("fetched.png", png())):
        fetch(page, "https://example.org/cat.png")
        expect(waits).to_contain_text("example.org")
        expect(alert).to_be_hidden()
        answers.append(answer)
        if answer is WEB_PAGE:
            expect(alert).to_contain_text("The address leads to a web page. Copy")
        expect(waits).to_be_empty()
    names(page, "fetched.png")
    assert len(urls) == 3


def test_what_names_no_image_opens_nothing(page: Page) -> None:
    attach(page, picture())
    area = page.locator("#composer textarea")
    for text in ("me@one", "a.b@", "@nothing-of-that-name", "@ ", "5 @\n"):
        area.fill("@")
        expect(listed(page)).to_have_count(1)
        area.fill(text)
        expect(page.locator("#tray .mention")).to_be_hidden()
        assert area.get_attribute("role") is None, text


def test_enter_sends_once_the_list_is_left(page: Page, scripted: ScriptedModel) -> None:
    attach(page, picture("a.png"), picture("b.png", colour="red"))
    area = write(page, "See @")
    expect(listed(page)).to_have_count(2)
    area.press("Enter")
    expect(area).to_have_value("See Image-1")
    write(page, " and @b")
    expect(listed(page)).to_have_count(1)
    area.press("Escape")
    expect(page.locator("#tray .mention")).to_be_hidden()
    write(page, "e")
    expect(page.locator("#tray .mention")).to_be_hidden()
    assert not scripted.asked
    area.press("Enter")
    wait_answer(page, "Hello.")
    assert [conversation.turns[-1].text for conversation in scripted.asked] == ["See Image-1 and @be"]


def test_an_input_method_keeps_its_keys(page: Page) -> None:
    attach(page, picture())
    area = write(page, "看@")
    expect(listed(page)).to_have_count(1)
    taken = area.evaluate(
        """(area) => ['Enter', 'ArrowDown', 'Escape'].map((key) => {
            const event = new KeyboardEvent('keydown', { key, isComposing: true, bubbles: true, cancelable: true })
            return !area.dispatchEvent(event)
        })"""
    )
    assert taken == [False, False, False]
    expect(listed(page)).to_have_count(1)
    expect(area).to_have_value("看@")


# Chips.


def test_a_chip_tells_what_it_costs(page: Page) -> None:
    area = write(page, "Where is")
    attach(page, *THREE)
    expect(area).to_have_value("Where is")
    names(page, "a.png", "b.png", "c.png")
    second = chips(page).nth(1)
    expect(second).to_contain_text("800 × 1300 px → 2 × 3 = 6 tiles + thumbnail, 448 visual tokens")
    expect(second.locator(".grid i")).to_have_count(6)
    page.click("#composer-card .detail")
    expect(page.locator("#composer-card .facts")).to_contain_text("1,344 visual tokens")


def test_buttons_move_a_chip(page: Page) -> None:
    attach(page, *THREE)
    chips(page).first.locator(".thumb").press("Enter")
    page.get_by_label("Move Image-1 one place later").focus()
    page.keyboard.press("Enter")
    names(page, "b.png", "a.png", "c.png")
    expect(page.get_by_label("Move Image-2 one place later")).to_be_focused()
    expect(page.locator("#tray [aria-live]")).to_have_text("a.png is now Image-2.")
    page.keyboard.press("Enter")
    names(page, "b.png", "c.png", "a.png")
    last = page.get_by_label("Move Image-3 one place later")
    expect(last).to_be_focused()
    expect(last).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("Enter")
    names(page, "b.png", "c.png", "a.png")
    page.get_by_label("Move Image-3 one place earlier").click()
    names(page, "b.png", "a.png", "c.png")


def test_a_dragged_thumbnail_moves_its_chip(page: Page) -> None:
    attach(page, *THREE)

    def take_to(start: int, end: int) -> None:
        thumb, target = chips(page).nth(start).locator(".thumb").bounding_box(), chips(page).nth(end)
        area = target.bounding_box()
        assert thumb and area
        page.mouse.move(thumb["x"] + thumb["width"] / 2, thumb["y"] + thumb["height"] / 2)
        page.mouse.down()
        page.mouse.move(area["x"] + area["width"] / 2, area["y"] + area["height"] / 2, steps=4)

    take_to(2, 0)
    expect(chips(page).nth(0)).to_have_class("line gap-before")
    page.keyboard.press("Escape")
    page.mouse.up()
    names(page, "a.png", "b.png", "c.png")
    take_to(2, 0)
    page.mouse.up()
    names(page, "c.png", "a.png", "b.png")


def test_removing_keeps_a_place_for_the_focus(page: Page) -> None:
    attach(page, *THREE)
    page.get_by_label("Remove Image-2").press("Enter")
    names(page, "a.png", "c.png")
    expect(page.get_by_label("Remove Image-2")).to_be_focused()
    page.keyboard.press("Enter")
    names(page, "a.png")
    expect(page.get_by_label("Remove Image-1")).to_be_focused()
    page.keyboard.press("Enter")
    expect(chips(page)).to_have_count(0)
    expect(page.locator("#composer textarea")).to_be_focused()


def test_every_chip_has_its_own_mode(page: Page) -> None:
    attach(page, *THREE)
    second = chips(page).nth(1)
    second.locator(".thumb").click()
    mode = page.get_by_label("Resolution of Image-2")
    expect(mode.locator("option:checked")).to_have_text("Default · up to 12")
    mode.select_option(label="Low: 1 tile")
    expect(second).to_contain_text("1 tile, 64 visual tokens")
    mode.select_option(label="Custom")
    number = page.get_by_label("Tiles at most for Image-2")
    expect(number).to_be_focused()
    expect(second).to_contain_text("1 tile, 64 visual tokens")
    number.fill("99")
    number.press("Enter")
    expect(number).to_have_value("40")
    number.fill("2")
    number.press("Enter")
    expect(second).to_contain_text("1 × 2 = 2 tiles")
    mode.select_option(index=0)
    expect(number).to_be_hidden()
    expect(second).to_contain_text("2 × 3 = 6 tiles")
    expect(chips(page).nth(0)).to_contain_text("4 × 3 = 12 tiles")


# `@`.


def test_an_image_is_named_by_keyboard(page: Page) -> None:
    attach(page, *THREE)
    area = write(page, "Is @")
    expect(listed(page)).to_have_count(3)
    expect(area).to_have_attribute("aria-controls", "mention-list")
    expect(area).to_have_attribute("aria-activedescendant", "mention-0")
    area.press("ArrowUp")
    expect(area).to_have_attribute("aria-activedescendant", "mention-2")
    expect(listed(page).last).to_have_attribute("aria-selected", "true")
    write(page, "b.")
    expect(listed(page)).to_have_text(["Image-2b.png"])
    area.press("Enter")
    expect(area).to_have_value("Is Image-2")
    expect(area).to_be_focused()
    assert area.get_attribute("aria-controls") is None
    write(page, " like @3")
    area.press("Enter")
    expect(area).to_have_value("Is Image-2 like Image-3")


def test_an_image_is_named_by_mouse(page: Page) -> None:
    attach(page, *THREE)
    area = page.locator("#composer textarea")
    area.fill("What is here?")
    area.evaluate("(area) => area.setSelectionRange(8, 8)")
    write(page, "in @")
    listed(page).nth(1).click()
    expect(area).to_have_value("What is in Image-2 here?")
    expect(area).to_be_focused()
    area.press("End")
    write(page, " @")
    expect(listed(page)).to_have_count(3)
    page.locator("#composer-card .plus").focus()
    expect(page.locator("#tray .mention")).to_be_hidden()


# Ways to add a picture.


def test_the_camera_is_on_only_while_needed(page: Page) -> None:
    page.evaluate(SPY)
    add_by(page, "open-camera")
    expect(page.locator("#composer-card .take")).to_be_enabled()
    page.click("#composer-card .switch")
    page.wait_for_function("streams.length === 2")
    expect(page.locator("#composer-card .take")).to_be_enabled()
    page.click("#composer-card .take")
    names(page, "camera-1.jpg")
    expect(page.locator("#composer-card .camera")).to_be_hidden()
    expect(page.locator("#composer-card .plus")).to_be_focused()
    page.wait_for_function(ALL_STOPPED)


def test_an_address_may_lack_its_beginning(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    urls: list[str] = []

    async def fetched(url: str) -> tuple[str, bytes]:
        urls.append(url)
        return "fetched.png", png()

    monkeypatch.setattr(FETCH_FILE, fetched)
    add_by(page, "open-address")
    expect(page.locator("#tray-url")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#tray-url")).to_be_focused()
    page.fill("#tray-url", "example.org/fetched.png")
    page.keyboard.press("Enter")
    names(page, "fetched.png")
    assert urls == ["https://example.org/fetched.png"]


def test_a_pasted_picture_unless_with_text(page: Page) -> None:
    page.evaluate(PASTE, [list(png()), "a table of a document"])
    page.evaluate(PASTE, [list(png(colour="red")), ""])
    names(page, "pasted.png")
    expect(page.locator("#tray .fetching")).to_be_empty()


# For everyone.


def test_a_phone_reaches_everything(open_page: Callable[..., Page], scripted_url: str) -> None:
    page = open_page(scripted_url, viewport={"width": 390, "height": 844}, has_touch=True)
    attach(page, picture("a-very-long-name-" * 5 + ".png", (3000, 1500)), picture("b.png"))
    chips(page).first.locator(".thumb").tap()
    page.get_by_label("Resolution of Image-1").select_option(label="Custom")
    expect(page.get_by_label("Tiles at most for Image-1")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    inside = chips(page).locator("button:visible, select:visible, input:visible, .name:visible")
    for one in (*inside.all(), *page.locator("#composer-card .row button:visible").all()):
        area = one.bounding_box()
        assert area and area["x"] >= 0 and area["x"] + area["width"] <= 390, one
    page.get_by_label("Move Image-1 one place later").tap()
    expect(page.locator("#tray .line .name").first).to_have_text("b.png")
    page.keyboard.press("Escape")
    page.locator("#composer-card .plus").tap()
    for way in page.locator("#composer-card .way").all():
        area = way.bounding_box()
        assert area and area["x"] >= 0 and area["x"] + area["width"] <= 390 and area["height"] >= 44, way


def test_axe_finds_nothing(page: Page) -> None:
    attach(page, *THREE)
    for view, how in VIEWS.items():
        look(page, **how)
        chips(page).nth(1).locator(".thumb").click()
        page.locator("#tray select").nth(1).select_option("custom")
        expect(page.locator("#tray .acts input:visible")).to_have_count(1)
        assert faults(page, "#composer-card") == [], view
        page.keyboard.press("Escape")
        page.click("#composer-card .detail")
        assert faults(page, "#composer-card") == [], view
        page.keyboard.press("Escape")
        page.fill("#composer textarea", "@")
        expect(listed(page)).to_have_count(3)
        assert faults(page, "#composer-card") == [], view
        page.fill("#composer textarea", "")
        for opener, ready in (("open-camera", ".take:enabled"), ("open-address", "#tray-url")):
            add_by(page, opener)
            expect(page.locator(ready)).to_be_visible()
            assert faults(page, "#composer-card") == [], (view, opener)
            page.keyboard.press("Escape")
