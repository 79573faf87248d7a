"""Who may ask now and who waits: bounds that hold, a line without jumps, and a fair share for each person."""

import asyncio
from contextlib import ExitStack

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from internvl_demo.answering.queue import AnswerQueue, QueueFull, Ticket
from tests.support.scripted_server import in_a_loop


class Hall:
    """Persons with tickets, in any order: what `with` blocks do in tasks."""

    def __init__(self, running: int, waiting: int):
        self.gate = AnswerQueue(running, waiting)
        self.tickets: dict[Ticket, ExitStack] = {}

    def come(self, person: str) -> Ticket:
        stack = ExitStack()
        ticket = stack.enter_context(self.gate.ticket(person))
        self.tickets[ticket] = stack
        return ticket

    def go(self, ticket: Ticket) -> None:
        self.tickets.pop(ticket).close()

    def line(self) -> list[Ticket]:
        """Those who wait, by their places."""
        return sorted(
            (one for one in self.tickets if one.place and not one.refused), key=lambda one: one.place
        )

    def persons(self) -> str:
        return "".join(ticket.person for ticket in self.line())


# --- refusals ---------------------------------------------------------------------------------------------


def test_beyond_the_line_a_question_is_refused_with_a_next_step() -> None:
    hall = Hall(2, 1)
    for person in "abc":
        hall.come(person)
    with pytest.raises(QueueFull) as caught:
        hall.come("d")
    assert (caught.value.running, caught.value.waiting) == (2, 1)
    assert "2 questions" in caught.value.what and "send the question again" in caught.value.next_step
    assert hall.persons() == "c", "a refusal changes nothing"


def test_without_a_line_nobody_waits() -> None:
    hall = Hall(1, 0)
    first = hall.come("a")
    with pytest.raises(QueueFull):
        hall.come("b")
    hall.go(first)
    assert hall.come("b").admitted


def test_a_crowd_of_one_persons_questions_keeps_nobody_out() -> None:
    hall = Hall(1, 3)
    crowd = [hall.come("a") for _ in range(4)]
    newcomer = hall.come("b")
    assert newcomer.place == 2 and hall.persons() == "aba"
    with pytest.raises(QueueFull):
        asyncio.run(crowd[-1].moved())
    hall.go(crowd[-1])
    assert hall.persons() == "aba", "the refused ticket had no place to give back"
    assert hall.come("c").place == 3 and hall.persons() == "abc"
    with pytest.raises(QueueFull):
        hall.come("a")


def test_a_refused_ticket_never_looks_as_if_it_might_run() -> None:
    hall = Hall(1, 2)
    crowd = [hall.come("a") for _ in range(3)]
    hall.come("b")
    assert crowd[-1].refused and not crowd[-1].admitted and crowd[-1].place > 2


# --- the line ---------------------------------------------------------------------------------------------


def test_persons_take_turns() -> None:
    hall = Hall(1, 32)
    first = hall.come("a")
    for person in "aaabbc":
        hall.come(person)
    assert hall.persons() == "abcaba"
    hall.go(first)
    assert hall.persons() == "bcaba"


def test_one_persons_questions_keep_their_order() -> None:
    hall = Hall(1, 32)
    tickets = [hall.come("a") for _ in range(5)]
    assert [ticket.place for ticket in tickets] == [0, 1, 2, 3, 4]


def test_a_waiter_who_leaves_frees_the_place_at_once() -> None:
    hall = Hall(1, 2)
    hall.come("a")
    middle, last = hall.come("b"), hall.come("c")
    hall.go(middle)
    assert last.place == 1
    assert hall.come("d").place == 2


def test_an_error_in_the_answer_gives_the_place_back() -> None:
    gate = AnswerQueue(1, 0)
    with pytest.raises(KeyError), gate.ticket("a"):
        raise KeyError
    assert (gate.running, gate.waiting) == (0, 0)


