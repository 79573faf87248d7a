"""A page with several models: people see what each is and needs, and choose; in real Chromium."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from internvl_demo.errors import BackendError
from internvl_demo.models.base import READY, Health, ModelInfo, Needs
from internvl_demo.settings import Settings
from tests.support.accessibility import PHONE, faults
from tests.support.page_hands import send, wait_answer
from tests.support.scripted_model import ScriptedModel
from tests.support.served_page import served

Open = Callable[..., Page]
IDLE = Health("idle", BackendError("This model is not loaded yet.", "Choose it."))


class Second(ScriptedModel):
    """A model that is loaded when it is asked to, at once."""

    mood = IDLE

    async def describe(self) -> ModelInfo:
        return ModelInfo("Second-2B", tokens_per_tile=256, context_length=8192)

    async def health(self) -> Health:
        return self.mood

    def needs(self) -> Needs | None:
        return Needs(4.4e9, 5.3e9) if self.mood is IDLE else None

    def wake(self) -> None:
        self.mood = READY


@pytest.fixture(scope="module")
def second() -> Second:
    return Second()


@pytest.fixture(scope="module")
def url(second: Second) -> Iterator[str]:
    settings = Settings(endpoint=["first=http://127.0.0.1:1", "second=http://127.0.0.1:2"])
    yield from served([ScriptedModel(["From the first."]), second], settings)


@pytest.fixture
def page(open_page: Open, url: str, second: Second) -> Page:
    second.begin_anew()
    second.mood, second.script = IDLE, ["From the second."]
    return open_page(url)


def open_list(page: Page) -> Any:
    page.click("#model-pill")
    return page.locator("#model-card .models")


def test_a_model_says_what_it_needs_before_it_is_chosen(page: Page, second: Second) -> None:
    listed = open_list(page)
    expect(listed.locator("label")).to_have_count(2)
    expect(listed.get_by_label("first")).to_be_checked()
    expect(listed).to_contain_text("downloads 4.4 GB and takes 5.3 GB of memory")
    assert second.mood is IDLE


def test_the_chosen_model_answers_and_is_kept(page: Page) -> None:
    open_list(page).get_by_label("second").check()
    expect(page.locator("#model-pill")).to_contain_text("second")
    expect(page.locator("#model-card .models").get_by_label("second")).to_be_focused()
    page.keyboard.press("Escape")
    send(page, "Who?")
    wait_answer(page, "From the second.")
    page.reload()
    expect(page.locator("#model-pill")).to_contain_text("second")
    open_list(page).get_by_label("first").check()
    page.keyboard.press("Escape")
    page.click("#retry")
    wait_answer(page, "From the first.")


def test_a_kept_model_that_is_gone_gives_way(page: Page) -> None:
    page.evaluate("localStorage.setItem('internvl-model', 'long gone')")
    page.reload()
    expect(page.locator("#model-pill")).to_contain_text("first")


@pytest.mark.parametrize("view", [{}, {"color_scheme": "dark", "locale": "zh-CN"}, PHONE])
def test_the_list_is_for_everybody(open_page: Open, url: str, second: Second, view: dict[str, Any]) -> None:
    second.mood = IDLE
    page = open_page(url, **view)
    expect(open_list(page)).to_be_visible()
    assert faults(page) == []
