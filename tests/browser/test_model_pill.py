"""Which model answers and how it is, told in the head of the page before anybody asks; in real Chromium."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from internvl_demo.errors import BackendError
from internvl_demo.models.base import READY, Health
from internvl_demo.models.openai.backend import ServerBackend
from internvl_demo.settings import Settings
from tests.browser.test_misbehaving import Elsewhere
from tests.support.accessibility import PHONE, faults
from tests.support.cuttable import wire_to
from tests.support.page_hands import BROKEN, attach, send, wait_answer
from tests.support.scripted_model import ScriptedModel
from tests.support.served_page import served

Open = Callable[..., Page]
HOSTILE = "<img src=x onerror=alert(1)> {what} & co"


class Moody(ScriptedModel):
    """A model that is as a test wants."""

    mood: Health = READY

    async def health(self) -> Health:
        return self.mood


def loading(per_cent: int | None) -> Health:
    return Health(
        "loading", BackendError("It loads.", "Wait.", "Its server says {it}.", it=HOSTILE), per_cent
    )


DOWN = Health("down", BackendError("It is away.", "Wait.", "Look at http://h:1."))


@pytest.fixture(scope="module")
def moody() -> Moody:
    return Moody()


@pytest.fixture(scope="module")
def url(moody: Moody) -> Iterator[str]:
    yield from served(moody, Settings(checkpoint="scripted", running=1))


@pytest.fixture(scope="module")
def miniature_url() -> Iterator[str]:
    yield from served(ScriptedModel(), Settings())


@pytest.fixture
def page(open_page: Open, url: str, moody: Moody) -> Page:
    moody.begin_anew()
    moody.mood = READY
    return open_page(url)


def pill(page: Page, kind: str, text: str) -> None:
    """It says so, and not by its colour alone."""
    node = page.locator("#model-pill")
    expect(node).to_have_attribute("data-state", kind)
    expect(node).to_have_text(text)


def alert(page: Page) -> Locator:
    return page.locator("#notice [role=alert]")


# What is wrong.


def test_a_model_that_is_down_is_seen_before_a_question(page: Page, moody: Moody) -> None:
    pill(page, "ready", "scripted")
    expect(alert(page)).to_be_hidden()
    moody.mood = DOWN
    pill(page, "down", "scripteddown")
    expect(alert(page)).to_have_text("It is away. Wait.")
    moody.mood = READY
    expect(page.locator("#notice [role=status]")).to_have_text(
        "The model is ready. Questions can be sent now."
    )
    expect(alert(page)).to_be_hidden()
    pill(page, "ready", "scripted")
    expect(page.locator("#notice [role=status]")).to_be_hidden()


def test_loading_is_told_with_real_per_cent_or_none(page: Page, moody: Moody) -> None:
    for per_cent, text in (
        (None, "scriptedloading"),
        (0, "scriptedloading 0 %"),
        (40, "scriptedloading 40 %"),
    ):
        moody.mood = loading(per_cent)
        pill(page, "loading", text)
    expect(alert(page)).to_have_text("It loads. Wait.")
    moody.mood = READY
    pill(page, "ready", "scripted")


def test_details_are_folded_and_only_text(page: Page, moody: Moody) -> None:
    moody.mood = loading(40)
    details = page.locator("#notice details")
    expect(details.locator("summary")).to_have_text("For whoever runs this page")
    expect(details.locator("p")).to_be_hidden()
    details.locator("summary").click()
    expect(details.locator("p")).to_have_text(f"Its server says {HOSTILE}.")
    moody.mood = loading(41)
    pill(page, "loading", "scriptedloading 41 %")
    expect(details.locator("p")).to_be_visible()  # what was opened stays open while it loads


def test_a_question_that_cannot_be_answered_tells_it_once(page: Page, moody: Moody) -> None:
    assert DOWN.problem
    moody.mood, moody.script = DOWN, [DOWN.problem]
    send(page, "Where?")
    expect(page.locator("#composer textarea")).to_have_value("Where?")
    expect(page.locator("#notice .alert.shown")).to_have_count(1)
    expect(alert(page)).to_have_text("It is away. Wait.")
    moody.mood, moody.script = READY, ["Here."]
    expect(page.locator("#notice [role=status]")).to_contain_text("ready")
    expect(alert(page)).to_be_hidden()
    page.click("#send")
    wait_answer(page, "Here.")


def test_an_alert_can_be_closed(page: Page, moody: Moody) -> None:
    moody.mood = DOWN
    expect(alert(page)).to_have_text("It is away. Wait.")
    attach(page, BROKEN)
    page.click("#notice .close")
    expect(alert(page)).to_have_text("It is away. Wait.")
    page.click("#notice .close")
    expect(alert(page)).to_be_hidden()
    pill(page, "down", "scripteddown")
    moody.mood = READY
    pill(page, "ready", "scripted")
    moody.script = ["Here."]
    send(page, "Where?")  # what was closed does not hold it up
    wait_answer(page, "Here.")


def test_it_speaks_the_other_language_at_once(page: Page, moody: Moody) -> None:
    moody.mood = loading(40)
    pill(page, "loading", "scriptedloading 40 %")
    page.click("#switch-language")
    pill(page, "loading", "scripted加载中 40%")
    expect(page.locator("#notice summary")).to_have_text("供本页管理员查看")


# What answers.


def test_a_queue_is_told(open_page: Open, url: str, moody: Moody) -> None:
    moody.begin_anew()
    moody.mood = READY
    go: list[bool] = []
    moody.script = ["One", lambda: bool(go)]
    one, two = open_page(url), open_page(url)
    send(one, "First?")
    expect(one.locator("#conversation .bot")).to_contain_text("One")
    with one.expect_response("**/api/model"):
        pill(one, "ready", "scripted")  # one is answered, nobody waits
    pill(one, "ready", "scripted")
    send(two, "Second?")
    pill(one, "ready", "scripted1 waiting")
    go.append(True)
    wait_answer(two, "One")
    pill(one, "ready", "scripted")


def test_the_miniature_says_what_it_is_good_for(open_page: Open, miniature_url: str) -> None:
    page = open_page(miniature_url)
    pill(page, "ready", "Miniature: drawings onlyDrawings only")
    page.click("#model-pill")
    card = page.locator("#model-card")
    expect(card).to_be_visible()
    for words in ("drawn scenes, signs and charts", "A photograph gets a wrong answer", "README"):
        expect(card).to_contain_text(words)
    expect(card).to_contain_text("Context8,192 tokensOne tile64 tokens")
    assert faults(page, "#model-card") == []
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    expect(page.locator("#model-pill")).to_be_focused()


@pytest.mark.parametrize("state", ["ready", "loading"])
def test_the_head_is_one_line_on_a_phone(open_page: Open, url: str, moody: Moody, state: str) -> None:
    moody.mood = READY if state == "ready" else loading(100)
    page = open_page(url, has_touch=True, **PHONE)
    expect(page.locator("#model-pill")).to_have_attribute("data-state", state)
    height = "(id) => document.getElementById(id).getBoundingClientRect().height"
    assert page.evaluate(height, "head") == 48 and page.evaluate(height, "model-pill") == 44
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if state == "loading":
        expect(page.locator("#notice .close")).to_have_css("width", "44px")
    expect(page.get_by_role("button", name=re.compile("^scripted, (ready|loading 100 %)"))).to_be_visible()


# The page's own server, and the model's.


def test_a_page_without_its_server_says_so(open_page: Open, url: str, moody: Moody) -> None:
    moody.mood = READY
    with wire_to(url) as wire:
        page = open_page(wire.url)
        pill(page, "ready", "scripted")
        wire.cut()
        pill(page, "down", "scriptedno connection")
        wire.mend()
        pill(page, "ready", "scripted")


def test_a_server_that_dies_is_seen_at_rest_and_so_is_its_return(open_page: Open) -> None:
    elsewhere = Elsewhere()
    endpoint = elsewhere.server.url
    try:
        for url in served(ServerBackend(endpoint), Settings(endpoint=endpoint)):
            page = open_page(url)
            pill(page, "ready", "internvl-chat-v1-5")
            elsewhere.do(elsewhere.server.die())
            pill(page, "down", "internvl-chat-v1-5down")
            expect(alert(page)).to_contain_text("The connection to the model failed.")
            expect(alert(page)).not_to_contain_text(re.compile("INTERNVL_|--|://"))
            page.click("#notice summary")
            expect(page.locator("#notice details p")).to_contain_text(f"{endpoint}/v1")
            elsewhere.do(elsewhere.server.come())
            expect(page.locator("#notice [role=status]")).to_contain_text("The model is ready.")
            pill(page, "ready", "internvl-chat-v1-5")
            expect(alert(page)).to_be_hidden()
            send(page, "What is this?")
            wait_answer(page, "I see")
    finally:
        elsewhere.close()
