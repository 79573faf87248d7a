"""The commands of the page and of programs: each changes the store, starts or stops a job, and returns.

    started = await service.ask(owner, None, "Where is the cat?", [(photo_id, 12)], options)
    async for chunk in await service.follow(owner, started.conversation, after=None, ...)     # see `follow`

An owner is a secret that only one person's browser knows. What belongs to somebody else is answered like what does
not exist (GoneError). Whatever is wrong with a question is said before anything is changed. What reads disks or
pictures runs beside the event loop.
"""

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from internvl_demo.answering.jobs import Jobs, Times
from internvl_demo.answering.metrics import Observer
from internvl_demo.answering.stream import AnswerBuilder, report
from internvl_demo.conversation.budget import Budget
from internvl_demo.conversation.options import Options, checked_thinking, options_again, options_over
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import DemoError
from internvl_demo.photos.limits import check_message
from internvl_demo.store import Store
from internvl_demo.store.faults import GoneError
from internvl_demo.store.records import Entry, Record
from internvl_demo.web.blocking import run_blocking
from internvl_demo.web.models import PageModel, PageModels
from internvl_demo.web.pictures import Pictures
from internvl_demo.web.questions import MAX_QUESTION_CHARS, checked_question, too_long
from internvl_demo.web.view import Json, View
from internvl_demo.web.widgets.inspector.prompt import Inspection, inspect

FEW_ANSWERS = 4
"""Up to so many answers at once each token is passed on as it comes."""

KNOWN_CONVERSATIONS = 64
"""Conversations whose texts are held ready for counting while people type."""


class Started(NamedTuple):
    """The ids of a question that is being answered."""

    conversation: str
    question: str
    answer: str


@dataclass(frozen=True)
class TakenBack:
    """A question that was taken back, for the composer; `conversation` is None when nothing else was in it."""

    conversation: str | None
    text: str
    images: tuple[Attachment, ...]


