"""What happens on the page: plain functions from its values to its values.

    text, images -> question in the store -> job -> its progress -> View

The browser holds no more than who it is and which conversation it shows; all else is in the store, so that a
reload, a lost connection or a restart of the app costs nothing. Before a question is sent, whatever is wrong
with it changes nothing: the person keeps text, files and conversation. An error before the first token gives the
question back; after it, what has come stays, marked. There is a view every `TICK_S` even while nothing happens:
that is when Gradio finds out that a tab was closed.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, ParamSpec, TypeVar

from internvl_demo.answering.jobs import Jobs, Progress
from internvl_demo.answering.metrics import Observer
from internvl_demo.answering.queue import Admission
from internvl_demo.answering.stream import Answer, answer, report
from internvl_demo.conversation.budget import estimate
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.tiling import max_tiles_of
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import DemoError
from internvl_demo.models.base import Backend, ModelInfo
from internvl_demo.photos.decode import Photo, open_photo
from internvl_demo.store import Store
from internvl_demo.store.faults import GoneError
from internvl_demo.store.records import Entry
from internvl_demo.web.inspection.prompt import How, InProcess, inspect
from internvl_demo.web.inspector_view import inspector, turns_until
from internvl_demo.web.session import Session, notice
from internvl_demo.web.streams import ticking
from internvl_demo.web.strings import Words

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
    """What the page shows next. `text` None: the composer stays as it is; else that and `images` come back into it."""

    session: Session = field(default_factory=Session)
    running: bool = False
    sent: bool = False
    """A question is on its way: the composer lets go of it."""
    text: str | None = None
    images: tuple[Attachment, ...] = ()
    notice: dict[str, str] | None = None
    """Of an error in English: whoever shows it speaks the person's language (`session.spoken`)."""
    noticed: bool = False
    """What was noticed before stays."""
    entries: list[Entry] | None = None
    """The person's conversations; None: as before."""


def attachments(message: Message, mode: str | int) -> tuple[Attachment, ...]:
    """The composer's files as photos, each with the mode chosen. Raises PhotoError, ModeError."""
    most = max_tiles_of(mode)
    return tuple(Attachment(open_photo(path), most) for path in message.get("files") or [])


