"""The page says so where a model's server decides how pictures are cut; in real Chromium, in both languages."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.following import SETTINGS, one_of_each
from tests.support.page_hands import attach, open_inspector, send, wait_answer
from tests.support.served_page import served
from tests.support.uploads import png

Open = Callable[..., Page]
PICTURE = {"name": "a.png", "mimeType": "image/png", "buffer": png((800, 1300))}  # 2 x 3 tiles at 12
SMALL = {"name": "b.png", "mimeType": "image/png", "buffer": png((448, 448))}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    yield from served(one_of_each(), SETTINGS)


@pytest.fixture
def page(open_page: Open, url: str) -> Page:
    return open_page(url)


def choose_model(page: Page, name: str) -> None:
    page.click("#model-pill")
    page.locator("#model-card .models").get_by_label(name).check()
    expect(page.locator("#model-pill")).to_contain_text(name)
    page.keyboard.press("Escape")


def test_the_detail_says_that_the_server_decides(page: Page) -> None:
    choose_model(page, "engine")
    attach(page, PICTURE)
    detail, choices = page.locator("#composer-card .detail"), page.locator("#mode")
    expect(detail).to_have_text("Detail: the server decides")
    detail.click()
    for radio in choices.locator("input").all():
        expect(radio).to_be_disabled()
    expect(choices.locator(".cost")).to_have_text(["the server decides"] * 4)
    expect(page.locator("#composer-card .facts")).to_contain_text("What is chosen here changes nothing")
    expect(page.locator("#composer-card .preview")).to_be_hidden()
    page.keyboard.press("Escape")
    chip = page.locator("#tray .line").first
    expect(chip).to_contain_text("800 × 1300 px → tiles as the model's server decides")
    expect(chip.locator("select")).to_be_disabled()
    choose_model(page, "image")
    expect(detail).to_have_text("Detail: standard")
    expect(chip).to_contain_text("2 × 3 = 6 tiles + thumbnail")
    expect(chip.locator("select")).to_be_enabled()


def test_it_says_so_in_chinese(open_page: Open, url: str) -> None:
    page = open_page(url, locale="zh-CN")
    choose_model(page, "engine")
    detail = page.locator("#composer-card .detail")
    expect(detail).to_have_text("精细度：由服务器决定")
    detail.click()
    expect(page.locator("#mode .cost")).to_have_text(["由服务器决定"] * 4)
    expect(page.locator("#composer-card .facts")).to_contain_text("此处的选择对它不起作用")


def test_an_answer_and_its_inspector_tell_no_number(page: Page) -> None:
    choose_model(page, "engine")
    send(page, "What?", PICTURE)
    wait_answer(page, "Hello.")
    page.click(".receipt.turn-1 .about")
    expect(page.locator(".receipt.turn-1")).to_contain_text("Image-1: tiles as the model's server decides")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer .what")).to_contain_text("800 × 1300 · tiles as the model's server decides")
    page.click("#viewer .tool.xray")
    expect(page.locator("#viewer .xray-panel")).to_contain_text("tiles as the model's server decides")
    expect(page.locator("#viewer .xray-tile")).to_have_count(0)
    open_inspector(page, 1)
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("800 × 1300 px → tiles as the model's server decides")
    expect(dialog).to_contain_text("and those of the images")
    expect(dialog.locator("code")).to_have_text("<IMG_CONTEXT>")


def test_where_the_highest_choice_counts_each_picture_shows_it(page: Page) -> None:
    choose_model(page, "request")
    attach(page, PICTURE, SMALL)
    first = page.locator("#tray .line").first
    first.locator(".thumb").click()
    page.locator("#tray select").first.select_option("1")
    page.keyboard.press("Escape")
    expect(first).to_contain_text("2 × 3 = 6 tiles")  # because the other may have 12
    choose_model(page, "image")
    expect(first).to_contain_text("→ 1 tile,")
