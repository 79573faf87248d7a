"""The page of a server that the app starts, until it can answer; in real Chromium."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from internvl_demo.models.lmdeploy.backend import LaunchedBackend
from internvl_demo.settings import Settings
from tests.support.fake_lmdeploy import Fake
from tests.support.launched import OFFICIAL
from tests.support.served_page import served


@pytest.fixture
def launched_url(
    lmdeploy: Callable[..., Fake], started: Callable[..., LaunchedBackend]
) -> Iterator[tuple[str, Fake]]:
    """The page over a server that loads."""
    fake = lmdeploy("serve")
    for url in served(started(), Settings(serve=OFFICIAL)):
        yield url, fake


def test_the_page_waits_for_its_server(
    open_page: Callable[..., Page], launched_url: tuple[str, Fake]
) -> None:
    url, fake = launched_url
    page = open_page(url)
    alert, details = page.locator("#notice [role=alert]"), page.locator("#notice details p")
    expect(page.locator("#model-pill")).to_have_text("internvl-chat-v1-5loading 40 %")
    expect(alert).to_contain_text("The model is being loaded.")
    expect(details).to_contain_text("loads the model's weights (40%)")
    page.fill("#composer textarea", "What is it?")
    page.click("#send")
    expect(alert).to_contain_text("The model is being loaded.")
    expect(page.locator("#composer textarea")).to_have_value("What is it?")
    fake.let("load")
    fake.let("be-ready")
    expect(page.locator("#notice [role=status]")).to_contain_text("The model is ready.")
    expect(alert).to_be_hidden()
    page.click("#send")
    expect(page.locator("#conversation .bot").last).to_contain_text("A cat.")
    (fake.folder / "load").unlink()  # this time it takes long
    fake.let("die")
    expect(page.locator("#model-pill")).to_have_attribute("data-state", re.compile("down|loading"))
    expect(details).to_contain_text("restart 1")
    expect(details).to_contain_text("SIGKILL")