class ChatService:
    """The store, the jobs and the models of one app, behind commands.

    options: how answers are generated where nobody chose otherwise; `fixed`: those that nobody may choose.
    """

    def __init__(
        self,
        models: PageModels,
        options: Options,
        store: Store,
        observer: Observer | None = None,
        *,
        fixed: Collection[str] = (),
        times: Times | None = None,
    ):
        self.models, self.options, self.fixed, self.store = models, options, frozenset(fixed), store
        self.observer = observer or Observer()
        self.observer.watch_queue(lambda: models.running, lambda: models.waiting)
        self.jobs = Jobs(store, self.observer, times or Times())
        for model in models:
            model.backend.pace_s = self._pace_s
        self.view, self.pictures = View(lambda name: models.by_name(name).info, options), Pictures(store)
        self._known: OrderedDict[tuple[str, str], Conversation] = OrderedDict()
        self._changes = 0
        self._beginning: set[asyncio.Task[Started]] = set()
        self.loop: asyncio.AbstractEventLoop | None = None
        """The event loop on which jobs run and readers wait, once the page is served."""

    async def close(self) -> None:
        """End every stream, and every answer that is coming as broken off. The store stays open."""
        await self.models.close()
        await self.jobs.close()

    # Questions

    def chosen(self, given: Mapping[str, Any], model_id: str | None = None) -> Options:
        """Return how that model is to answer where a person chose these options.

        Raises OptionError, ModelChoiceError.
        """
        options = options_over(given, self.options, self.fixed)
        return checked_thinking(options, thinks=self.models.by_id(model_id).thinks)

    async def ask(
        self,
        owner: str,
        conversation_id: str | None,
        text: str,
        images: Sequence[tuple[str, int]],
        options: Options | None = None,
        model_id: str | None = None,
    ) -> Started:
        """Ask a question in a conversation, or in a new one (None); images are (photo id, most tiles).

        An image gets no more tiles than the model reads. model_id: who is asked; None: the first model.
        Raises DemoError when it cannot be asked; then nothing has changed.
        """
        options, version, model = options or self.options, uuid.uuid4().hex, self.models.by_id(model_id)

        def write() -> Record:
            question = checked_question(text, len(images))
            attached = tuple(
                self.store.attachment(owner, photo_id, most).at_most(model.info.most_tiles)
                for photo_id, most in images
            )
            return self.store.ask(
                owner,
                conversation_id,
                question,
                attached,
                version_id=version,
                model=model.title,
                options=options,
                check=lambda record: self._check_fits(record, options, model),
            )

        return await self._begin(owner, version, write, options, model)

    async def edit(
        self,
        owner: str,
        conversation_id: str,
        question_id: str,
        text: str,
        given: Mapping[str, Any] | None = None,
        model_id: str | None = None,
    ) -> Started:
        """Ask a question that is shown in other words, its images kept; it stays as a version. Raises DemoError.

        model_id: who is asked; None: who answered it before.
        """
        version = uuid.uuid4().hex
        options, model = await self._as_before(owner, conversation_id, question_id, given, model_id)

        def write() -> Record:
            return self.store.edit(
                owner,
                conversation_id,
                question_id,
                checked_question(text, 0),
                version_id=version,
                model=model.title,
                options=options,
                check=lambda record: self._check_fits(record, options, model),
            )

        return await self._begin(owner, version, write, options, model)

    async def retry(
        self,
        owner: str,
        conversation_id: str,
        given: Mapping[str, Any] | None = None,
        model_id: str | None = None,
    ) -> Started:
        """Answer the last question again, as before, or with the given options or model. Raises DemoError.

        Its earlier answers stay as versions.
        """
        version = uuid.uuid4().hex
        options, model = await self._as_before(owner, conversation_id, None, given, model_id)

        def write() -> Record:
            return self.store.begin(
                owner,
                conversation_id,
                version,
                model.title,
                options,
                check=lambda record: self._check_fits(record, options, model),
            )

        return await self._begin(owner, version, write, options, model)

    async def stop(self, owner: str, conversation_id: str) -> None:
        """End the answer that is coming; what has come stays. Raises GoneError."""
        job = self.jobs.running(conversation_id)
        if job is None or job.owner != owner:
            await run_blocking(self.store.record, owner, conversation_id)
            return
        await self.jobs.stop(conversation_id)

    async def undo(self, owner: str, conversation_id: str) -> TakenBack:
        """Take the last question back; another version of it is shown then. Raises GoneError, BusyError.

        Of the only one nothing else is left.
        """
        question, left = await run_blocking(self.store.undo, owner, conversation_id)
        self._changed(owner, conversation_id)
        if left:
            self.jobs.changed(conversation_id)
        else:
            self.jobs.gone(conversation_id)
        return TakenBack(conversation_id if left else None, question.text, question.images)

    async def choose(self, owner: str, conversation_id: str, chosen_id: str) -> None:
        """Go on from another version of the last answer, or of a question. Raises GoneError, BusyError."""
        await run_blocking(self.store.choose, owner, conversation_id, chosen_id)
        self._changed(owner, conversation_id)
        self.jobs.changed(conversation_id)

    # Conversations

    async def entries(self, owner: str) -> list[Entry]:
        """Return the owner's conversations, the one changed last first."""
        return await run_blocking(self.store.entries, owner)

    async def rename(self, owner: str, conversation_id: str, title: str) -> str:
        """Give a conversation another title; return it as it is kept. Raises GoneError."""

        def change() -> Record:
            self.store.rename(owner, conversation_id, title)
            return self.store.record(owner, conversation_id)

        record = await run_blocking(change)
        if job := self.jobs.running(conversation_id):
            job.record = replace(job.record, title=record.title)
        self.jobs.changed(conversation_id)
        return record.title

    async def delete(self, owner: str, conversation_id: str) -> None:
        """Delete a conversation and its pictures, and end its answer. Raises GoneError."""
        await self.jobs.delete(owner, conversation_id)
        self._changed(owner, conversation_id)

    # What is only looked at

    async def conversation(self, owner: str, conversation_id: str) -> Json:
        """Return a conversation as it is stored. Raises GoneError."""

        def read() -> Json:
            record = self.store.record(owner, conversation_id)
            return self.view.conversation(record, self.store.conversation(record))

        return await run_blocking(read)

    async def budget(
        self,
        owner: str,
        conversation_id: str | None,
        text: str,
        images: Sequence[Attachment],
        options: Options,
        model_id: str | None = None,
    ) -> Budget:
        """Return what a question would take of a model's context. Raises GoneError, ModelChoiceError."""
        model = self.models.by_id(model_id)
        drafted = tuple(image.at_most(model.info.most_tiles) for image in images)
        if len(text) > MAX_QUESTION_CHARS:
            raise too_long()
        conversation = await self._so_far(owner, conversation_id) if conversation_id else Conversation()
        found = await run_blocking(model.counter.budget, conversation, text, drafted, options)
        if "max_new_tokens" not in self.fixed:
            return found
        usable = tuple(fix for fix in found.fixes if fix.answer_tokens == options.max_new_tokens)
        return replace(found, fixes=usable)

    async def inspect(self, owner: str, conversation_id: str, version_id: str) -> tuple[Inspection, int]:
        """Return the prompt and the call of an answer, and the number of its turn from 1. Raises GoneError."""

        def look() -> tuple[Inspection, int]:
            record = self.store.record(owner, conversation_id)
            conversation = self.store.conversation(record)
            for index, question in enumerate(record.questions):
                for version in question.versions:
                    if version.id == version_id:
                        until = Conversation(conversation.turns[: index + 1], conversation.id)
                        model, options = self.models.by_name(version.model), version.options or self.options
                        return self._inspection(until, options, model), index + 1
            raise GoneError("That answer is no longer in the conversation.", "Reload the page.")

        return await run_blocking(look)

    # One question of a program, which nothing is kept of

    async def ask_once(
        self, owner: str, conversation: Conversation, options: Options, model_id: str | None = None
    ) -> dict[str, Any]:
        """Answer a conversation of one question; return the whole answer as data. Raises DemoError."""
        self._check_size(conversation)
        model = self.models.by_id(model_id)
        conversation = conversation.at_most(model.info.most_tiles)
        with model.queue.ticket(owner) as ticket:
            while not ticket.admitted:
                await ticket.moved()
            builder = AnswerBuilder(conversation)
            with self.observer.request(conversation, model.info) as request:
                async with aclosing(model.backend.stream(conversation, options)) as pieces:
                    async for piece in pieces:
                        request.saw(piece)
                        builder.add(piece)
            builder.finish()
        return report(conversation, builder.answer(), model.info.tiles_follow)

    # Parts

    def _pace_s(self) -> float:
        """Return how long a model may collect text: as long as readers wait for the next, when there are many."""
        return self.jobs.pace_s if len(self.jobs) > FEW_ANSWERS else 0.0

    async def _begin(
        self, owner: str, version_id: str, write: Callable[[], Record], options: Options, model: PageModel
    ) -> Started:
        """Write what begins an answer into the store, and start its job, even if the caller leaves meanwhile."""

        def both() -> tuple[Record, Conversation]:
            record = write()
            return record, self.store.conversation(record).retry()

        async def begin() -> Started:
            try:
                record, conversation = await run_blocking(both)
            except DemoError as error:
                self.observer.refused(error)
                raise
            self._changed(owner, record.id)
            self.jobs.start(owner, version_id, record, conversation, options, model)
            return Started(record.id, record.questions[-1].id, version_id)

        beginning = asyncio.create_task(begin())
        self._beginning.add(beginning)
        beginning.add_done_callback(self._beginning.discard)
        return await asyncio.shield(beginning)

    async def _so_far(self, owner: str, conversation_id: str) -> Conversation:
        """Return a conversation for counting: from memory while it is unchanged, for people type often."""
        key = (owner, conversation_id)
        known = self.jobs.conversation_of(*key) or self._known.get(key)
        if known is None:
            changes = self._changes
            record = await run_blocking(self.store.record, owner, conversation_id)
            known = self.store.conversation(record)
            if changes == self._changes and not record.running:
                self._known[key] = known
                while len(self._known) > KNOWN_CONVERSATIONS:
                    self._known.popitem(last=False)
        return known

    def _changed(self, owner: str, conversation_id: str) -> None:
        """Forget what was known of a conversation, which changes now."""
        self._changes += 1
        self._known.pop((owner, conversation_id), None)

    def _check_fits(self, record: Record, options: Options, model: PageModel) -> None:
        """Refuse a question that the model cannot read. Raises ContextError, ModeError."""
        model.counter.check(self.store.conversation(record), options)

    def _check_size(self, conversation: Conversation) -> None:
        for turn in conversation.turns:
            checked_question(turn.text, len(turn.images))
        check_message([image.photo for image in conversation.images])

    def _inspection(self, until: Conversation, options: Options, model: PageModel) -> Inspection:
        count, exact = model.counter.count_text, model.counter.exact
        return inspect(until, options, model.info, model.how, count, exact=exact, host=self.options)

    async def _as_before(
        self,
        owner: str,
        conversation_id: str,
        question_id: str | None,
        given: Mapping[str, Any] | None,
        model_id: str | None,
    ) -> tuple[Options, PageModel]:
        """Return how and of whom to ask a question again: as before, unless told otherwise.

        Raises OptionError, ModelChoiceError.
        """
        record = await run_blocking(self.store.record, owner, conversation_id)
        named = [each for each in record.questions if each.id == question_id] or record.questions[-1:]
        before = named[0].asked if named else None
        as_before = before and model_id is None and not self.models.fixed
        model = self.models.by_name(before.model) if before and as_before else self.models.by_id(model_id)
        had = (before and before.options) or self.options
        return options_again(given, had, self.options, self.fixed, thinks=model.thinks), model
