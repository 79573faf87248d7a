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
from tests.support.page_hands import BROKEN, CAT, attach, drawn, picture, send, wait_answer, write
from tests.support.scripted_model import ScriptedModel
from tests.support.uploads import png

Open = Callable[..., Page]


@pytest.fixture
def page(open_page: Open, scripted_url: str, scripted: ScriptedModel) -> Page:
    scripted.script, scripted.stopped = ["Hello."], 0
    scripted.asked.clear()
    return open_page(scripted_url)


# What goes wrong.


def test_a_corrupt_file_gives_a_notice_and_changes_nothing(page: Page, scripted: ScriptedModel) -> None:
    send(page, "First?")
    wait_answer(page, "Hello.")
    send(page, "What is this?", BROKEN)
    expect(page.locator("#notice [role=alert]")).to_contain_text("broken.png")
    expect(page.locator("#conversation .user")).to_have_count(1)
    expect(page.locator("#composer textarea")).to_have_value("What is this?")
    assert len(scripted.asked) == 1


def test_the_notice_of_a_corrupt_file_comes_before_sending(page: Page) -> None:
    attach(page, BROKEN)
    expect(page.locator("#token-count [role=alert]")).to_contain_text("broken.png")


def test_an_empty_question_gives_a_notice(page: Page, scripted: ScriptedModel) -> None:
    page.click("#send")
    expect(page.locator("#notice")).to_contain_text("There is no question yet.")
    assert not scripted.asked


def test_an_error_before_the_answer_gives_the_question_back(page: Page, scripted: ScriptedModel) -> None:
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


def test_an_answer_that_breaks_off_is_kept_with_a_notice(page: Page, scripted: ScriptedModel) -> None:
    scripted.script = ["Half an ans", BackendError("The server is away.", "Start it.")]
    send(page, "Well?")
    expect(page.locator("#notice")).to_contain_text("The answer broke off. The server is away. Start it.")
    wait_answer(page, "Half an ans")


def test_what_people_write_is_shown_as_they_wrote_it(page: Page) -> None:
    page.on("dialog", lambda _: pytest.fail("a script ran"))
    send(page, HOSTILE_QUESTION)
    wait_answer(page, "Hello.")
    assert HOSTILE_QUESTION in page.locator("#conversation .user").last.inner_text()
    expect(page.locator("#conversation .user strong")).to_have_count(0)


def test_what_a_model_says_never_becomes_markup(page: Page, scripted: ScriptedModel) -> None:
    page.on("dialog", lambda _: pytest.fail("a script ran"))
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


def test_boxes_are_drawn_on_the_right_image_while_the_answer_streams(
    page: Page, scripted: ScriptedModel
) -> None:
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
    expect(page.locator("#send")).to_be_disabled()
    go_on.append(True)
    wait_answer(page, "In Image-2: the cat and that is all.")
    assert drawn(page) == [("the cat", "2", "100,200,300,400")]


def test_no_tag_or_coordinate_is_ever_read(page: Page, scripted: ScriptedModel) -> None:
    scripted.script = list(f"See {CAT} there <bo")
    send(page, "Where?", picture())
    wait_answer(page, "See the cat there")
    assert not re.search(r"<ref|<box|\[\[|<bo", page.locator("#conversation").inner_text())


def test_stop_frees_the_model_and_keeps_what_came(page: Page, scripted: ScriptedModel) -> None:
    scripted.script = ["One, two, ", lambda: False]
    send(page, "Count.")
    expect(page.locator("#conversation .bot")).to_contain_text("One, two,")
    page.click("#stop")
    expect(page.locator("#send")).to_be_enabled()
    expect(page.locator("#stop")).to_be_disabled()
    expect(page.locator("#conversation .bot")).to_contain_text("One, two,")
    assert scripted.stopped == 1
    scripted.script = ["Yes."]
    send(page, "Still there?")
    wait_answer(page, "Yes.")
    assert [turn.answer for turn in scripted.asked[-1].turns] == ["One, two, ", None]


def test_stop_before_the_first_word_keeps_the_question_for_retry(page: Page, scripted: ScriptedModel) -> None:
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


def test_retry_answers_the_same_question_again(page: Page, scripted: ScriptedModel) -> None:
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
    expect(page.locator("#viewer .thumb")).to_have_text(["Image-1", "Image-2"])
    assert len(scripted.asked[-1].images) == 2


def test_the_grid_tiles_and_tokens_of_each_image_are_shown_before_sending(page: Page) -> None:
    attach(page, picture("small.png"), picture("wide.png", (800, 1300)))
    lines = page.locator("#token-count .line")
    expect(lines).to_have_count(2)
    expect(lines.nth(0)).to_contain_text("Image-1")
    expect(lines.nth(1)).to_contain_text("800 × 1300 px → 2 × 3 = 6 tiles + thumbnail, 448 visual tokens")
    page.click("#mode label:has-text('Low')")
    expect(lines.nth(1)).to_contain_text("1 tile, 64 visual tokens")


def test_any_number_of_tiles_can_be_chosen(page: Page, scripted: ScriptedModel) -> None:
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


