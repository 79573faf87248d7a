"""LMDeploy 0.18.0's own server with the embedded miniature in TurboMind's place. Runs in LMDeploy's environment.

    python -m tests.contract.stub serve api_server FOLDER --trust-remote-code ...     the real command line

Everything from the flags to the token ids and tiles that the engine gets, and from the engine's tokens back to
the events of the stream, is LMDeploy's code. The engine sees what TurboMind would see, ids and pixels, and
answers with the miniature, token by token, one computing thread for all requests. It keeps what it has read, in
blocks of 64 tokens, as TurboMind's prefix cache does.

For the tests, two paths beside LMDeploy's: GET /__engine tells what the engine was given, POST /__engine?mode=...
sets what it does next:

    answer      as the miniature does
    hold        says one token, then waits until the mode changes or the request is cancelled
    nothing     stops at once, computing nothing
    say 7 9 3   says these tokens, computing nothing; what follows one that ends an answer is never said
    crash, out_of_memory, too_long      ends with that error

The private parts of LMDeploy 0.18.0 that this replaces or leans on are all in `install` and `Slot`.
"""

import asyncio
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from transformers import DynamicCache, InternVLForConditionalGeneration

NANO = Path(__file__).parents[2] / "assets" / "nano"

BLOCK = 64
"""TurboMind's prefix cache counts in blocks of so many tokens."""

_KEPT = 6
Key = int | tuple[str, int]
"""One token of a prompt: its id, or (digest of the image's pixels, index) inside an image."""


@dataclass
class Reading:
    """A prompt as far as it is read, and what follows it: logits (vocabulary,)."""

    keys: list[Key]
    cache: DynamicCache
    logits: torch.Tensor
    cached_tokens: int


class Miniature:
    """Token ids and pixels -> the next token, again and again. Used from one thread."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.model = InternVLForConditionalGeneration.from_pretrained(NANO, dtype=torch.float32)
        self.model.eval()
        self.kept: list[tuple[list[Key], DynamicCache]] = []

    @torch.inference_mode()
    def read(self, ids: list[int], images: list[dict[str, Any]]) -> Reading:
        """Reads a prompt; `images` are LMDeploy's: offset, image_tokens, pixel_values (tiles, 3, 448, 448)."""
        keys: list[Key] = list(ids)
        for image in images:
            start, count = image["offset"], image["image_tokens"]
            keys[start : start + count] = [(pixels_digest(image["pixel_values"]), n) for n in range(count)]
        cache, cached = self._recall(keys)
        embedded = self.model.get_input_embeddings()(torch.tensor([ids]))
        for image in images:
            start, count = image["offset"], image["image_tokens"]
            if start + count > cached:
                pixels = image["pixel_values"].float()
                seen = self.model.get_image_features(pixel_values=pixels, return_dict=True).pooler_output
                embedded[0, start : start + count] = seen.flatten(0, 1)
        return Reading(keys, cache, self._forward(cache, inputs_embeds=embedded[:, cached:]), cached)

    @torch.inference_mode()
    def say(self, reading: Reading) -> int:
        """The next token, greedily, read along."""
        token = int(reading.logits.argmax())
        reading.logits = self._forward(reading.cache, input_ids=torch.tensor([[token]]))
        reading.keys.append(token)
        return token

    def keep(self, reading: Reading) -> None:
        """What was read may serve another request."""
        self.kept = [(reading.keys, reading.cache), *self.kept[: _KEPT - 1]]

    def _recall(self, keys: list[Key]) -> tuple[DynamicCache, int]:
        """The cache that shares most with `keys`, cut back to whole blocks of it, never all of it."""
        best, place = 0, None
        for n, (kept, _) in enumerate(self.kept):
            pairs = enumerate(zip(kept, keys[:-1], strict=False))
            shared = next((i for i, (a, b) in pairs if a != b), min(len(kept), len(keys) - 1))
            if shared // BLOCK * BLOCK > best:
                best, place = shared // BLOCK * BLOCK, n
        if place is None:
            return DynamicCache(config=self.model.config.text_config), 0
        kept, cache = self.kept.pop(place)
        if best < len(kept):
            cache.crop(best - len(kept))  # transformers counts what to remove, negatively
        return cache, best

    def _forward(self, cache: DynamicCache, **tokens: torch.Tensor) -> torch.Tensor:
        decoder = self.model.model.language_model
        hidden = decoder(past_key_values=cache, use_cache=True, **tokens).last_hidden_state
        return self.model.lm_head(hidden[:, -1])[0]


