"""Turn the pieces of one generation into an answer: its text, its boxes, what it cost.

    builder = AnswerBuilder(conversation)
    builder.add("A <ref>cat</ref><box>[[10, 20,")     -> (Text("A "), Phrase("cat"))
    builder.add(" 300, 400]]</box>.")                  -> (PinnedBox(Box("cat", ...), image=1, certain=True), Text("."))
    builder.add(Thinking("Two"))                       -> (Thinking("Two"),), no part of the answer: no boxes
    builder.answer()                                   -> Answer(raw=..., events=..., pinned=..., timing=...)

An `Answer` is complete in itself at any moment: the raw text, what of it a person reads, the boxes so far and the
image that each means. Errors are raised, never turned into text. Nothing is stored or shown here.
"""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.tiling import TilesFollow, plan_tiles
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import DemoError
from internvl_demo.grounding.attribution import Attribution, Part, PinnedBox
from internvl_demo.grounding.parser import Event, GroundingParser, visible_text
from internvl_demo.models.base import Backend, Piece, Thinking, Timing, Usage
from internvl_demo.photos.coordinates import to_px

Growth = Part | Thinking
"""What an answer grows by."""

SNAPSHOT_S = 0.05
"""The least time between two snapshots of `answer`: twenty a second are smooth."""


@dataclass(frozen=True)
class Answer:
    """An answer so far. `usage` comes with the last snapshot; `broken_off` marks one whose end is lost; `thinking`
    is what the model wrote for itself before."""

    raw: str
    events: tuple[Event, ...]
    pinned: tuple[PinnedBox, ...]
    dropped_boxes: int
    timing: Timing
    usage: Usage | None = None
    broken_off: bool = False
    thinking: str = ""

    @property
    def text(self) -> str:
        """What a person reads: no tags, no coordinates."""
        return visible_text(self.events)


class AnswerBuilder:
    """Collects the pieces of the answer to a conversation's last question; its clock starts when it is made."""

    def __init__(self, conversation: Conversation):
        self._started = time.monotonic()
        self._ttft_s: float | None = None
        self._parser = GroundingParser()
        self._attribution = Attribution(conversation)
        self._raw: list[str] = []
        self._thinking: list[str] = []
        self._thought_s: float | None = None
        self._events: list[Event] = []
        self._pinned: list[PinnedBox] = []
        self.usage: Usage | None = None

    def add(self, piece: Piece) -> tuple[Growth, ...]:
        """Take the next piece; return what it completes, boxes on their images."""
        if isinstance(piece, Usage):
            self.usage = piece
            return ()
        if self._ttft_s is None:
            self._ttft_s = time.monotonic() - self._started
        if isinstance(piece, Thinking):
            self._thinking.append(piece.text)
            return (piece,)
        self._end_thinking()
        self._raw.append(piece)
        return self._take(self._parser.feed(piece))

    def restart_clock(self) -> None:
        """Count seconds from now: it is the question's turn."""
        self._started = time.monotonic()

    def finish(self) -> tuple[Part, ...]:
        """Take the end of the answer; return what was still held back."""
        self._end_thinking()
        return (*self._take(self._parser.finish()), *self._keep(self._attribution.finish()))

    @property
    def begun(self) -> bool:
        """Whether any text has come, of the answer or of the thinking before it."""
        return self._ttft_s is not None

    @property
    def raw(self) -> str:
        """The text with its tags so far."""
        return _joined(self._raw)

    @property
    def thinking(self) -> str:
        """What the model has written for itself so far."""
        return _joined(self._thinking)

    @property
    def timing(self) -> Timing:
        """The seconds to the first token, until now, and of thinking."""
        total_s = time.monotonic() - self._started
        thought_s = self._thought_s
        if thought_s is None and self._thinking and self._ttft_s is not None:
            thought_s = total_s - self._ttft_s
        return Timing(self._ttft_s, total_s, thought_s)

    def answer(self) -> Answer:
        """Return the answer as it stands."""
        return Answer(
            self.raw,
            tuple(self._events),
            tuple(self._pinned),
            self._parser.dropped,
            self.timing,
            self.usage,
            thinking=self.thinking,
        )

    def _end_thinking(self) -> None:
        """Keep how long the model thought: what comes is the answer, or nothing."""
        self._thought_s = self.timing.thought_s

    def _take(self, events: list[Event]) -> tuple[Part, ...]:
        self._events += events
        return self._keep([part for event in events for part in self._attribution.add(event)])

    def _keep(self, parts: list[Part]) -> tuple[Part, ...]:
        self._pinned += [part for part in parts if isinstance(part, PinnedBox)]
        return tuple(parts)


def _joined(parts: list[str]) -> str:
    """Return the text of the parts, which become one."""
    if len(parts) > 1:
        parts[:] = ["".join(parts)]
    return parts[0] if parts else ""


async def answer(
    backend: Backend, conversation: Conversation, options: Options | None = None
) -> AsyncGenerator[Answer, None]:
    """Answer the conversation's last question: snapshots at most every 50 ms, then the whole.

    For commands and measurements; the page follows a job instead. Closing the iterator stops the model. Raises what
    the backend raises.
    """
    builder, shown = AnswerBuilder(conversation), 0.0
    async with aclosing(backend.stream(conversation, options or Options())) as pieces:
        async for piece in pieces:
            builder.add(piece)
            if builder.usage is None and time.monotonic() - shown >= SNAPSHOT_S:
                shown = time.monotonic()
                yield builder.answer()
    builder.finish()
    yield builder.answer()


async def collect(
    backend: Backend, conversation: Conversation, options: Options
) -> tuple[Answer, DemoError | None]:
    """Answer the conversation's last question; return the answer, or what came of it and the error that ended it."""
    builder, failure = AnswerBuilder(conversation), None
    try:
        async with aclosing(backend.stream(conversation, options)) as pieces:
            async for piece in pieces:
                builder.add(piece)
    except DemoError as error:
        failure = error
    builder.finish()
    return builder.answer(), failure


def report(conversation: Conversation, given: Answer, follow: TilesFollow = "image") -> dict[str, Any]:
    """Return an answer as plain data, for the command line and the API.

    {text, thinking, boxes: [{label, image, box_1000, xyxy_px}], tiles: [int], usage, timing}; `image` counts from
    1 over the conversation, `tiles` are those of each image of the last turn, thumbnails not counted; None where the
    model's server decides. follow: whose choice of tiles the model follows.
    """
    images = conversation.images
    usage = given.usage
    speed = given.timing.tokens_per_s(usage.completion_tokens) if usage else None
    return {
        "text": given.text,
        "thinking": given.thinking,
        "boxes": [
            {
                "label": pinned.box.label,
                "image": pinned.image,
                "box_1000": list(pinned.box.box_1000),
                "xyxy_px": list(to_px(pinned.box.box_1000, images[pinned.image - 1].photo.size_wh)),
            }
            for pinned in given.pinned
        ],
        "tiles": [
            None if follow == "engine" else plan_tiles(image.photo.size_wh, image.max_tiles).tiles
            for image in conversation.as_read(follow).turns[-1].images
        ],
        "usage": vars(usage) if usage else None,
        "timing": {
            "ttft_s": given.timing.ttft_s and round(given.timing.ttft_s, 4),
            "total_s": round(given.timing.total_s, 4),
            "thought_s": given.timing.thought_s and round(given.timing.thought_s, 4),
            "tokens_per_s": speed and round(speed, 1),
        },
    }
