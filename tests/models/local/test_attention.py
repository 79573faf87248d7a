"""Which attention computes: flash-attn where it can run, PyTorch's own anywhere else, and the receipt says which."""

import asyncio
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from internvl_demo.answering.stream import collect
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.models.local import device, loading
from internvl_demo.models.local.backend import LocalBackend
from internvl_demo.models.local.device import ATTENTIONS, attention_on, flash_runs
from internvl_demo.settings import NANO_CHECKPOINT
from tests.support.official_checkpoints import write_kind

CUDA = torch.device("cuda")


@pytest.mark.parametrize(
    ("capability", "packaged", "module", "runs"),
    [
        pytest.param((8, 0), False, None, False, id="not installed"),
        pytest.param((7, 5), True, ModuleType("flash_attn"), False, id="a GPU that is too old"),
        pytest.param((9, 0), True, None, False, id="built for another PyTorch"),
        pytest.param((8, 0), True, ModuleType("flash_attn"), True, id="installed"),
    ],
)
def test_flash_attention_runs_where_it_is_whole_and_the_gpu_is_new(
    monkeypatch: pytest.MonkeyPatch,
    capability: tuple[int, int],
    packaged: bool,
    module: ModuleType | None,
    runs: bool,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(device, "is_flash_attn_2_available", lambda: packaged)
    monkeypatch.setitem(sys.modules, "flash_attn", module)  # None: its import fails
    assert flash_runs(CUDA) is runs


@pytest.mark.parametrize("runs", [True, False])
@pytest.mark.parametrize("kind", ["cuda", "cpu", "mps"])
def test_it_is_used_on_cuda_alone(monkeypatch: pytest.MonkeyPatch, runs: bool, kind: str) -> None:
    monkeypatch.setattr(device, "flash_runs", lambda _: runs)
    said = ATTENTIONS[attention_on(torch.device(kind))]
    assert said == ("flash-attn 2" if runs and kind == "cuda" else "sdpa")


def test_an_answer_says_which_attention_computed_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    official = write_kind(tmp_path / "official", "Qwen2ForCausalLM")
    for checkpoint in (str(NANO_CHECKPOINT), str(official)):
        for attention in ("sdpa", "eager"):
            monkeypatch.setattr(loading, "attention_on", lambda _, attention=attention: attention)
            backend = LocalBackend(
                checkpoint, "cpu", profile="internvl3-1b" if "official" in checkpoint else None
            )
            given, _ = asyncio.run(collect(backend, Conversation().ask("Hello?"), Options(max_new_tokens=2)))
            asyncio.run(backend.close())
            assert given.usage and given.usage.attention == attention
