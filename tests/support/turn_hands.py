"""What a person does with the turns of a conversation in the browser."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.page_hands import send
from tests.support.scripted_model import ScriptedModel


def question(page: Page, turn: int) -> Locator:
    return page.locator(f"#conversation [data-testid=user]:has(.asked.turn-{turn})")


def answer(page: Page, turn: int) -> Locator:
    return page.locator(f"#conversation [data-testid=bot]:has(.receipt.turn-{turn})")


def act(message: Locator, name: str) -> Locator:
    return message.locator(f"[data-act={name}]")


def asked(page: Page, scripted: ScriptedModel, text: str, said: str, *files: dict[str, object]) -> None:
    """A question and its answer, which is shown as its first word says."""
    turn = page.locator("#conversation .asked").count() + 1
    scripted.script = [said]
    send(page, text, *files)
    expect(answer(page, turn)).to_contain_text(said.split()[0])
    ended(page)


def ended(page: Page) -> None:
    """No answer is coming, and the last question can be taken back."""
    expect(page.locator("#stop")).to_be_disabled()
    expect(page.locator("#stop")).to_be_disabled()
    expect(page.locator("#conversation [data-act=undo]")).to_have_count(1)


def tab_to(page: Page, key: str, wanted: Locator) -> None:
    """By that key alone."""
    for _ in range(80):
        page.keyboard.press(key)
        if wanted.evaluate("node => node === document.activeElement"):
            return
    pytest.fail(f"{wanted} cannot be reached by {key}")
