"""How long to wait for a server that says nothing: for as long as it is alive.

A server may be silent for minutes and be well: LMDeploy sends headers at once and then nothing, not even
keep-alive comments, while a request waits for a free place and while 40-tile images are read. So silence alone
is no failure. While no byte comes, the server's `/health` is asked now and then: alive, the wait goes on; not
alive twice in a row, the answer is given up. Where there is no `/health`, there is a longest silence.

Also here, because it is counted in the same place: bytes beyond what any answer needs end it, too.
Not here: HTTP. Who builds a `Watch` says how the server is asked and how many bytes have come.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from internvl_demo.errors import DemoError
from internvl_demo.models.openai import errors

T = TypeVar("T")

_TICK_S = 1.0
"""How often the bytes are counted."""


@dataclass(frozen=True)
class Patience:
    """Seconds. `look_s` of silence before `/health` is asked, and between two times; `health_s` for its answer;
    `silence_s` is the longest silence of a server that has no `/health`."""

    look_s: float = 15.0
    health_s: float = 10.0
    silence_s: float = 1800.0


class Watch:
    """Waits for one answer's parts.

    health: whether the server is alive; None when it cannot say. Raises nothing, and takes as long as it may.
    """

    def __init__(
        self,
        health: Callable[[], Awaitable[bool | None]],
        endpoint: str,
        patience: Patience,
        most_bytes: int,
    ):
        self._health, self._endpoint, self._patience = health, endpoint, patience
        self._most_bytes = most_bytes
        self.received: Callable[[], int] = lambda: 0
        """How many bytes of the answer have come."""

    async def wait(self, coming: Awaitable[T]) -> T:
        """What comes. Raises what it raises, or a BackendError when the server is given up."""
        part = asyncio.ensure_future(coming)
        given_up = asyncio.ensure_future(self._given_up())
        try:
            await asyncio.wait([part, given_up], return_when=asyncio.FIRST_COMPLETED)
            if not part.done():
                raise given_up.result()
            return part.result()
        finally:
            part.cancel()
            given_up.cancel()
            await asyncio.wait([part, given_up])

    async def _given_up(self) -> DemoError:
        """Ends when it makes no sense to go on, with the reason."""
        patience, dead, came = self._patience, 0, self.received()
        heard_at = looked_at = time.monotonic()
        while True:
            await asyncio.sleep(min(_TICK_S, patience.look_s))
            if self.received() > self._most_bytes:
                return errors.endless()
            if self.received() != came:
                dead, came, heard_at = 0, self.received(), time.monotonic()
                looked_at = heard_at
            if time.monotonic() - looked_at < patience.look_s:
                continue
            alive = await self._health()
            looked_at = time.monotonic()
            dead = dead + 1 if alive is False else 0
            if dead == 2:
                return errors.stalled(self._endpoint)
            if alive is None and looked_at - heard_at >= patience.silence_s:
                return errors.late(self._endpoint)
