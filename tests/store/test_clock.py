"""A clock that is set takes nothing away; one that runs does, in its time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from internvl_demo.conversation.turns import Attachment
from internvl_demo.store import Store
from internvl_demo.store.faults import BusyError, GoneError
from tests.support.stores import BLUE, DAY, HOUR, RED, Clock, asked, open_at, photo_ids

YEAR = 365 * DAY


def restarted(store: Store, folder: Path, clock: Clock, now: float) -> Store:
    store.close()
    clock.now = now
    return open_at(folder, clock)


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    """Instead of the common one: these tests close it."""
    yield open_at(tmp_path, clock)


@pytest.mark.parametrize("days", [31, 32, 365, 365 * 30])
def test_one_start_far_ahead_deletes_nothing(store: Store, tmp_path: Path, clock: Clock, days: int) -> None:
    """Thirty-one days ahead once took everything."""
    right = clock.now
    mine = asked(store, "me", None, "Who?", [Attachment(RED, 1)])
    waits = store.add_photo("me", BLUE)
    store = restarted(store, tmp_path, clock, right + days * DAY)
    for _ in range(3):
        clock.now += HOUR
        store.sweep()
    assert store.entries("me")[0].id == mine and photo_ids(tmp_path) == {RED.id, BLUE.id}
    store = restarted(store, tmp_path, clock, right + 4 * HOUR)
    store.sweep()
    assert store.entries("me")[0].id == mine and store.photo("me", waits.id) == waits
    clock.now += DAY
    store.sweep()
    assert photo_ids(tmp_path) == {RED.id}, "afterwards each thing is as old as it is"
    clock.now += 29.5 * DAY
    store.sweep()
    assert store.entries("me") == []
    store.close()


def test_what_is_asked_while_the_clock_is_back_stays(store: Store, tmp_path: Path, clock: Clock) -> None:
    right = clock.now
    before = asked(store, "me", None, "Before?")
    store = restarted(store, tmp_path, clock, right - YEAR)
    meanwhile = asked(store, "me", None, "Meanwhile?", [Attachment(RED, 1)])
    store.sweep()
    store = restarted(store, tmp_path, clock, right + HOUR)
    assert {entry.id for entry in store.entries("me")} == {before, meanwhile}
    assert photo_ids(tmp_path) == {RED.id}
    clock.now += 30.5 * DAY
    store.sweep()
    assert store.entries("me") == []
    store.close()


@pytest.mark.parametrize("step", [-YEAR, -2 * HOUR, 32 * DAY, YEAR])
def test_a_clock_set_while_the_demo_runs_deletes_nothing(store: Store, clock: Clock, step: float) -> None:
    before = asked(store, "me", None, "Before?")
    clock.now += 10 * DAY
    store.sweep()
    clock.now += step
    meanwhile = asked(store, "me", None, "Meanwhile?", [Attachment(RED, 1)])
    clock.now += HOUR
    store.sweep()
    clock.now -= step
    store.sweep()
    clock.now += 19 * DAY
    store.sweep()
    assert {entry.id for entry in store.entries("me")} == {before, meanwhile}
    clock.now += 2 * DAY
    store.sweep()
    assert {entry.id for entry in store.entries("me")} == {meanwhile}, "it lived for its thirty days"
    store.close()


def test_a_verb_that_fails_sees_the_clock_all_the_same(store: Store, clock: Clock) -> None:
    old = asked(store, "me", None, "Old?")
    record = store.ask("me", None, "Busy?", version_id="v1", model="model")
    clock.now += 10 * DAY
    store.sweep()
    clock.now += YEAR
    with pytest.raises(BusyError):
        store.undo("me", record.id)
    with pytest.raises(GoneError):
        store.rename("me", "no such conversation", "?")
    store.sweep()
    assert old in {entry.id for entry in store.entries("me")}
    store.close()


def test_a_kill_while_the_clock_is_wrong_deletes_nothing(store: Store, tmp_path: Path, clock: Clock) -> None:
    """An answer that was being written is dated by the start, too."""
    right = clock.now
    old = asked(store, "me", None, "Old?")
    record = store.ask("me", None, "Who?", version_id="v1", model="model")
    for now in (right - YEAR, right + YEAR, right + HOUR):
        store = restarted(store, tmp_path, clock, now)
        assert {entry.id for entry in store.entries("me")} == {old, record.id}
        store.begin("me", record.id, f"v{now}", "model")
    store.close()


def test_a_machine_that_was_off_for_a_while_is_believed(store: Store, tmp_path: Path, clock: Clock) -> None:
    asked(store, "me", None, "Who?")
    store = restarted(store, tmp_path, clock, clock.now + 30.5 * DAY)
    assert store.entries("me") == []
    store.close()
