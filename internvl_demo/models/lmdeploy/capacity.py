"""Compute how many conversations fit into a GPU's memory beside the weights. Pure arithmetic, no GPU is asked.

    memory per GPU = weights + CUDA context + KV cache + what the vision encoder needs

In: memory, number of GPUs, formats. Out: `Capacity`. The shape of the 26B is public: the config.json of
OpenGVLab/InternVL-Chat-V1-5 (InternViT-6B with 45 of its 48 layers, InternLM2-20B). What LMDeploy does with
memory is that of version 0.18: its cache takes a fraction of what is *free* after the weights; when tensor
parallelism is on, it splits everything but the attention of the vision encoder (25 heads), which every GPU holds.
Not measured on a GPU yet: `bench turbomind` does that.

    >>> capacity_of(79.2).conversations(12)
    22
"""

import math
import re
from dataclasses import dataclass
from typing import Any

from internvl_demo.errors import SetupError
from internvl_demo.models.profiles.shape import CacheFormat, Shape

GIB = 2**30

TEXT_TOKENS = 2204
"""Text of a conversation, besides its image: a system prompt, some ten questions and answers."""

MOST_TILES = 40
_CONTEXT_GIB = {False: 1.5, True: 1.8}
"""What CUDA and its libraries take on each GPU: alone, and with the buffers of tensor parallelism."""
_VISION_GIB = {False: 4.0, True: 3.6}
"""Kept outside of the cache: two people's 41 tiles in one pass take 4 GiB. With tensor parallelism LMDeploy
encodes in smaller batches. These are the 26B's, whose vision encoder is 3,200 wide."""
_LEAST_VISION_GIB = 1.0
_TP = (1, 2, 4, 8)
_MOST_CACHE = 0.75
_CARDS_GIB = {24: 23.6, 40: 39.4, 48: 44.4, 80: 79.2}
"""GB on the box -> GiB that a program gets, of the least generous card of that name (48: L40S)."""
_USABLE = 0.975
"""The same for any other card."""
_MEMORY = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,3})?)\s?(gi?b?|mi?b?|)", re.IGNORECASE | re.ASCII)
_MOST_GB = 1024
"""More than a card has; a larger number without a unit is MiB."""


V1_5 = Shape()