@in_a_loop
async def test_a_person_who_waits_sees_the_line_move_and_is_let_in() -> None:
    gate = AnswerQueue(1, 5)
    begun, seen = asyncio.Event(), list[int]()

    async def wait() -> None:
        with gate.ticket("c") as ticket:
            while ticket.place:
                seen.append(ticket.place)
                begun.set()
                await ticket.moved()

    with gate.ticket("a"):
        with gate.ticket("b"):
            waiting = asyncio.ensure_future(wait())
            await begun.wait()
        await asyncio.sleep(0)
    await waiting
    assert list(dict.fromkeys(seen)) in ([2, 1], [2])
    assert (gate.running, gate.waiting) == (0, 0)


@in_a_loop
async def test_a_cancelled_wait_leaves_no_trace() -> None:
    gate = AnswerQueue(1, 5)
    begun = asyncio.Event()

    async def wait() -> None:
        with gate.ticket("b") as ticket:
            begun.set()
            while ticket.place:
                await ticket.moved()

    with gate.ticket("a"):
        waiting = asyncio.ensure_future(wait())
        await begun.wait()
        assert gate.waiting == 1
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert gate.waiting == 0


@in_a_loop
async def test_patience_ends_a_wait_in_which_nothing_moves() -> None:
    gate = AnswerQueue(1, 5)
    with gate.ticket("a"), gate.ticket("b") as ticket:
        ticket.wake()
        await ticket.moved()
        await ticket.moved(0.001)
        assert ticket.place == 1


# --- whatever people do -----------------------------------------------------------------------------------


class Crowd(RuleBasedStateMachine):
    """Anybody comes and goes at any time."""

    @initialize(running=st.integers(1, 3), waiting=st.integers(0, 5))
    def open(self, running: int, waiting: int) -> None:
        self.running, self.waiting = running, waiting
        self.hall = Hall(running, waiting)
        self.passed: dict[Ticket, list[str]] = {}
        """Who was let in while a ticket waited."""

    @rule(person=st.sampled_from("abcd"))
    def come(self, person: str) -> None:
        mine = sum(ticket.person == person for ticket in self.hall.line())
        most = max((self.hall.persons().count(one) for one in self.hall.persons()), default=0)
        full = self.hall.gate.running == self.running and self.hall.gate.waiting == self.waiting
        try:
            ticket = self.hall.come(person)
        except QueueFull:
            assert full and most < mine + 2
            return
        assert not full or most >= mine + 2
        if not ticket.admitted:
            self.passed[ticket] = []

    @precondition(lambda self: self.hall.tickets)
    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        before = self.hall.line()
        gone = data.draw(st.sampled_from(list(self.hall.tickets)))
        ran, others = gone.admitted, [ticket for ticket in before if ticket is not gone]
        self.hall.go(gone)
        self.passed.pop(gone, None)
        if ran and others:
            let_in = others.pop(0)
            assert let_in.admitted, "the first in the line goes next"
            del self.passed[let_in]
            for ticket in others:
                self.passed[ticket].append(let_in.person)
        if ran:
            assert self.hall.line() == others, "and the others keep their order"

    @invariant()
    def bounds_hold(self) -> None:
        gate = self.hall.gate
        assert gate.running == sum(ticket.admitted for ticket in self.hall.tickets) <= self.running
        assert gate.waiting == len(self.hall.line()) <= self.waiting
        assert not gate.waiting or gate.running == self.running, "nobody waits while there is room"

    @invariant()
    def places_count_from_one(self) -> None:
        assert [ticket.place for ticket in self.hall.line()] == list(range(1, self.hall.gate.waiting + 1))

    @invariant()
    def nobody_is_passed_twice_by_the_same_person_without_a_turn_of_their_own(self) -> None:
        for ticket in self.hall.line():
            mine_before = sum(
                one.person == ticket.person and one.place < ticket.place for one in self.hall.line()
            )
            own = self.passed[ticket].count(ticket.person)
            for person in set("abcd") - {ticket.person}:
                assert self.passed[ticket].count(person) <= own + mine_before + 1


Crowd.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestCrowd = Crowd.TestCase
