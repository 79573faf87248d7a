"""What an event of the page brings: what the browser shows, and what a widget says. All of it is data to be checked."""

import re
from typing import Any, NamedTuple

import gradio as gr

from internvl_demo.conversation.tiling import max_tiles_of
from internvl_demo.web.handlers import Message, Person
from internvl_demo.web.strings import Words, words_for

_OWNER = re.compile(r"[0-9a-f]{32}")
"""The secret by which a browser is known again: 128 random bits that it made itself."""


class Seen(NamedTuple):
    """What the browser shows, in the order of `Wiring.inputs`. room: for the answer, in tokens, "" for all of it. A
    part that the browser has not drawn yet, while the page loads, is None."""

    tray: Any
    message: Message | None
    mode: str
    most: int
    room: str | None
    owner: str
    shown: str
    language: str

    @property
    def text(self) -> str:
        """What is typed."""
        return str((self.message or {}).get("text") or "")

    @property
    def files(self) -> list[str]:
        """What is chosen and not in the tray yet."""
        return list((self.message or {}).get("files") or [])

    def answer_tokens(self, longest: int) -> int:
        """Room for the answer; of a model or a demo whose longest is that."""
        room = self.room or ""
        return min(int(room), longest) if room.isdecimal() and int(room) else longest

    @property
    def words(self) -> Words:
        """In the person's language."""
        return words_for(self.language)

    @property
    def most_tiles(self) -> int:
        """The resolution mode of the page."""
        return max_tiles_of(int(self.most) if self.mode == "custom" else self.mode)

    def person(self, request: gr.Request) -> Person:
        """Who asks. For a fair share a tab, or a program's client, is somebody: behind a proxy all have one
        address, so addresses tell nothing."""
        tab = request.session_hash or ""
        return Person(self.owner if _OWNER.fullmatch(self.owner or "") else tab, tab)


def told(event: gr.EventData, *names: str) -> list[str]:
    """What a widget says with an event: text, whatever it was."""
    data = event._data if isinstance(event._data, dict) else {}
    return [str(data.get(name) or "") for name in names]
