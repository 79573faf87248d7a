"""Ways to add a picture, on the whole page in real Chromium, with a camera that the browser pretends to have."""

import json

import pytest
from playwright.sync_api import Page, expect

from tests.support.page_hands import (
    CAT,
    DROP,
    FETCH_FILE,
    add_by,
    drawn,
    open_inspector,
    picture,
    send,
    wait_answer,
    write,
)
from tests.support.pictures import FILES, saved
from tests.support.pictures import picture as drawn_picture
from tests.support.scripted_model import ScriptedModel
from tests.support.uploads import png
from tests.support.viewer_hands import box

HOSTILE_NAME = "<img src=x onerror=alert(1)><b>b ${alert(2)} {{alert(3)}} **c** $x$.png"


def fetch(page: Page, monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """A picture of that name comes from a web address; the addresses that were asked for."""
    asked: list[str] = []

    async def fetched(url: str) -> tuple[str, bytes]:
        asked.append(url)
        return name, png()

    monkeypatch.setattr(FETCH_FILE, fetched)
    add_by(page, "open-address")
    page.fill("#tray-url", "example.org/a.png")
    page.keyboard.press("Enter")
    expect(page.locator("#tray .line")).to_have_count(1)
    return asked


def nothing_of_it_is_markup(page: Page) -> None:
    expect(page.locator("img[src='x'], script:text('alert('), [onerror]")).to_have_count(0)


def test_a_hostile_name_is_only_text(
    page: Page, scripted: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(page, monkeypatch, HOSTILE_NAME)
    expect(page.locator("#tray .line .head .name")).to_have_text(HOSTILE_NAME)
    write(page, "@")
    expect(page.locator("#tray .mention [role=option]")).to_have_text(f"Image-1{HOSTILE_NAME}")
    nothing_of_it_is_markup(page)
    page.keyboard.press("Escape")
    send(page, "What is this?")
    wait_answer(page, "Hello.")
    assert scripted.asked[-1].images[0].photo.name == HOSTILE_NAME
    expect(page.locator("#viewer .thumb")).to_have_count(1)
    nothing_of_it_is_markup(page)
    open_inspector(page, 1)
    inside = page.locator("#inspector dialog")
    expect(inside.get_by_text(HOSTILE_NAME).or_(inside.get_by_alt_text(HOSTILE_NAME)).first).to_be_visible()
    nothing_of_it_is_markup(page)
    page.keyboard.press("Escape")
    write(page, "@")
    expect(page.locator("#tray .mention [role=option]")).to_have_text(f"Image-1{HOSTILE_NAME}")
    page.keyboard.press("Escape")
    page.reload()
    expect(page.locator("#viewer .thumb")).to_have_count(1)
    nothing_of_it_is_markup(page)


def test_a_fetched_picture_is_sent(
    page: Page, scripted: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = fetch(page, monkeypatch, "fetched.png")
    expect(page.locator("#tray .line .head .name")).to_have_text("fetched.png")
    expect(page.locator("#tray .fetching")).to_be_empty()
    send(page, "What is this?")
    wait_answer(page, "Hello.")
    assert asked == ["https://example.org/a.png"]
    assert [image.photo.name for image in scripted.asked[-1].images] == ["fetched.png"]


DRAG = """([name, where, kind]) => {
    const data = new DataTransfer()
    if (kind === 'file') data.items.add(new File([new Uint8Array(1)], 'a.png', { type: 'image/png' }))
    else data.items.add('some words', 'text/plain')
    const how = { dataTransfer: data, bubbles: true, cancelable: true }
    document.querySelector(where).dispatchEvent(new DragEvent(name, how))
}"""
PASTE = """(bytes) => {
    const data = new DataTransfer()
    data.items.add(new File([new Uint8Array(bytes)], 'pasted.png', { type: 'image/png' }))
    const how = { clipboardData: data, bubbles: true, cancelable: true }
    document.activeElement.dispatchEvent(new ClipboardEvent('paste', how))
}"""


def test_words_dragged_over_the_page_are_not_asked_for(page: Page) -> None:
    page.evaluate(DRAG, ["dragenter", "#conversation", "text"])
    expect(page.locator(".drop-here")).to_be_hidden()


def test_a_picture_is_dropped_anywhere(page: Page) -> None:
    overlay = page.locator(".drop-here")
    expect(overlay).to_be_hidden()
    page.evaluate(DRAG, ["dragenter", "#head", "file"])
    expect(overlay).to_have_text("Drop pictures here")
    expect(overlay).to_be_visible()
    page.evaluate(DRAG, ["dragleave", "#head", "file"])
    expect(overlay).to_be_hidden()
    page.evaluate(DRAG, ["dragenter", "#conversation", "file"])
    page.evaluate(
        DROP.replace("#composer textarea", "#conversation .log"), [list(png()), "a.png", "image/png"]
    )
    expect(page.locator("#tray .line")).to_have_count(1)
    expect(overlay).to_be_hidden()


def test_a_picture_is_pasted_wherever_the_focus_is(page: Page) -> None:
    page.locator("#conversation .log").focus()
    page.evaluate(PASTE, list(png()))
    expect(page.locator("#tray .line .head .name")).to_have_text("pasted.png")


def test_a_dropped_picture_is_sent(page: Page, scripted: ScriptedModel) -> None:
    page.evaluate(DROP, [list(png()), "dropped.png", "image/png"])
    expect(page.locator("#tray .line .head .name")).to_have_text("dropped.png")
    send(page, "What is this?")
    wait_answer(page, "Hello.")
    assert [image.photo.name for image in scripted.asked[-1].images] == ["dropped.png"]


@pytest.mark.parametrize(
    ("kind", "name", "type"),
    [
        ("heic", "IMG_0001.heic", ""), ("tiff", "scan.tif", ""), ("jpeg", "photo.jfif", ""),
        ("avif", "without an ending", "application/octet-stream"), ("png", "", ""),
    ],
)  # fmt: skip
def test_a_dropped_picture_of_no_known_type_is_taken(page: Page, kind: str, name: str, type: str) -> None:
    page.evaluate(DROP, [list(FILES[kind]), name, type])
    expect(page.locator("#tray .line")).to_have_count(1)
    expect(page.locator("#tray .line .head .name")).to_have_text(name)
    expect(page.locator("#notice [role=alert]")).to_be_hidden()


def test_what_was_taken_of_a_file_stands_with_it_in_both_languages(
    page: Page, scripted: ScriptedModel
) -> None:
    frames = [drawn_picture(), drawn_picture().rotate(180)]
    page.evaluate(
        DROP, [list(saved(frames[0], "GIF", save_all=True, append_images=frames[1:])), "cat.gif", "image/gif"]
    )
    expect(page.locator("#tray .line")).to_have_count(1)
    page.evaluate(DROP, [list(png()), "plain.png", "image/png"])
    expect(page.locator("#tray .line")).to_have_count(2)
    expect(page.locator("#tray .notes")).to_be_visible()
    expect(page.locator("#tray .notes")).to_contain_text(
        "The file is an animation; its first picture was taken."
    )
    notes = page.locator("#tray .line .note")
    expect(notes.nth(0)).to_have_text(
        "The file is an animation; its first picture was taken. For another moment, send a screenshot of it."
    )
    expect(notes.nth(1)).to_be_empty()
    expect(page.locator("#notice [role=alert]")).to_be_hidden()
    page.click("#switch-language")
    expect(notes.nth(0)).to_have_text("文件是动画，已采用它的第一帧。如需其他画面，请截图后发送。")
    page.click("#switch-language")
    send(page, "What is this?")
    wait_answer(page, "Hello.")
    expect(notes).to_have_count(0)
    assert len(scripted.asked[-1].images) == 2


def test_files_of_no_known_type_can_be_chosen(page: Page) -> None:
    offered = page.get_attribute("#composer input[type=file]", "accept") or ""
    assert {"image/*", ".heic", ".heif", ".avif", ".tif", ".tiff", ".jfif"} <= set(offered.split(","))


def test_the_server_names_what_is_no_picture(page: Page) -> None:
    page.evaluate(DROP, [list(b"%PDF-1.7 and so on"), "report.pdf", "application/pdf"])
    expect(page.locator("#notice [role=alert]")).to_contain_text("report.pdf: The file is a PDF document")


def test_a_taken_picture_is_sent(page: Page, scripted: ScriptedModel) -> None:
    add_by(page, "open-camera")
    page.click("#composer-card .take:enabled")
    expect(page.locator("#tray .line .head .name")).to_have_text("camera-1.jpg")
    expect(page.locator("#composer-card .camera")).to_be_hidden()
    send(page, "What is this?")
    wait_answer(page, "Hello.")
    (taken,) = scripted.asked[-1].images
    assert taken.photo.name == "camera-1.jpg" and min(taken.photo.size_wh) > 100


def test_asking_again_answers_on_the_whole(page: Page, scripted: ScriptedModel) -> None:
    scripted.script = [CAT]
    send(page, "Where is the cat?", picture("scene.png", (1000, 800)))
    wait_answer(page, "the cat")
    box(page, "the cat").click()
    page.click("#viewer .frame .again")
    expect(page.locator("#tray .line .head .name")).to_have_text("scene.png, crop")
    expect(page.locator("#composer textarea")).to_be_focused()
    scripted.script = ["In Image-2: <ref>an ear</ref><box>[[0, 0, 500, 500]]</box>"]
    send(page, "What is that?")
    wait_answer(page, "an ear")
    expect(box(page, "an ear")).to_have_count(2)
    origin = scripted.asked[-1].images[1].origin
    assert origin and origin.xyxy_px
    left, top, right, bottom = origin.xyxy_px
    assert left < 100 and top < 160 and right > 300 and bottom > 320, (
        "the box [[100, 200, 300, 400]] and a margin"
    )
    place = {image: json.loads(f"[{where}]") for label, image, where in drawn(page) if label == "an ear"}
    assert place["2"] == [0, 0, 500, 500]
    wanted = [left, top / 0.8, (left + right) / 2, (top + bottom) / 2 / 0.8]  # of 1000 x 800 pixels
    assert place["1"] == pytest.approx(wanted, abs=1.5)
