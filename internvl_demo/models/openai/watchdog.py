"""Decide how long to wait for a server that says nothing: for as long as it is alive.

A server may be silent for minutes and be well: LMDeploy sends headers at once and then nothing, not even
keep-alive comments, while a request waits for a free place and while 40-tile images are read. So silence alone
is no failure. While nothing comes, the server's `/health` is asked now and then: alive, the wait goes on; not
alive twice in a row, the answer is given up. Where there is no `/health`, there is a longest silence.

One task watches one answer, whatever the number of its parts. Only time that is spent waiting for the server is
silence: whoever reads may pause between two waits for as long as they like.

Not here: HTTP. Who builds a `Watchdog` says how the server is asked.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from internvl_demo.errors import DemoError
from internvl_demo.models.openai.errors import late, stalled

T = TypeVar("T")

_TICK_S = 1.0
"""How often the watchdog looks whether something came."""


@dataclass(frozen=True)
class SilenceLimits:
    """Seconds. `check_s` of silence before `/health` is asked, and between two times; `health_s` for its answer;
    `longest_s` is the longest silence of a server that has no `/health`; `cost_s` the longest wait for what an
    ended answer cost."""

    check_s: float = 15.0
    health_s: float = 10.0
    longest_s: float = 1800.0
    cost_s: float = 5.0


class Watchdog:
    """Watches over the waits of one answer.

    async with Watchdog(is_alive, endpoint, SilenceLimits()) as watchdog:
        response = await watchdog.wait(request())
        part = await watchdog.wait(anext(parts))

    health: returns whether the server is alive, None when it cannot say. Raises nothing.
    """

    def __init__(
        self, health: Callable[[], Awaitable[bool | None]], endpoint: str, limits: SilenceLimits
    ) -> None:
        self._health, self._endpoint, self._limits = health, endpoint, limits
        self._timeout: asyncio.Timeout | None = None
        self._since = 0.0
        self._verdict: DemoError | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def wait(self, coming: Awaitable[T]) -> T:
        """Return what comes. Raises what it raises, or a BackendError when the server is given up meanwhile."""
        try:
            async with asyncio.timeout(
                None
            ) as self._timeout:  # never by itself: the watchdog's task moves it
                self._since = time.monotonic()
                return await coming
        except TimeoutError:
            if self._verdict is None:
                raise
            raise self._verdict from None
        finally:
            self._timeout = None

    async def _watch(self) -> None:
        since = checked_at = dead = 0.0
        while True:
            await asyncio.sleep(min(_TICK_S, self._limits.check_s))
            waiting = self._timeout
            if waiting is None:
                continue
            if self._since != since:
                since = checked_at = self._since
                dead = 0
            if time.monotonic() - checked_at < self._limits.check_s:
                continue
            alive = await self._health()
            checked_at = time.monotonic()
            if self._timeout is not waiting:
                continue  # something came while we asked
            dead = dead + 1 if alive is False else 0
            if dead == 2:
                self._give_up(stalled(self._endpoint))
            elif alive is None and checked_at - since >= self._limits.longest_s:
                self._give_up(late(self._endpoint))

    def _give_up(self, verdict: DemoError) -> None:
        """Let the wait that is going on raise the verdict."""
        if self._timeout:
            self._verdict = verdict
            self._timeout.reschedule(asyncio.get_running_loop().time())
