"""The context bar in real Chromium, alone on a page: what it says, and that a click on a change reaches Python."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect

from internvl_demo.conversation.budget import Budget, Fix, budget
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.photos.decode import photo_of
from internvl_demo.web.context_bar import NOTHING, context_bar, fix_text
from internvl_demo.web.layout import STATIC, theme, widget
from internvl_demo.web.strings import TABLE, Words
from tests.support.hostile_texts import HOSTILE_QUESTION

Open = Callable[..., Page]

LARGE = photo_of(Image.new("RGB", (2000, 2000)), "large.png")
WIDE = photo_of(Image.new("RGB", (896, 448)), "wide.png")
ENGLISH, CHINESE = Words(), Words(chinese=True)
BOTH = "Image-2 36 → 9 · Image-3 36 → 9".replace(" ", "\u00a0").replace("\u00a0·\u00a0", " · ")
"""What `TOO_LONG` offers for its two images; a line never ends within a change."""


def of(context: int, *draft: Attachment, text: str = "Which one is larger?", turns: int = 1) -> Budget:
    conversation = Conversation()
    for _ in range(turns):
        conversation = conversation.ask("What is this?", (Attachment(WIDE, 2),)).answered(
            "A wide picture. " * 30
        )
    return budget(conversation, text, draft, tokens_per_tile=256, context_length=context, answer_tokens=1024)


FITS = of(16_384, Attachment(LARGE, 12), Attachment(WIDE, 12))
TOO_LONG = of(8192, Attachment(LARGE, 36), Attachment(LARGE, 36))
HOPELESS = of(2000, text="why? " * 4000, turns=0)


# What is shown, as data.


def test_shares_are_of_the_context_or_of_all_that_does_not_fit() -> None:
    fits, over = context_bar(FITS, ENGLISH), context_bar(TOO_LONG, ENGLISH)
    assert sum(part["share"] for part in fits["parts"]) == pytest.approx(FITS.total / 16_384)
    assert fits["limit"] == 1 and fits["problem"] is None and fits["fixes"] == []
    assert sum(part["share"] for part in over["parts"]) == pytest.approx(1)
    assert over["limit"] == pytest.approx(8192 / TOO_LONG.total)


def test_parts_stand_in_the_order_of_the_prompt_and_tell_what_is_sent_already() -> None:
    parts = context_bar(FITS, ENGLISH)["parts"]
    assert [part["caption"] for part in parts] == [
        "So far",
        "Image-1",
        "Image-2",
        "Image-3",
        "Question",
        "Answer",
    ]
    assert [part["kind"] for part in parts] == ["text", "image", "draft", "draft", "text", "answer"]
    assert parts[1]["text"] == "Image-1, already sent: 768 tokens"
    assert parts[2]["text"] == "Image-2, new: 2,560 tokens"


def test_an_estimate_says_that_it_is_one() -> None:
    assert context_bar(FITS, ENGLISH)["sentence"].startswith(f"≈ {FITS.total:,} of 16,384 tokens")
    exact = replace(FITS, estimated=False)
    assert context_bar(exact, ENGLISH)["sentence"].startswith(f"{FITS.total:,} of")


def test_every_change_says_what_it_does() -> None:
    texts = {fix.key: fix_text(fix, ENGLISH) for fix in TOO_LONG.fixes}
    assert texts == {
        "fewer-tiles-9-9": f"Fewer tiles: {BOTH}",
    }
    assert fix_text(Fix("shorter-answer-1000", (), 1000), ENGLISH) == "Shorter answer: at most 1,000 tokens"
    out = next(
        fix for fix in of(8192, Attachment(LARGE, 16), Attachment(LARGE, 36)).fixes if "out" in fix.key
    )
    assert fix_text(out, ENGLISH) == "Leave out Image-3 (large.png)"
    new = Fix("new-conversation", (), 1024, new_conversation=True)
    assert fix_text(new, ENGLISH) == "New conversation with only this question"
    fewer = replace(TOO_LONG.fixes[0], new_conversation=True)
    assert fix_text(fewer, CHINESE) == f"新建对话，只带此问题，并减少分块：{BOTH}"


def test_the_bars_texts_fill_in_the_same_values_in_both_languages() -> None:
    for key, (english, chinese) in TABLE.items():
        if key.startswith("context_"):
            assert set(re.findall(r"{\w+}", english)) == set(re.findall(r"{\w+}", chinese)), key


# In the browser.


@dataclass
class Bench:
    """A page with nothing but the bar. `value` is shown when #send is clicked; a click on a change is kept."""

    url: str = ""
    value: dict[str, Any] = field(default_factory=lambda: NOTHING)
    chosen: list[object] = field(default_factory=list)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    made = Bench()

    def on_fix(event: gr.EventData) -> dict[str, Any]:
        made.chosen.append(event.key)
        return context_bar(FITS, ENGLISH)

    with gr.Blocks(analytics_enabled=False, title="Bar") as page:
        bar = widget("context-bar", NOTHING)
        gr.Button("Show", elem_id="send").click(lambda: made.value, None, bar, show_progress="hidden")
        bar.fix(on_fix, None, bar, show_progress="hidden", api_visibility="private")
    css = [STATIC / "page.css", STATIC / "context-bar.css"]
    with ThreadPoolExecutor(1) as thread:  # Playwright keeps an event loop in this one
        thread.submit(
            page.launch, prevent_thread_lock=True, quiet=True, theme=theme(), css_paths=css, footer_links=[]
        ).result()
    made.url = page.local_url
    yield made
    page.close()


