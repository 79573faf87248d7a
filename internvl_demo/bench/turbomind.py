"""Measure LMDeploy's TurboMind on a GPU, against this process on the same weights: the same answers, and how fast.

Two parts, one after the other:

    miniature   the bundled model in the official format: answers and boxes of 50 scenes as `local` gives them;
                turn 2 takes its image from the prefix cache
    giant       the 26B's shape with random weights, or as many decoder layers as GPU and disk hold: time to first
                token at 1, 12 and 40 tiles, tokens a second alone and 16 at once, turn 2 against turn 1; beside
                `transformers` with the same weights, questions and tokens; and what the GPU could at best

Every question goes the same way as a person's. `--dry-run` needs neither a GPU nor LMDeploy:
it says what would be done, builds the shape without memory, and checks the requests.
"""

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from internvl_demo.answering.stream import Answer, answer
from internvl_demo.bench.random_weights import parameters_on_meta, with_layers_that_fit, write_random
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.tiling import plan_tiles
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import SetupError
from internvl_demo.evaluate.exam.items import item
from internvl_demo.evaluate.exam.marks import iou
from internvl_demo.models.base import Backend
from internvl_demo.models.convert import convert
from internvl_demo.models.lmdeploy.backend import LaunchedBackend
from internvl_demo.models.lmdeploy.capacity import GIB, capacity_of, report
from internvl_demo.models.lmdeploy.command import Serving, arguments
from internvl_demo.models.local.backend import LocalBackend
from internvl_demo.models.openai.dialects import messages_of, request_fields
from internvl_demo.models.profiles import V1_5_PROFILE
from internvl_demo.models.profiles.shape import Shape
from internvl_demo.photos.decode import photo_of
from internvl_demo.settings import NANO_CHECKPOINT, Settings

VIEWS = {1: (448, 448), 12: (1792, 1344), 40: (3584, 2240)}
"""Tiles -> the size of an image that gets so many."""
QUESTIONS = ("What is in the picture?", "How many are there?")
CROWD = 16
TOKENS = 128
_SAME_IOU = 0.9
_REPEATS = 3


def plan(shape: Shape, gpu_gib: float, disk_gib: float) -> dict[str, Any]:
    """Return what would be measured, checked as far as possible without a GPU. Raises SetupError, ValueError."""
    giant = with_layers_that_fit(shape, gpu_gib, disk_gib)
    found = capacity_of(gpu_gib, shape=giant)
    profile = replace(V1_5_PROFILE, shape=giant)
    counted = parameters_on_meta(profile)
    if counted != giant.parameters:
        raise ValueError(f"the arithmetic says {giant.parameters} parameters, transformers says {counted}")
    serving = Serving("OFFICIAL-FORMAT-DIR", profile=profile)
    return {
        "miniature": {"from": str(NANO_CHECKPOINT), "scenes": 50, "questions": 150},
        "giant": {
            "decoder_layers": giant.layers,
            "of": shape.layers,
            "parameters": counted,
            "disk_gib": round(giant.weights_bytes(awq=False) / GIB, 1),
            "capacity": report(found, gpu_gib),
        },
        "command": ["lmdeploy", *arguments(serving, 23333, found)],
        "requests": {str(tiles): _checked_request(tiles, giant.tokens_per_tile) for tiles in VIEWS},
        "concurrent": CROWD,
        "tokens_each": TOKENS,
    }


async def measure(part: str, scenes: int, shape: Shape, work: Path | None) -> dict[str, Any]:
    """Run `miniature`, `giant` or `all` on this machine's GPU. Raises SetupError without one."""
    if not torch.cuda.is_available():
        raise SetupError("There is no GPU that PyTorch can use.", "Use --dry-run, or a machine with one.")
    result: dict[str, Any] = {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__}
    with tempfile.TemporaryDirectory(dir=work) as folder:
        if part in ("miniature", "all"):
            result["miniature"] = await _miniature(Path(folder) / "miniature", scenes)
        if part in ("giant", "all"):
            result["giant"] = await _giant(Path(folder) / "giant", shape)
    return result


