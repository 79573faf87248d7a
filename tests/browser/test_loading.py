"""The page of a server that the app starts, until it can answer; in real Chromium."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Page, expect

from internvl_demo.models.lmdeploy.backend import LaunchedBackend
from internvl_demo.settings import Settings
from tests.support.fake_lmdeploy import Fake
from tests.support.launched import OFFICIAL


@pytest.fixture
def launched_url(
    lmdeploy: Callable[..., Fake], started: Callable[..., LaunchedBackend]
) -> Iterator[tuple[str, Fake]]:
    """The page over a server that loads; launched in a thread, since Playwright keeps an event loop in this one."""
    from internvl_demo.web.app import launch

    fake = lmdeploy("serve")
    backend = started()
    with ThreadPoolExecutor(1) as thread:
        page = thread.submit(launch, backend, Settings(serve=OFFICIAL), wait=False).result()
    yield page.local_url, fake
    page.close()


def test_the_page_shows_the_loading_keeps_the_question_and_works_without_reload(
    open_page: Callable[..., Page], launched_url: tuple[str, Fake]
) -> None:
    url, fake = launched_url
    page = open_page(url)
    expect(page.locator("#server-state")).to_contain_text("loads the model's weights (40%)")
    expect(page.locator("#model-note")).to_contain_text("internvl-chat-v1-5")
    page.fill("#composer textarea", "What is it?")
    page.click("#send")
    expect(page.locator("#notice")).to_contain_text("loads the model's weights")
    expect(page.locator("#composer textarea")).to_have_value("What is it?")
    fake.let("load")
    fake.let("be-ready")
    expect(page.locator("#server-state")).to_be_hidden()
    page.click("#send")
    expect(page.locator("#conversation .bot").last).to_contain_text("A cat.")
    (fake.folder / "load").unlink()  # this time it takes long
    fake.let("die")
    expect(page.locator("#server-state")).to_contain_text("after restart 1: ")
    expect(page.locator("#server-state")).to_contain_text("SIGKILL")