def show(page: Page, bench: Bench, value: dict[str, Any]) -> None:
    bench.value = value
    page.click("#send")
    expect(page.locator("#context-bar .sentence")).to_have_text(value["sentence"])


def test_hostile_text_stays_text(open_page: Open, bench: Bench) -> None:
    page = open_page(bench.url)
    page.on("dialog", lambda _: pytest.fail("a script ran"))
    part = {
        "kind": f'x" onclick="{HOSTILE_QUESTION}',
        "caption": HOSTILE_QUESTION,
        "tokens": 1,
        "share": "1e9; x",
        "text": HOSTILE_QUESTION,
    }
    hostile = {
        "parts": [part, {**part, "share": -3}, {**part, "share": None}, {**part, "share": 7}],
        "sentence": HOSTILE_QUESTION,
        "limit": "javascript:alert(6)",
        "problem": {"what": HOSTILE_QUESTION, "next_step": HOSTILE_QUESTION},
        "fixes": [{"key": HOSTILE_QUESTION, "text": HOSTILE_QUESTION}],
    }
    bench.chosen.clear()
    show(page, bench, hostile)
    expect(page.locator("#context-bar .trouble")).to_have_text(f"{HOSTILE_QUESTION} {HOSTILE_QUESTION}")
    expect(page.locator("#context-bar .part.text")).to_have_count(4)
    expect(page.locator("#context-bar :is(img, script, strong strong, [onclick])")).to_have_count(0)
    page.get_by_role("button", name="<img").click()
    expect(page.locator("#context-bar .fix")).to_have_count(0)
    assert bench.chosen == [HOSTILE_QUESTION]


def test_a_hostile_name_of_a_file_stays_text_on_its_button(open_page: Open, bench: Bench) -> None:
    page = open_page(bench.url)
    page.on("dialog", lambda _: pytest.fail("a script ran"))
    name = "<img src=x onerror=alert(5)>{{alert(6)}}${alert(7)}{count}.png"
    photo = photo_of(Image.new("RGB", (2000, 2000)), name)
    found = of(4096, Attachment(WIDE, 1), Attachment(photo, 36))
    show(page, bench, context_bar(found, ENGLISH))
    expect(page.locator("#context-bar .fix").last).to_have_text(f"Leave out Image-3 ({name})")