class Engine:
    """TurboMind's outside, as `AsyncEngine` uses it."""

    is_dummy = False

    def __init__(self, engine_config: Any):
        self.engine_config = engine_config
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="miniature")
        self.changed = asyncio.Condition()
        self.mode, self.asked, self.cancelled, self.held, self.running, self.tick = "answer", [], 0, 0, 0, 0

    @cached_property
    def miniature(self) -> Miniature:
        """Loaded for the first question that it computes."""
        return Miniature()

    def create_instance(self, *_: Any) -> "Slot":
        return Slot(self)

    def get_schedule_metrics(self) -> Any:
        from lmdeploy.messages import ScheduleMetrics

        self.tick += 1
        return ScheduleMetrics(active_seqs=self.running, scheduler_tick=self.tick)

    async def get_health_status(self) -> dict[str, Any]:
        return {"alive": True, "message": "", "schedule_metrics": self.get_schedule_metrics()}

    async def sleep(self, _level: int) -> None:
        pass

    def wakeup(self, _tags: list[str]) -> None:
        pass

    def close(self) -> None:
        self.thread.shutdown(wait=False, cancel_futures=True)

    async def set_mode(self, mode: str) -> None:
        async with self.changed:
            self.mode = mode
            self.changed.notify_all()

    def told(self) -> dict[str, Any]:
        """For the tests: what the engine was given and what became of it."""
        return {
            "asked": self.asked[-12:],
            "count": len(self.asked),
            "cancelled": self.cancelled,
            "held": self.held,
            "running": self.running,
        }


class Slot:
    """One place for a request: the three coroutines of `TurboMindInstance`."""

    def __init__(self, engine: Engine):
        self.engine, self.stopped = engine, False

    async def async_cancel(self, _session_id: int | None = None) -> None:
        self.engine.cancelled += 1
        self.stopped = True
        async with self.engine.changed:
            self.engine.changed.notify_all()

    async def async_end(self, _session_id: int) -> None:
        pass

    async def async_stream_infer(
        self, _session_id: int, input_ids: list[int], multimodal: Any = None, gen_config: Any = None, **_: Any
    ) -> Any:
        """Yields EngineOutput, a token each; the last has the status FINISH, CANCEL or an error's."""
        from lmdeploy.messages import EngineOutput, ResponseType

        errors = {
            "crash": ResponseType.INTERNAL_ENGINE_ERROR,
            "out_of_memory": ResponseType.OUT_OF_MEMORY,
            "too_long": ResponseType.INPUT_LENGTH_ERROR,
        }
        engine, self.stopped = self.engine, False
        seen = _seen(input_ids, multimodal or [], gen_config)
        engine.asked.append(seen)
        engine.running += 1
        try:
            if engine.mode in errors:
                yield EngineOutput(status=errors[engine.mode], token_ids=[])
                return
            async for token, cached, last in self._tokens(list(input_ids), multimodal or [], gen_config):
                if self.stopped:
                    yield EngineOutput(status=ResponseType.CANCEL, token_ids=[])
                    return
                seen["said"].append(token)
                status = ResponseType.FINISH if last else ResponseType.SUCCESS
                yield EngineOutput(status=status, token_ids=[token], req_metrics=_metrics(cached))
        finally:
            engine.running -= 1

    async def _tokens(self, ids: list[int], images: list[dict[str, Any]], gen_config: Any) -> Any:
        """(token, cached tokens, whether it is the last), as the miniature says them."""
        engine, loop = self.engine, asyncio.get_running_loop()
        stops = set(gen_config.stop_token_ids or [])
        if engine.mode == "nothing":
            yield min(stops), 0, True
            return
        if engine.mode.startswith("say "):
            for token in map(int, engine.mode.split()[1:]):
                yield token, 0, token in stops
                if token in stops:
                    break
            return
        reading = await loop.run_in_executor(engine.thread, lambda: engine.miniature.read(ids, images))
        try:
            for count in range(1, gen_config.max_new_tokens + 1):
                token = await loop.run_in_executor(engine.thread, engine.miniature.say, reading)
                last = token in stops or count == gen_config.max_new_tokens
                yield token, reading.cached_tokens, last
                if last:
                    return
                await self._held()
        finally:
            engine.thread.submit(engine.miniature.keep, reading)  # after a step that may still be under way

    async def _held(self) -> None:
        engine = self.engine
        if engine.mode == "hold":
            engine.held += 1
            try:
                async with engine.changed:
                    await engine.changed.wait_for(lambda: self.stopped or engine.mode != "hold")
            finally:
                engine.held -= 1


def pixels_digest(pixels: torch.Tensor) -> str:
    """Of an image's tiles, to the last bit."""
    return hashlib.sha256(pixels.float().numpy().tobytes()).hexdigest()


