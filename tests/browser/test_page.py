"""The page, in real Chromium, answered by a scripted model: what a person can rely on."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from internvl_demo.conversation.tiling import plan_tiles
from internvl_demo.errors import BackendError
from tests.support.hostile_texts import HOSTILE_QUESTION
from tests.support.page_hands import (
    BROKEN,
    CAT,
    attach,
    choose_detail,
    drawn,
    picture,
    send,
    wait_answer,
    write,
)
from tests.support.scripted_model import ScriptedModel

# What goes wrong.


def test_a_corrupt_file_changes_nothing(page: Page, scripted: ScriptedModel) -> None:
    send(page, "First?")
    wait_answer(page, "Hello.")
    attach(page, BROKEN)
    expect(page.locator("#notice [role=alert]")).to_contain_text("broken.png")
    send(page, "What is this?")
    expect(page.locator("#notice [role=alert]")).to_contain_text("broken.png")
    expect(page.locator("#conversation .user")).to_have_count(1)
    expect(page.locator("#composer textarea")).to_have_value("What is this?")
    assert len(scripted.asked) == 1


def test_an_empty_question_is_told(page: Page, scripted: ScriptedModel) -> None:
    expect(page.locator("#send")).to_be_disabled()
    attach(page, picture())
    page.click("#send")
    expect(page.locator("#notice")).to_contain_text("There is no question yet.")
    expect(page.locator("#tray .line")).to_have_count(1)
    assert not scripted.asked


def test_an_error_gives_the_question_back(page: Page, scripted: ScriptedModel) -> None:
    scripted.script = [BackendError("The server is away.", "Start it.")]
    send(page, "Where is the cat?", picture())
    expect(page.locator("#notice")).to_contain_text("The server is away. Start it.")
    expect(page.locator("#composer textarea")).to_have_value("Where is the cat?")
    expect(page.locator("#conversation .user")).to_have_count(0)
    scripted.script = ["There."]
    page.click("#send")
    wait_answer(page, "There.")
    assert len(scripted.asked[-1].images) == 1
    expect(page.locator("#notice [role=alert]")).to_be_hidden()


def test_a_broken_answer_is_kept(page: Page, scripted: ScriptedModel) -> None:
    scripted.script = ["Half an ans", BackendError("The server is away.", "Start it.")]
    send(page, "Well?")
    expect(page.locator("#notice")).to_contain_text("The answer broke off. The server is away. Start it.")
    wait_answer(page, "Half an ans")


def test_questions_are_shown_as_written(page: Page) -> None:
    send(page, HOSTILE_QUESTION)
    wait_answer(page, "Hello.")
    assert HOSTILE_QUESTION in page.locator("#conversation .user").last.inner_text()
    expect(page.locator("#conversation .user strong")).to_have_count(0)


def test_answers_never_become_markup(page: Page, scripted: ScriptedModel) -> None:
    label = HOSTILE_QUESTION.replace("<", "< ")
    scripted.script = [
        f"{HOSTILE_QUESTION} <ref>{HOSTILE_QUESTION}</ref><box>[[1, 2, 900, 900]]</box>",
        f"<ref>{label}</ref>",
    ]
    send(page, "Say it.", picture(name="<img src=x onerror=alert(5)>.png"))
    wait_answer(page, "onerror=alert(1)")
    expect(page.locator("#conversation .bot img")).to_have_count(0)
    expect(page.locator("#viewer script, #viewer img[src=x]")).to_have_count(0)
    assert [box[0] for box in drawn(page)] == [HOSTILE_QUESTION]


# What a person can do.


def test_boxes_come_while_the_answer_streams(page: Page, scripted: ScriptedModel) -> None:
    go_on: list[bool] = []
    scripted.script = ["In Image-2: ", CAT, " and that", lambda: bool(go_on), " is all."]
    send(page, "Where is the cat?", picture("a.png"), picture("b.png", (400, 200), "navy"))
    expect(page.locator("svg .ground-box")).to_have_count(1)
    assert drawn(page) == [("the cat", "2", "100,200,300,400")]
    box, image = page.locator(".ground-box").bounding_box(), page.locator("#viewer img").nth(1).bounding_box()
    assert box and image
    across = [
        (box["x"] - image["x"]) / image["width"],
        (box["x"] + box["width"] - image["x"]) / image["width"],
    ]
    down = [
        (box["y"] - image["y"]) / image["height"],
        (box["y"] + box["height"] - image["y"]) / image["height"],
    ]
    assert across == pytest.approx([0.1, 0.3], abs=0.02)
    assert down == pytest.approx([0.2, 0.4], abs=0.03)
    expect(page.locator("#stop")).to_be_enabled()
    go_on.append(True)
    wait_answer(page, "In Image-2: the cat and that is all.")
    assert drawn(page) == [("the cat", "2", "100,200,300,400")]


def test_no_tag_is_ever_read(page: Page, scripted: ScriptedModel) -> None:
    scripted.script = list(f"See {CAT} there <bo")
    send(page, "Where?", picture())
    wait_answer(page, "See the cat there")
    assert not re.search(r"<ref|<box|\[\[|<bo", page.locator("#conversation").inner_text())


def test_stop_keeps_what_came(page: Page, scripted: ScriptedModel) -> None:
    scripted.script = ["One, two, ", lambda: False]
    send(page, "Count.")
    expect(page.locator("#conversation .bot")).to_contain_text("One, two,")
    page.click("#stop")
    expect(page.locator("#stop")).to_be_disabled()
    expect(page.locator("#stop")).to_be_disabled()
    expect(page.locator("#conversation .bot")).to_contain_text("One, two,")
    assert scripted.stopped == 1
    scripted.script = ["Yes."]
    send(page, "Still there?")
    wait_answer(page, "Yes.")
    assert [turn.answer for turn in scripted.asked[-1].turns] == ["One, two, ", None]


def test_stop_before_the_first_word(page: Page, scripted: ScriptedModel) -> None:
    scripted.script = [lambda: False]
    send(page, "Slow?", picture())
    expect(page.locator("#stop")).to_be_enabled()
    page.click("#stop")
    expect(page.locator("#retry")).to_be_enabled()
    expect(page.locator("#conversation .user").last).to_contain_text("Slow?")
    scripted.script = ["No."]
    page.click("#retry")
    wait_answer(page, "No.")
    assert len(scripted.asked[-1].images) == 1


def test_retry_asks_the_same_again(page: Page, scripted: ScriptedModel) -> None:
    send(page, "Which?", picture())
    wait_answer(page, "Hello.")
    scripted.script = ["Another."]
    page.click("#retry")
    wait_answer(page, "Another.")
    first, second = scripted.asked
    assert first.turns == second.turns
    expect(page.locator("#conversation .bot")).to_have_count(1)


def test_clear_begins_a_new_conversation(page: Page, scripted: ScriptedModel) -> None:
    send(page, "Which?", picture())
    wait_answer(page, "Hello.")
    page.click("#clear")
    expect(page.locator("#conversation .user")).to_have_count(0)
    expect(page.locator("#viewer img")).to_have_count(0)
    send(page, "And now?")
    wait_answer(page, "Hello.")
    assert len(scripted.asked[-1].turns) == 1


def test_turns_keep_their_images_and_numbers(page: Page, scripted: ScriptedModel) -> None:
    send(page, "One?", picture("a.png"))
    wait_answer(page, "Hello.")
    scripted.script = ["Hello again."]
    send(page, "Two?", picture("b.png", colour="red"))
    wait_answer(page, "Hello again.")
    expect(page.locator("#viewer .thumb")).to_have_text(["1", "2"])
    assert len(scripted.asked[-1].images) == 2


def test_tiles_are_shown_before_sending(page: Page) -> None:
    attach(page, picture("small.png"), picture("wide.png", (800, 1300)))
    lines = page.locator("#token-count .line")
    expect(lines).to_have_count(2)
    expect(lines.nth(0)).to_contain_text("Image-1")
    expect(lines.nth(1)).to_contain_text("800 × 1300 px → 2 × 3 = 6 tiles + thumbnail, 448 visual tokens")
    choose_detail(page, "Low")
    expect(lines.nth(1)).to_contain_text("1 tile, 64 visual tokens")


def test_any_number_of_tiles(page: Page, scripted: ScriptedModel) -> None:
    page.click("#composer-card .detail")
    page.click("#mode label:has-text('Custom')")
    page.fill("#max-tiles input[type=number]", "24")
    page.press("#max-tiles input[type=number]", "Enter")
    attach(page, picture("wide.png", (1600, 1000)))
    tiles = plan_tiles((1600, 1000), 24)
    expect(page.locator("#token-count")).to_contain_text(f"{tiles.tiles} tiles")
    write(page, "Where?")
    page.click("#send")
    wait_answer(page, "Hello.")
    assert [image.max_tiles for image in scripted.asked[-1].images] == [24]


RECEIPTS = {
    "en": r"first token \d+\.\d\d s · \d+(\.\d)? tokens/s · Image-2: 2 × 3 = 6 tiles \+ thumbnail,"
    r" 448 visual tokens · Image-3: 4 × 3 = 12 tiles \+ thumbnail, 832 visual tokens · scripted",
    "zh": r"首 token \d+\.\d\d 秒 · \d+(\.\d)? token/秒 · Image-2：2 × 3 = 6 块 \+ 缩略图，"
    r"448 个视觉 token · Image-3：4 × 3 = 12 块 \+ 缩略图，832 个视觉 token · scripted",
}


def test_receipts_name_times_tiles_tokens(page: Page, scripted: ScriptedModel) -> None:
    send(page, "First?", picture())
    wait_answer(page, "Hello.")
    go_on: list[bool] = []
    scripted.script = ["One, ", lambda: bool(go_on), "two."]
    send(page, "What?", picture("wide.png", (800, 1300)), picture("small.png"))
    expect(page.locator("#conversation .bot").last).to_contain_text("One,")  # the first token was a while ago
    go_on.append(True)
    receipt = page.locator("#conversation .receipt.turn-2")
    expect(receipt).to_contain_text(re.compile(RECEIPTS["en"]))
    page.click("#switch-language")
    expect(receipt).to_contain_text(re.compile(RECEIPTS["zh"]))


def test_one_click_asks_an_example(page: Page, scripted: ScriptedModel) -> None:
    expect(page.locator("button.example")).to_have_count(6)
    page.click("button.example:has-text('Where is the turtle?')")
    wait_answer(page, "Hello.")
    assert scripted.asked[-1].turns[-1].text == "Where is the turtle?"
    assert len(scripted.asked[-1].images) == 2
    expect(page.locator("button.example").first).to_be_hidden()


def test_an_example_sends_nothing_that_somebody_writes(page: Page, scripted: ScriptedModel) -> None:
    write(page, "Is it a cat?")
    page.click("button.example:has-text('Where is the turtle?')")
    expect(page.locator("#token-count .line")).to_have_count(2)
    expect(page.locator("#composer textarea")).to_have_value(
        re.compile("Where is the turtle.*Is it a cat", re.DOTALL)
    )
    assert not scripted.asked


def test_examples_ask_in_the_pages_language(page: Page) -> None:
    for text in ("Where is the turtle?", "乌龟在哪里？"):
        page.click(f"button.example:has-text('{text}')")
        wait_answer(page, "Hello.")
        expect(page.locator("#conversation .asked")).to_have_text(text)
        page.click("#clear")
        page.click("#switch-language")


def test_enter_sends(page: Page) -> None:
    write(page, "Hello?")
    page.press("#composer textarea", "Enter")
    wait_answer(page, "Hello.")


TYPE = """async () => {
    const area = document.querySelector('#composer textarea')
    for (const char of 'Where is the cat in this picture?') {
        area.setRangeText(char, area.value.length, area.value.length, 'end')
        area.dispatchEvent(new Event('input', { bubbles: true }))
        await new Promise((done) => setTimeout(done, 20))
    }
}"""
"""At a pace that a busy machine keeps, too."""


def test_typing_seldom_asks_the_server(page: Page) -> None:
    attach(page, picture())
    expect(page.locator("#context-bar .part")).not_to_have_count(0)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(TYPE)
    assert [url for url in asked if "/api/model" not in url] == []
    page.click("#send")
    wait_answer(page, "Hello.")


def test_nothing_is_wider_than_the_window(page: Page) -> None:
    send(page, "Which?", picture("wide.png", (1300, 800)))
    wait_answer(page, "Hello.")
    for width in (390, 768, 1440):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_function("(width) => document.documentElement.scrollWidth <= width", arg=width)


def test_two_people_do_not_see_each_other(
    page: Page, open_page: Callable[..., Page], scripted_url: str, scripted: ScriptedModel
) -> None:
    one, two = page, open_page(scripted_url)
    send(one, "I am one.")
    wait_answer(one, "Hello.")
    send(two, "I am two.")
    wait_answer(two, "Hello.")
    assert [len(conversation.turns) for conversation in scripted.asked] == [1, 1]
    assert scripted.asked[0].id != scripted.asked[1].id
    assert "I am one." not in two.locator("#conversation").inner_text()


def test_the_repository_holds_the_examples() -> None:
    folder = Path(__file__).parents[2] / "assets" / "examples"
    rows = json.loads((folder / "examples.json").read_text("utf-8"))
    assert len(rows) >= 6 and all(row["en"] and row["zh"] for row in rows)
    assert all((folder / name).is_file() for row in rows for name in row["files"])
