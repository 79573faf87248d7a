"""What a person does on the page, and what they find there: attach, write, send, wait for an answer."""

from playwright.sync_api import Page, expect

from tests.support.uploads import png

FETCH_FILE = "internvl_demo.web.pictures.fetch_file"
"""What the server fetches a picture with that is at a web address."""

CAT = "<ref>the cat</ref><box>[[100, 200, 300, 400]]</box>"


BROKEN = {"name": "broken.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n and then nothing"}


def picture(
    name: str = "one.png", size_wh: tuple[int, int] = (64, 48), colour: str = "teal"
) -> dict[str, object]:
    return {"name": name, "mimeType": "image/png", "buffer": png(size_wh, colour)}


def attach(page: Page, *files: dict[str, object]) -> None:
    before = page.locator("#tray .line").count()
    page.set_input_files("#composer input[type=file]", list(files))
    good = sum(file is not BROKEN for file in files)
    expect(page.locator("#tray .line")).to_have_count(before + good)
    if good < len(files):
        expect(page.locator("#notice [role=alert]")).to_contain_text(str(BROKEN["name"]))


def write(page: Page, text: str) -> None:
    page.fill("#composer textarea", text)


def send(page: Page, text: str, *files: dict[str, object]) -> None:
    if files:
        attach(page, *files)
    write(page, text)
    page.click("#send")


def add_by(page: Page, way: str) -> None:
    """Adds a picture by the + menu: `open-files`, `open-camera` or `open-address`."""
    page.click("#composer-card .plus")
    page.click(f"#composer-card .{way}")


def choose_detail(page: Page, name: str) -> None:
    """For all pictures without a choice of their own."""
    page.click("#composer-card .detail")
    page.click(f"#mode label:has-text('{name}')")
    page.keyboard.press("Escape")


def chip_detail(page: Page, place: int, value: str) -> None:
    """Of one picture that waits, counted from 0."""
    page.locator("#tray .thumb").nth(place).click()
    page.locator("#tray select").nth(place).select_option(value)
    page.keyboard.press("Escape")


def open_inspector(page: Page, turn: int) -> None:
    """Opens the prompt and the call of an answer."""
    page.click(f".receipt.turn-{turn} .about")
    page.click(f".receipt.turn-{turn} button.inspect")


def wait_answer(page: Page, text: str) -> None:
    expect(page.locator("#conversation .bot").last).to_contain_text(text)
    expect(page.locator("#stop")).to_be_disabled()


def drawn(page: Page) -> list[tuple[str, str, str]]:
    names = ("data-label", "data-image", "data-box")
    boxes = page.locator("svg .ground-box").all()
    return [tuple(box.get_attribute(name) for name in names) for box in boxes]  # type: ignore[misc]


DROP = """([bytes, name, type]) => {
    const data = new DataTransfer()
    data.items.add(new File([new Uint8Array(bytes)], name, { type }))
    const event = new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
    document.querySelector('#composer textarea').dispatchEvent(event)
}"""
