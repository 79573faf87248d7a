"""The measurements for a GPU, as far as they go without one: the plan, the weights, the arithmetic of the rows."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from internvl_demo.bench.random_weights import (
    config_of,
    parameters_on_meta,
    with_layers_that_fit,
    write_random,
)
from internvl_demo.bench.turbomind import compare, crowd, floors, measure, plan, speeds, turns
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import SetupError
from internvl_demo.models.base import Backend, ModelInfo, Piece, Usage
from internvl_demo.models.convert import convert
from internvl_demo.models.lmdeploy.backend import LaunchedBackend
from internvl_demo.models.lmdeploy.capacity import GIB, V1_5
from internvl_demo.models.local.backend import LocalBackend
from internvl_demo.models.profiles import V1_5_PROFILE
from internvl_demo.models.profiles.shape import Shape, shape_of
from internvl_demo.settings import NANO_CHECKPOINT, Settings
from tests.support.fake_lmdeploy import install

TINY = Shape(2, 64, 2, 128, 28, 2, 128, 2, 1, 256, 4096, 16_384)
TINY_V1_5 = replace(V1_5_PROFILE, shape=TINY)


class Says(Backend):
    """A backend that always says one thing, and has cached all of a second turn but its last 100 tokens."""

    def __init__(self, text: str):
        self.text = text
        self.running = self.most_running = 0

    async def describe(self) -> ModelInfo:
        return ModelInfo("says", 64, 8192)

    async def stream(self, conversation: Conversation, options: Options) -> AsyncGenerator[Piece, None]:
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        yield self.text
        for _ in range(20):
            await asyncio.sleep(0)
        self.running -= 1
        prompt = 1000 * len(conversation.turns)
        cached = prompt - 100 if len(conversation.turns) > 1 else 0
        yield Usage(prompt, options.max_new_tokens, cached)

    async def close(self) -> None:
        pass


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SetupError, match="--dry-run"):
        asyncio.run(measure("all", 1, V1_5, None))


def test_a_gpu_or_disk_that_holds_no_layer_is_refused() -> None:
    for gpu_gib, disk_gib in ((10.0, 500.0), (500.0, 10.0)):
        with pytest.raises(SetupError, match="decoder layer"):
            with_layers_that_fit(V1_5, gpu_gib, disk_gib)


def test_the_dry_run_prints_the_plan() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "internvl_demo", "bench", "turbomind", "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["giant"]["decoder_layers"] == 48
    assert found["giant"]["parameters"] == V1_5.parameters
    assert {tiles: request["visual_tokens"] for tiles, request in found["requests"].items()} == {
        "1": 256,
        "12": 13 * 256,
        "40": 41 * 256,
    }
    assert found["requests"]["40"]["top_k"] == 1
    assert found["command"][:3] == ["lmdeploy", "serve", "api_server"]
    assert "--enable-prefix-caching" in found["command"]


def test_a_small_disk_gets_fewer_layers_and_the_plan_says_so() -> None:
    found = plan(V1_5, 79.2, 40.0)["giant"]
    assert 0 < found["decoder_layers"] < found["of"] == 48
    assert found["disk_gib"] <= 40.0


def test_the_arithmetic_counts_what_transformers_counts() -> None:
    for each in (V1_5_PROFILE, TINY_V1_5):
        assert parameters_on_meta(each) == each.shape.parameters


def test_both_formats_of_random_weights_are_the_same_model(tmp_path: Path) -> None:
    official, native, converted = tmp_path / "official", tmp_path / "native", tmp_path / "converted"
    write_random(TINY_V1_5, official, "official", "cpu")
    write_random(TINY_V1_5, native, "native", "cpu")
    assert shape_of(json.loads((official / "config.json").read_text("utf-8"))) == TINY
    convert(official, converted, to="native")
    one, other = (load_file(folder / "model.safetensors") for folder in (native, converted))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert sum(tensor.numel() for tensor in one.values()) == TINY.parameters
    spoken = one["language_model.lm_head.weight"].abs().sum(dim=1) > 0
    tokenizer = Tokenizer.from_file(str(NANO_CHECKPOINT / "tokenizer.json"))
    control = set(tokenizer.get_added_tokens_decoder())
    words = [id_ for id_ in range(tokenizer.get_vocab_size()) if "\ufffd" not in tokenizer.decode([id_])]
    assert spoken.nonzero().flatten().tolist() == sorted(set(words) - control), (
        "the miniature's words, no control token, no part of a character"
    )


def test_random_weights_say_words_until_the_end(tmp_path: Path) -> None:
    write_random(TINY_V1_5, tmp_path / "native", "native", "cpu")
    backend = LocalBackend(str(tmp_path / "native"), device="cpu")
    found = asyncio.run(speeds(backend))
    assert found["tokens_per_s_alone"] > 0
    for tiles in ("1", "12", "40"):
        row = found["by_tiles"][tiles]
        assert row["turn1_ttft_s"] > 0
        assert 0 < row["turn2_cached_tokens"] < row["turn2_prompt_tokens"]
    assert config_of(TINY_V1_5).text_config.vocab_size == TINY.vocabulary


def test_answers_are_compared_letter_by_letter_and_boxes_by_place() -> None:
    box = "<ref>cat</ref><box>[[100, 100, 500, 500]]</box>"
    near = "<ref>cat</ref><box>[[100, 100, 500, 505]]</box>"
    far = "<ref>cat</ref><box>[[600, 600, 900, 900]]</box>"
    for other, same, close in ((box, 6, 6), (near, 0, 6), (far, 0, 0), ("None.", 0, 0)):
        found = asyncio.run(compare(Says(box), Says(other), 2))
        assert (found["questions"], found["same_answers"], found["boxes"]) == (6, same, 6)
        assert found["boxes_iou_0.9"] == close
        assert len(found["different"]) == (0 if same else 5)


def test_turn_2_is_set_against_turn_1_with_what_was_cached() -> None:
    found = asyncio.run(turns(Says("Hello."), 12))
    assert found["turn2_cached_tokens"] == 1900
    assert found["ratio"] > 0


def test_a_crowd_asks_at_once() -> None:
    backend = Says("Hello.")
    found = asyncio.run(crowd(backend, 4))
    assert backend.most_running == 4
    assert found["people"] == 4
    assert found["tokens_per_s"] > 0
    assert found["longest_ttft_s"] >= found["median_ttft_s"]


def test_the_floors_are_the_arithmetic_of_the_weights() -> None:
    found = floors(V1_5, rate=1e15, bandwidth=4e12)
    by_hand = 2 * (5.5365e9 * 1025 + 19.861e9 * 256) / 1e15
    assert found["ttft_s"]["1"] == pytest.approx(by_hand, rel=0.01)
    assert found["ttft_s"]["40"] == pytest.approx(41 * by_hand, rel=0.01)
    assert found["tokens_per_s_alone"] == pytest.approx(4e12 / (2 * 19.29e9), rel=0.01)
    assert V1_5.weights_bytes(awq=False) / GIB > 47


def test_the_miniature_in_the_official_format_is_served_and_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nano: LocalBackend
) -> None:
    program = tmp_path / "bin"
    program.mkdir()
    fake = install(program, "serve")
    fake.let("load")
    fake.let("be-ready")
    monkeypatch.setenv("PATH", fake.path)
    monkeypatch.setattr("internvl_demo.models.lmdeploy.backend.free_gib", list)
    convert(NANO_CHECKPOINT, tmp_path / "official", to="official")

    async def run() -> tuple[ModelInfo, dict[str, object]]:
        served = LaunchedBackend(Settings(serve=str(tmp_path / "official")))
        try:
            await served.ready()
            return await served.describe(), await compare(nano, served, 1)
        finally:
            await served.close()

    info, found = asyncio.run(run())
    assert (info.tokens_per_tile, info.context_length) == (64, 8192)
    assert (found["questions"], found["same_answers"]) == (3, 0), "the fake says 'A cat.' to everything"
