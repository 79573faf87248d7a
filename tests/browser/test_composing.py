"""What a person does between two questions: chips, the context's room, a region to ask about, the prompt."""

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from internvl_demo.conversation.prompt import prompt_text
from tests.support.page_hands import (
    BROKEN,
    CAT,
    add_by,
    attach,
    chip_detail,
    choose_detail,
    drawn,
    open_inspector,
    picture,
    send,
    wait_answer,
    write,
)
from tests.support.scripted_model import ScriptedModel
from tests.support.viewer_hands import drag, region, sheet_point


def chip(page: Page, name: str) -> Locator:
    return page.locator("#tray .line", has_text=name)


def names(page: Page) -> list[str]:
    return page.locator("#tray .line .name").all_text_contents()


# What goes wrong.


def test_no_picture_is_left_out_silently(page: Page, scripted: ScriptedModel) -> None:
    attach(page, picture("good.png"), BROKEN)
    write(page, "What is this?")
    page.click("#send")
    expect(page.locator("#notice")).to_contain_text("broken.png")
    expect(page.locator("#composer textarea")).to_have_value("What is this?")
    assert not scripted.asked
    page.click("#send")  # the person has been told, and sends it without
    wait_answer(page, "Hello.")
    assert [image.photo.name for image in scripted.asked[-1].images] == ["good.png"]


def test_only_public_addresses_are_fetched(page: Page) -> None:
    for address in ("http://127.0.0.1:7860/", "http://169.254.169.254/latest", "file:///etc/passwd"):
        add_by(page, "open-address")
        page.fill("dialog[open] input", address)
        with page.expect_response("**/api/photos/address") as response:
            page.keyboard.press("Enter")
        assert response.value.status == 422
        expect(page.locator("#notice [role=alert]")).to_be_visible()
        expect(page.locator("#tray .line")).to_have_count(0)


def test_the_bar_offers_what_fits(page: Page, scripted: ScriptedModel) -> None:
    choose_detail(page, "High")
    wide = [
        picture(f"{number}.png", (2000, 1250), colour)
        for number, colour in enumerate(("red", "navy", "teal", "gold"))
    ]
    attach(page, *wide)  # 4 x 41 pictures of 64 tokens: more than 8,192
    write(page, "What are these?")
    expect(page.locator("#context-bar li", has_text="Image-4")).to_have_count(1)
    expect(page.locator("#context-bar")).to_contain_text("too many")
    page.click("#send")
    expect(page.locator("#notice")).to_contain_text("too many")
    assert not scripted.asked
    expect(page.locator("#tray .line")).to_have_count(4)
    page.click("#context-bar button:has-text('Fewer tiles')")
    expect(page.locator("#context-bar .fixes button")).to_have_count(0)
    page.click("#send")
    wait_answer(page, "Hello.")
    assert len(scripted.asked[-1].images) == 4
    assert [image.max_tiles for image in scripted.asked[-1].images] != [40, 40, 40, 40]


def test_a_new_conversation_may_be_what_fits(page: Page, scripted: ScriptedModel) -> None:
    choose_detail(page, "High")
    send(page, "These?", *[picture(f"{n}.png", (2000, 1250), c) for n, c in enumerate(("red", "navy"))])
    wait_answer(page, "Hello.")
    attach(page, picture("last.png", (2000, 1250), "gold"))
    write(page, "And this?")
    page.click("#context-bar button:has-text('new conversation')")
    expect(page.locator("#conversation .user")).to_have_count(0)
    expect(page.locator("#composer textarea")).to_have_value("And this?")
    assert names(page) == ["last.png"]
    page.click("#send")
    wait_answer(page, "Hello.")
    assert len(scripted.asked[-1].turns) == 1 and len(scripted.asked[-1].images) == 1


# Chips.


def test_chips_are_sent_as_shown(page: Page, scripted: ScriptedModel) -> None:
    attach(page, picture("a.png"), picture("b.png", colour="red"), picture("c.png", colour="navy"))
    chip(page, "c.png").locator(".thumb").click()
    chip(page, "c.png").locator("button.earlier").click()
    page.keyboard.press("Escape")
    expect(page.locator("#tray .line").nth(1)).to_contain_text("c.png")
    chip(page, "a.png").locator("button.remove").click()
    expect(page.locator("#tray .line")).to_have_count(2)
    chip_detail(page, 1, "40")
    expect(chip(page, "b.png")).to_contain_text("Image-2")
    send(page, "What are these?")
    wait_answer(page, "Hello.")
    asked = scripted.asked[-1].images
    assert [(image.photo.name, image.max_tiles) for image in asked] == [("c.png", 12), ("b.png", 40)]
    expect(page.locator("#tray .line")).to_have_count(0)


