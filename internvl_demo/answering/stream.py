"""One generation as a stream of snapshots: pieces of text in, `Answer`s out.

Each snapshot is complete in itself: the raw text, what of it a person reads, the boxes so far and the
image each one means. Snapshots come at most every 50 ms and each is a valid place to stop. Closing the
iterator stops the model. Errors are raised, never turned into text; what had come by then is in the
last snapshot.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.tiling import plan_tiles
from internvl_demo.conversation.turns import Conversation
from internvl_demo.grounding.attribution import Pinned, pin
from internvl_demo.grounding.parser import Event, GroundingParser, visible_text
from internvl_demo.models.base import Backend, Piece, Usage
from internvl_demo.photos.coordinates import to_px

SNAPSHOT_S = 0.05
"""Least time between two snapshots: twenty a second is smooth, and 3.5 times cheaper than one a token."""


@dataclass(frozen=True)
class Timing:
    """Seconds since the question was sent: to the first text, and to now."""

    ttft_s: float | None
    total_s: float

    def tokens_per_s(self, completion_tokens: int) -> float | None:
        """Speed after the first token; None when there is no second."""
        if self.ttft_s is None or completion_tokens < 2 or self.total_s <= self.ttft_s:
            return None
        return (completion_tokens - 1) / (self.total_s - self.ttft_s)


@dataclass(frozen=True)
class Answer:
    """An answer so far. `usage` comes with the last snapshot; `broken_off` marks one whose end is lost."""

    raw: str
    events: tuple[Event, ...]
    pinned: tuple[Pinned, ...]
    dropped_boxes: int
    timing: Timing
    usage: Usage | None = None
    broken_off: bool = False

    @property
    def text(self) -> str:
        """What a person reads: no tags, no coordinates."""
        return visible_text(self.events)


async def answer(
    backend: Backend, conversation: Conversation, options: Options | None = None
) -> AsyncGenerator[Answer, None]:
    """Answers the conversation's last question. Raises what the backend raises."""
    started, ttft_s = time.monotonic(), None
    parser, events, raw, usage = GroundingParser(), list[Event](), "", None

    def snapshot() -> Answer:
        timing = Timing(ttft_s, time.monotonic() - started)
        return Answer(raw, tuple(events), tuple(pin(events, conversation)), parser.dropped, timing, usage)

    async with aclosing(_paced(backend.stream(conversation, options or Options()))) as pieces:
        async for piece in pieces:
            if piece is None:
                yield snapshot()
            elif isinstance(piece, Usage):
                usage = piece
            else:
                ttft_s = time.monotonic() - started if ttft_s is None else ttft_s
                raw += piece
                events += parser.feed(piece)
    events += parser.finish()
    yield snapshot()


async def _paced(pieces: AsyncGenerator[Piece, None]) -> AsyncGenerator[Piece | None, None]:
    """The pieces, and None whenever it is time to show what has come: at most every SNAPSHOT_S, and soon
    after the last piece of a burst even if the model then pauses."""
    shown, unseen = 0.0, False
    async with aclosing(pieces):
        coming = asyncio.ensure_future(anext(pieces, None))
        try:
            while True:
                patience = max(0.0, shown + SNAPSHOT_S - time.monotonic()) if unseen else None
                done, _ = await asyncio.wait([coming], timeout=patience)
                if done:
                    if unseen and coming.exception():
                        yield None  # what had come by then
                    piece = coming.result()
                    if piece is None:
                        return
                    yield piece
                    unseen = isinstance(piece, str)  # after the usage comes the last snapshot anyway
                    coming = asyncio.ensure_future(anext(pieces, None))
                if unseen and time.monotonic() - shown >= SNAPSHOT_S:
                    shown, unseen = time.monotonic(), False
                    yield None
        finally:
            coming.cancel()
            await asyncio.wait([coming])


def report(conversation: Conversation, said: Answer) -> dict[str, Any]:
    """An answer as plain data, for the command line and the API.

    {text, boxes: [{label, image, box_1000, xyxy_px}], tiles: [int], usage, timing}; `image` counts from 1
    over the conversation, `tiles` are those of each image of the last turn, thumbnails not counted.
    """
    images = conversation.images
    usage = said.usage
    speed = said.timing.tokens_per_s(usage.completion_tokens) if usage else None
    return {
        "text": said.text,
        "boxes": [
            {
                "label": pinned.box.label,
                "image": pinned.image,
                "box_1000": list(pinned.box.box_1000),
                "xyxy_px": list(to_px(pinned.box.box_1000, images[pinned.image - 1].photo.size_wh)),
            }
            for pinned in said.pinned
        ],
        "tiles": [
            plan_tiles(image.photo.size_wh, image.max_tiles).tiles for image in conversation.turns[-1].images
        ],
        "usage": vars(usage) if usage else None,
        "timing": {
            "ttft_s": said.timing.ttft_s and round(said.timing.ttft_s, 4),
            "total_s": round(said.timing.total_s, 4),
            "tokens_per_s": speed and round(speed, 1),
        },
    }
