"""A finer detail than a model reads cannot be chosen, and says why; the choice comes back with another model."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from internvl_demo.models.base import ModelInfo
from internvl_demo.models.profiles import V1_5_PROFILE, find
from internvl_demo.settings import Settings
from tests.support.page_hands import attach, picture, send, wait_answer
from tests.support.scripted_model import ScriptedModel
from tests.support.served_page import served


class OneTile(ScriptedModel):
    async def describe(self) -> ModelInfo:
        return ModelInfo("one-tile", 64, 8192, find("v1-2") or V1_5_PROFILE)


@pytest.fixture(scope="module")
def small() -> OneTile:
    return OneTile()


@pytest.fixture(scope="module")
def url(small: OneTile) -> Iterator[str]:
    settings = Settings(endpoint=["many=http://127.0.0.1:1", "one=http://127.0.0.1:2"])
    yield from served([ScriptedModel(), small], settings)


def choose_model(page: Page, name: str) -> None:
    page.click("#model-pill")
    page.locator("#model-card .models").get_by_label(name).check()
    expect(page.locator("#model-pill")).to_contain_text(name)
    page.keyboard.press("Escape")


@pytest.mark.parametrize(
    ("locale", "reason"), [("en-US", "this model reads 1 tile only"), ("zh-CN", "此模型只读取 1 块")]
)
def test_a_finer_detail_says_why_it_is_not_there(
    open_page: Callable[..., Page], url: str, small: OneTile, locale: str, reason: str
) -> None:
    small.begin_anew()
    page = open_page(url, locale=locale)
    attach(page, picture("one.png", (900, 600)))
    expect(page.locator("#mode input[value=high]")).to_be_enabled()
    choose_model(page, "one")
    page.click("#composer-card .detail")
    for value in ("standard", "high", "custom"):
        expect(page.locator(f"#mode input[value={value}]")).to_be_disabled()
        expect(page.locator(f"#mode label:has([value={value}])")).to_contain_text(reason)
    expect(page.locator("#mode input[value=low]")).to_be_checked()
    page.keyboard.press("Escape")
    send(page, "What is it?")
    wait_answer(page, "Hello.")
    assert [image.max_tiles for image in small.asked[-1].images] == [1]
    choose_model(page, "many")
    page.click("#composer-card .detail")
    expect(page.locator("#mode input[value=standard]")).to_be_checked()