@pytest.mark.parametrize(
    ("locale", "wanted"),
    [
        (
            "en-US",
            r"first token \d+\.\d\d s · \d+(\.\d)? tokens/s · Image-2: 2 × 3 = 6 tiles \+ thumbnail,"
            r" 448 visual tokens · Image-3: 4 × 3 = 12 tiles \+ thumbnail, 832 visual tokens · scripted",
        ),
        (
            "zh-CN",
            r"首 token \d+\.\d\d 秒 · \d+(\.\d)? token/秒 · Image-2：2 × 3 = 6 块 \+ 缩略图，"
            r"448 个视觉 token · Image-3：4 × 3 = 12 块 \+ 缩略图，832 个视觉 token · scripted",
        ),
    ],
)
def test_the_receipt_names_time_speed_tiles_and_tokens_of_each_image(
    open_page: Open, scripted_url: str, scripted: ScriptedModel, locale: str, wanted: str
) -> None:
    scripted.script = ["Hello."]
    page = open_page(scripted_url, locale=locale)
    send(page, "First?", picture())
    wait_answer(page, "Hello.")
    go_on: list[bool] = []
    scripted.script = ["One, ", lambda: bool(go_on), "two."]
    send(page, "What?", picture("wide.png", (800, 1300)), picture("small.png"))
    expect(page.locator("#conversation .bot").last).to_contain_text("One,")  # the first token was a while ago
    go_on.append(True)
    expect(page.locator("#conversation .receipt.turn-2")).to_contain_text(re.compile(wanted))


def test_examples_fill_the_composer(page: Page, scripted: ScriptedModel) -> None:
    examples = page.locator("button.example")
    assert examples.count() >= 6
    page.click("button.example:has-text('Where is the turtle?')")
    expect(page.locator("#composer textarea")).to_have_value("Where is the turtle?")
    expect(page.locator("#token-count .line")).to_have_count(2)
    page.click("#send")
    wait_answer(page, "Hello.")
    assert len(scripted.asked[-1].images) == 2


def test_examples_ask_in_the_pages_language(open_page: Callable[..., Page], scripted_url: str) -> None:
    page = open_page(scripted_url, locale="zh-CN")
    page.click("button.example:has-text('乌龟在哪里？')")
    expect(page.locator("#composer textarea")).to_have_value("乌龟在哪里？")
    page.click("#switch-language")
    page.click("button.example:has-text('Where is the turtle?')")
    expect(page.locator("#composer textarea")).to_have_value("Where is the turtle?")


def test_enter_sends(page: Page) -> None:
    write(page, "Hello?")
    page.press("#composer textarea", "Enter")
    wait_answer(page, "Hello.")


def test_typing_does_not_ask_the_server_at_every_key(page: Page) -> None:
    attach(page, picture())
    joins: list[str] = []
    page.on("request", lambda request: joins.append(request.url) if "queue/join" in request.url else None)
    page.type("#composer textarea", "Where is the cat in this picture?")
    assert len(joins) <= 2, "what came with the picture may still be under way"
    page.click("#send")
    wait_answer(page, "Hello.")


def test_pictures_can_be_pasted(page: Page) -> None:
    page.evaluate(
        """async (bytes) => {
            const file = new File([new Uint8Array(bytes)], 'pasted.png', { type: 'image/png' })
            const data = new DataTransfer()
            data.items.add(file)
            const event = new ClipboardEvent('paste', { clipboardData: data, bubbles: true })
            document.querySelector('#composer textarea').dispatchEvent(event)
        }""",
        list(png()),
    )
    expect(page.locator("#token-count .line")).to_have_count(1)


@pytest.mark.parametrize(("locale", "send_word"), [("en-US", "Send"), ("zh-CN", "发送")])
def test_the_page_speaks_the_browsers_language(
    open_page: Open, scripted_url: str, scripted: ScriptedModel, locale: str, send_word: str
) -> None:
    scripted.script = ["Hello."]
    page = open_page(scripted_url, locale=locale)
    expect(page.locator("#send")).to_have_text(send_word)
    send(page, "?", picture())
    wait_answer(page, "Hello.")
    expect(page.locator("#conversation .receipt")).to_contain_text(
        "first token" if locale == "en-US" else "首 token"
    )


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_nothing_is_wider_than_the_window(open_page: Open, scripted_url: str, width: int) -> None:
    page = open_page(scripted_url, viewport={"width": width, "height": 844})
    send(page, "Which?", picture("wide.png", (1300, 800)))
    wait_answer(page, "Hello.")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_two_people_do_not_see_each_other(
    open_page: Open, scripted_url: str, scripted: ScriptedModel
) -> None:
    scripted.script = ["Hello."]
    scripted.asked.clear()
    one, two = open_page(scripted_url), open_page(scripted_url)
    send(one, "I am one.")
    wait_answer(one, "Hello.")
    send(two, "I am two.")
    wait_answer(two, "Hello.")
    assert [len(conversation.turns) for conversation in scripted.asked] == [1, 1]
    assert scripted.asked[0].id != scripted.asked[1].id
    assert "I am one." not in two.locator("#conversation").inner_text()


def test_the_examples_are_those_of_the_repository() -> None:
    folder = Path(__file__).parents[2] / "assets" / "examples"
    rows = json.loads((folder / "examples.json").read_text("utf-8"))
    assert len(rows) >= 6 and all(row["en"] and row["zh"] for row in rows)
    assert all((folder / name).is_file() for row in rows for name in row["files"])
