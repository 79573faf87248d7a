"""What outlives a reload, a lost connection and a restart of the app: in real Chromium."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, expect

from tests.support.cuttable import wire_to
from tests.support.page_hands import CAT, attach, chip_detail, drawn, picture, send, wait_answer, write
from tests.support.scripted_model import ScriptedModel
from tests.support.waiting import until

Open = Callable[..., Page]


def test_a_reload_loses_nothing(page: Page, scripted: ScriptedModel) -> None:
    go_on: list[bool] = []
    scripted.script = [f"In Image-2 {CAT} sits, ", lambda: bool(go_on), "and that is all."]
    send(page, "Where is the cat?", picture("a.png"), picture("b.png", (400, 200), "navy"))
    expect(page.locator("#conversation .bot")).to_contain_text("the cat sits,")
    page.reload()
    expect(page.locator("#conversation .bot")).to_contain_text("the cat sits,")
    expect(page.locator("#conversation .user").last).to_contain_text("Where is the cat?")
    expect(page.locator("#viewer .thumb")).to_have_count(2)
    expect(page.locator("#stop")).to_be_enabled()
    assert drawn(page) == [("the cat", "2", "100,200,300,400")]
    go_on.append(True)
    wait_answer(page, "the cat sits, and that is all.")
    assert len(scripted.asked) == 1 and scripted.stopped == 0, "the model was asked once and never stopped"
    scripted.script = ["Yes."]
    send(page, "Still there?")
    wait_answer(page, "Yes.")
    assert len(scripted.asked[-1].turns) == 2 and len(scripted.asked[-1].images) == 2


def test_after_a_reload_stop_still_stops(page: Page, scripted: ScriptedModel) -> None:
    scripted.script = ["One, two, ", lambda: False]
    send(page, "Count.")
    expect(page.locator("#conversation .bot")).to_contain_text("One, two,")
    page.reload()
    page.click("#stop:enabled")
    expect(page.locator("#stop")).to_be_disabled()
    expect(page.locator("#conversation .bot")).to_contain_text("One, two,")
    assert scripted.stopped == 1


FORGET = """async () => {
    const at = (path) => import(new URL(`page/widgets/lib/${path}`, document.baseURI).href)
    const { page } = await at('state.js')
    await (await at('api.js')).call('DELETE', `api/photos/${page.draft.chips[0].photo.id}`)
}"""
"""The server gives up the first picture that waits, as it does after a day."""


def test_a_reload_keeps_the_draft(page: Page, scripted: ScriptedModel) -> None:
    attach(page, picture("gone.png"), picture("here.png", (800, 600), "navy"))
    chip_detail(page, 1, "40")
    write(page, "What is this?")
    page.reload()
    expect(page.locator("#tray .line .name")).to_have_text(["gone.png", "here.png"])
    expect(page.locator("#composer textarea")).to_have_value("What is this?")
    page.evaluate(FORGET)
    page.reload()
    expect(page.locator("#notice [role=alert]")).to_have_text(
        "gone.png is no longer stored here. Add it again."
    )
    expect(page.locator("#tray .line .name")).to_have_text(["here.png"])
    page.click("#send")
    expect(page.locator("#notice")).to_contain_text("gone.png is no longer stored here.")
    assert not scripted.asked
    page.click("#send")  # the person has been told
    wait_answer(page, "Hello.")
    assert [(one.photo.name, one.max_tiles) for one in scripted.asked[-1].images] == [("here.png", 40)]


def test_a_lost_connection_catches_up(open_page: Open, scripted_url: str, scripted: ScriptedModel) -> None:
    go_on: list[bool] = []
    scripted.begin_anew()
    scripted.script = ["Half ", lambda: bool(go_on), "and half."]
    with wire_to(scripted_url) as wire:
        page = open_page(wire.url)
        send(page, "Well?")
        expect(page.locator("#conversation .bot")).to_contain_text("Half")
        wire.cut()
        go_on.append(True)
        wire.mend()
        wait_answer(page, "Half and half.")
        assert len(scripted.asked) == 1
        scripted.script = ["Yes."]
        send(page, "Still there?")
        wait_answer(page, "Yes.")
        page.context.close()


def test_another_tab_begins_anew(page: Page, scripted_url: str) -> None:
    send(page, "I am the first tab.")
    wait_answer(page, "Hello.")
    other = page.context.new_page()
    other.goto(scripted_url)
    other.wait_for_selector("#send")
    expect(other.locator("#conversation .user")).to_have_count(0)


class App:
    """The page in a process of its own, which can be killed, and started again at the same address."""

    def __init__(self, folder: Path):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self, *script: str) -> None:
        """Answers with these words; with a last "..." it never ends."""
        command = [
            sys.executable,
            "-m",
            "tests.support.scripted_app",
            str(self.folder),
            str(self.port),
            *script,
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until(self._answers, "the page answers")

    def _answers(self) -> bool:
        assert self.process.poll() is None
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/healthz").status_code == 200
        return False

    def has_kept(self, words: bytes) -> bool:
        return any(words in file.read_bytes() for file in self.folder.glob("conversations.db*"))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    app = App(tmp_path)
    yield app
    app.kill()


def opened_again(page: Page, url: str) -> None:
    """By the person, unless Gradio does so by itself first: it may when it finds another app at its address."""
    with suppress(PlaywrightError):
        page.goto(url)
    page.wait_for_selector("#send")


def test_a_restart_keeps_everything(open_page: Open, app: App) -> None:
    app.start("All of it.")
    page = open_page(app.url)
    send(page, "What is this?", picture())
    wait_answer(page, "All of it.")
    app.kill()

    app.start("Only the beginning ", "...")
    opened_again(page, app.url)
    expect(page.locator("#conversation .bot")).to_contain_text("All of it.")
    send(page, "And then?")
    expect(page.locator("#conversation .bot").last).to_contain_text("Only the beginning")
    until(lambda: app.has_kept(b"Only the beginning"), "the beginning is on the disk")
    write(page, "Not sent yet.")
    attach(page, picture("waits.png"))
    app.kill()

    app.start("It goes on.")
    opened_again(page, app.url)
    expect(page.locator("#conversation .bot")).to_have_count(2)
    expect(page.locator("#conversation .bot").first).to_contain_text("All of it.")
    expect(page.locator("#conversation .receipt").last).to_contain_text("broken off before its end")
    expect(page.locator("#viewer img")).to_have_count(2)  # one of them waits
    expect(page.locator("#composer textarea")).to_have_value("Not sent yet.")
    expect(page.locator("#tray .line")).to_contain_text("waits.png")
    page.click("#retry")
    wait_answer(page, "It goes on.")


def test_an_open_page_finds_the_restarted_app(open_page: Open, app: App) -> None:
    app.start("Only the beginning ", "...")
    page = open_page(app.url)
    send(page, "What is this?", picture())
    expect(page.locator("#conversation .bot").last).to_contain_text("Only the beginning")
    until(lambda: app.has_kept(b"Only the beginning"), "the beginning is on the disk")
    app.kill()
    app.start("It goes on.")
    expect(page.locator("#conversation .receipt")).to_contain_text("broken off before its end")
    expect(page.locator("#conversation .bot")).to_contain_text("Only the beginning")
    page.click("#retry:enabled")
    wait_answer(page, "It goes on.")
