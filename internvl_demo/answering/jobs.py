"""Generate answers that belong to nobody's connection: one job an answer, one feed a conversation.

    job = jobs.start(owner, version_id, conversation, options)     the question is stored already
    feed = jobs.feed(conversation_id)                              what happens, as numbered events (`feed`)
    await jobs.stop(conversation_id)                               what has come stays

A page that is reloaded or lost changes nothing, for a while: a job whose conversation nobody follows ends after
`Times.unwatched_s`, or already after `Times.give_way_s` while somebody else waits for the model. Its text goes into
the store about once a second, all jobs' in one transaction, and at the end.

The end is told when it is in the store: whoever reads the conversation then finds it there. When the end cannot be
stored, readers are told so, and storing is tried again until it works. All jobs belong to one event loop.
"""

import asyncio
import logging
import time
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace

from internvl_demo.answering.feed import Changed, Closing, Ended, Feed, Gone, Grew, Placed
from internvl_demo.answering.metrics import Observer
from internvl_demo.answering.model import Model
from internvl_demo.answering.stream import AnswerBuilder, Growth
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import DemoError
from internvl_demo.models.base import Timing
from internvl_demo.store import Store
from internvl_demo.store.faults import StoreError
from internvl_demo.store.records import INTERRUPTED, Coming, Failure, Record, State

SOON_S, LATE_S, SOON_S_PER_ANSWER = 0.05, 0.5, 0.005
"""The pause between two pieces of text: for a few answers at once, at most, and what each adds."""

SWEEP_S = 3600.0
"""Between two looks for what has outlived its time in the store."""

UNWATCHED = Failure("Nobody was looking any more, so the answer was ended.", "Retry for the whole answer.")

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Times:
    """Seconds.

    save_s: between two writes of the answers that are coming, and two looks whether anybody follows them.
    remember_s: how long the events of an answer that has ended can be asked for again.
    unwatched_s: how long a job goes on while nobody follows: longer than a reload and most lost connections.
    give_way_s: the same while others wait: longer than a reload.
    """

    save_s: float = 1.0
    remember_s: float = 60.0
    unwatched_s: float = 60.0
    give_way_s: float = 5.0


class Job:
    """One answer that is being written. Its parts so far are what a reader who comes now must be shown."""

    def __init__(
        self,
        owner: str,
        version_id: str,
        record: Record,
        conversation: Conversation,
        options: Options,
        model: Model,
        feed: Feed,
    ):
        self.owner, self.id, self.record, self.conversation = owner, version_id, record, conversation
        self.options, self.model, self.feed = options, model, feed
        self.builder = AnswerBuilder(conversation)
        self.parts: list[Growth] = []
        self.place = 0
        self.task: asyncio.Task[None] | None = None
        self.ending: State | None = None
        """Set as soon as it is decided how the job ends; from then on nothing may cancel its task."""
        self.unwatched = False
        """Whether it ends because nobody follows."""
        self.watched_at = time.monotonic()
        self.saved_chars = 0
        self.begun, self.over = asyncio.Event(), asyncio.Event()
        """Set as soon as the task runs, from when on it can be cancelled; and when its end is told."""

    def grow(self, parts: tuple[Growth, ...]) -> None:
        """Tell the parts that came."""
        if parts:
            self.parts += parts
            self.feed.publish(Grew(self.id, parts))

    def move(self, place: int) -> None:
        """Tell the place in the queue."""
        if place != self.place:
            self.place = place
            self.feed.publish(Placed(self.id, place))


