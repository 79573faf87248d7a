"""Show a conversation to whoever looks, as server-sent events: after Send, after a reload, in a second tab.

    id: 1764384000003
    event: answer.delta
    data: {"answer": "5f0c...", "text": "a cat"}

A `Follower` reads a conversation's feed and says only what is new. Who comes back with the last number it has seen
gets what came since; who has none, or one that is forgotten, gets `event: conversation` first. Between two pieces of
text there is a pause, 50 ms when few read and longer when many do; what came meanwhile goes out as one event. A
comment every 15 s keeps the line open. What the events are stands in docs/http.md.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable

import orjson

from internvl_demo.answering.feed import Changed, Ended, Event, Gone, Grew, Placed
from internvl_demo.answering.jobs import Job
from internvl_demo.answering.stream import Growth
from internvl_demo.conversation.options import differences
from internvl_demo.store.faults import GoneError
from internvl_demo.store.records import Record
from internvl_demo.web.blocking import run_blocking
from internvl_demo.web.language import Words
from internvl_demo.web.markup import Block
from internvl_demo.web.service import ChatService
from internvl_demo.web.view import AnswerEvents, Json, Prose, grown, numbered_images, receipt_data

HEARTBEAT_S = 15.0
"""The longest silence: proxies close a line on which nothing comes for a minute."""

HEARTBEAT = b": still here\n\n"


class Follower:
    """One reader of one conversation.

    after: the last number that it has seen. blocks: whether it wants Markdown rendered. words: its language.
    """

    def __init__(
        self,
        service: ChatService,
        owner: str,
        conversation_id: str,
        words: Words,
        *,
        after: int | None = None,
        blocks: bool = False,
    ):
        self._service, self._jobs = service, service.jobs
        self._owner, self._id, self._words = owner, conversation_id, words
        self._after, self._blocks = after, blocks
        self._record: Record | None = None
        self._job: Job | None = None
        self._events: AnswerEvents | None = None
        self._thinks = False

    async def check(self) -> None:
        """Make sure that the conversation is the owner's, before anything is said. Raises GoneError."""
        job = self._jobs.running(self._id)
        if not (job and job.owner == self._owner):
            self._record = await run_blocking(self._service.store.record, self._owner, self._id)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the events, encoded; it ends only when the conversation is deleted."""
        feed = self._jobs.feed(self._id)
        feed.readers += 1
        try:
            number = self._after
            if number is None or not self._resume(number):
                number, first = await self._snapshot()
                yield first
            elif self._events:
                yield b"".join(self._block_events(number, lambda prose: prose.all_blocks))
            while True:
                news = feed.since(number)
                if news is None:
                    number, first = await self._snapshot()
                    yield first
                elif news:
                    number = news[-1][0]
                    if any(isinstance(event, Gone) for _, event in news):
                        yield _encode(number, "gone", {})
                        return
                    if any(isinstance(event, Changed) for _, event in news):
                        number, first = await self._snapshot()
                        yield first
                        continue
                    if said := self._tell(news):
                        yield said
                    if any(isinstance(event, Grew) for _, event in news):
                        await asyncio.sleep(self._jobs.pace_s)
                elif self._jobs.closing:
                    return
                else:
                    await feed.wait(number, HEARTBEAT_S)
                    if feed.number == number:
                        yield HEARTBEAT
        except GoneError:
            yield _encode(feed.number, "gone", {})
        finally:
            feed.readers -= 1

    def _resume(self, number: int) -> bool:
        """Go on after `number`; return False when what came since is no longer known."""
        news = self._jobs.feed(self._id).since(number)
        if news is None:
            return False
        job = self._jobs.running(self._id)
        if job and job.owner == self._owner:
            unseen = sum(len(event.parts) for _, event in news if isinstance(event, Grew))
            self._begin(job, job.parts[: len(job.parts) - unseen])
        elif news:
            return False  # it has ended meanwhile: the whole conversation is what is kept
        return True

    def _begin(self, job: Job, parts: Iterable[Growth]) -> AnswerEvents:
        """Follow this answer from here on; return its events with what has come of it."""
        self._job, self._events = job, AnswerEvents(job.conversation)
        text, _, thought = self._events.add(parts)
        self._thinks = bool(thought) and not text
        if self._blocks:
            for prose in (self._events.thinking, self._events.answer):
                prose.blocks()
        return self._events

    async def _snapshot(self) -> tuple[int, bytes]:
        """Return the whole conversation, and the number of the last event that is in it. Raises GoneError."""
        while True:
            job, record = self._jobs.running(self._id), self._record
            self._record = self._job = self._events = None
            if job and job.owner == self._owner:
                record = job.record
            if record is None:
                record = await run_blocking(self._service.store.record, self._owner, self._id)
            data = await run_blocking(self._data, record)
            now, running = self._jobs.running(self._id), record.running
            if (now.id if now else None) != (running.id if running else None):
                continue  # an answer began or ended meanwhile
            if now:
                events = self._begin(now, now.parts)
                _set_answer(data, now.id, {**grown(events, now.builder.timing.thought_s), "place": now.place})
            number = self._jobs.feed(self._id).number
            return number, _encode(number, "conversation", self._words.localise(data))

    def _data(self, record: Record) -> Json:
        return self._service.view.conversation(record, self._service.store.conversation(record))

    def _tell(self, news: list[tuple[int, Event]]) -> bytes:
        """Encode events; text that came in several pieces is told as one."""
        said: list[bytes] = []
        parts: list[Growth] = []
        number = news[0][0]
        for number, event in news:
            if isinstance(event, Grew):
                parts += event.parts
                continue
            self._tell_parts(number, parts, said)
            parts = []
            if isinstance(event, Placed):
                said.append(_encode(number, "answer.place", {"answer": event.answer, "place": event.place}))
            elif isinstance(event, Ended):
                self._tell_end(number, event, said)
        self._tell_parts(number, parts, said)
        return b"".join(said)

    def _tell_parts(self, number: int, parts: list[Growth], said: list[bytes]) -> None:
        if not (parts and self._job and self._events):
            return
        text, boxes, thought = self._events.add(parts)
        answer = {"answer": self._job.id}
        if thought or (text and self._thinks):  # at its end, its time
            seconds = self._job.builder.timing.thought_s
            said.append(_encode(number, "answer.thinking", {**answer, "text": thought, "seconds": seconds}))
        self._thinks = not text and (self._thinks or bool(thought))
        if text:
            said.append(_encode(number, "answer.delta", {**answer, "text": text}))
        said += [_encode(number, "answer.box", {**answer, **box}) for box in boxes]
        if self._blocks:
            said += self._block_events(number, Prose.blocks)

    def _block_events(self, number: int, blocks_of: Callable[[Prose], Iterable[Block]]) -> list[bytes]:
        """Encode blocks of what the answer that is followed has of each: thinking, and text."""
        if not (self._job and self._events):
            return []
        answer, events = {"answer": self._job.id}, self._events
        thought = [{**answer, **vars(block)} for block in blocks_of(events.thinking)]
        written = [{**answer, **vars(block)} for block in blocks_of(events.answer)]
        return [
            *(_encode(number, "answer.thinking.block", block) for block in thought),
            *(_encode(number, "answer.block", block) for block in written),
        ]

    def _tell_end(self, number: int, event: Ended, said: list[bytes]) -> None:
        if self._blocks:
            said += self._block_events(number, lambda prose: prose.blocks(final=True))
        conversation, given = event.conversation, event.given
        read = conversation.as_read(event.info.tiles_follow)
        images = numbered_images(read, len(conversation.turns) - 1)
        chosen = differences(event.options, self._service.options)
        receipt = receipt_data(given, images, event.info, chosen)
        end: Json = {"answer": event.answer, "state": event.state, "receipt": receipt}
        if event.error:
            problem = self._words.problem(event.error)
            said.append(_encode(number, "answer.failed", {**end, **problem}))
        else:
            cost = {
                "usage": receipt["usage"],
                "timing": {key: receipt[key] for key in ("ttft_s", "total_s", "thought_s", "tokens_per_s")},
                "tiles": [image["tiles"] for image in receipt["images"]],
            }
            said.append(_encode(number, "answer.done", {**end, **cost}))
        self._job = self._events = None


def _set_answer(data: Json, answer_id: str, growth: Json) -> None:
    """Put what has come of the running answer into the conversation's data, in place."""
    for question in data["questions"]:
        for answer in question["answers"]:
            if answer["id"] == answer_id:
                answer.update(growth)


def _encode(number: int, name: str, data: Json) -> bytes:
    """Encode one server-sent event."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, name.encode(), orjson.dumps(data))