async def _miniature(folder: Path, scenes: int) -> dict[str, Any]:
    """Compare answers and boxes, scene by scene; and measure turn 2."""
    convert(NANO_CHECKPOINT, folder, to="official")
    local = LocalBackend(str(NANO_CHECKPOINT))
    async with _served(
        folder, "--cache-max-entry-count=0.05"
    ) as served:  # its tokens are small: millions fit
        return await compare(local, served, scenes) | {"turns": await turns(served, 12)}


async def compare(one: Backend, other: Backend, scenes: int) -> dict[str, Any]:
    """Return how many answers of two backends are the same, letter by letter, and how many boxes lie in one place."""
    same = questions = boxes = near = 0
    different: list[dict[str, str]] = []
    for number in range(scenes):
        for skill in ("locate", "count", "describe"):
            asked = item(skill, "en", number)
            image = Attachment(photo_of(asked.pictures[0].image), 1)
            conversation = Conversation().ask(asked.questions[0], (image,))
            first, second = [await _last(backend, conversation, 256) for backend in (one, other)]
            questions += 1
            same += first.raw == second.raw
            boxes += max(len(first.pinned), len(second.pinned))
            pairs = zip(first.pinned, second.pinned, strict=False)
            near += sum(iou(a.box.box_1000, b.box.box_1000) >= _SAME_IOU for a, b in pairs)
            if first.raw != second.raw and len(different) < 5:
                different.append({"question": asked.questions[0], "one": first.raw, "other": second.raw})
    return {
        "scenes": scenes,
        "questions": questions,
        "same_answers": same,
        "boxes": boxes,
        f"boxes_iou_{_SAME_IOU}": near,
        "different": different,
    }


async def _giant(folder: Path, shape: Shape) -> dict[str, Any]:
    """Measure both engines in turn, each with the whole GPU and the whole disk."""
    free, _ = torch.cuda.mem_get_info()
    giant = with_layers_that_fit(shape, free / GIB, shutil.disk_usage(folder.parent).free / GIB)
    profile = replace(V1_5_PROFILE, shape=giant)
    result: dict[str, Any] = {"decoder_layers": giant.layers, "of": shape.layers, "floors": floors(giant)}
    write_random(profile, folder, "official", "cuda")
    torch.cuda.empty_cache()
    started = time.monotonic()
    async with _served(folder) as served:
        result["turbomind"] = {"loading_s": round(time.monotonic() - started, 1), **await speeds(served)}
        result["turbomind"] |= {"at_once": await crowd(served)}
    shutil.rmtree(folder)
    write_random(profile, folder, "native", "cuda")
    torch.cuda.empty_cache()
    local = LocalBackend(str(folder), device="cuda")
    result["transformers"] = await speeds(local)
    await local.close()
    return result


async def speeds(backend: Backend) -> dict[str, Any]:
    """Return medians: time to first token of a fresh image of so many tiles, turn 2 against turn 1, tokens a second."""
    await turns(backend, 1)  # to warm up
    found = {str(tiles): await turns(backend, tiles) for tiles in VIEWS}
    alone = await _last(backend, _fresh(1, 999), TOKENS)
    assert alone.usage is not None
    speed = alone.timing.tokens_per_s(alone.usage.completion_tokens)
    return {"by_tiles": found, "tokens_per_s_alone": speed and round(speed, 1)}


async def turns(backend: Backend, tiles: int) -> dict[str, Any]:
    """Measure two turns about a fresh image, several times; return median times to first token and cached tokens."""
    rows = []
    for shade in range(_REPEATS):
        conversation = _fresh(tiles, shade)
        first = await _last(backend, conversation, 16)
        second = await _last(backend, conversation.with_answer(first.raw).ask(QUESTIONS[1]), 16)
        assert first.usage and second.usage
        assert first.timing.ttft_s and second.timing.ttft_s, "a model that says nothing has no first token"
        rows.append((first.timing.ttft_s, second.timing.ttft_s, second.usage))
    usage = rows[-1][2]
    return {
        "turn1_ttft_s": round(statistics.median(row[0] for row in rows), 4),
        "turn2_ttft_s": round(statistics.median(row[1] for row in rows), 4),
        "ratio": round(statistics.median(row[1] / row[0] for row in rows), 4),
        "turn2_prompt_tokens": usage.prompt_tokens,
        "turn2_cached_tokens": usage.cached_tokens,
    }


