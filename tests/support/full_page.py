"""A page on which there is something of everything, and what a person sees, hears or is told of it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, expect

from tests.support.page_hands import CAT, attach, chip_detail, picture, send, wait_answer, write
from tests.support.scripted_model import ScriptedModel
from tests.support.viewer_hands import close_viewer, drag, open_viewer, sheet_point

DRAFT = "Not sent yet."

TEXTS = """(root) => {
    const found = []
    const walk = (node) => {
        if (node.nodeType === Node.TEXT_NODE) found.push(node.data)
        if (node.nodeType !== Node.ELEMENT_NODE) return
        if (node.matches('script, style, noscript') || !node.checkVisibility()) return
        for (const name of ['aria-label', 'aria-description', 'title', 'placeholder', 'alt']) {
            if (node.hasAttribute(name)) found.push(node.getAttribute(name))
        }
        if (node.matches('textarea, input, pre, code')) return
        for (const child of node.childNodes) walk(child)
    }
    walk(document.querySelector(root))
    return [...new Set(found.map((text) => text.trim()).filter(Boolean))]
}"""


def texts(page: Page, root: str = "body") -> list[str]:
    """All that is written there, read out or shown at a pointer, hidden or not; but what people type."""
    return page.evaluate(TEXTS, root)


def fill(page: Page, scripted: ScriptedModel) -> None:
    """Three conversations; the last with two turns, boxes on two images, two versions; four pictures that wait."""
    scripted.script = ["Hello."]
    for question in ("First?", "Second?"):
        send(page, question)
        wait_answer(page, "Hello.")
        page.click("#clear")
        expect(page.locator("#conversation .user")).to_have_count(0)
    scripted.script = [f"In Image-1 is {CAT}, and <ref>a dog</ref><box>[[500, 500, 900, 900]]</box>."]
    send(page, "What is there?", picture("a.png", (900, 600)), picture("b.png", (400, 200), "navy"))
    wait_answer(page, "the cat")
    scripted.script = ["Another answer."]
    send(page, "And now?")
    wait_answer(page, "Another answer.")
    scripted.script = ["Yet another answer."]
    page.click("#retry")
    wait_answer(page, "Yet another answer.")
    names = ("c.png", "d.png", "e.png", "f.png")
    colours = ("red", "gold", "teal", "black")
    attach(page, *[picture(name, (500, 300), colour) for name, colour in zip(names, colours, strict=True)])
    chip_detail(page, 1, "40")
    expect(page.locator("#tray select").nth(1)).to_have_class(re.compile("own"))
    write(page, DRAFT)
    expect(page.locator("#context-bar .part")).not_to_have_count(0)


def point(page: Page) -> None:
    """Boxes in the image and in words, the tile X-ray, a region drawn, the box for editing a question open."""
    page.locator("#conversation .bot > .md").first.click(position={"x": 4, "y": 4})  # the answer with boxes
    expect(page.locator("#viewer .chip")).to_have_count(2)
    open_viewer(page)
    page.locator("#viewer .box-list").evaluate("(list) => { list.open = true }")
    page.locator("#viewer .thumb").first.click()
    page.click("#viewer .xray")
    page.click("#viewer .select")
    drag(page, sheet_point(page, 0.25, 0.25), sheet_point(page, 0.6, 0.6))
    expect(page.locator("#viewer .region")).to_be_visible()
    if page.locator("#viewer .shut").is_hidden():  # on a phone the viewer covers the rest
        page.locator("#conversation [data-act=edit]").first.click()
        expect(page.locator(".turn-edit textarea")).to_be_visible()


def unpoint(page: Page) -> None:
    """Without them again, whichever of them there are."""
    for opened in page.locator(".turn-edit").all():
        opened.locator("button").last.click()
    for pressed in ("#viewer .select", "#viewer .xray"):
        button = page.locator(pressed).first
        if button.get_attribute("aria-pressed") == "true":
            button.click()
    expect(page.locator("#viewer .region")).to_be_hidden()
    close_viewer(page)


@contextmanager
def pointing(page: Page) -> Iterator[None]:
    """Pointed for as long as it lasts; a page that several tests share is left as it was, whatever happens."""
    try:
        point(page)
        yield
    finally:
        unpoint(page)


DIALOGS = (
    ("#panel .panel-toggle", "dialog.conversations", ".panel-close"),
    ("#conversation [data-act=beside]", "dialog.turn-versions", ".turn-close"),
    ("#conversation .about >> #conversation button.inspect", "#inspector dialog", ".close"),
    (".plus >> .open-address", "dialog.address", ".cancel"),
    (".plus >> .open-camera", "dialog.camera", ".cancel"),
    ("#composer-card .plus", "#composer-card .menu", ""),
    ("#composer-card .detail", "#composer-card .choices", ""),
    ("#tray .thumb", "#tray .about", ""),
    ("#conversation .about", "#conversation .told", ""),
    ("#open-settings", "#settings", ".close"),
)
"""What opens, press by press; what is open then; what closes it, or Escape."""


def open_dialog(page: Page, opener: str) -> None:
    for press in opener.split(" >> "):
        page.locator(press).first.click()


def close_dialog(page: Page, dialog: str, close: str) -> None:
    if close:
        page.locator(dialog).first.locator(close).click()
    else:
        page.keyboard.press("Escape")
    expect(page.locator(dialog).first).to_be_hidden()
