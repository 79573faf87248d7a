"""A browser on a loaded machine can be late: in CI each test of the page has a second try, which the summary names."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.conftest import QUIET
from tests.support.shared_tab import Tabs

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder; whoever else's are among the items keeps one try."""
    if os.environ.get("CI") == "true":
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for the whole folder, with two cameras that are none and that every page may use."""
    cameras = ["--use-fake-device-for-media-stream=device-count=2", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*QUIET, *cameras])
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def tabs(browser: Browser) -> Tabs:
    """Its tabs, which the whole folder shares."""
    return Tabs(browser)
