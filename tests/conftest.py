"""What several tests share: a scripted model, the miniature, the page in real Chromium, scenes."""

import asyncio
import io
import os
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.models.base import Backend, ModelInfo, Piece, Usage
from internvl_demo.models.local.backend import LocalBackend
from internvl_demo.settings import NANO_CHECKPOINT, Settings
from tests.fake_lmdeploy import Fake, install

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("INTERNVL_KEEP_DAYS", "0")  # nobody's own conversations
expect.set_options(timeout=30_000)

Script = list[str | Exception | Callable[[], bool]]
"""What a scripted model does, in order: says text, raises, or waits until a condition holds."""


@dataclass
class ScriptedModel:
    """A backend that says what a test wants, and remembers what it was asked and whether it was stopped."""

    script: Script = field(default_factory=lambda: ["Hello."])
    asked: list[Conversation] = field(default_factory=list)
    stopped: int = 0

    async def describe(self) -> ModelInfo:
        return ModelInfo("scripted", tokens_per_tile=64, context_length=8192)

    async def stream(self, conversation: Conversation, _options: Options) -> AsyncGenerator[Piece, None]:
        self.asked.append(conversation)
        finished = False
        try:
            for step in list(self.script):
                if isinstance(step, Exception):
                    finished = True
                    raise step
                if isinstance(step, str):
                    yield step
                    continue
                while not step():
                    await asyncio.sleep(0.01)
            finished = True
            yield Usage(prompt_tokens=100, completion_tokens=len(self.script))
        finally:
            self.stopped += not finished

    async def close(self) -> None:
        pass


@pytest.fixture(scope="session")
def nano() -> LocalBackend:
    """The embedded miniature, loaded once."""
    return LocalBackend(str(NANO_CHECKPOINT), device="cpu")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=[*quiet, "--disable-sync"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def scripted() -> ScriptedModel:
    """The model behind `scripted_url`; a test sets its script."""
    return ScriptedModel()


@pytest.fixture(scope="session")
def scripted_url(scripted: ScriptedModel) -> Iterator[str]:
    """The page, answered by the scripted model."""
    yield from _served(scripted, Settings(checkpoint="scripted"))


@pytest.fixture(scope="session")
def nano_url(nano: LocalBackend) -> Iterator[str]:
    """The page, answered by the miniature."""
    yield from _served(nano, Settings())


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page in a tab of its own; fails the test when the browser reports an error in our scripts."""
    contexts, errors = [], []

    def open_(url: str, **settings: object) -> Page:
        context = browser.new_context(
            **{"viewport": {"width": 1440, "height": 900}, "locale": "en-US", **settings}
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url)
        page.wait_for_selector("#send")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not errors


def _served(backend: Backend, settings: Settings) -> Iterator[str]:
    """The page's address. Launched in a thread of its own: Playwright keeps an event loop in this one."""
    from internvl_demo.web.app import launch

    with ThreadPoolExecutor(1) as thread:
        page = thread.submit(launch, backend, settings, wait=False).result()
    yield page.local_url
    page.close()


def png(size_wh: tuple[int, int] = (64, 48), colour: str = "teal") -> bytes:
    """A plain picture as PNG."""
    data = io.BytesIO()
    Image.new("RGB", size_wh, colour).save(data, "PNG")
    return data.getvalue()


@pytest.fixture
def lmdeploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Fake]:
    """Puts a program `lmdeploy` into PATH, and no GPU."""

    def put(*behaviours: str) -> Fake:
        fake = install(tmp_path, *behaviours)
        monkeypatch.setenv("PATH", fake.path)
        monkeypatch.setattr("internvl_demo.models.lmdeploy.backend.free_gib", list)
        return fake

    return put
