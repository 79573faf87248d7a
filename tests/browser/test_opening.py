"""The first visit: how soon somebody can write, and what comes over the line; in real Chromium."""

import re
from pathlib import Path

from playwright.sync_api import Browser

from tests.support.opening import opened, received

README = Path(__file__).parents[2] / "README.md"
MOST_MS = 2500
"""On a machine that does much else; on a quiet one it is a second (`make opening`)."""


def test_a_first_visit_is_as_short_as_the_readme_says(browser: Browser, scripted_url: str) -> None:
    assert min(opened(browser, scripted_url)[0] for _ in range(3)) < MOST_MS
    told = re.search(r"A first visit brings (\d+) KB", " ".join(README.read_text("utf-8").split()))
    assert told
    size_kb = received(browser, scripted_url) / 1024
    assert abs(size_kb - int(told[1])) < 0.05 * size_kb, size_kb
