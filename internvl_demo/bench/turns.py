"""Measure that turn 2 does not pay for turn 1's image again: time to first token, turn 2 against turn 1.

Each conversation shows one fresh 1280 x 960 image (4 x 3 tiles and a thumbnail, 13 views) to the
in-process backend, and asks a second question about it.
"""

import statistics
from typing import Any

from PIL import Image

from internvl_demo.answering.stream import Answer, answer
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.models.local.backend import LocalBackend
from internvl_demo.photos.decode import photo_of

_QUESTIONS = ("What is in the picture?", "How many cats are there?")


async def measure_turns(checkpoint: str, repeats: int) -> dict[str, Any]:
    """Return medians over `repeats` conversations, after one to warm up."""
    backend = LocalBackend(checkpoint)
    rows = [await converse(backend, shade) for shade in range(repeats + 1)][1:]
    await backend.close()
    first = statistics.median(row[0] for row in rows)
    second = statistics.median(row[1] for row in rows)
    return {
        "views": 13,
        "conversations": repeats,
        "turn1_ttft_s": round(first, 4),
        "turn2_ttft_s": round(second, 4),
        "ratio": round(statistics.median(row[1] / row[0] for row in rows), 4),
    }


async def converse(backend: LocalBackend, shade: int) -> tuple[float, float]:
    """Return the seconds to the first token of each turn."""
    photo = photo_of(Image.new("RGB", (1280, 960), (240 - shade % 200, 240, 200)))
    conversation = Conversation().ask(_QUESTIONS[0], (Attachment(photo, 12),))
    first = await _answer(backend, conversation)
    second = await _answer(backend, conversation.with_answer(first.raw).ask(_QUESTIONS[1]))
    assert first.timing.ttft_s is not None and second.timing.ttft_s is not None
    return first.timing.ttft_s, second.timing.ttft_s


async def _answer(backend: LocalBackend, conversation: Conversation) -> Answer:
    async for progress in answer(backend, conversation, Options(max_new_tokens=16)):
        last = progress
    return last
