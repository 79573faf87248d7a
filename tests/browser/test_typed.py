"""What a person types or adds while something else happens stays; and the bar says in time what will not fit."""

import threading
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from internvl_demo.errors import BackendError
from internvl_demo.photos.decode import Photo, open_photo
from internvl_demo.web import composer
from internvl_demo.web.drafts import MAX_CHIPS
from tests.support.page_hands import attach, picture, send, wait_answer, write
from tests.support.scripted_model import ScriptedModel
from tests.support.turn_hands import act, asked, question

Open = Callable[..., Page]


@pytest.fixture
def page(open_page: Open, scripted_url: str, scripted: ScriptedModel) -> Page:
    scripted.script, scripted.stopped = ["Hello."], 0
    scripted.asked.clear()
    return open_page(scripted_url)


def holds(page: Page, text: str, *names: str) -> None:
    """The composer."""
    expect(page.locator("#composer textarea")).to_have_value(text)
    expect(page.locator("#tray .line .name")).to_have_text(list(names))


# What goes wrong.


def test_an_error_gives_the_question_back_before_what_was_typed_meanwhile(
    page: Page, scripted: ScriptedModel
) -> None:
    go_on: list[bool] = []
    scripted.script = [lambda: bool(go_on), BackendError("The server is away.", "Start it.")]
    send(page, "Where is the cat?", picture("cat.png"))
    holds(page, "")
    attach(page, picture("dog.png", colour="red"))
    write(page, "And the dog?")
    go_on.append(True)
    expect(page.locator("#notice")).to_contain_text("The server is away.")
    holds(page, "Where is the cat?\n\nAnd the dog?", "cat.png", "dog.png")


def test_a_picture_that_is_long_in_coming_holds_up_no_other_tab_and_brings_nothing_back(
    page: Page,
    open_page: Open,
    scripted_url: str,
    scripted: ScriptedModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def slowly(path: str) -> Photo:
        if "slow" in path:
            reading.set()
            go_on.wait(60)
        return open_photo(path)

    monkeypatch.setattr(composer, "open_photo", slowly)
    other = open_page(scripted_url)
    attach(page, picture("quick.png"))
    page.set_input_files("#composer input[type=file]", [picture("slow.png", colour="gold")])
    assert reading.wait(60)
    attach(other, picture("mine.png", colour="red"))
    write(page, "What are these?")
    page.click("#send")
    wait_answer(page, "Hello.")
    go_on.set()
    expect(page.locator("#composer .thumbnail-item")).to_have_count(0)
    holds(page, "")
    attach(page, picture("next.png", colour="navy"))
    holds(page, "", "next.png")
    assert [image.photo.name for image in scripted.asked[-1].images] == ["quick.png", "slow.png"]


def test_more_pictures_than_may_wait_are_told(page: Page) -> None:
    colours = [f"#0000{n:02x}" for n in range(MAX_CHIPS + 1)]
    many = [picture(f"{n}.png", colour=colour) for n, colour in enumerate(colours)]
    page.set_input_files("#composer input[type=file]", many)
    expect(page.locator("#tray .line")).to_have_count(MAX_CHIPS)
    expect(page.locator("#tray .problem")).to_contain_text(f"{MAX_CHIPS} pictures at most")


def test_a_long_text_is_told_before_it_is_sent(page: Page, scripted: ScriptedModel) -> None:
    write(page, "Hi")
    write(page, "word " * 12_000)
    expect(page.locator("#context-bar")).to_contain_text("too many")
    write(page, "Short?")
    expect(page.locator("#context-bar .part")).to_have_count(0)
    assert not scripted.asked


def test_an_edit_that_does_not_fit_changes_nothing_and_is_not_lost(
    page: Page, scripted: ScriptedModel
) -> None:
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


def test_undo_puts_the_question_before_what_is_typed(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, "One?", "First.", picture("a.png"))
    attach(page, picture("b.png", colour="red"))
    write(page, "Two?")
    act(question(page, 1), "undo").click()
    expect(page.locator("#conversation .asked")).to_have_count(0)
    holds(page, "One?\n\nTwo?", "a.png", "b.png")


def test_a_new_conversation_takes_what_is_typed_along(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted, "One?", "First.", picture("a.png"))
    attach(page, picture("b.png", colour="red"))
    write(page, "Two?")
    page.click("#clear")
    expect(page.locator("#conversation .asked")).to_have_count(0)
    holds(page, "Two?", "b.png")
    expect(page.locator("#tray .line b")).to_have_text(["Image-1"])


def test_an_example_takes_the_place_of_another_but_not_of_what_is_typed(page: Page) -> None:
    buttons = page.locator("button.example")
    first, second = (buttons.nth(place) for place in (0, 1))
    first.click()
    expect(page.locator("#tray .line")).not_to_have_count(0)
    second.click()
    expect(page.locator("#composer textarea")).to_have_value(second.inner_text().strip())
    alone = page.locator("#tray .line").count()
    write(page, "My own.")
    attach(page, picture("mine.png", colour="red"))
    first.click()
    expect(page.locator("#composer textarea")).to_have_value(f"{first.inner_text().strip()}\n\nMy own.")
    expect(page.locator("#tray .line .name").first).to_have_text("mine.png")
    assert alone >= 1
