"""What happens on the page: plain functions from its values to its values.

    message, mode -> attachments -> conversation -> answer snapshots -> View

Before a question is sent, whatever is wrong with it changes nothing: the person keeps text, files and
conversation. An error before the first token gives the question back; after it, what has come stays, marked.
Every yield of `ask` and `retry` is complete, so that Stop (which ends the generator) can come at any time.
There is a yield every `TICK_S` even while nothing happens: that is when Gradio finds out that a tab was closed.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from internvl_demo.admission import Admission, LineFull
from internvl_demo.answer import Answer, answer, report
from internvl_demo.backends.base import Backend, ModelInfo, Options
from internvl_demo.chat import Attachment, Conversation
from internvl_demo.errors import DemoError
from internvl_demo.observe import Observer
from internvl_demo.photo import open_photo
from internvl_demo.tiling import max_tiles_of
from internvl_demo.ui.session import Session, notice, plan_of, preview
from internvl_demo.ui.strings import Words

Message = dict[str, Any]
"""What the composer holds: {"text": str, "files": [path]}."""

EMPTY: Message = {"text": "", "files": []}

TICK_S = 0.4
"""The longest time between two yields: the model is free well within a second after its reader has gone."""

T = TypeVar("T")


@dataclass(frozen=True)
class View:
    """What the page shows next. `message` None: the composer stays as it is."""

    session: Session
    running: bool = False
    message: Message | None = None
    notice: dict[str, str] | None = None


def attachments(message: Message, mode: str | int) -> tuple[Attachment, ...]:
    """The composer's files as photos, each with the mode chosen. Raises PhotoError, ModeError."""
    most = max_tiles_of(mode)
    return tuple(Attachment(open_photo(path), most) for path in message.get("files") or [])


class Desk:
    """The handlers, with the backend they speak to and the gate before it.

    `person` is whoever asks, as far as the page can tell them apart: each has a fair share of the model.
    """

    def __init__(
        self,
        backend: Backend,
        info: ModelInfo,
        options: Options,
        gate: Admission,
        observer: Observer | None = None,
    ):
        self.info, self.options, self.gate = info, options, gate
        self.observer = observer or Observer()
        self.observer.watch_queue(lambda: gate.running, lambda: gate.waiting)
        self.backend = self.observer.watch(backend, info)

    async def ask(
        self, message: Message, mode: str | int, session: Session, words: Words, person: str = ""
    ) -> AsyncGenerator[View, None]:
        """A question sent."""
        try:
            conversation = self._question(session.conversation, message, mode, words)
        except DemoError as error:
            self.observer.refused(error)
            yield View(session, notice=notice(error))
            return
        asked = session.asking(conversation)
        yield View(asked, running=True, message=EMPTY)
        async with aclosing(self._answering(asked, session, message, words, person)) as views:
            async for view in views:
                yield view

    async def retry(self, session: Session, words: Words, person: str = "") -> AsyncGenerator[View, None]:
        """The last question again."""
        if not session.conversation.turns:
            error = DemoError(words("nothing_to_retry"), words("nothing_to_retry_next"))
            yield View(session, notice=notice(error))
            return
        asked = session.asking(session.conversation.retry())
        yield View(asked, running=True)
        async with aclosing(self._answering(asked, session, None, words, person)) as views:
            async for view in views:
                yield view

    def settle(self, session: Session) -> View:
        """After Stop: what has come stays."""
        return View(session)

    def clear(self) -> View:
        """A new conversation."""
        return View(Session(), message=EMPTY)

    def preview(self, message: Message, mode: str | int, session: Session, words: Words) -> dict[str, Any]:
        """What the composer's images would cost, or what is wrong with one."""
        try:
            plans = [(image.photo.name, plan_of(image)) for image in attachments(message, mode)]
        except DemoError as error:
            return {**preview([], 1, self.info, words), "problem": notice(error)}
        first = len(session.conversation.images) + 1
        return preview(plans, first, self.info, words)

    async def api_ask(self, message: Message, mode: str, person: str = "") -> dict[str, Any]:
        """`/ask`: one question, the whole answer as data."""
        conversation = Conversation().ask(message.get("text") or "", attachments(message, mode))
        last: Answer | None = None
        with self.gate.ticket(person) as ticket:
            while not ticket.admitted:
                await ticket.moved()
            async with aclosing(answer(self.backend, conversation, self.options)) as snapshots:
                async for said in snapshots:
                    last = said
        assert last is not None
        return report(conversation, last)

    def _question(
        self, conversation: Conversation, message: Message, mode: str | int, words: Words
    ) -> Conversation:
        text = (message.get("text") or "").strip()
        if not text:
            raise DemoError(words("ask_something"), words("ask_something_next"))
        # a page's first conversation is a copy of one and the same: it gets its own id with its first turn
        begun = conversation if conversation.turns else Conversation()
        return begun.ask(text, attachments(message, mode))

    async def _answering(
        self, asked: Session, before: Session, message: Message | None, words: Words, person: str
    ) -> AsyncGenerator[View, None]:
        now = asked
        try:
            with self.gate.ticket(person) as ticket:
                if not ticket.admitted:
                    while not ticket.admitted:
                        yield View(now, running=True, notice=_place(ticket.place, words))
                        await ticket.moved(TICK_S)
                    yield View(now, running=True)
                async with aclosing(_ticking(answer(self.backend, now.conversation, self.options))) as said:
                    async for snapshot in said:
                        now = asked.saying(snapshot) if snapshot else now
                        yield View(now, running=not (snapshot and snapshot.usage))
        except LineFull as full:
            self.observer.refused(full)
            busy = words("line_full", running=full.running, waiting=full.waiting)
            error = DemoError(busy, words("line_full_next"))
            yield View(before, message=message, notice=notice(error))
            return
        except DemoError as error:
            if now is asked:
                yield View(before, message=message, notice=notice(error))
            else:
                yield View(now.breaking_off(), notice=notice(error, before=words("broke_off") + " "))
            return
        yield View(now)


def _place(place: int, words: Words) -> dict[str, str]:
    return {"what": words("in_line", place=place), "next_step": words("in_line_next")}


async def _ticking(items: AsyncGenerator[T, None]) -> AsyncGenerator[T | None, None]:
    """The items, and None whenever there has been none for `TICK_S`."""
    async with aclosing(items):
        coming = asyncio.ensure_future(anext(items, None))
        try:
            while True:
                done, _ = await asyncio.wait([coming], timeout=TICK_S)
                item = coming.result() if done else None
                if done and item is None:
                    return
                yield item
                if done:
                    coming = asyncio.ensure_future(anext(items, None))
        finally:
            coming.cancel()
            await asyncio.wait([coming])
