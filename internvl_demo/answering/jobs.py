"""One generation = one task: viewers attach, leave and come back, and catch up.

    jobs.start(owner, conversation) -> job id
    jobs.watch(owner, job id)       -> Progress, Progress, ... for as many viewers as like
    jobs.stop(owner, job id)        what has come stays

A job answers the last question of a kept conversation. It belongs to nobody's connection: that a page is
reloaded or lost changes nothing, for a while: one that nobody watches ends after `UNWATCHED_S`, or already after
`GIVE_WAY_S` while somebody else waits for the model. Every `Progress` is complete in itself, so a viewer who was
away, or is slow, goes on from the latest and has missed nothing. The text goes into the store about once a second
and at the end; the job's id is that of the version of the answer there, so a job that has been forgotten here, or
that ended with the app, can still be watched: one Progress, as it was kept.

The end is told when it is in the store: whoever reads the conversation then finds it there. Of a job whose end
cannot be stored, viewers learn so, and storing is tried again until it works. All jobs belong to one event loop.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import cast

from internvl_demo.answering.queue import Admission
from internvl_demo.answering.stream import Answer, Timing, answer
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import DemoError
from internvl_demo.grounding.attribution import pin
from internvl_demo.grounding.parser import GroundingParser
from internvl_demo.models.base import Backend
from internvl_demo.store import Store
from internvl_demo.store.faults import StoreError
from internvl_demo.store.records import INTERRUPTED, Failure, Record, State, Version

SAVE_S = 1.0
"""Between two writes of an answer that is coming."""

REMEMBER_S = 60.0
"""How long an ended job is held here; afterwards the store answers for it."""

UNWATCHED_S = 60.0
"""How long a job goes on while nobody watches: longer than a reload and most lost connections."""

GIVE_WAY_S = 5.0
"""The same while others wait: longer than a reload."""

LOOK_S = 0.2
"""Between two looks whether a job is watched."""

SWEEP_S = 3600.0
"""Between two looks for what has outlived its time."""

UNWATCHED = Failure("Nobody was looking any more, so the answer was ended.", "Retry for the whole answer.")

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """A job as it stands.

    number: grows with every change; for `watch(..., after=number)`.
    said: what has come of the answer, None while there is nothing.
    place: how many questions are before this one in the line, itself included; 0 when it is its turn.
    error: why the answer is broken; or, of one that is not, why it could not be stored.
    """

    number: int = 0
    state: State = "running"
    said: Answer | None = None
    place: int = 0
    error: DemoError | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state != "running"


class _Job:
    """A generation, and what viewers wait for."""

    def __init__(self, owner: str, conversation_id: str):
        self.id = uuid.uuid4().hex
        self.owner, self.conversation_id = owner, conversation_id
        self.progress = Progress()
        self.watchers = 0
        self.unwatched = False
        """It ends because nobody watches."""
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[None] | None = None
        self.ending: State | None = None
        """Set as soon as it is decided how the job ends; from then on nothing may cancel its task."""
        self._changed = asyncio.Event()

    def show(self, progress: Progress) -> None:
        self.progress = replace(progress, number=self.progress.number + 1)
        self._changed.set()
        self._changed = asyncio.Event()

    async def after(self, number: int) -> Progress:
        """The latest progress, as soon as it is later than that number, or the last."""
        while self.progress.number <= number and not self.progress.ended:
            await self._changed.wait()
        return self.progress


class Jobs:
    """The generations of one app.

    model: the name kept with every answer. gate: who may ask the model now (default: eight at once).
    """

    def __init__(
        self,
        backend: Backend,
        store: Store,
        model: str,
        options: Options | None = None,
        gate: Admission | None = None,
        *,
        save_s: float = SAVE_S,
        remember_s: float = REMEMBER_S,
        unwatched_s: float = UNWATCHED_S,
        give_way_s: float = GIVE_WAY_S,
    ):
        self._backend, self._store, self._model = backend, store, model
        self._options, self._gate = options or Options(), gate or Admission(running=8, waiting=32)
        self._save_s, self._remember_s = save_s, remember_s
        self._unwatched_s, self._give_way_s = unwatched_s, give_way_s
        self._jobs: dict[str, _Job] = {}
        self._sweeping: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """How many jobs are held here: those that run, and those that ended just now."""
        return len(self._jobs)

    async def start(
        self, owner: str, conversation_id: str, person: str | None = None, options: Options | None = None
    ) -> str:
        """Answers the conversation's last question, again if it has an answer; gives the job's id.

        person: whose share of the model it takes (default: the owner's). options: of this answer alone.
        Raises GoneError when there is no such conversation or no question, BusyError when it is being answered.
        """
        job = _Job(owner, conversation_id)
        self._jobs[job.id] = job
        job.task = asyncio.create_task(self._run(job, person or owner, options or self._options))
        self._sweeping = self._sweeping or asyncio.create_task(self._sweep())
        await asyncio.shield(job.begun)  # a caller who gives up does not take the question back
        return job.id

    async def watch(self, owner: str, job_id: str, after: int = -1) -> AsyncGenerator[Progress, None]:
        """The job as it stands, at once unless the viewer saw that (`after` is its number), then each change.

        The last one has ended, and comes in any case.

        Leaving stops nothing at once; see the module's opening. Raises GoneError when there is no such job of the
        owner's, PhotoError when a picture of a job that is only in the store cannot be read.
        """
        job = self._jobs.get(job_id)
        if job is None or job.owner != owner:
            yield await asyncio.to_thread(self._kept, owner, job_id)
            return
        job.watchers += 1
        try:
            while True:
                progress = await job.after(after)
                yield progress
                if progress.ended:
                    return
                after = progress.number
        finally:
            job.watchers -= 1

    async def stop(self, owner: str, job_id: str) -> None:
        """Ends the job, if it runs and is the owner's; what has come stays. Returns when that is stored."""
        job = self._jobs.get(job_id)
        if job and job.owner == owner:
            await self._end(job, "stopped")

    async def delete(self, owner: str, conversation_id: str) -> None:
        """Takes a conversation away, and ends its job. Raises GoneError."""
        await asyncio.to_thread(self._store.delete, owner, conversation_id)
        for job in list(self._jobs.values()):
            if job.conversation_id == conversation_id and job.owner == owner:
                await self._end(job, "stopped")

    async def close(self) -> None:
        """Ends all jobs as broken off, with what has come of them. The store stays open."""
        await asyncio.gather(*(self._end(job, "broken") for job in self._jobs.values()))
        left = [self._sweeping, *(job.task for job in self._jobs.values())]
        for task in filter(None, left):
            task.cancel()

    async def _end(self, job: _Job, how: State) -> None:
        await asyncio.wait([job.begun])
        if job.begun.cancelled() or job.begun.exception():
            return
        if job.task and job.ending is None:
            job.ending = how
            job.task.cancel()
        while not job.progress.ended:
            await job.after(job.progress.number)

    async def _run(self, job: _Job, person: str, options: Options) -> None:
        try:
            begin = self._store.begin
            asked = (job.owner, job.conversation_id, job.id, self._model, options)
            record = await asyncio.to_thread(begin, *asked)
        except Exception as error:  # noqa: BLE001  it is raised where the job was started
            del self._jobs[job.id]
            job.begun.set_exception(error)
            return
        job.begun.set_result(None)
        how, problem = await self._fate(job, record, person, options)
        job.ending = job.ending or how
        await self._keep(job, how, problem)
        asyncio.get_running_loop().call_later(self._remember_s, self._jobs.pop, job.id, None)

    async def _fate(
        self, job: _Job, record: Record, person: str, options: Options
    ) -> tuple[State, DemoError | None]:
        """Generates; says how it ended."""
        task = cast(asyncio.Task[None], asyncio.current_task())
        saving = asyncio.create_task(self._save(job))
        minding = asyncio.create_task(self._mind(job))
        try:
            await self._generate(job, record, person, options)
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
        finally:
            saving.cancel()
            minding.cancel()

    async def _generate(self, job: _Job, record: Record, person: str, options: Options) -> None:
        conversation = (await asyncio.to_thread(self._store.conversation, record)).retry()
        with self._gate.ticket(person) as ticket:
            while not ticket.admitted:
                job.show(replace(job.progress, place=ticket.place))
                await ticket.moved()
            job.show(replace(job.progress, place=0))
            async with aclosing(answer(self._backend, conversation, options)) as snapshots:
                async for said in snapshots:
                    job.show(replace(job.progress, said=said))

    async def _save(self, job: _Job) -> None:
        """Keeps the store up with the job: a viewer who writes down what it sees, now and then."""
        number = -1
        while True:
            progress = await job.after(number)
            number = progress.number
            if progress.said:
                timing = progress.said.timing
                try:
                    write = self._store.write
                    await asyncio.to_thread(write, job.id, progress.said.raw, timing.ttft_s, timing.total_s)
                except StoreError:
                    pass  # the end will be written, and say so if it cannot
            await asyncio.sleep(self._save_s)

    async def _mind(self, job: _Job) -> None:
        """Ends the job when nobody has watched it for too long."""
        since = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_S)
            if job.watchers:
                since = time.monotonic()
            holds_up = self._gate.waiting and not job.progress.place
            if time.monotonic() - since >= (self._give_way_s if holds_up else self._unwatched_s):
                job.unwatched = True
                await self._end(job, "broken")

    async def _keep(self, job: _Job, how: State, error: DemoError | None) -> None:
        """Stores the end, then tells it; tries again while the disk refuses, unless the app itself ends."""
        task = cast(asyncio.Task[None], asyncio.current_task())
        said = job.progress.said
        if said and how == "broken":
            said = replace(said, broken_off=True)
        failure = Failure(error.what, error.next_step) if error else None
        raw, usage = (said.raw, said.usage) if said else ("", None)
        timing = said.timing if said else Timing(None, 0.0)
        end = replace(job.progress, state=how, said=said, place=0, error=error)
        while True:
            try:
                finish = self._store.finish
                await asyncio.to_thread(
                    finish, job.id, how, raw, timing.ttft_s, timing.total_s, usage, failure
                )
            except StoreError as problem:
                job.show(replace(end, error=error or problem))
                if task.cancelling():
                    return
                await asyncio.sleep(self._save_s)
            else:
                job.show(end)
                return

    def _kept(self, owner: str, job_id: str) -> Progress:
        record = self._store.record_of(owner, job_id)
        conversation = self._store.conversation(record)
        for index, question in enumerate(record.questions):
            for version in question.versions:
                if version.id == job_id:
                    error = DemoError(*version.failure) if version.failure else None
                    return Progress(0, version.state, recalled(conversation, index, version), 0, error)
        raise AssertionError("a version without its question")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await asyncio.to_thread(self._store.sweep)
            except StoreError as error:
                _LOG.warning("%s", error)


def recalled(conversation: Conversation, index: int, version: Version) -> Answer | None:
    """A kept version of the answer to turn `index` as the snapshot that it once was; None if nothing came."""
    if not version.answers:
        return None
    asked = replace(conversation, turns=conversation.turns[: index + 1])
    parser = GroundingParser()
    events = [*parser.feed(version.raw), *parser.finish()]
    return Answer(
        version.raw,
        tuple(events),
        tuple(pin(events, asked)),
        parser.dropped,
        Timing(version.ttft_s, version.total_s),
        version.usage,
        version.state == "broken",
    )
