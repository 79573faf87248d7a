"""What happens on the page: plain functions from its values to its values.

    message, mode -> question in the store -> job -> its progress -> View

The browser holds no more than who it is and which conversation it shows; all else is in the store, so that a
reload, a lost connection or a restart of the app costs nothing. Before a question is sent, whatever is wrong
with it changes nothing: the person keeps text, files and conversation. An error before the first token gives the
question back; after it, what has come stays, marked. There is a view every `TICK_S` even while nothing happens:
that is when Gradio finds out that a tab was closed.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, ParamSpec, TypeVar

from internvl_demo.admission import Admission, LineFull
from internvl_demo.answer import Answer, answer, report
from internvl_demo.backends.base import Backend, ModelInfo, Options
from internvl_demo.chat import Attachment, Conversation
from internvl_demo.errors import DemoError
from internvl_demo.jobs import Jobs, Progress
from internvl_demo.observe import Observer
from internvl_demo.photo import open_photo
from internvl_demo.store import Store
from internvl_demo.store.faults import GoneError
from internvl_demo.store.records import Entry
from internvl_demo.tiling import max_tiles_of
from internvl_demo.ui.session import Session, notice, plan_of, preview
from internvl_demo.ui.strings import Words

Message = dict[str, Any]
"""What the composer holds: {"text": str, "files": [path]}."""

EMPTY: Message = {"text": "", "files": []}

TICK_S = 0.4
"""The longest time between two views: it is soon noticed when nobody looks any more."""

T = TypeVar("T")
P = ParamSpec("P")


class Person(NamedTuple):
    """Who asks: the owner of conversations, known by a secret of the browser's; and the tab, for a fair share."""

    owner: str
    tab: str = ""


@dataclass(frozen=True)
class View:
    """What the page shows next. `message` None: the composer stays as it is."""

    session: Session = field(default_factory=Session)
    running: bool = False
    message: Message | None = None
    images: tuple[Attachment, ...] = ()
    notice: dict[str, str] | None = None
    entries: list[Entry] | None = None
    """The person's conversations; None: as before."""


def attachments(message: Message, mode: str | int) -> tuple[Attachment, ...]:
    """The composer's files as photos, each with the mode chosen. Raises PhotoError, ModeError."""
    most = max_tiles_of(mode)
    return tuple(Attachment(open_photo(path), most) for path in message.get("files") or [])


