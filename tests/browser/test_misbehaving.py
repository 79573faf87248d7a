"""The page before a server that dies, comes back, or says nothing: in real Chromium, over real sockets."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from internvl_demo.models.openai.backend import ServerBackend
from internvl_demo.settings import Settings
from tests.support.page_hands import picture, send, wait_answer
from tests.support.scripted_server import CARD, EVENTS, GOOD, HEALTHY, SILENCE, TEXT, Scripted, Step, listing
from tests.support.served_page import served

Open = Callable[..., Page]


class Elsewhere:
    """A scripted server in a thread of its own: Playwright keeps an event loop in this one."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = Scripted([[GOOD]], listing(CARD), HEALTHY)
        self.do(self.server.come())

    def do(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def begin(self, *script: Step) -> None:
        """Answer so from now on, whatever an earlier test left."""

        async def begin() -> None:
            if not (self.server.listener and self.server.listener.is_serving()):
                await self.server.come()
            self.server.begin(*script)

        self.do(begin())

    def close(self) -> None:
        self.do(self.server.die())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    elsewhere = Elsewhere()
    yield elsewhere
    elsewhere.close()


@pytest.fixture(scope="module")
def url(elsewhere: Elsewhere) -> Iterator[str]:
    """The page, answered by the server, one question at a time."""
    endpoint = elsewhere.server.url
    yield from served(ServerBackend(endpoint), Settings(endpoint=endpoint, running=1))


@pytest.mark.parametrize(
    ("locale", "broke_off", "mark"),
    [("en-US", "The answer broke off.", "broken off before its end"), ("zh-CN", "回答中断", "内容不完整")],
)
def test_a_server_dies_and_comes_back(
    open_page: Open, url: str, elsewhere: Elsewhere, locale: str, broke_off: str, mark: str
) -> None:
    elsewhere.begin(EVENTS, TEXT, SILENCE)
    page = open_page(url, locale=locale)
    send(page, "What is this?", picture())
    expect(page.locator("#conversation .bot")).to_contain_text("I see")
    elsewhere.do(elsewhere.server.die())

    def assert_kept() -> None:
        expect(page.locator("#conversation .bot")).to_contain_text("I see")
        expect(page.locator("#conversation .receipt")).to_contain_text(mark)
        expect(page.locator("#conversation .user").last).to_contain_text("What is this?")
        expect(page.locator("#viewer img")).to_have_count(1)
        expect(page.locator("#retry")).to_be_enabled()

    expect(page.locator("#notice [role=alert]")).to_contain_text(broke_off)
    assert_kept()
    page.click("#retry")
    expect(page.locator("#notice [role=alert]")).not_to_contain_text(broke_off)
    expect(page.locator("#notice [role=alert]")).not_to_contain_text("INTERNVL_")
    expect(page.locator("#notice details p")).to_contain_text("INTERNVL_ENDPOINT")
    assert_kept()

    elsewhere.do(elsewhere.server.come())
    elsewhere.begin(GOOD)
    page.click("#retry")
    wait_answer(page, "I see")
    expect(page.locator("#conversation .receipt")).not_to_contain_text(mark)
    expect(page.locator("#notice [role=alert]")).to_be_hidden()
    send(page, "And now?")
    expect(page.locator("#conversation .bot")).to_have_count(2)
    wait_answer(page, "I see")


def test_a_closed_tab_frees_the_server(open_page: Open, url: str, elsewhere: Elsewhere) -> None:
    elsewhere.begin(EVENTS, SILENCE)
    one, two = open_page(url), open_page(url)
    send(one, "A long answer?")
    elsewhere.do(elsewhere.server.asked.wait())
    send(two, "And mine?")
    expect(two.locator("#conversation .receipt")).to_contain_text("You are number 1 in the queue.")
    expect(two.locator("#stop")).to_be_enabled()
    elsewhere.server.scripts = [[GOOD]]
    one.context.close()
    elsewhere.do(elsewhere.server.left.wait())
    wait_answer(two, "I see")