@dataclass(frozen=True)
class Capacity:
    """What is left for conversations. Memory in GiB on each GPU; tokens over all GPUs."""

    gpu_gib: float
    tp: int
    awq: bool
    kv: CacheFormat
    shape: Shape
    weights_gib: float
    context_gib: float
    cache_fraction: float

    @property
    def free_gib(self) -> float:
        """Memory left after weights and context; negative when not even they fit."""
        return self.gpu_gib - self.weights_gib - self.context_gib

    @property
    def kv_gib(self) -> float:
        """Memory of the KV cache."""
        return max(0.0, self.free_gib * self.cache_fraction)

    @property
    def kv_tokens(self) -> int:
        """Tokens that fit into the KV cache of all GPUs."""
        return int(self.kv_gib * GIB * self.tp / self.shape.token_bytes(self.kv))

    @property
    def session_len(self) -> int:
        """Longest conversation in tokens: the model's context, and never more than the cache holds.

        LMDeploy fails on a request that can never fit.
        """
        return min(self.shape.context, self.kv_tokens // 64 * 64)

    @property
    def max_batch_size(self) -> int:
        """How many answers are generated at once; the others wait."""
        return 24 if self.kv_tokens < 100_000 else 32 if self.kv_tokens < 200_000 else 64

    @property
    def fits(self) -> bool:
        """Whether one person can talk about one image of 40 tiles."""
        return self.conversations(MOST_TILES) >= 1

    def conversations(self, tiles: int) -> int:
        """Return how many conversations about one image of `tiles` tiles (and its thumbnail) fit at once."""
        return self.kv_tokens // conversation_tokens(tiles, self.shape)


def conversation_tokens(tiles: int, shape: Shape = V1_5) -> int:
    """Return the tokens of a conversation about one image of `tiles` tiles."""
    return (tiles + (tiles > 1)) * shape.tokens_per_tile + TEXT_TOKENS


def gpu_gb(text: str) -> float:
    """Return a card's memory in GB, as sold, of "80", "80 GB", or the MiB of nvidia-smi, "81559 MiB" or "81559".

    Raises SetupError on what no card has.
    """
    found = _MEMORY.fullmatch(text.strip())
    number, unit = (float(found[1]), found[2].lower()) if found else (0.0, "")
    in_mib = unit.startswith("m") or (not unit and number > _MOST_GB)
    gb = math.ceil(number / 1024) if in_mib else number  # a little less than it is sold as
    if not 1 <= gb <= _MOST_GB:
        raise SetupError(
            f"{text!r} is not the memory of a GPU.",
            "Set --gpu-memory to its GB, such as 80, or to the MiB that nvidia-smi shows, such as 81920MiB.",
        )
    return gb


def usable_gib(card_gb: float) -> float:
    """Return how much of a card's memory, as it is sold, a program gets."""
    return _CARDS_GIB.get(int(card_gb), card_gb * _USABLE) if card_gb == int(card_gb) else card_gb * _USABLE


def capacity_of(
    gpu_gib: float,
    tp: int = 1,
    *,
    awq: bool = False,
    kv: CacheFormat = "auto",
    shape: Shape = V1_5,
    cache_fraction: float | None = None,
) -> Capacity:
    """Return what fits on `tp` GPUs of `gpu_gib` usable GiB each.

    cache_fraction: default: the largest that leaves enough for the vision encoder.
    Raises SetupError when the model cannot be split over `tp` GPUs.
    """
    if tp < 1 or shape.kv_heads % tp:
        raise SetupError(
            f"The model cannot be split over {tp} GPUs: its {shape.kv_heads} key/value heads must divide evenly.",
            f"Set --tp to {_or([each for each in _TP if shape.kv_heads % each == 0])}.",
        )
    weights, everywhere = shape.weights_bytes(awq), 2 * shape.vit_attention
    weights_gib = ((weights - everywhere) / tp + everywhere) / GIB
    context_gib = _CONTEXT_GIB[tp > 1]
    if cache_fraction is None:
        free = gpu_gib - weights_gib - context_gib
        spare = 1 - vision_gib(shape, tp) / free if free > 0 else 0.0
        cache_fraction = min(_MOST_CACHE, max(0.0, math.floor(spare * 20) / 20))
    return Capacity(gpu_gib, tp, awq, kv, shape, weights_gib, context_gib, cache_fraction)


def vision_gib(shape: Shape, tp: int) -> float:
    """Return what the vision encoder needs on each GPU, besides its weights: of a narrow one, so much less."""
    return max(_LEAST_VISION_GIB, _VISION_GIB[tp > 1] * shape.vit_width / V1_5.vit_width)


def _or(numbers: list[int]) -> str:
    *most, last = map(str, numbers)
    return f"{', '.join(most)} or {last}" if most else last


def refuse_if_too_small(found: Capacity) -> None:
    """Raise SetupError when not even one conversation about one image of 40 tiles fits."""
    if found.fits:
        return
    gpus = "the GPU" if found.tp == 1 else f"each of {found.tp} GPUs"
    need = found.weights_gib + found.context_gib + vision_gib(found.shape, found.tp)
    raise SetupError(
        f"The model does not fit: on {gpus} it needs {found.weights_gib:.1f} GiB for its weights and "
        f"{need - found.weights_gib:.1f} GiB for CUDA and the vision encoder, besides conversations; "
        f"{found.gpu_gib:.1f} GiB are free.",
        _way_out(found),
    )


def _way_out(found: Capacity) -> str:
    """Return a sentence with the nearest change that fits on GPUs of the same size."""
    for tp, awq in ((1, True), (2, False), (2, True), (4, False), (4, True), (8, False)):
        if found.shape.kv_heads % tp:
            continue
        if tp >= found.tp and (awq or not found.awq) and (tp, awq) != (found.tp, found.awq):
            other = capacity_of(found.gpu_gib, tp, awq=awq, kv=found.kv, shape=found.shape)
            if other.fits:
                flags = [f"--tp {tp}"] * (tp > found.tp) + ["--awq"] * (awq and not found.awq)
                return f"It fits with {' '.join(flags)}{', on GPUs of this size' if tp > found.tp else ''}."
    return "Use a GPU with more memory, or end what else runs on it."


def summary(found: Capacity) -> str:
    """Return a capacity as text for people."""
    people = ", ".join(f"{found.conversations(tiles)} of {tiles}" for tiles in (1, 12, MOST_TILES))
    return (
        f"{found.gpu_gib:.1f} GiB on each GPU: {found.weights_gib:.1f} weights, {found.context_gib} CUDA, "
        f"{found.kv_gib:.1f} KV cache ({found.cache_fraction:.0%} of what is free), the rest for the "
        f"vision encoder.\nThat is {found.kv_tokens:,} tokens: so many conversations about one image of so "
        f"many tiles at once: {people}."
    )


def report(found: Capacity, card_gb: float) -> dict[str, Any]:
    """Return a capacity as plain data, for the command line."""
    return {
        "gpu_memory_gb": card_gb,
        "usable_gib": round(found.gpu_gib, 1),
        "tp": found.tp,
        "awq": found.awq,
        "kv": found.kv,
        "weights_gib": round(found.weights_gib, 1),
        "context_gib": found.context_gib,
        "free_gib": round(found.free_gib, 1),
        "cache_fraction": found.cache_fraction,
        "kv_gib": round(found.kv_gib, 1),
        "kv_tokens": found.kv_tokens,
        "session_len": found.session_len,
        "fits": found.fits,
        "conversations": {str(tiles): found.conversations(tiles) for tiles in (1, 12, MOST_TILES)},
    }
