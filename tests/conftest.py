"""What several tests share: a scripted model, the miniature, the page in real Chromium, scenes."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, Page, expect, sync_playwright

from internvl_demo.models.lmdeploy.backend import LaunchedBackend
from internvl_demo.models.lmdeploy.launch import Patience
from internvl_demo.models.local.backend import LocalBackend
from internvl_demo.settings import NANO_CHECKPOINT, Settings
from tests.support.fake_lmdeploy import Fake, install
from tests.support.launched import OFFICIAL, QUICK
from tests.support.scripted_model import ScriptedModel
from tests.support.served_page import served
from tests.support.shared_tab import Tabs

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("INTERNVL_KEEP_DAYS", "0")  # nobody's own conversations
expect.set_options(timeout=30_000)
settings.register_profile("busy machines", deadline=None)
settings.load_profile("busy machines")

QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
"""How Chromium is started."""


@pytest.fixture(scope="session")
def nano() -> LocalBackend:
    """The embedded miniature, loaded once."""
    return LocalBackend(str(NANO_CHECKPOINT), device="cpu")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*QUIET])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def scripted() -> ScriptedModel:
    """The model behind `scripted_url`; a test sets its script."""
    return ScriptedModel()


@pytest.fixture(scope="session")
def scripted_url(scripted: ScriptedModel) -> Iterator[str]:
    """The page, answered by the scripted model."""
    yield from served(scripted, Settings(checkpoint="scripted"))


@pytest.fixture(scope="session")
def nano_url(nano: LocalBackend) -> Iterator[str]:
    """The page, answered by the miniature."""
    yield from served(nano, Settings())


@pytest.fixture(scope="module")
def tabs(browser: Browser) -> Tabs:
    """The browser's tabs, which its tests share."""
    return Tabs(browser)


@pytest.fixture
def open_page(tabs: Tabs) -> Iterator[Callable[..., Page]]:
    """Opens the page as a newcomer sees it; fails the test when a script fails, or one runs that may not."""
    with tabs.lend() as open_:
        yield open_


@pytest.fixture
def page(open_page: Callable[..., Page], scripted_url: str, scripted: ScriptedModel) -> Page:
    """The page as a newcomer sees it, answered by the scripted model."""
    scripted.begin_anew()
    return open_page(scripted_url)


@pytest.fixture
def lmdeploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Fake]:
    """Puts a program `lmdeploy` into PATH, and no GPU."""

    def put(*behaviours: str) -> Fake:
        fake = install(tmp_path, *behaviours)
        monkeypatch.setenv("PATH", fake.path)
        monkeypatch.setattr("internvl_demo.models.lmdeploy.backend.free_gib", list)
        return fake

    return put


@pytest.fixture
def started() -> Iterator[Callable[..., LaunchedBackend]]:
    """Starts backends, and ends them after the test."""
    backends: list[LaunchedBackend] = []

    def start(patience: Patience = QUICK, **settings: Any) -> LaunchedBackend:
        backends.append(LaunchedBackend(Settings(serve=OFFICIAL, **settings), patience))
        return backends[-1]

    yield start
    for backend in backends:
        backend.supervisor.stop()
