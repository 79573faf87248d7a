"""Ask how the model is, for all pages together: however many are open, it is asked once in a few seconds.

    watch = HealthWatch(backend)
    health = await watch.now()     # of the last FRESH_S seconds, or the last that is known while the model says nothing

Nobody waits for a model that is slow to say how it is: they hear what was known before, and the next who asks hears
the answer. Nothing is asked while nobody wants to know. All of it belongs to one event loop.
"""

import asyncio
import logging
import time
from contextlib import suppress

from internvl_demo.models.base import READY, Backend, Health

FRESH_S = 3.0
"""How long an answer is good for everybody."""

PATIENCE_S = 1.0
"""The longest that a page waits to hear how the model is."""

_LOG = logging.getLogger(__name__)


class HealthWatch:
    """The health of one model, asked by many. Until the first answer it is ready: it was there when the app began."""

    def __init__(self, backend: Backend, fresh_s: float = FRESH_S, patience_s: float = PATIENCE_S):
        self._backend, self._fresh_s, self._patience_s = backend, fresh_s, patience_s
        self._known = READY
        self._known_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def now(self) -> Health:
        """Return how the model is."""
        if self._asking is None and time.monotonic() - self._known_at >= self._fresh_s:
            self._asking = asyncio.create_task(self._ask())
        if self._asking:
            await asyncio.wait([self._asking], timeout=self._patience_s)
        return self._known

    def forget(self) -> None:
        """Make the next who wants to know ask the model itself, as after something was done to it."""
        self._known_at = float("-inf")

    async def close(self) -> None:
        """Ask no more."""
        if self._asking:
            self._asking.cancel()
            with suppress(asyncio.CancelledError):
                await self._asking

    async def _ask(self) -> None:
        try:
            self._known = await self._backend.health()
        except Exception:  # noqa: BLE001 - one that raises all the same must not make the page forget its model
            _LOG.exception("the model's health could not be asked")
        finally:
            self._known_at, self._asking = time.monotonic(), None
