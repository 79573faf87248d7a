"""Measures how the page opens: `make opening`.

A fresh browser opens the page five times: milliseconds until somebody can write, bytes that came over the line, and
milliseconds from Send to one's own question on the page.
"""

import statistics
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from internvl_demo.models.local.backend import LocalBackend
from internvl_demo.settings import NANO_CHECKPOINT, Settings

TIMES = 5
WATCH = """() => {
    const timer = setInterval(() => {
        if (!document.querySelector('#composer textarea') || !document.querySelector('button.example')) return
        clearInterval(timer)
        window.writable = performance.now()
    }, 5)
}"""


SEND = """() => new Promise((resolve) => {
    const begun = performance.now()
    new MutationObserver((_, observer) => {
        if (!document.querySelector('#conversation .asked')) return
        observer.disconnect()
        resolve(performance.now() - begun)
    }).observe(document.querySelector('#conversation'), { childList: true, subtree: true })
    document.querySelector('#send').click()
})"""


def opened(browser: Browser, url: str) -> tuple[float, int, float]:
    """Milliseconds, bytes, and milliseconds of a question, of one visit by somebody who was never there."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    session = context.new_cdp_session(page)
    received: list[int] = []

    def count(event: Any) -> None:
        received.append(event["encodedDataLength"])

    session.send("Network.enable")
    session.on("Network.loadingFinished", count)
    page.add_init_script(f"({WATCH})()")
    page.goto(url)
    page.wait_for_function("window.writable")
    page.wait_for_load_state("networkidle")
    writable, size = page.evaluate("window.writable"), sum(received)
    page.fill("#composer textarea", "Where is the cat?")
    asked = page.evaluate(SEND)
    context.close()
    return writable, size, asked


def main() -> None:
    """Prints the medians."""
    from internvl_demo.web.app import launch

    with ThreadPoolExecutor(1) as thread:
        backend = LocalBackend(str(NANO_CHECKPOINT), device="cpu")
        url = thread.submit(launch, backend, Settings(keep_days=0), wait=False).result().local_url
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        opened(browser, url)
        visits = [opened(browser, url) for _ in range(TIMES)]
        browser.close()
    ms, size, asked = (statistics.median(column) for column in zip(*visits, strict=True))
    print(f"writable after {ms:.0f} ms, {size / 1024:.0f} KB in all, a question shown after {asked:.0f} ms")
    print(f"medians of {TIMES} visits")


if __name__ == "__main__":
    main()
