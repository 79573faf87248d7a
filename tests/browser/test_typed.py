"""What a person types or adds while something else happens stays; and the bar says in time what will not fit."""

import threading
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from internvl_demo.errors import BackendError
from internvl_demo.photos.decode import CleanFile, clean_file
from internvl_demo.photos.limits import MESSAGE_PICTURES
from tests.support.page_hands import attach, picture, send, wait_answer, write
from tests.support.scripted_model import ScriptedModel
from tests.support.turn_hands import act, asked, question
from tests.support.uploads import png


def holds(page: Page, text: str, *names: str) -> None:
    """The composer."""
    expect(page.locator("#composer textarea")).to_have_value(text)
    expect(page.locator("#tray .line .name")).to_have_text(list(names))


# What goes wrong.


def test_a_returned_question_joins_what_was_typed(page: Page, scripted: ScriptedModel) -> None:
    go_on: list[bool] = []
    scripted.script = [lambda: bool(go_on), BackendError("The server is away.", "Start it.")]
    send(page, "Where is the cat?", picture("cat.png"))
    holds(page, "")
    attach(page, picture("dog.png", colour="red"))
    write(page, "And the dog?")
    go_on.append(True)
    expect(page.locator("#notice")).to_contain_text("The server is away.")
    holds(page, "Where is the cat?\n\nAnd the dog?", "cat.png", "dog.png")


def test_a_slow_picture_holds_up_nobody(
    page: Page,
    open_page: Callable[..., Page],
    scripted_url: str,
    scripted: ScriptedModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, go_on, slow = threading.Event(), threading.Event(), png(colour="gold")

    def slowly(data: bytes) -> CleanFile:
        if data == slow:
            reading.set()
            go_on.wait(60)
        return clean_file(data)

    monkeypatch.setattr("internvl_demo.store.photos.clean_file", slowly)
    attach(page, picture("quick.png"))
    page.set_input_files("#composer input[type=file]", [picture("slow.png", colour="gold")])
    assert reading.wait(60)
    attach(open_page(scripted_url), picture("mine.png", colour="red"))
    write(page, "What are these?")
    page.click("#send")  # goes out as soon as all of its pictures are there
    expect(page.locator("#tray .fetching")).to_contain_text("Uploading 1 picture")
    go_on.set()
    wait_answer(page, "Hello.")
    holds(page, "")
    attach(page, picture("next.png", colour="navy"))
    holds(page, "", "next.png")
    assert [image.photo.name for image in scripted.asked[-1].images] == ["quick.png", "slow.png"]


def test_what_is_added_while_sending_stays(page: Page, scripted: ScriptedModel) -> None:
    held: list[Route] = []
    page.route("**/questions", lambda route: held.append(route))
    attach(page, picture("sent.png"))
    write(page, "What is this?")
    with page.expect_request("**/questions"):
        page.click("#send")
    attach(page, picture("later.png", colour="red"))
    write(page, "And that?")
    held[0].continue_()
    wait_answer(page, "Hello.")
    holds(page, "And that?", "later.png")
    page.unroute("**/questions")
    page.click("#send")
    expect(page.locator("#conversation .bot")).to_have_count(2)
    wait_answer(page, "Hello.")
    attach(page, picture("sent.png"))  # what was sent once can be added again
    assert [len(one.images) for one in scripted.asked] == [1, 2]


def test_too_many_pictures_are_told(page: Page) -> None:
    colours = [f"#0000{n:02x}" for n in range(MESSAGE_PICTURES + 1)]
    many = [picture(f"{n}.png", colour=colour) for n, colour in enumerate(colours)]
    page.set_input_files("#composer input[type=file]", many)
    expect(page.locator("#tray .line")).to_have_count(MESSAGE_PICTURES)
    expect(page.locator("#notice [role=alert]")).to_contain_text(f"{MESSAGE_PICTURES} pictures at most")


def test_a_long_text_is_told(page: Page, scripted: ScriptedModel) -> None:
    write(page, "Hi")
    write(page, "word " * 12_000)
    expect(page.locator("#context-bar")).to_contain_text("too many")
    write(page, "Short?")
    expect(page.locator("#context-bar .part")).to_have_count(0)
    assert not scripted.asked


def test_an_edit_too_long_is_not_lost(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, "One?", "First.")
    act(question(page, 1), "edit").click()
    area = question(page, 1).locator("textarea")
    area.fill("word " * 12_000)
    area.press("Enter")
    expect(page.locator("#notice")).to_contain_text("Nothing was changed")
    expect(question(page, 1)).to_contain_text("One?")
    wait_answer(page, "First.")
    assert len(scripted.asked) == 1
    act(question(page, 1), "edit").click()
    expect(area).to_have_value("word " * 12_000)
    area.press("Escape")
    act(question(page, 1), "edit").click()
    expect(area).to_have_value("One?")


# What a person has typed.


def test_undo_joins_what_is_typed(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, "One?", "First.", picture("a.png"))
    attach(page, picture("b.png", colour="red"))
    write(page, "Two?")
    act(question(page, 1), "undo").click()
    expect(page.locator("#conversation .asked")).to_have_count(0)
    holds(page, "One?\n\nTwo?", "a.png", "b.png")


def test_a_new_conversation_keeps_the_draft(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, "One?", "First.", picture("a.png"))
    attach(page, picture("b.png", colour="red"))
    write(page, "Two?")
    page.click("#clear")
    expect(page.locator("#conversation .asked")).to_have_count(0)
    holds(page, "Two?", "b.png")
    expect(page.locator("#tray .line .head b")).to_have_text(["Image-1"])


def test_an_example_replaces_only_another(page: Page) -> None:
    first, second = (page.locator("button.example").nth(place) for place in (0, 1))
    texts = [button.inner_text().strip() for button in (first, second)]
    pictures = [str(button.locator("img").get_attribute("src")).split("/")[-1] for button in (first, second)]
    last = page.locator("#tray .line .name").last
    attach(page, picture("mine.png", colour="red"))
    first.click()
    expect(last).to_have_text(pictures[0])
    second.click()
    expect(last).to_have_text(pictures[1])
    expect(page.locator("#composer textarea")).to_have_value(texts[1])
    expect(page.locator("#tray .name", has_text=pictures[0])).to_have_count(0)
    write(page, "My own.")
    first.click()
    expect(page.locator("#composer textarea")).to_have_value(f"{texts[0]}\n\nMy own.")
    expect(last).to_have_text(pictures[0])
    expect(page.locator("#tray .line .name").first).to_have_text("mine.png")