class Jobs:
    """The generations of one app. observer: counts each question."""

    def __init__(self, store: Store, observer: Observer, times: Times = Times()):
        self._store, self._observer, self._times = store, observer, times
        self._jobs: dict[str, Job] = {}  # conversation id -> the answer that is being written
        self._feeds: dict[str, Feed] = {}
        self._ended_at: dict[str, float] = {}  # conversation id -> when its last event came
        self._tending: asyncio.Task[None] | None = None
        self.closing = False
        """Whether the app is ending: readers are sent away, to come back when it runs again."""

    def __len__(self) -> int:
        """Return how many answers are being written."""
        return len(self._jobs)

    def feed(self, conversation_id: str) -> Feed:
        """Return the conversation's feed, made when it is asked for first."""
        if conversation_id not in self._feeds:
            self._feeds[conversation_id] = Feed()
            self._tend()
        self._ended_at[conversation_id] = time.monotonic()
        return self._feeds[conversation_id]

    def running(self, conversation_id: str) -> Job | None:
        """Return the job that writes an answer of the conversation, if there is one."""
        return self._jobs.get(conversation_id)

    def start(
        self,
        owner: str,
        version_id: str,
        record: Record,
        conversation: Conversation,
        options: Options,
        model: Model,
    ) -> Job:
        """Generate the answer to the conversation's last question, which is stored as running already.

        record: the conversation as it is stored now. conversation: the same for the model, its last turn unanswered.
        """
        feed = self.feed(conversation.id)
        feed.forget()
        job = self._jobs[conversation.id] = Job(owner, version_id, record, conversation, options, model, feed)
        feed.publish(Changed())
        job.task = asyncio.create_task(self._run(job))
        self._tend()
        return job

    async def stop(self, conversation_id: str) -> None:
        """End the conversation's job, if one runs; return when what has come is stored."""
        if job := self._jobs.get(conversation_id):
            await self._end(job, "stopped")

    def changed(self, conversation_id: str) -> None:
        """Tell whoever follows that the conversation must be read again."""
        if feed := self._feeds.get(conversation_id):
            feed.publish(Changed())

    def gone(self, conversation_id: str) -> None:
        """Tell whoever follows that the conversation is no longer there."""
        if feed := self._feeds.get(conversation_id):
            feed.publish(Gone())

    def conversation_of(self, owner: str, conversation_id: str) -> Conversation | None:
        """Return the conversation whose answer is being written, as if it were empty, if it is the owner's."""
        job = self._jobs.get(conversation_id)
        return job.conversation.with_answer("") if job and job.owner == owner else None

    @property
    def pace_s(self) -> float:
        """Seconds between two pieces of text for one reader: the more answers come, the longer."""
        return min(max(SOON_S, len(self._jobs) * SOON_S_PER_ANSWER), LATE_S)

    async def delete(self, owner: str, conversation_id: str) -> None:
        """Delete a conversation and end its job. Raises GoneError."""
        await asyncio.to_thread(self._store.delete, owner, conversation_id)
        self.gone(conversation_id)
        await self.stop(conversation_id)

    async def close(self) -> None:
        """End all jobs as broken off, with what has come of them. The store stays open."""
        self.closing = True
        await asyncio.gather(*(self._end(job, "broken") for job in list(self._jobs.values())))
        for feed in self._feeds.values():
            feed.publish(Closing())
        if self._tending:
            self._tending.cancel()
            with suppress(asyncio.CancelledError):
                await self._tending

    async def _end(self, job: Job, how: State) -> None:
        await job.begun.wait()
        if job.task and job.ending is None:
            job.ending = how
            job.task.cancel()
        await job.over.wait()

    async def _run(self, job: Job) -> None:
        job.begun.set()
        how, error = await self._fate(job)
        job.ending = job.ending or how
        job.grow(job.builder.finish())
        await self._keep(job, how, error)
        if self._jobs.get(job.conversation.id) is job:
            del self._jobs[job.conversation.id]
        self._ended_at[job.conversation.id] = time.monotonic()

    async def _fate(self, job: Job) -> tuple[State, DemoError | None]:
        """Generate; return how it ended."""
        task = asyncio.current_task()
        assert task
        try:
            await self._generate(job)
            return "complete", None
        except asyncio.CancelledError:
            if job.ending == "stopped":
                task.uncancel()
                return "stopped", None
            if job.unwatched:
                task.uncancel()
                return "broken", DemoError(*UNWATCHED)
            return "broken", DemoError(*INTERRUPTED)
        except DemoError as error:
            return "broken", error
        except Exception:  # noqa: BLE001  whatever it is, those who wait must learn that no answer comes
            _LOG.exception("an answer ended in an error that nobody expected")
            return "broken", DemoError("The demo failed while answering.", "Retry; tell whoever runs it.")

    async def _generate(self, job: Job) -> None:
        model = job.model
        with model.queue.ticket(job.owner) as ticket:
            while not ticket.admitted:
                job.move(ticket.place)
                await ticket.moved()
            job.move(0)
            conversation, builder = job.conversation, job.builder
            builder.restart_clock()
            with self._observer.request(conversation, model.info) as request:
                async with aclosing(model.backend.stream(conversation, job.options)) as pieces:
                    async for piece in pieces:
                        request.saw(piece)
                        job.grow(builder.add(piece))

    async def _keep(self, job: Job, how: State, error: DemoError | None) -> None:
        """Store the end, then tell it; try again while the disk refuses, unless the app itself ends."""
        task = asyncio.current_task()
        assert task
        failure = Failure(error.what, error.next_step, error.details) if error else None
        timing = job.builder.timing if job.builder.begun else Timing(None, 0.0)
        end = (job.id, how, job.builder.raw, timing.ttft_s, timing.total_s, job.builder.usage, failure)
        thought = (job.builder.thinking, timing.thought_s)
        given = replace(job.builder.answer(), timing=timing, broken_off=how == "broken")
        ended = Ended(job.id, how, given, job.conversation, job.options, job.model.info, error)
        told = False
        while True:
            try:
                await asyncio.to_thread(self._store.finish, *end, *thought)
            except StoreError as problem:
                if not told:
                    told = True
                    job.feed.publish(replace(ended, error=error or problem))
                    job.over.set()
                if task.cancelling():
                    return  # with the app: its next start marks the answer as broken off
                await asyncio.sleep(self._times.save_s)
            else:
                job.feed.publish(Changed() if told else ended)
                job.over.set()
                return

    def _tend(self) -> None:
        if self._tending is None or self._tending.done():
            self._tending = asyncio.create_task(self._tend_all())

    async def _tend_all(self) -> None:
        """Save what has come, end what nobody follows, forget what nobody will ask for, sweep the store."""
        swept_at = time.monotonic()
        while True:
            await asyncio.sleep(self._times.save_s)
            await self._save()
            self._end_unwatched()
            self._forget()
            if time.monotonic() - swept_at >= SWEEP_S:
                swept_at = time.monotonic()
                with suppress(StoreError):  # the log has it
                    await asyncio.to_thread(self._store.sweep)

    async def _save(self) -> None:
        texts = []
        for job in self._jobs.values():
            raw, thinking = job.builder.raw, job.builder.thinking
            if len(raw) + len(thinking) > job.saved_chars and job.ending is None:
                job.saved_chars = len(raw) + len(thinking)
                timing = job.builder.timing
                texts.append(Coming(job.id, raw, timing.ttft_s, timing.total_s, thinking, timing.thought_s))
        if texts:
            with suppress(StoreError):  # the end will be written, and say so if it cannot
                await asyncio.to_thread(self._store.write_many, texts)

    def _end_unwatched(self) -> None:
        now = time.monotonic()
        for job in list(self._jobs.values()):
            if job.feed.readers:
                job.watched_at = now
            in_the_way = job.model.queue.waiting and not job.place
            patience_s = self._times.give_way_s if in_the_way else self._times.unwatched_s
            if now - job.watched_at >= patience_s and job.ending is None and job.task:
                job.unwatched, job.ending = True, "broken"
                job.task.cancel()

    def _forget(self) -> None:
        now = time.monotonic()
        for conversation_id, feed in list(self._feeds.items()):
            if (
                conversation_id in self._jobs
                or now - self._ended_at[conversation_id] < self._times.remember_s
            ):
                continue
            feed.forget()
            if not feed.readers:
                del self._feeds[conversation_id], self._ended_at[conversation_id]
