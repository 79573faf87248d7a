"""Films the README's tour of the page, a part of `make screenshots`.

An example, its boxes, a follow-up, the tiles, and the same page on a phone; every answer is the miniature's own.
"""

import io
from dataclasses import dataclass, field

from PIL import Image
from playwright.sync_api import Page, expect

SIZE = (1000, 625)
PHONE_VIEW = {"width": 390, "height": 844}
VIEW = {"width": 1280, "height": 800}
MOST_BYTES = 3_000_000
POINTER = """([x, y]) => {
    const dot = document.getElementById('tour-pointer') ?? document.body.appendChild(document.createElement('div'))
    dot.id = 'tour-pointer'
    dot.style.cssText = `position: fixed; left: ${x - 11}px; top: ${y - 11}px; width: 22px; height: 22px; z-index: 9999;
        border-radius: 99px; background: rgb(217 119 6 / 70%); border: 2px solid #fff; pointer-events: none`
}"""
"""A pointer, which a screenshot has not."""


@dataclass
class Film:
    """Frames, and how long each stands."""

    frames: list[Image.Image] = field(default_factory=list)
    ms: list[int] = field(default_factory=list)

    def take(self, page: Page, ms: int) -> None:
        """The page as it is now; a phone's in the middle."""
        shot = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
        shot.thumbnail(SIZE, Image.Resampling.LANCZOS)
        frame = Image.new("RGB", SIZE, (226, 232, 240))
        frame.paste(shot, ((SIZE[0] - shot.width) // 2, (SIZE[1] - shot.height) // 2))
        self.frames.append(frame)
        self.ms.append(ms)

    def data(self) -> bytes:
        """An animated WebP."""
        first, *others = self.frames
        file = io.BytesIO()
        first.save(
            file, "WEBP", save_all=True, append_images=others, duration=self.ms, loop=0, quality=70, method=6
        )
        assert file.tell() < MOST_BYTES, file.tell()
        return file.getvalue()


def point_at(page: Page, selector: str) -> None:
    area = page.locator(selector).first.bounding_box()
    assert area
    page.evaluate(POINTER, [area["x"] + area["width"] / 2, area["y"] + area["height"] / 2])


def unpoint(page: Page) -> None:
    page.evaluate("document.getElementById('tour-pointer')?.remove()")


def answered(page: Page, count: int) -> None:
    expect(page.locator("#conversation .bot")).to_have_count(count, timeout=60_000)
    expect(page.locator("#stop")).to_be_disabled(timeout=60_000)


def film(desktop: Page, phone: Page, example: str, follow_up: str) -> bytes:
    """Film a desktop's and a phone's page, both open and empty."""
    reel = Film()
    reel.take(desktop, 1400)
    card = f"button.example:has-text('{example}')"
    point_at(desktop, card)
    reel.take(desktop, 700)
    unpoint(desktop)
    desktop.click(card)
    answered(desktop, 1)
    reel.take(desktop, 1800)
    point_at(desktop, ".ground-phrase")
    desktop.hover(".ground-phrase")
    reel.take(desktop, 1200)
    unpoint(desktop)
    for end in range(0, len(follow_up) + 1, 6):
        desktop.fill("#composer textarea", follow_up[: end or 1])
        reel.take(desktop, 120)
    desktop.fill("#composer textarea", follow_up)
    desktop.keyboard.press("Enter")
    answered(desktop, 2)
    reel.take(desktop, 1800)
    point_at(desktop, "#viewer .xray")
    reel.take(desktop, 600)
    desktop.click("#viewer .xray")
    unpoint(desktop)
    reel.take(desktop, 1800)
    reel.take(phone, 900)
    phone.click(card)
    answered(phone, 1)
    reel.take(phone, 2200)
    return reel.data()
