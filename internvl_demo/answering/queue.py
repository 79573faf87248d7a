"""Who may ask the model now, and who waits: a bounded number run, a bounded number wait, each person fairly.

    gate = Admission(running=8, waiting=32)
    with gate.ticket(person) as ticket:       # raises QueueFull
        while ticket.place:                   # 3, 2, 1; 0: it may run
            await ticket.moved()
        ...

Model servers queue without limit and say nothing (LMDeploy answers with headers at once, then with silence),
so whoever sends to one bounds what they send. Persons take turns: after one of a person's questions, one of
each other's goes first, so that ten questions of one delay the single question of another by one. Leaving
the `with` block gives the place back, whether it ran or waited. In a full line the last question of whoever
waits with most gives way to a person who has at least two fewer there; nobody waits for nothing behind a crowd.

Values and events only: no HTTP, no clock, no thread; all tickets of a gate belong to one event loop.
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
    """One question's place among those that run or wait."""

    def __init__(self, gate: "Admission", person: str):
        self.person = person
        self.admitted = self.refused = False
        self._gate = gate
        self._moved = asyncio.Event()

    @property
    def place(self) -> int:
        """0 once it may run, else its number in the line, from 1: the order if nobody came and nobody left."""
        return 0 if self.admitted else self._gate.place_of(self)

    async def moved(self, patience_s: float | None = None) -> None:
        """Returns when something in the line has changed, or after `patience_s`.

        Raises QueueFull when the place went to a person who had fewer.
        """
        if not self.refused:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):  # Python 3.11's wait_for may swallow a cancel
                    await self._moved.wait()
            self._moved.clear()
        if self.refused:
            raise QueueFull(self._gate.running, self._gate.waiting)

    def wake(self) -> None:
        """Something has changed."""
        self._moved.set()


class Admission:
    """At most `running` tickets run and `waiting` wait."""

    def __init__(self, running: int, waiting: int):
        self._most_running, self._most_waiting = running, waiting
        self._running = 0
        self._lines: OrderedDict[str, deque[Ticket]] = OrderedDict()
        """Person -> tickets that wait, first come first; the persons in the order of their next turns."""

    @property
    def running(self) -> int:
        """How many run now."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return sum(map(len, self._lines.values()))

    @contextmanager
    def ticket(self, person: str) -> Iterator[Ticket]:
        """A place among those that run or wait, given back at the end. Raises QueueFull when there is none."""
        ticket = self._join(person)
        try:
            yield ticket
        finally:
            self._leave(ticket)

    def place_of(self, ticket: Ticket) -> int:
        """The number in the line of a ticket that is not admitted; behind its end for one that was refused."""
        if ticket.refused:
            return self.waiting + 1
        place, before = 0, True
        own = self._lines[ticket.person]
        turn = own.index(ticket)
        for person, line in self._lines.items():
            before = before and person != ticket.person
            place += min(len(line), turn + 1 if before or line is own else turn)
        return place

    def _join(self, person: str) -> Ticket:
        if self._running >= self._most_running and self.waiting >= self._most_waiting:
            self._make_room(person)
        ticket = Ticket(self, person)
        self._lines.setdefault(person, deque()).append(ticket)
        self._go_on()
        return ticket

    def _make_room(self, person: str) -> None:
        """Refuses the last ticket of whoever waits with most, if that is fair to them."""
        crowd = max(self._lines.values(), key=len, default=deque[Ticket]())
        if len(crowd) < len(self._lines.get(person, ())) + 2:
            raise QueueFull(self._running, self.waiting)
        last = crowd.pop()
        last.refused = True
        last.wake()

    def _leave(self, ticket: Ticket) -> None:
        if ticket.admitted:
            self._running -= 1
        elif not ticket.refused:
            self._lines[ticket.person].remove(ticket)
            if not self._lines[ticket.person]:
                del self._lines[ticket.person]
        self._go_on()

    def _go_on(self) -> None:
        """Lets run what may, and tells those who wait on."""
        while self._lines and self._running < self._most_running:
            person, line = self._lines.popitem(last=False)
            ticket = line.popleft()
            if line:
                self._lines[person] = line  # behind all others
            ticket.admitted = True
            ticket.wake()
            self._running += 1
        for line in self._lines.values():
            for ticket in line:
                ticket.wake()