def _seen(ids: list[int], images: list[dict[str, Any]], gen_config: Any) -> dict[str, Any]:
    """What the tests may ask of a request."""
    names = ("max_new_tokens", "temperature", "top_p", "top_k", "random_seed", "stop_token_ids")
    flags = ("skip_special_tokens", "spaces_between_special_tokens")
    return {
        "ids": list(map(int, ids)),
        "images": [
            {
                "tiles": image["pixel_values"].shape[0],
                "tokens": image["image_tokens"],
                "offset": image["offset"],
                "dtype": str(image["pixel_values"].dtype),
                "digest": pixels_digest(image["pixel_values"]),
            }
            for image in images
        ],
        "options": {name: getattr(gen_config, name) for name in (*names, *flags)},
        "said": [],
    }


def _metrics(cached_tokens: int) -> Any:
    from lmdeploy.messages import RequestMetrics

    return RequestMetrics(token_timestamp=time.time(), cached_tokens=cached_tokens)


def install() -> None:
    """Puts the miniature into LMDeploy 0.18.0. Every private part that it touches, in one place."""
    import lmdeploy.turbomind
    import lmdeploy.vl.engine
    from lmdeploy.serve.core.async_engine import AsyncEngine
    from lmdeploy.serve.openai import api_server
    from lmdeploy.vl.model.internvl import InternVLVisionModel

    made: list[Engine] = []

    # The engine itself. `lmdeploy serve` would choose PyTorch without a CUDA build of TurboMind.
    def build(_self: Any, *, backend_config: Any, **_: Any) -> Engine:
        made.append(Engine(backend_config))
        return made[-1]

    lmdeploy.turbomind.is_available = lambda: True
    AsyncEngine._build_turbomind = AsyncEngine._build_pytorch = build

    # A GPU that is asked for its memory, and whether it computes in bfloat16.
    torch.cuda.mem_get_info = lambda *_: (80 << 30, 80 << 30)
    lmdeploy.vl.engine.is_bf16_supported = lambda *_: True

    # Four of torchvision's transforms, for as long as LMDeploy composes them.
    compose = InternVLVisionModel.build_preprocessor

    def build_preprocessor(*arguments: Any, **named: Any) -> Any:
        import sys

        modules = _torchvision()
        sys.modules.update(modules)
        try:
            return compose(*arguments, **named)
        finally:
            for name in modules:
                del sys.modules[name]

    InternVLVisionModel.build_preprocessor = build_preprocessor

    # The tests' own two paths.
    create = api_server.create_openai_router

    def create_openai_router(context: Any) -> Any:
        router = create(context)

        def told() -> dict[str, Any]:
            line = context.session_manager.request_handle_pool.pool  # an asyncio.Queue of free places
            return made[-1].told() | {"waiting": len(line._getters) if line else 0}

        router.add_api_route("/__engine", told, methods=["GET"])

        async def set_mode(mode: str) -> None:
            await made[-1].set_mode(mode)

        router.add_api_route("/__engine", set_mode, methods=["POST"])
        return router

    api_server.create_openai_router = create_openai_router


def _torchvision() -> dict[str, ModuleType]:
    """What LMDeploy takes from torchvision, done with Pillow and numpy: a tile -> normalised pixels."""
    import numpy
    from PIL import Image

    def chained(steps: Any) -> Any:
        def run(value: Any) -> Any:
            for step in steps:
                value = step(value)
            return value

        return run

    def resize(size: tuple[int, int], interpolation: Any) -> Any:
        return lambda tile: tile if tile.size == size else tile.resize(size, interpolation)

    def to_tensor() -> Any:
        return lambda tile: torch.from_numpy(numpy.array(tile)).permute(2, 0, 1).contiguous().float() / 255

    def normalise(mean: Any, std: Any) -> Any:
        centre, width = (torch.tensor(values)[:, None, None] for values in (mean, std))
        return lambda pixels: (pixels - centre) / width

    names = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
    whole, transforms, functional = (ModuleType(name) for name in names)
    transforms.Compose, transforms.Lambda = chained, lambda function: function  # type: ignore[attr-defined]
    transforms.Resize, transforms.ToTensor, transforms.Normalize = resize, to_tensor, normalise  # type: ignore[attr-defined]
    functional.InterpolationMode = Image.Resampling  # type: ignore[attr-defined]
    whole.transforms, transforms.functional = transforms, functional  # type: ignore[attr-defined]
    return dict(zip(names, (whole, transforms, functional), strict=True))


if __name__ == "__main__":
    from lmdeploy.cli import run

    install()
    run()
