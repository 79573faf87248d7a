"""Decide who may ask the model now and who waits: a bounded number run, a bounded number wait, each person fairly.

    queue = AnswerQueue(running=8, waiting=32)
    with queue.ticket(person) as ticket:      # raises QueueFull
        while ticket.place:                   # 3, 2, 1; 0: it may run
            await ticket.moved()
        ...

Model servers queue without limit and say nothing (LMDeploy answers with headers at once, then with silence),
so whoever sends to one bounds what they send. Persons take turns: after one of a person's questions, one of
each other's goes first, so that ten questions of one delay the single question of another by one. Leaving
the `with` block gives the place back, whether it ran or waited. In a full queue the last question of whoever
waits with most gives way to a person who has at least two fewer there; nobody waits for nothing behind a crowd.

Values and events only: no HTTP, no clock, no thread; all tickets of a queue belong to one event loop.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from internvl_demo.errors import BackendError


class QueueFull(BackendError):
    """So many questions run and wait already that one more is refused."""

    def __init__(self, running: int, waiting: int):
        super().__init__(
            "The model is busy: {running} questions are being answered and {waiting} are waiting.",
            "Wait a moment, then send the question again.",
            running=running,
            waiting=waiting,
        )
        self.running, self.waiting = running, waiting


class Ticket:
    """A question's place among those that run or wait."""

    def __init__(self, queue: "AnswerQueue", person: str):
        self.person = person
        self.admitted = self.refused = False
        self._queue = queue
        self._moved = asyncio.Event()

    @property
    def place(self) -> int:
        """0 once it may run, else its number in the queue, from 1: the order if nobody came and nobody left."""
        return 0 if self.admitted else self._queue.place_of(self)

    async def moved(self, patience_s: float | None = None) -> None:
        """Return when something in the queue has changed, or after `patience_s`.

        Raises QueueFull when the place went to a person who had fewer.
        """
        if not self.refused:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):  # Python 3.11's wait_for may swallow a cancel
                    await self._moved.wait()
            self._moved.clear()
        if self.refused:
            raise QueueFull(self._queue.running, self._queue.waiting)

    def wake(self) -> None:
        """Wake whoever waits for this ticket: something has changed."""
        self._moved.set()


class AnswerQueue:
    """Lets at most `running` tickets run and `waiting` wait."""

    def __init__(self, running: int, waiting: int):
        self._most_running, self._most_waiting = running, waiting
        self._running = 0
        self._tickets: OrderedDict[str, deque[Ticket]] = OrderedDict()
        """Person -> tickets that wait, first come first; the persons in the order of their next turns."""

    @property
    def running(self) -> int:
        """The number of questions that run now."""
        return self._running

    @property
    def waiting(self) -> int:
        """The number of questions that wait now."""
        return sum(map(len, self._tickets.values()))

    @contextmanager
    def ticket(self, person: str) -> Iterator[Ticket]:
        """Take a place among those that run or wait, given back at the end. Raises QueueFull when there is none."""
        ticket = self._join(person)
        try:
            yield ticket
        finally:
            self._leave(ticket)

    def place_of(self, ticket: Ticket) -> int:
        """Return the number in the queue of a ticket that is not admitted; behind its end for one that was refused."""
        if ticket.refused:
            return self.waiting + 1
        place, before = 0, True
        own = self._tickets[ticket.person]
        turn = own.index(ticket)
        for person, tickets in self._tickets.items():
            before = before and person != ticket.person
            place += min(len(tickets), turn + 1 if before or tickets is own else turn)
        return place

    def _join(self, person: str) -> Ticket:
        if self._running >= self._most_running and self.waiting >= self._most_waiting:
            self._free_place(person)
        ticket = Ticket(self, person)
        self._tickets.setdefault(person, deque()).append(ticket)
        self._go_on()
        return ticket

    def _free_place(self, person: str) -> None:
        """Refuse the last ticket of whoever waits with most, if that is fair to them."""
        crowd = max(self._tickets.values(), key=len, default=deque[Ticket]())
        if len(crowd) < len(self._tickets.get(person, ())) + 2:
            raise QueueFull(self._running, self.waiting)
        last = crowd.pop()
        last.refused = True
        last.wake()

    def _leave(self, ticket: Ticket) -> None:
        if ticket.admitted:
            self._running -= 1
        elif not ticket.refused:
            self._tickets[ticket.person].remove(ticket)
            if not self._tickets[ticket.person]:
                del self._tickets[ticket.person]
        self._go_on()

    def _go_on(self) -> None:
        """Let run what may, and tell those who wait on."""
        while self._tickets and self._running < self._most_running:
            person, tickets = self._tickets.popitem(last=False)
            ticket = tickets.popleft()
            if tickets:
                self._tickets[person] = tickets  # behind all others
            ticket.admitted = True
            ticket.wake()
            self._running += 1
        for tickets in self._tickets.values():
            for ticket in tickets:
                ticket.wake()
