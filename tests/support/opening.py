"""Measures how the page opens: `make opening`.

A fresh browser opens the page nine times: milliseconds until somebody can write, bytes that came over the line, and
milliseconds from Send to one's own question on the page.
"""

import os
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.support.running_page import running_page

ROOT = Path(__file__).parents[2]
TIMES = 9
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


def opened(browser: Browser, url: str) -> tuple[float, float]:
    """Milliseconds until somebody who was never there can write, and until a question of theirs is on the page."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.add_init_script(f"({WATCH})()")
    page.goto(url)
    page.wait_for_function("window.writable")
    page.wait_for_load_state("networkidle")
    writable = page.evaluate("window.writable")
    page.fill("#composer textarea", "Where is the cat?")
    asked = page.evaluate(SEND)
    context.close()
    return writable, asked


def received(browser: Browser, url: str) -> int:
    """Bytes that a first visit brings over the line; counting them makes it slower."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    session = context.new_cdp_session(page)
    sizes: list[int] = []

    def count(event: Any) -> None:
        sizes.append(event["encodedDataLength"])

    session.send("Network.enable")
    session.on("Network.loadingFinished", count)
    page.goto(url)
    page.wait_for_selector("button.example")
    page.wait_for_load_state("networkidle")
    context.close()
    return sum(sizes)


def main() -> None:
    """Prints the medians. The page has a process of its own, as it has when people use it."""
    with TemporaryDirectory() as data:
        command = (sys.executable, ROOT / "app.py", "--data-dir", data)
        with running_page(command, ROOT, os.environ) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            opened(browser, url)
            visits = [opened(browser, url) for _ in range(TIMES)]
            size = received(browser, url)
            browser.close()
    writable, asked = (statistics.median(column) for column in zip(*visits, strict=True))
    print(
        f"writable after {writable:.0f} ms, {size / 1024:.0f} KB in all, a question shown after {asked:.0f} ms"
    )
    print(f"medians of {TIMES} visits")


if __name__ == "__main__":
    main()
