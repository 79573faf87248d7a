"""What a person does with the list of conversations in the browser."""

from playwright.sync_api import Locator, Page, expect

from tests.support.page_hands import send
from tests.support.scripted_model import ScriptedModel


def begun(page: Page, scripted: ScriptedModel, question: str, *files: dict[str, object], said: str) -> None:
    """A conversation of its own, with one answer."""
    fresh(page)
    scripted.script = [said]
    send(page, question, *files)
    expect(page.locator("#conversation .bot")).to_contain_text(said.split()[0])
    expect(page.locator("#stop")).to_be_disabled()


def fresh(page: Page) -> None:
    """A new conversation."""
    if page.locator("#conversation .user").count():
        page.click("#clear")
    expect(page.locator("#conversation .user")).to_have_count(0)


def opened(page: Page) -> Locator:
    """The list, open."""
    page.click("#panel .panel-toggle")
    panel = page.get_by_role("dialog", name="Conversations")
    expect(panel).to_be_visible()
    return panel


def titles(panel: Locator) -> Locator:
    return panel.locator(".title")


def row(panel: Locator, title: str) -> Locator:
    return panel.locator("li", has=panel.page.get_by_text(title, exact=True))


def act(panel: Locator, title: str, deed: str) -> Locator:
    return panel.get_by_role("button", name=f"{deed}: {title}", exact=True)


def rename(panel: Locator, title: str, name: str) -> None:
    act(panel, title, "Rename").click()
    panel.get_by_role("textbox", name="Rename").fill(name)
    panel.page.keyboard.press("Enter")
    expect(panel.get_by_role("textbox")).to_have_count(0)


def says(page: Page, question: str, answer: str) -> None:
    """The conversation is shown, and no other."""
    expect(page.locator("#conversation .user .asked")).to_have_count(1)
    expect(page.locator("#conversation .user")).to_contain_text(question)
    expect(page.locator("#conversation .bot")).to_contain_text(answer)


def another_tab(page: Page, url: str) -> Page:
    """Of the same person."""
    other = page.context.new_page()
    other.goto(url)
    other.wait_for_selector("#send")
    return other