class Desk:
    """The handlers, with the backend they speak to, the gate before it, and the store behind them."""

    def __init__(
        self,
        backend: Backend,
        info: ModelInfo,
        options: Options,
        gate: Admission,
        store: Store,
        observer: Observer | None = None,
    ):
        self.info, self.options, self.gate, self.store = info, options, gate, store
        self.observer = observer or Observer()
        self.observer.watch_queue(lambda: gate.running, lambda: gate.waiting)
        self.backend = self.observer.watch(backend, info)
        self.jobs = Jobs(self.backend, store, info.name, options, gate)

    # The conversation

    async def open(self, person: Person, conversation_id: str, words: Words) -> AsyncGenerator[View, None]:
        """A conversation as it stands, and its answer while that is coming; "" for none."""
        try:
            entries = await _aside(self.store.entries, person.owner)
            if not conversation_id:
                yield View(entries=entries)
                return
            session = await self._session(person, conversation_id)
        except DemoError as error:
            yield View(notice=notice(error))
            return
        assert session.record
        if running := session.record.running:
            yield View(session, running=True, entries=entries)
            async with aclosing(self._following(person, conversation_id, running.id, words)) as views:
                async for view in views:
                    yield view
        else:
            last = session.record.questions[-1] if session.record.questions else None
            failed = last.versions[-1].failure if last and last.versions and last.answer is None else None
            yield View(session, entries=entries, notice=notice(DemoError(*failed)) if failed else None)

    async def ask(
        self,
        message: Message,
        mode: str | int,
        person: Person,
        conversation_id: str,
        words: Words,
        question_id: str = "",
    ) -> AsyncGenerator[View, None]:
        """A question sent; in place of an earlier one and all that followed it, if that is named."""
        try:
            text = _text(message, words)
            images = await _aside(attachments, message, mode)
            if question_id:
                await _aside(self.store.edit, person.owner, conversation_id, question_id, text)
            else:
                asked = (person.owner, conversation_id or None, text, images)
                conversation_id = await _aside(self.store.ask, *asked)
            session = await self._session(person, conversation_id)
            yield View(session, running=True, message=EMPTY, entries=await self._entries(person))
            job = await self.jobs.start(person.owner, conversation_id, person.tab or None)
        except DemoError as error:
            self.observer.refused(error)
            yield View(await self._as_kept(person, conversation_id), notice=notice(error))
            return
        async with aclosing(self._following(person, conversation_id, job, words)) as views:
            async for view in views:
                yield view

    async def retry(self, person: Person, conversation_id: str, words: Words) -> AsyncGenerator[View, None]:
        """The last question again; its earlier answers stay as versions."""
        try:
            if not conversation_id:
                raise DemoError(words("nothing_to_retry"), words("nothing_to_retry_next"))
            job = await self.jobs.start(person.owner, conversation_id, person.tab or None)
        except DemoError as error:
            yield View(await self._as_kept(person, conversation_id), notice=notice(error))
            return
        async with aclosing(self._following(person, conversation_id, job, words)) as views:
            async for view in views:
                yield view

    async def stop(self, person: Person, conversation_id: str) -> View:
        """The answer ends; what has come stays."""
        try:
            session = await self._session(person, conversation_id)
            if session.record and (running := session.record.running):
                await self.jobs.stop(person.owner, running.id)
            return View(await self._session(person, conversation_id))
        except DemoError as error:
            return View(notice=notice(error))

    async def change(
        self, person: Person, conversation_id: str, change: Callable[..., None], *values: str
    ) -> View:
        """A change of a kept conversation, such as `store.undo`, and how it looks then."""
        try:
            await _aside(change, person.owner, conversation_id, *values)
        except DemoError as error:
            return View(await self._as_kept(person, conversation_id), notice=notice(error))
        return View(await self._as_kept(person, conversation_id), entries=await self._entries(person))

    async def delete(self, person: Person, conversation_id: str, shown: str) -> View:
        """Without that conversation; `shown` is the one that the page shows."""
        problem = None
        try:
            await self.jobs.delete(person.owner, conversation_id)
        except DemoError as error:
            problem = notice(error)
        session = await self._as_kept(person, "" if shown == conversation_id else shown)
        return View(session, notice=problem, entries=await self._entries(person))

    # What is not kept

    async def preview(
        self, message: Message, mode: str | int, person: Person, conversation_id: str, words: Words
    ) -> dict[str, Any]:
        """What the composer's images would cost, or what is wrong with one."""
        try:
            images = await _aside(attachments, message, mode)
        except DemoError as error:
            return {**preview([], 1, self.info, words), "problem": notice(error)}
        before = len((await self._as_kept(person, conversation_id)).conversation.images)
        plans = [(image.photo.name, plan_of(image)) for image in images]
        return preview(plans, before + 1, self.info, words)

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

    # Parts

    async def _following(
        self, person: Person, conversation_id: str, job: str, words: Words
    ) -> AsyncGenerator[View, None]:
        """An answer while it comes, and its end."""
        progress = Progress()
        try:
            session = await self._session(person, conversation_id)
            async with aclosing(_ticking(self.jobs.watch(person.owner, job))) as seen:
                async for news in seen:
                    progress = news or progress
                    if not progress.ended:
                        line = _place(progress.place, words) if progress.place else None
                        yield View(session.following(progress.said), running=True, notice=line)
            yield await self._ended(person, conversation_id, progress, words)
        except DemoError as error:
            yield View(await self._as_kept(person, conversation_id), notice=notice(error))

    async def _ended(self, person: Person, conversation_id: str, progress: Progress, words: Words) -> View:
        """How the page looks after an answer: an error that came before any of it gives the question back."""
        session = await self._session(person, conversation_id)
        error = _told(progress.error, words)
        if error is None:
            return View(session, entries=await self._entries(person))
        if progress.said:
            return View(session, notice=notice(error, before=words("broke_off") + " "))
        assert session.record
        question = session.record.questions[-1]
        if question.answer is not None:  # an earlier version, which stays
            return View(session, notice=notice(error))
        if len(session.record.questions) == 1:
            await _aside(self.store.delete, person.owner, conversation_id)
        else:
            await _aside(self.store.undo, person.owner, conversation_id)
        before = await self._as_kept(person, conversation_id)
        turn = session.conversation.turns[-1]
        message = {**EMPTY, "text": turn.text}
        entries = await self._entries(person)
        return View(before, message=message, images=turn.images, notice=notice(error), entries=entries)

    async def _session(self, person: Person, conversation_id: str) -> Session:
        """Raises GoneError, PhotoError, StoreError."""
        record = await _aside(self.store.record, person.owner, conversation_id)
        return Session.of(record, await _aside(self.store.conversation, record))

    async def _as_kept(self, person: Person, conversation_id: str) -> Session:
        """The same; an empty one when there is none (any more)."""
        with suppress(GoneError):
            if conversation_id:
                return await self._session(person, conversation_id)
        return Session()

    async def _entries(self, person: Person) -> list[Entry]:
        return await _aside(self.store.entries, person.owner)


def _text(message: Message, words: Words) -> str:
    text = (message.get("text") or "").strip()
    if not text:
        raise DemoError(words("ask_something"), words("ask_something_next"))
    return text


def _told(error: DemoError | None, words: Words) -> DemoError | None:
    if isinstance(error, LineFull):
        busy = words("line_full", running=error.running, waiting=error.waiting)
        return DemoError(busy, words("line_full_next"))
    return error


def _place(place: int, words: Words) -> dict[str, str]:
    return {"what": words("in_line", place=place), "next_step": words("in_line_next")}


async def _aside(do: Callable[P, T], *values: P.args, **named: P.kwargs) -> T:
    """What reads disks or pictures, beside the event loop."""
    return await asyncio.to_thread(do, *values, **named)


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