def test_an_at_sign_names_an_image(page: Page) -> None:
    send(page, "First?", picture("a.png"))
    wait_answer(page, "Hello.")
    attach(page, picture("b.png", colour="red"))
    page.locator("#composer textarea").press_sequentially("Is it in @b")
    page.keyboard.press("Enter")
    expect(page.locator("#composer textarea")).to_have_value("Is it in Image-2")


# Point and ask.


def ask_about(page: Page, way: str) -> None:
    """The middle of the image shown, that way."""
    page.click("#viewer .select")
    drag(page, sheet_point(page, 0.25, 0.25), sheet_point(page, 0.75, 0.75))
    assert region(page)["image"] == 1
    page.locator("#viewer .ways label", has_text=way).click()
    page.click("#viewer .acts .main")


def test_a_box_on_a_crop_is_repeated(page: Page, scripted: ScriptedModel) -> None:
    send(page, "What is this?", picture("scene.png", (1000, 800)))
    wait_answer(page, "Hello.")
    ask_about(page, "Crop")
    expect(chip(page, "scene.png, crop")).to_contain_text("Image-2")
    chip_detail(page, 0, "40")
    scripted.script = [f"In Image-2: {CAT}"]
    send(page, "Where is the cat?")
    wait_answer(page, "In Image-2: the cat")
    crop = scripted.asked[-1].images[1]
    assert crop.max_tiles == 40 and crop.origin and crop.origin.xyxy_px
    left, top, right, bottom = crop.origin.xyxy_px
    assert crop.photo.size_wh == (right - left, bottom - top)
    assert abs((right - left) - 550) <= 12 and abs((bottom - top) - 440) <= 12, "the middle, and a margin"
    boxes = {image: json.loads(f"[{place}]") for _, image, place in drawn(page)}
    assert boxes["2"] == [100, 200, 300, 400]
    wanted = [
        left + 0.1 * (right - left), top + 0.2 * (bottom - top), left + 0.3 * (right - left), top + 0.4 * (bottom - top)
    ]  # fmt: skip
    found = [boxes["1"][0], boxes["1"][1] * 0.8, boxes["1"][2], boxes["1"][3] * 0.8]  # of 1000 x 800 pixels
    assert found == pytest.approx(wanted, abs=1.5)
    page.reload()
    expect(page.locator("svg .ground-box")).to_have_count(2)


def test_a_marked_copy_shows_the_region(page: Page, scripted: ScriptedModel) -> None:
    send(page, "What is this?", picture("scene.png", (1000, 800)))
    wait_answer(page, "Hello.")
    ask_about(page, "Marked copy")
    expect(chip(page, "scene.png, marked")).to_have_count(1)
    send(page, "What is in the frame?")
    expect(page.locator("#conversation .bot")).to_have_count(2)
    wait_answer(page, "Hello.")
    first, second = (image.photo.image for image in scripted.asked[-1].images)
    assert first.size == second.size and first.tobytes() != second.tobytes()
    assert first.getpixel((500, 400)) == second.getpixel((500, 400)), "what is inside stays as it is"


# The prompt.


def test_the_inspector_shows_the_exact_prompt(page: Page, scripted: ScriptedModel) -> None:
    send(page, "What is <img> this?", picture("a.png"), picture("b.png", colour="red"))
    wait_answer(page, "Hello.")
    open_inspector(page, 1)
    dialog = page.locator("#inspector dialog")
    expect(dialog).to_be_visible()
    whole = prompt_text(scripted.asked[-1], 64)
    for part in filter(None, re.split(r"(?:<IMG_CONTEXT>)+|\n|(?<=<\|im_end\|>)", whole)):
        expect(dialog).to_contain_text(part)
    page.locator("#inspector [role=tab]", has_text="Python").click()
    expect(dialog.locator("pre:visible")).to_contain_text("LocalBackend")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
