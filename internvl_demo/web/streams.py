"""Which stream of updates a tab shows: one at a time, the one begun last.

    async with aclosing(streams.showing(tab, views)) as shown:   # ends the tab's stream before it
        async for view in shown: ...
    await streams.end(tab)                                       # the page turns to something else

Gradio's own `cancels` names events when the page is built, so that a stream begun by a follow-up of an event cannot
be ended by that event itself; and it ends a stream in the browser, where an update may already be on its way. Here a
stream ends in the server, and whoever takes its place waits until its last update has been sent: none comes later.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import TypeVar

PATIENCE_S = 2.0
"""How long the next waits for the one before: a lost connection may not let it end."""

TABS = 4096
"""Tabs that are remembered: more than will be open at once."""

T = TypeVar("T")


class _Stream:
    def __init__(self) -> None:
        self.over, self.done = asyncio.Event(), asyncio.Event()

    async def end(self) -> None:
        self.over.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.done.wait(), PATIENCE_S)


class Streams:
    """The streams of all tabs. They belong to one event loop."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, _Stream] = OrderedDict()

    def begun(self, tab: str) -> bool:
        """Whether the tab has shown anything yet."""
        return tab in self._last

    async def end(self, tab: str) -> None:
        """Ends the tab's stream, if there is one."""
        if stream := self._last.get(tab):
            await stream.end()

    async def showing(self, tab: str, views: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """The views, until the tab shows something else. What they begin with is always done."""
        before, mine = self._last.get(tab), _Stream()
        self._last[tab] = mine
        self._last.move_to_end(tab)
        while len(self._last) > TABS:
            self._last.popitem(last=False)
        try:
            if before:
                await before.end()
            async with aclosing(_until(mine.over, views)) as shown:
                async for view in shown:
                    yield view
        finally:
            mine.done.set()


async def _until(over: asyncio.Event, views: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The views until it is over. The first is waited for: with it has begun what goes on without being looked at."""
    async with aclosing(views):
        ending = asyncio.ensure_future(over.wait())
        coming = asyncio.ensure_future(anext(views, None))
        try:
            await asyncio.wait([coming])
            while not over.is_set() and (view := coming.result()) is not None:
                yield view
                coming = asyncio.ensure_future(anext(views, None))
                await asyncio.wait([coming, ending], return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending.cancel()
            coming.cancel()
            await asyncio.wait([coming, ending])


async def ticking(items: AsyncGenerator[T, None], tick_s: float) -> AsyncGenerator[T | None, None]:
    """The items, and None whenever there has been none for that long."""
    async with aclosing(items):
        coming = asyncio.ensure_future(anext(items, None))
        try:
            while True:
                done, _ = await asyncio.wait([coming], timeout=tick_s)
                item = coming.result() if done else None
                if done and item is None:
                    return
                yield item
                if done:
                    coming = asyncio.ensure_future(anext(items, None))
        finally:
            coming.cancel()
            await asyncio.wait([coming])
