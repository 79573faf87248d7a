"""Measure how fast the in-process backend generates tokens, against `model.generate` on the same weights.

Each round asks one fresh question about one fresh image of one tile, both ways, one after the other: the
backend streaming, `generate` not. Both generate the same number of tokens: the stop tokens are switched off.
"""

import statistics
import time
from typing import Any

import torch
from PIL import Image

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.prompt import prompt_text
from internvl_demo.conversation.tiling import crop_tiles, pixel_values, plan_tiles
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.models.base import Usage
from internvl_demo.models.local.backend import LocalBackend
from internvl_demo.photos.decode import photo_of

_TOKENS = 96


async def measure_decode(checkpoint: str, rounds: int) -> dict[str, Any]:
    """Return medians over `rounds`, after one to warm up; a ratio above 1: the backend is faster."""
    backend = LocalBackend(checkpoint)
    backend.stop_ids = set()
    pairs = []
    for shade in range(rounds + 1):
        photo = photo_of(Image.new("RGB", (448, 448), (240 - shade % 200, 240, 200)))
        conversation = Conversation().ask("Please identify and label all objects.", (Attachment(photo, 1),))
        pairs.append((await _streamed(backend, conversation), _generated(backend, conversation)))
    await backend.close()
    ours, theirs = zip(*pairs[1:], strict=True)
    return {
        "rounds": rounds,
        "tokens": _TOKENS,
        "ttft_s": round(statistics.median(row[0] for row in ours), 4),
        "generate_ttft_s": round(statistics.median(row[0] for row in theirs), 4),
        "tokens_per_s": round(statistics.median(row[1] for row in ours), 1),
        "generate_tokens_per_s": round(statistics.median(row[1] for row in theirs), 1),
        "ratio": round(
            statistics.median(row[1] / other[1] for row, other in zip(ours, theirs, strict=True)), 3
        ),
    }


async def _streamed(backend: LocalBackend, conversation: Conversation) -> tuple[float, float]:
    """Return the seconds to the first piece, and the tokens a second after it."""
    start, first = time.perf_counter(), 0.0
    async for piece in backend.stream(conversation, Options(max_new_tokens=_TOKENS)):
        first = first or time.perf_counter()
        n_generated = piece.completion_tokens if isinstance(piece, Usage) else 0
    return first - start, (n_generated - 1) / (time.perf_counter() - first)


@torch.inference_mode()
def _generated(backend: LocalBackend, conversation: Conversation) -> tuple[float, float]:
    """Return the same of `generate`: one token alone, then all of them; the difference is the others' time."""
    image = conversation.turns[-1].images[0].photo.image
    ids = backend.tokenizer(prompt_text(conversation, backend.tokens_per_tile), add_special_tokens=False)
    inputs = {
        "input_ids": torch.tensor([ids["input_ids"]]),
        "attention_mask": torch.ones(1, len(ids["input_ids"]), dtype=torch.long),
        "pixel_values": pixel_values(crop_tiles(image, plan_tiles(image.size, 1))),
    }
    seconds = []
    for count in (1, _TOKENS):
        start = time.perf_counter()
        backend.model.generate(
            **inputs,
            max_new_tokens=count,
            min_new_tokens=count,
            do_sample=False,
            eos_token_id=backend.tokenizer.vocab_size + 9,
            pad_token_id=0,
        )
        seconds.append(time.perf_counter() - start)
    return seconds[0], (_TOKENS - 1) / (seconds[1] - seconds[0])