class Desk:
    """The handlers, with the backend they speak to, the gate before it, and the store behind them.

    how: as what the inspector shows a call to the model.
    """

    def __init__(
        self,
        backend: Backend,
        info: ModelInfo,
        options: Options,
        gate: Admission,
        store: Store,
        observer: Observer | None = None,
        how: How | None = None,
    ):
        self.info, self.options, self.gate, self.store = info, options, gate, store
        self.observer = observer or Observer()
        self.observer.watch_queue(lambda: gate.running, lambda: gate.waiting)
        self.backend = self.observer.watch(backend, info)
        self.count_text: Callable[[str], int] | None = getattr(backend, "count_text", None)
        self.how = how or InProcess()
        self.jobs = Jobs(self.backend, store, info.name, options, gate)

    # The conversation

    async def open(
        self,
        person: Person,
        conversation_id: str,
        words: Words,
        problem: dict[str, str] | None = None,
    ) -> AsyncGenerator[View, None]:
        """A conversation as it stands, and its answer while that is coming; "" for none.

        problem: to notice, why nothing more happens.
        """
        entries = None
        try:
            entries = await self.entries(person)
            if not conversation_id:
                yield View(entries=entries, notice=problem)
                return
            session = await self._session(person, conversation_id)
        except DemoError as error:
            yield View(notice=problem or notice(error), entries=entries)
            return
        assert session.record
        if running := session.record.running:
            first = View(notice=problem, entries=entries)
            async with aclosing(self._following(person, conversation_id, running.id, words, first)) as views:
                async for view in views:
                    yield view
        else:
            last = session.record.questions[-1] if session.record.questions else None
            failed = last.versions[-1].failure if last and last.versions and last.answer is None else None
            problem = problem or (notice(DemoError(*failed)) if failed else None)
            yield View(session, entries=entries, notice=problem)

    async def ask(
        self,
        text: str,
        images: tuple[Attachment, ...],
        person: Person,
        conversation_id: str,
        words: Words,
        options: Options | None = None,
    ) -> AsyncGenerator[View, None]:
        """A question sent. options: of its answer, instead of the page's."""
        try:
            asked = (person.owner, conversation_id or None, _text(text), images)
            conversation_id = await aside(self.store.ask, *asked)
        except DemoError as error:
            async with aclosing(self._refused(person, conversation_id, words, error)) as views:
                async for view in views:
                    yield view
            return
        async with aclosing(self._answering(person, conversation_id, words, options, sent=True)) as views:
            async for view in views:
                yield view

    async def edit(
        self, person: Person, conversation_id: str, question_id: str, text: str, words: Words
    ) -> AsyncGenerator[View, None]:
        """An earlier question in other words, its images kept, its answer as long; what followed it is gone."""
        try:
            options = await self._options(person, conversation_id, question_id)
            await aside(self.store.edit, person.owner, conversation_id, question_id, _text(text))
        except DemoError as error:
            async with aclosing(self._refused(person, conversation_id, words, error)) as views:
                async for view in views:
                    yield view
            return
        async with aclosing(self._answering(person, conversation_id, words, options)) as views:
            async for view in views:
                yield view

    async def retry(self, person: Person, conversation_id: str, words: Words) -> AsyncGenerator[View, None]:
        """The last question again, its answer as long; its earlier answers stay as versions."""
        if not conversation_id:
            error = DemoError("There is nothing to ask again yet.", "Ask a question first.")
            yield View(notice=notice(error))
            return
        options = await self._options(person, conversation_id)
        async with aclosing(self._answering(person, conversation_id, words, options)) as views:
            async for view in views:
                yield view

    async def look(self, person: Person, conversation_id: str) -> View:
        """A conversation as it stands, also while its answer comes; an empty one when there is none."""
        try:
            session = await self.as_kept(person, conversation_id)
        except DemoError as error:
            return View(notice=notice(error))
        running = bool(session.record and session.record.running)
        return View(session, running=running)

    async def stop(self, person: Person, conversation_id: str) -> View:
        """The answer ends; what has come stays."""
        try:
            session = await self._session(person, conversation_id)
            if session.record and (running := session.record.running):
                await self.jobs.stop(person.owner, running.id)
            return View(await self._session(person, conversation_id))
        except DemoError as error:
            return View(notice=notice(error))

    async def undo(self, person: Person, conversation_id: str) -> View:
        """Without the last question, which is back in the composer. Of the only one nothing else is left."""
        try:
            session = await self._session(person, conversation_id)
            return await self._without_last(person, session)
        except DemoError as error:
            return replace(await self.look(person, conversation_id), notice=notice(error))

    async def choose(self, person: Person, conversation_id: str, version_id: str) -> View:
        """Another version of the last answer."""
        problem = await _problem(self.store.choose, person.owner, conversation_id, version_id)
        view = await self.look(person, conversation_id)
        return replace(view, notice=problem) if problem else view

    async def rename(self, person: Person, conversation_id: str, title: str) -> dict[str, str] | None:
        """Another name for a conversation; what went wrong."""
        return await _problem(self.store.rename, person.owner, conversation_id, title)

    async def delete(self, person: Person, conversation_id: str) -> dict[str, str] | None:
        """Without that conversation; what went wrong."""
        try:
            await self.jobs.delete(person.owner, conversation_id)
        except DemoError as error:
            return notice(error)
        return None

    # What is not kept

    def prompt(
        self, session: Session, turn: object, url_of: Callable[[Photo], str], words: Words
    ) -> dict[str, Any] | None:
        """The prompt and the call of the answer to that turn, for the inspector; None where there is none."""
        until = turns_until(session.conversation, turn)
        if until is None or session.record is None:
            return None
        count, options = self.count_text, session.record.questions[len(until.turns) - 1].options
        seen = inspect(
            until, options or self.options, self.info, self.how, count or estimate, exact=count is not None
        )
        return inspector(seen, len(until.turns), url_of, words)

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

    async def _answering(
        self,
        person: Person,
        conversation_id: str,
        words: Words,
        options: Options | None = None,
        *,
        sent: bool = False,
    ) -> AsyncGenerator[View, None]:
        """The last question's answer, from its beginning. sent: the question comes from the composer."""
        try:
            job = await self.jobs.start(person.owner, conversation_id, person.tab or None, options)
            session, entries = await self._session(person, conversation_id), await self.entries(person)
        except DemoError as error:
            async with aclosing(self._refused(person, conversation_id, words, error)) as views:
                async for view in views:
                    yield view
            return
        yield View(session, running=True, sent=sent, text="" if sent else None, entries=entries)
        async with aclosing(self._following(person, conversation_id, job, words)) as views:
            async for view in views:
                yield view

    async def _options(self, person: Person, conversation_id: str, question_id: str = "") -> Options | None:
        """For another answer to that question, or to the last: it may not fit with more room than it had."""
        with suppress(DemoError):  # whatever it is, asking tells it
            record = await aside(self.store.record, person.owner, conversation_id)
            named = [each for each in record.questions if each.id == question_id] or record.questions[-1:]
            if named and (had := named[0].options):
                most = min(had.max_new_tokens, self.options.max_new_tokens)
                return replace(self.options, max_new_tokens=most)
        return None

    def _refused(
        self, person: Person, conversation_id: str, words: Words, error: DemoError
    ) -> AsyncGenerator[View, None]:
        """Why nothing is asked. An answer that comes, perhaps in another tab, goes on coming here."""
        self.observer.refused(error)
        return self.open(person, conversation_id, words, notice(error))

    async def _following(
        self, person: Person, conversation_id: str, job: str, words: Words, first: View | None = None
    ) -> AsyncGenerator[View, None]:
        """An answer while it comes, and its end. first: what the first view says besides."""
        progress, place = Progress(), 0
        try:
            session = await self._session(person, conversation_id)
            async with aclosing(ticking(self.jobs.watch(person.owner, job), TICK_S)) as seen:
                async for news in seen:
                    progress = news or progress
                    if not progress.ended:
                        line = _place(progress.place, words) if progress.place else None
                        same = progress.place == place
                        view = View(session.following(progress.said), True, notice=line, noticed=same)
                        if first:
                            said = first.notice or line
                            view = replace(view, notice=said, noticed=False, entries=first.entries)
                        yield view
                        first, place = None, progress.place
            yield await self._ended(person, conversation_id, progress)
        except DemoError as error:
            yield View(await self.as_kept(person, conversation_id), notice=notice(error))

    async def _ended(self, person: Person, conversation_id: str, progress: Progress) -> View:
        """How the page looks after an answer: an error that came before any of it gives the question back."""
        session = await self._session(person, conversation_id)
        error = progress.error
        if error is None:
            return View(session, entries=await self.entries(person))
        if progress.said:
            broke = DemoError("The answer broke off. {problem}", error.next_step, problem=error.what)
            return View(session, notice=notice(broke))
        assert session.record
        question = session.record.questions[-1]
        if question.answer is not None:  # an earlier version, which stays
            return View(session, notice=notice(error))
        back = await self._without_last(person, session)
        return replace(back, notice=notice(error))

    async def _without_last(self, person: Person, session: Session) -> View:
        """The last question, with its images, back in the composer. Raises GoneError, BusyError, StoreError."""
        assert session.record
        take_back = self.store.delete if len(session.record.questions) < 2 else self.store.undo
        await aside(take_back, person.owner, session.record.id)
        turn = session.conversation.turns[-1]
        return View(
            await self.as_kept(person, session.record.id),
            text=turn.text,
            images=turn.images,
            entries=await self.entries(person),
        )

    async def _session(self, person: Person, conversation_id: str) -> Session:
        """Raises GoneError, PhotoError, StoreError."""
        record = await aside(self.store.record, person.owner, conversation_id)
        return Session.of(record, await aside(self.store.conversation, record))

    async def as_kept(self, person: Person, conversation_id: str) -> Session:
        """The same; an empty one when there is none (any more)."""
        with suppress(GoneError):
            if conversation_id:
                return await self._session(person, conversation_id)
        return Session()

    async def entries(self, person: Person) -> list[Entry]:
        """The person's conversations. Raises StoreError."""
        return await aside(self.store.entries, person.owner)


async def _problem(change: Callable[..., None], *values: str) -> dict[str, str] | None:
    """Changes what is kept; what went wrong."""
    try:
        await aside(change, *values)
    except DemoError as error:
        return notice(error)
    return None


def _text(text: str | None) -> str:
    text = (text or "").strip()
    if not text:
        raise DemoError("There is no question yet.", "Write what you want to know, then send.")
    return text


def _place(place: int, words: Words) -> dict[str, str]:
    return {"what": words("in_line", place=place), "next_step": words("in_line_next")}


async def aside(do: Callable[P, T], *values: P.args, **named: P.kwargs) -> T:
    """What reads disks or pictures, beside the event loop."""
    return await asyncio.to_thread(do, *values, **named)