async def crowd(backend: Backend, people: int = CROWD) -> dict[str, Any]:
    """Measure so many people at once, each with a fresh image of 12 tiles: tokens a second in all, and the wait."""
    started = time.monotonic()
    answers = await asyncio.gather(*(_last(backend, _fresh(12, 100 + one), TOKENS) for one in range(people)))
    took = time.monotonic() - started
    tokens = sum(one.usage.completion_tokens for one in answers if one.usage)
    waits = sorted(one.timing.ttft_s for one in answers if one.timing.ttft_s is not None)
    return {
        "people": people,
        "tokens_per_s": round(tokens / took, 1),
        "median_ttft_s": round(statistics.median(waits), 3) if waits else None,
        "longest_ttft_s": round(waits[-1], 3) if waits else None,
    }


def floors(shape: Shape, rate: float | None = None, bandwidth: float | None = None) -> dict[str, Any]:
    """Return the times that no engine can undercut.

    2 operations a weight and token at the GPU's measured 16-bit rate (operations a second), and reading the decoder
    once a token at its measured bandwidth (bytes a second).
    """
    rate, bandwidth = rate or _matmul_rate(), bandwidth or _bandwidth()
    patches = (448 // shape.patch_px) ** 2 + 1
    ttft = {}
    for tiles in VIEWS:
        views = tiles + (tiles > 1)
        work = shape.vit * patches * views + shape.decoder * shape.tokens_per_tile * views
        ttft[str(tiles)] = round(2 * work / rate, 4)
    read = 2 * (shape.decoder - shape.vocabulary * shape.width)  # of the embeddings, one row
    return {
        "operations_per_s": rate,
        "bytes_per_s": bandwidth,
        "ttft_s": ttft,
        "tokens_per_s_alone": round(bandwidth / read, 1),
    }


def _matmul_rate(side: int = 8192, repeats: int = 20) -> float:
    a, b = (torch.randn(side, side, dtype=torch.bfloat16, device="cuda") for _ in range(2))
    return repeats * 2 * side**3 / _seconds(lambda: a @ b, repeats)


def _bandwidth(size: int = 2**31, repeats: int = 20) -> float:
    source = torch.empty(size, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return repeats * 2 * size / _seconds(lambda: target.copy_(source), repeats)


def _seconds(work: Any, repeats: int) -> float:
    work()
    torch.cuda.synchronize()
    started = time.monotonic()
    for _ in range(repeats):
        work()
    torch.cuda.synchronize()
    return time.monotonic() - started


@asynccontextmanager
async def _served(folder: Path, *further: str) -> AsyncIterator[LaunchedBackend]:
    backend = LaunchedBackend(Settings.model_validate({"serve": str(folder), "lmdeploy_arg": further}))
    try:
        await backend.ready()
        yield backend
    finally:
        await backend.close()


async def _last(backend: Backend, conversation: Conversation, tokens: int) -> Answer:
    async for progress in answer(backend, conversation, Options(max_new_tokens=tokens)):
        last = progress
    return last


def _fresh(tiles: int, shade: int) -> Conversation:
    """Return a question about an image that no cache has seen: `shade` tells it from others of its size."""
    colour = (shade % 256, shade // 256, tiles)
    return Conversation().ask(
        QUESTIONS[0], (Attachment(photo_of(Image.new("RGB", VIEWS[tiles], colour)), tiles),)
    )


def _checked_request(tiles: int, tokens_per_tile: int) -> dict[str, Any]:
    """Return what the request about an image of so many tiles asks. Raises ValueError when it is not what is meant."""
    conversation = _fresh(tiles, 0)
    (image,) = conversation.images
    planned = plan_tiles(image.photo.size_wh, image.max_tiles)
    (_, asked) = messages_of(conversation, {image.photo.id: "data:image/png;base64,"})
    sent = asked["content"][0]["image_url"]["max_dynamic_patch"]
    fields = request_fields(conversation, Options(max_new_tokens=TOKENS))
    if (planned.tiles, sent, fields["max_tokens"], fields["top_k"]) != (tiles, tiles, TOKENS, 1):
        raise ValueError(f"an image of {planned.tiles} tiles asks for {sent}: {fields}")
    return {
        "size_wh": list(VIEWS[tiles]),
        "tiles": sent,
        "visual_tokens": planned.visual_tokens(tokens_per_tile),
        **fields,
    }
