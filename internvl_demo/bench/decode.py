"""Measure how fast the in-process backend generates tokens, against `model.generate` on the same weights.

Each round asks one fresh question about one fresh image of one tile, both ways, one after the other: the
backend streaming, `generate` not. Both generate the same number of tokens: the stop tokens are switched off.
"""

import statistics
import time
from typing import Any, NamedTuple

import torch
from PIL import Image

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.prompt import prompt_text
from internvl_demo.conversation.tiling import crop_tiles, pixel_values, plan_tiles
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.models.base import Usage
from internvl_demo.models.local.backend import LocalBackend
from internvl_demo.photos.decode import photo_of

TOKENS = 96


class Speed(NamedTuple):
    """Seconds to the first token, and the tokens a second after it."""

    ttft_s: float
    tokens_per_s: float


async def measure_decode(checkpoint: str, rounds: int) -> dict[str, Any]:
    """Return medians over `rounds`, after one to warm up; a ratio above 1: the backend is faster."""
    backend = LocalBackend(checkpoint)
    backend.stop_ids = set()
    pairs = [
        (await streamed(backend, asked, TOKENS), generated(backend, asked, TOKENS))
        for asked in map(fresh_question, range(rounds + 1))
    ]
    await backend.close()
    return compared(pairs[1:]) | {"tokens": TOKENS}


def compared(pairs: list[tuple[Speed, Speed]]) -> dict[str, Any]:
    """Return the medians of pairs of the backend's speed and that of `generate`, and of their ratio."""
    ours, theirs = zip(*pairs, strict=True)
    return {
        "rounds": len(pairs),
        "ttft_s": round(statistics.median(row.ttft_s for row in ours), 4),
        "generate_ttft_s": round(statistics.median(row.ttft_s for row in theirs), 4),
        "tokens_per_s": round(statistics.median(row.tokens_per_s for row in ours), 2),
        "generate_tokens_per_s": round(statistics.median(row.tokens_per_s for row in theirs), 2),
        "ratio": round(statistics.median(row.tokens_per_s / other.tokens_per_s for row, other in pairs), 3),
    }


def fresh_question(shade: int, size_wh: tuple[int, int] = (448, 448), max_tiles: int = 1) -> Conversation:
    """Return a question about a fresh image: `shade` tells it from others."""
    photo = photo_of(Image.new("RGB", size_wh, (240 - shade % 200, 240, 200)))
    return Conversation().ask("Please identify and label all objects.", (Attachment(photo, max_tiles),))


async def streamed(backend: LocalBackend, conversation: Conversation, tokens: int) -> Speed:
    """Answer with the backend, in so many tokens."""
    start, first = time.perf_counter(), 0.0
    async for piece in backend.stream(conversation, Options(max_new_tokens=tokens)):
        first = first or time.perf_counter()
        n_generated = piece.completion_tokens if isinstance(piece, Usage) else 0
    return Speed(first - start, (n_generated - 1) / (time.perf_counter() - first))


@torch.inference_mode()
def generated(backend: LocalBackend, conversation: Conversation, tokens: int) -> Speed:
    """Answer with `generate`, in so many tokens; the prompt is made by then, the image's tiles are not."""
    image = conversation.turns[-1].images[0]
    text = prompt_text(conversation, backend.tokens_per_tile, template=backend.profile.template)
    ids = torch.tensor([backend.tokenizer(text, add_special_tokens=False)["input_ids"]])
    clock, start = _Clock(), time.perf_counter()
    views = crop_tiles(image.photo.image, plan_tiles(image.photo.size_wh, image.max_tiles))
    backend.model.generate(
        input_ids=ids.to(backend.device),
        attention_mask=torch.ones_like(ids).to(backend.device),
        pixel_values=pixel_values(views).to(backend.device, backend.model.dtype),
        max_new_tokens=tokens,
        min_new_tokens=tokens,
        do_sample=False,
        eos_token_id=backend.tokenizer.vocab_size + 9,
        pad_token_id=0,
        streamer=clock,
    )
    _, first, *_, last = clock.times_s
    return Speed(first - start, (tokens - 1) / (last - first))


class _Clock:
    """Notes when `generate` hands over the prompt, and then each token."""

    def __init__(self) -> None:
        self.times_s: list[float] = []

    def put(self, value: torch.Tensor) -> None:  # noqa: ARG002 - the parameter is the interface
        self.times_s.append(time.perf_counter())

    def end(self) -> None:
        pass
