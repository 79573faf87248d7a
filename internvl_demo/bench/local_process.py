"""One process of `bench local`: load a checkpoint, say what that took, and answer with it.

Each thing is said as soon as it is measured, as a line of JSON on standard output: it takes minutes on a CPU.

    python -m internvl_demo.bench.local_process ours FOLDER/official ROUNDS CONVERSATIONS
    python -m internvl_demo.bench.local_process plain FOLDER/native ROUNDS CONVERSATIONS

Each loads in a process of its own, as the most memory that a process ever took is known of it as a whole (VmHWM in
Linux's /proc). What imports take is not counted. The files are read once before, so that no disk is measured.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, InternVLForConditionalGeneration
from transformers.utils import logging as transformers_logging

from internvl_demo.bench.decode import compared, fresh_question, generated, streamed
from internvl_demo.bench.turns import converse
from internvl_demo.models.local.backend import LocalBackend
from internvl_demo.models.local.device import attention_on, device_of, dtype_for
from internvl_demo.models.profiles.shape import shape_of

_TOKENS = 16
"""Of each answer about one tile: a large model on a CPU takes most of a second for one."""

_TILES_13_WH = (1280, 960)
_READ_BYTES = 1 << 24


def ours(checkpoint: Path, rounds: int, conversations: int) -> None:
    """Load with the backend; then measure its answers beside `generate` on the same model, by turns."""
    backend = _loaded(checkpoint, lambda: LocalBackend(str(checkpoint)), lambda made: made.model)
    backend.stop_ids = set()
    asyncio.run(_answers(backend, rounds, conversations))


def plain(checkpoint: Path) -> None:
    """Load as a person does who has `transformers` alone, in the numbers that the backend chooses."""
    device = device_of("auto")
    told = json.loads((checkpoint / "config.json").read_text("utf-8"))
    dtype = dtype_for(device, str(told["dtype"]), shape_of(told).parameters)

    def load() -> Any:
        AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=False)
        model = InternVLForConditionalGeneration.from_pretrained(
            checkpoint, dtype=dtype, attn_implementation=attention_on(device)
        )
        return model.to(device).eval()

    _loaded(checkpoint, load, lambda made: made)


def _loaded(checkpoint: Path, load: Callable[[], Any], model_of: Callable[[Any], Any]) -> Any:
    """Load; say seconds, bytes and numbers; return what was loaded."""
    transformers_logging.disable_progress_bar()
    _read_once(checkpoint)
    before, start = _peak_bytes(), time.perf_counter()
    made = load()
    took = time.perf_counter() - start
    model = model_of(made)
    _say(
        load_s=round(took, 3),
        peak_bytes=_peak_bytes() - before,
        weights_bytes=sum(each.nbytes for each in model.parameters()),
        dtype=str(model.dtype).removeprefix("torch."),
        device=str(model.device),
        threads=torch.get_num_threads(),
    )
    return made


async def _answers(backend: LocalBackend, rounds: int, conversations: int) -> None:
    asked = [fresh_question(shade) for shade in range(rounds + 1)]
    await streamed(backend, asked[0], 2)  # to warm up
    generated(backend, asked[0], 2)
    pairs = [
        (await streamed(backend, each, _TOKENS), generated(backend, each, _TOKENS)) for each in asked[1:]
    ]
    _say(one_tile=compared(pairs) | {"tokens": _TOKENS})
    turns = [await converse(backend, shade) for shade in range(conversations)]
    _say(
        turns={
            "conversations": conversations,
            "turn1_ttft_s": round(statistics.median(first for first, _ in turns), 4),
            "turn2_ttft_s": round(statistics.median(second for _, second in turns), 4),
        }
    )
    many = [fresh_question(shade, _TILES_13_WH, 12) for shade in range(conversations)]
    theirs = statistics.median(generated(backend, each, 2).ttft_s for each in many)
    _say(generate_13_ttft_s=round(theirs, 4))
    await backend.close()


def _say(**measured: Any) -> None:
    print(json.dumps(measured), flush=True)


def _peak_bytes() -> int:
    """Return the most memory that the model's device held of this process: of a GPU, or of the machine."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    lines = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def _read_once(folder: Path) -> None:
    for file in folder.iterdir():
        with file.open("rb") as opened:
            while opened.read(_READ_BYTES):
                pass


if __name__ == "__main__":
    part, where, count, talks = sys.argv[1:]
    if part == "ours":
        ours(Path(where), int(count), int(talks))
    else:
        plain(Path(where))