def test_before_anything_is_known_there_is_no_bar(open_page: Open, bench: Bench) -> None:
    page = open_page(bench.url)
    expect(page.locator("#context-bar")).to_be_hidden()
    show(page, bench, context_bar(FITS, ENGLISH))
    expect(page.locator("#context-bar")).to_be_visible()
    expect(page.locator("#context-bar .trouble")).to_be_hidden()
    expect(page.locator("#context-bar .over")).to_have_count(0)
    bench.value = NOTHING
    page.click("#send")
    expect(page.locator("#context-bar")).to_be_hidden()


def test_what_nothing_can_help_says_so_and_offers_nothing(open_page: Open, bench: Bench) -> None:
    page = open_page(bench.url)
    show(page, bench, context_bar(HOPELESS, ENGLISH))
    expect(page.get_by_role("status").filter(has_text="No single change is enough")).to_be_visible()
    expect(page.locator("#context-bar button")).to_have_count(0)


def test_a_click_on_a_change_reaches_python_with_its_key_and_the_bar_follows(
    open_page: Open, bench: Bench
) -> None:
    page = open_page(bench.url)
    bench.chosen.clear()
    show(page, bench, context_bar(TOO_LONG, ENGLISH))
    expect(page.locator("#context-bar .over")).to_have_count(1)
    page.locator("#context-bar .fix", has_text="Fewer tiles").click()
    expect(page.locator("#context-bar .sentence")).to_have_text(context_bar(FITS, ENGLISH)["sentence"])
    expect(page.locator("#context-bar .trouble")).to_be_hidden()
    assert bench.chosen == ["fewer-tiles-9-9"]


def test_typing_on_does_not_take_the_focus_from_an_offer(open_page: Open, bench: Bench) -> None:
    page = open_page(bench.url)
    value = context_bar(TOO_LONG, ENGLISH)
    show(page, bench, value)
    page.locator("#context-bar .fix").focus()
    bench.value = {**value, "sentence": "another"}
    page.evaluate("document.querySelector('#send').click()")
    expect(page.locator("#context-bar .sentence")).to_have_text("another")
    expect(page.locator("#context-bar .fix")).to_be_focused()
    bench.chosen.clear()
    page.keyboard.press("Enter")
    expect(page.locator("#context-bar .trouble")).to_be_hidden()
    assert bench.chosen == ["fewer-tiles-9-9"]


def test_the_bar_is_read_aloud_as_a_list(open_page: Open, bench: Bench) -> None:
    page = open_page(bench.url)
    show(page, bench, context_bar(FITS, CHINESE))
    items = page.get_by_role("listitem")
    expect(items).to_have_text([part["text"] for part in context_bar(FITS, CHINESE)["parts"]])


def test_bar_and_sentence_are_low(open_page: Open, bench: Bench) -> None:
    page = open_page(bench.url)
    show(page, bench, context_bar(FITS, ENGLISH))
    bar, all_of_it = (
        page.locator("#context-bar .bar").bounding_box(),
        page.locator("#context-bar").bounding_box(),
    )
    assert bar and all_of_it
    assert bar["height"] <= 26 and all_of_it["height"] <= 56


VIEWS: list[dict[str, Any]] = [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}]


@pytest.mark.parametrize("view", VIEWS, ids=["light", "dark", "phone"])
@pytest.mark.parametrize("found", [FITS, TOO_LONG, HOPELESS], ids=["fits", "too long", "hopeless"])
def test_axe_finds_nothing_serious_and_nothing_sticks_out(
    open_page: Open, bench: Bench, view: dict[str, Any], found: Budget
) -> None:
    page = open_page(bench.url, **view)
    show(page, bench, context_bar(found, ENGLISH))
    page.wait_for_function("document.getAnimations().length === 0")
    found_by_axe = Axe().run(page, context="#context-bar").response["violations"]
    serious = [one for one in found_by_axe if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in serious] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
