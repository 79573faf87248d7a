"""What a page at rest costs: the memory of the page's process for each open conversation about photos.

opened   conversations that are there already, opened in a process that has just started: their events are
         followed and their photos fetched, and nothing is asked
used     the same number of conversations by upload and question in one process, and left open; the caches that
         this fills, which are bounded in bytes, count

{"pages": 20, "pictures": 4, "opened_kb_per_page": ..., "used_kb_per_page": ...}     1 KB = 1024 bytes
"""

import asyncio
import json
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from internvl_demo.bench.camera import camera_jpeg, numbered
from internvl_demo.bench.page_client import Visitor
from internvl_demo.bench.processes import rss_bytes_of_tree
from internvl_demo.bench.sites import Site, our_page, scripted_server
from internvl_demo.bench.stream_http import Event
from internvl_demo.bench.stream_text import question_for

WARM_UP = 2
"""Conversations that are gone through before anything is measured."""

REST_S = 3.0
_TOKENS = 40


@dataclass
class Kept:
    """A conversation, whose it is, and its photos."""

    visitor: Visitor
    id: str
    photos: list[str]


def measure_page_memory(pages: int, pictures: int) -> dict[str, Any]:
    """Return the growth of resident memory for each page, opened and used. Raise SetupError."""
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as work, scripted_server(Path(work)) as server:
        with our_page(Path(work), server) as page:
            kept, used = asyncio.run(_use(page, pages, pictures))
        with our_page(Path(work), server) as page:
            opened = asyncio.run(_open(page, kept))
    return {
        "pages": pages,
        "pictures": pictures,
        "opened_kb_per_page": round(opened / pages / 1024, 1),
        "used_kb_per_page": round(used / pages / 1024, 1),
    }


async def _use(page: Site, pages: int, pictures: int) -> tuple[list[Kept], int]:
    """Upload, ask and stay, page after page; return the conversations and the growth of memory in bytes."""
    photo = await asyncio.to_thread(camera_jpeg, True)
    async with Crowd() as crowd:
        kept = []
        for number in range(WARM_UP + pages):
            if number == WARM_UP:
                before = await _resting_bytes(page)
            files = [numbered(photo, number * pictures + one) for one in range(pictures)]
            kept.append(await _ask(Visitor(page.url), files))
            await crowd.open(kept[-1])
        return kept, await _resting_bytes(page) - before


async def _open(page: Site, kept: list[Kept]) -> int:
    """Open conversations that another process has left; return the growth of memory in bytes."""
    for one in kept:
        one.visitor.url = page.url
    async with Crowd() as crowd:
        for one in kept[:WARM_UP]:
            await crowd.open(one)
        before = await _resting_bytes(page)
        for one in kept[WARM_UP:]:
            await crowd.open(one)
        return await _resting_bytes(page) - before


async def _ask(visitor: Visitor, files: list[bytes]) -> Kept:
    photos = [await visitor.upload("photo.jpg", file) for file in files]
    asked = await visitor.ask(question_for(_TOKENS), photos)
    await visitor.follow(asked["conversation"], lambda event: _is_over(event, asked["answer"]))
    return Kept(visitor, asked["conversation"], photos)


def _is_over(event: Event, answer: str) -> bool:
    if event.name == "answer.failed":
        raise ValueError(json.loads(event.data)["what"])
    return event.name == "answer.done" and json.loads(event.data)["answer"] == answer


async def _resting_bytes(page: Site) -> int:
    await asyncio.sleep(REST_S)
    return rss_bytes_of_tree(page.pid)


class Crowd(AsyncExitStack):
    """Pages that stay open until the block ends."""

    async def open(self, kept: Kept) -> None:
        """Open a page: follow its events, wait for the first of them and fetch its photos."""
        there = asyncio.Event()

        def on_event(_event: Event) -> bool:
            there.set()
            return False

        following = asyncio.create_task(kept.visitor.follow(kept.id, on_event))
        self.push_async_callback(_end, following)
        await asyncio.wait([following, asyncio.create_task(there.wait())], return_when="FIRST_COMPLETED")
        if following.done():
            await following
        for photo in kept.photos:
            await kept.visitor.fetch_photo(photo)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
