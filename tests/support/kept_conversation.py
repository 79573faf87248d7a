"""A conversation that is there before a page is opened: asked over the HTTP interface, in one person's name."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from playwright.sync_api import Page

from tests.support.scripted_model import ScriptedModel
from tests.support.waiting import until


@dataclass(frozen=True)
class Asked:
    """A question, its pictures as (name, file), and what the model answers."""

    text: str
    files: Sequence[tuple[str, bytes]]
    raw: str


class KeptConversation:
    """A conversation of a new person on the page at `url`, answered by the scripted model."""

    def __init__(self, url: str, scripted: ScriptedModel, *turns: Asked):
        self._secret = secrets.token_hex(16)
        self._url = url
        self.id = "new"
        self.photos: list[dict[str, Any]] = []
        for turn in turns:
            self._ask(scripted, turn)

    def read(self, path: str = "") -> httpx.Response:
        """Return what the server tells of the conversation, or of something in it."""
        return self._send("GET", f"api/conversations/{self.id}{path}")

    def open_in(self, open_page: Callable[..., Page], **view: Any) -> Page:
        """Open the page in this person's browser, with this conversation."""
        shown = {"internvl-conversation": self.id}
        page = open_page(self._url, local={"internvl-owner": self._secret}, session=shown, **view)
        page.wait_for_selector("#conversation .bot")
        return page

    def _ask(self, scripted: ScriptedModel, turn: Asked) -> None:
        scripted.script = [turn.raw]
        added = [
            self._send("POST", "api/photos", files={"file": (name, data, "image/png")}).json()
            for name, data in turn.files
        ]
        self.photos += added
        question = {"text": turn.text, "images": [{"photo": photo["id"]} for photo in added]}
        started = self._send("POST", f"api/conversations/{self.id}/questions", json=question)
        self.id = started.json()["conversation"]
        until(lambda: self.read().json()["running"] is None, "the answer ends")

    def _send(self, method: str, path: str, **body: Any) -> httpx.Response:
        secret = {"Authorization": f"Bearer {self._secret}"}
        return httpx.request(method, self._url + path, headers=secret, timeout=30, **body)
