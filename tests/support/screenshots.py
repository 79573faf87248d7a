"""Takes the README's pictures of the page: `python -m tests.support.screenshots` (or `make screenshots`)."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from internvl_demo.models.local.backend import LocalBackend
from internvl_demo.settings import NANO_CHECKPOINT, Settings
from tests.support.tour import PHONE_VIEW, VIEW, film

FOLDER = Path(__file__).parents[2] / "assets" / "screenshots"
VIEWS = {
    "desktop": {"viewport": {"width": 1440, "height": 900}},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2},
    "chinese": {"viewport": {"width": 1440, "height": 900}, "locale": "zh-CN"},
}


def main() -> None:
    """Asks one of the examples in each view, and films the tour."""
    from internvl_demo.web.app import launch

    with ThreadPoolExecutor(1) as thread:
        backend = LocalBackend(str(NANO_CHECKPOINT), device="cpu")
        url = thread.submit(launch, backend, Settings(keep_days=0), wait=False).result().local_url
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for name, view in VIEWS.items():
            page = browser.new_context(**{"locale": "en-US", **view}).new_page()
            page.goto(url)
            page.wait_for_selector("#send")
            page.locator("button.example", has_text=re.compile("turtle|乌龟")).click()
            expect(page.locator("svg .ground-box")).to_have_count(1, timeout=60_000)
            expect(page.locator("#stop")).to_be_disabled(timeout=60_000)
            page.wait_for_function("document.querySelector('#viewer .widget').getAnimations().length === 0")
            page.screenshot(path=FOLDER / f"{name}.png", animations="disabled")
        pages = [browser.new_context(locale="en-US", viewport=view).new_page() for view in (VIEW, PHONE_VIEW)]
        for page in pages:
            page.goto(url)
            page.wait_for_selector("#send")
        tour = film(*pages, "Where is the turtle?", "How many frogs are there?")
        (FOLDER / "tour.webp").write_bytes(tour)
        browser.close()


if __name__ == "__main__":
    main()
