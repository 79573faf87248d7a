"""The watchdog alone, with a health that a test holds in its hands; before a socket it is in `test_errors`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from internvl_demo.errors import BackendError
from internvl_demo.models.openai.watchdog import SilenceLimits, Watchdog
from tests.support.scripted_server import in_a_loop


class Health:
    """Says what it is told to; `asked` counts."""

    def __init__(self, says: bool | None) -> None:
        self.says, self.asked = says, 0
        self.called, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> bool | None:
        self.asked += 1
        self.called.set()
        await self.go.wait()
        return self.says


@asynccontextmanager
async def watching(health: Health, longest_s: float = 1800.0) -> AsyncIterator[Watchdog]:
    async with Watchdog(health, "http://host", SilenceLimits(check_s=0.01, longest_s=longest_s)) as watchdog:
        yield watchdog


@in_a_loop
async def test_a_dead_server_ends_every_wait_anew() -> None:
    health = Health(False)
    health.go.set()
    async with watching(health) as watchdog:
        for times in (2, 4):
            with pytest.raises(BackendError, match="stopped answering"):
                await watchdog.wait(asyncio.Event().wait())
            assert health.asked == times


@in_a_loop
async def test_a_bad_word_about_an_earlier_wait_does_not_count() -> None:
    health = Health(False)
    async with watching(health) as watchdog:
        something = asyncio.Event()
        waiting = asyncio.ensure_future(watchdog.wait(something.wait()))
        await health.called.wait()
        health.called.clear()
        health.go.set()
        health.go.clear()
        await health.called.wait()  # the second time: its answer would be the last word
        something.set()
        assert await waiting
        waiting = asyncio.ensure_future(watchdog.wait(asyncio.Event().wait()))
        await asyncio.sleep(0)
        health.go.set()
        with pytest.raises(BackendError, match="stopped answering"):
            await waiting
        assert health.asked == 4, "the first two were about a wait that is over"


@in_a_loop
async def test_nobody_asks_while_nobody_waits() -> None:
    health = Health(False)
    async with watching(health) as watchdog:
        assert await watchdog.wait(asyncio.sleep(0, True))
        await asyncio.sleep(0.1)
    assert health.asked == 0


@in_a_loop
async def test_what_is_awaited_raises_its_own_errors() -> None:
    async def late() -> None:
        raise TimeoutError("mine")

    async with watching(Health(None)) as watchdog:
        with pytest.raises(TimeoutError, match="mine"):
            await watchdog.wait(late())


@in_a_loop
async def test_stop_is_stop_and_leaves_nobody_behind() -> None:
    tasks = asyncio.all_tasks()
    health = Health(False)

    async def wait_for_ever() -> None:
        async with watching(health) as watchdog:
            await watchdog.wait(asyncio.Event().wait())

    waiting = asyncio.ensure_future(wait_for_ever())
    await health.called.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asyncio.all_tasks() == tasks


@in_a_loop
async def test_a_server_without_health_has_a_longest_silence() -> None:
    health = Health(None)
    health.go.set()
    async with watching(health, longest_s=0.05) as watchdog:
        with pytest.raises(BackendError, match="in time"):
            await watchdog.wait(asyncio.Event().wait())
        assert health.asked >= 2
