"""Number the events of one conversation, for whoever looks at it.

    feed.publish(Grew(answer_id, (Text("A cat"),)))    -> 1764384000001
    feed.since(1764384000000)                          -> [(1764384000001, Grew(...))]; None: too long ago
    await feed.wait(1764384000001, 15.0)               -> returns when there is a later one, or after 15 s

A feed holds events only while they may be asked for again: those of the answer that is being written. A reader who
comes back with a number that is no longer known, or none, starts with the whole conversation instead. Numbers begin
at the milliseconds since 1970 at which the feed was made, so that a number from before a restart of the process is
smaller than every new one.

Values and futures only: no text is parsed here, nothing is stored, and all of a feed belongs to one event loop.
"""

import asyncio
import time
from dataclasses import dataclass

from internvl_demo.answering.stream import Answer, Growth
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import DemoError
from internvl_demo.models.base import ModelInfo
from internvl_demo.store.records import State


@dataclass(frozen=True)
class Changed:
    """Something but the growth of an answer has changed: the conversation must be read again."""


@dataclass(frozen=True)
class Placed:
    """An answer waits in the queue at `place`, from 1; at 0 it is its turn."""

    answer: str
    place: int


@dataclass(frozen=True)
class Grew:
    """An answer has grown by `parts`."""

    answer: str
    parts: tuple[Growth, ...]


@dataclass(frozen=True)
class Ended:
    """An answer has ended, and is stored.

    state: how it ended. given: all of it. options: how it was asked for. info: of the model. error: why it broke off,
    or why it could not be stored.
    """

    answer: str
    state: State
    given: Answer
    conversation: Conversation
    options: Options
    info: ModelInfo
    error: DemoError | None = None


@dataclass(frozen=True)
class Gone:
    """The conversation was deleted."""


@dataclass(frozen=True)
class Closing:
    """The app ends; readers come back when it runs again."""


Event = Changed | Placed | Grew | Ended | Gone | Closing


class Feed:
    """The events of one conversation. `readers` counts who follows it now."""

    def __init__(self) -> None:
        self.readers = 0
        self._first = int(time.time() * 1000) + 1
        self._events: list[Event] = []
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def number(self) -> int:
        """The number of the last event, or of none before the first."""
        return self._first + len(self._events) - 1

    def publish(self, event: Event) -> int:
        """Add an event and wake every reader; return its number."""
        self._events.append(event)
        if self._waiting:
            waiting, self._waiting = self._waiting, set()
            for future in waiting:
                if not future.done():
                    future.set_result(None)
        return self.number

    def since(self, number: int) -> list[tuple[int, Event]] | None:
        """Return the events after `number`; None when some of them are forgotten or the number is unknown."""
        at = number + 1 - self._first
        if not 0 <= at <= len(self._events):
            return None
        return list(enumerate(self._events[at:], number + 1))

    async def wait(self, number: int, patience_s: float) -> None:
        """Return as soon as there is an event after `number`, or after `patience_s` seconds."""
        if self.number > number:
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.add(future)
        timer = loop.call_later(patience_s, _finish, future)
        try:
            await future
        finally:
            timer.cancel()
            self._waiting.discard(future)

    def forget(self) -> None:
        """Drop all events; readers who have not read them start with the whole conversation."""
        self._first += len(self._events)
        self._events.clear()


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
