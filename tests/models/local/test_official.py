"""A released checkpoint answers in process as it was downloaded: no copy, no remote code, nobody's memory twice."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import DynamicCache

from internvl_demo.answering.stream import Answer, collect
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.prompt import prompt_text
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import CheckpointError
from internvl_demo.models.convert import convert
from internvl_demo.models.convert.shards import ShardReader
from internvl_demo.models.local.backend import LocalBackend, _Kept
from internvl_demo.nano.world.scenes import draw_scene
from internvl_demo.photos.decode import photo_of
from tests.support.official_checkpoints import (
    KINDS,
    edit_config,
    edit_tensors,
    kind_config,
    tensors_of,
    write_kind,
    write_sharded,
)
from tests.support.official_forward import visual_features

PHOTO = Attachment(photo_of(draw_scene(7).image), 2)
FIRST = Conversation().ask("What is this?", (PHOTO,))


def say(backend: LocalBackend, conversation: Conversation, count: int = 6) -> Answer:
    given, failure = asyncio.run(collect(backend, conversation, Options(max_new_tokens=count)))
    assert failure is None
    return given


def logits_after(backend: LocalBackend, ids: list[int]) -> torch.Tensor:
    """The logits after a prompt of text, as the backend reads it."""
    kept = _Kept([], DynamicCache(config=backend.model.config.text_config))
    embedded = backend.model.get_input_embeddings()(torch.tensor([ids]))
    backend._rope.choose(len(ids))
    return backend._prefill(kept, list(ids), embedded, threading.Event())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_the_family_answers_from_the_folder_as_it_is(kind: str, tmp_path: Path) -> None:
    folder = write_kind(tmp_path / "as-downloaded", kind)
    before = sorted(path.name for path in folder.iterdir())
    backend = LocalBackend(str(folder), device="cpu")
    info = asyncio.run(backend.describe())
    assert (info.name, info.tokens_per_tile) == ("as-downloaded", 64)
    assert info.profile.template.name == KINDS[kind][0]
    said = say(backend, FIRST)
    assert said.usage and said.usage.encoded_views == 3
    whole = backend.tokenizer(prompt_text(FIRST, 64, template=info.profile.template))["input_ids"]
    assert said.usage.prompt_tokens == len(whole)
    again = say(backend, FIRST.with_answer(said.raw).ask("And there?"))
    assert again.usage and again.usage.encoded_views == 0 and again.usage.cached_tokens > 192
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_it_computes_the_same_as_its_converted_copy(kind: str, tmp_path: Path) -> None:
    folder = write_kind(tmp_path / "official", kind)
    convert(folder, tmp_path / "native")
    one, other = (LocalBackend(str(tmp_path / name), device="cpu") for name in ("official", "native"))
    assert one.profile.template == other.profile.template
    assert one.stop_ids == other.stop_ids
    pixels = torch.randn(2, 3, 448, 448, generator=torch.Generator().manual_seed(3))
    mine, theirs = (
        backend.model.get_image_features(pixel_values=pixels, return_dict=True).pooler_output
        for backend in (one, other)
    )
    assert torch.equal(mine, theirs)
    reference = visual_features(tensors_of(folder), kind_config(kind), pixels)
    torch.testing.assert_close(mine, reference, rtol=0, atol=1e-4)
    ids = list(range(40))
    torch.testing.assert_close(logits_after(one, ids), logits_after(other, ids), rtol=0, atol=1e-5)


@torch.inference_mode()
def test_the_first_pixel_shuffle_leaves_height_and_width_swapped(tmp_path: Path) -> None:
    pixels = torch.randn(1, 3, 448, 448, generator=torch.Generator().manual_seed(3))
    features = []
    for version in ("v1", "v2"):
        folder = write_kind(tmp_path / version, "LlamaForCausalLM", ps_version=version)
        model = LocalBackend(str(folder), device="cpu").model
        features.append(model.get_image_features(pixel_values=pixels, return_dict=True).pooler_output)
    first, second = (each.unflatten(1, (8, 8)) for each in features)
    assert not torch.allclose(first, second)
    torch.testing.assert_close(first.transpose(1, 2), second)


@torch.inference_mode()
def test_a_long_prompt_of_phi3_is_read_in_pieces_as_in_one(tmp_path: Path) -> None:
    """Which factors rotate it goes by the whole prompt, not by the piece that is read."""
    folder = write_kind(tmp_path / "phi3", "Phi3ForCausalLM")
    backend, whole = (LocalBackend(str(folder), device="cpu") for _ in range(2))
    rotary = whole.model.model.language_model.rotary_emb
    rotary.rope_type = "longrope"  # transformers' own choice, by what it is given at once
    for length in (500, 513, 1300, 512):
        ids = [number % 250 for number in range(length)]
        wanted = whole.model(input_ids=torch.tensor([ids])).logits[0, -1]
        torch.testing.assert_close(logits_after(backend, ids), wanted, rtol=0, atol=1e-4)


def test_a_conversation_that_grows_long_is_read_anew_by_the_long_factors(tmp_path: Path) -> None:
    backend = LocalBackend(str(write_kind(tmp_path / "phi3", "Phi3ForCausalLM")), device="cpu")
    first = Conversation().ask("a" * 300)
    said = say(backend, first)
    second = first.with_answer(said.raw).ask("b" * 300)
    told = say(backend, second)
    assert told.usage and told.usage.cached_tokens == 0
    afresh = say(backend, Conversation(second.turns))
    assert told.raw == afresh.raw
    third = say(backend, second.with_answer(told.raw).ask("And?"))
    assert third.usage and third.usage.cached_tokens > 600


def test_no_code_of_the_folder_is_run(tmp_path: Path) -> None:
    folder = write_kind(tmp_path / "official", "Qwen2ForCausalLM")
    edit_config(
        folder, lambda config: config.update(auto_map={"AutoConfig": "evil.C", "AutoModel": "evil.M"})
    )
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"auto_map": {"AutoTokenizer": ["evil.T", None]}})
    )
    assert say(LocalBackend(str(folder), device="cpu"), FIRST).usage


def test_shards_are_read_one_tensor_at_a_time_and_loading_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_kind(tmp_path / "official", "InternLM2ForCausalLM")
    count = len(tensors_of(folder))
    write_sharded(folder, 3)
    shares: list[float] = []
    read: list[str] = []
    get = ShardReader.get

    def counted(reader: ShardReader, name: str) -> torch.Tensor:
        read.append(name)
        return get(reader, name)

    monkeypatch.setattr(ShardReader, "get", counted)
    LocalBackend(str(folder), device="cpu", progress=shares.append)
    assert len(read) == len(set(read)) == count
    assert shares == sorted(shares) and len(shares) == count and shares[-1] == 1


def test_weights_stored_in_sixteen_bits_are_read_into_what_the_processor_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_kind(tmp_path / "official", "Qwen2ForCausalLM")
    assert LocalBackend(str(folder), device="cpu").model.dtype == torch.float32
    edit_tensors(folder, lambda held: held.update({name: held[name].bfloat16() for name in held}))
    monkeypatch.setattr("internvl_demo.models.local.device._SMALL_PARAMETERS", 0)
    for has in (True, False):
        monkeypatch.setattr("internvl_demo.models.local.device.cpu_has_bf16", lambda has=has: has)
        backend = LocalBackend(str(folder), device="cpu")
        assert backend.model.dtype == (torch.bfloat16 if has else torch.float32)
        assert say(backend, FIRST).usage


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / "tokenizer.json").unlink(), "holds no tokenizer"),
        (lambda folder: edit_config(folder, lambda config: config.update(template="vicuna")), "'vicuna'"),
        (
            lambda folder: edit_config(
                folder, lambda config: config["llm_config"].update(architectures=["GptOssForCausalLM"])
            ),
            "'GptOssForCausalLM', which does not run in process",
        ),
        (
            lambda folder: edit_config(folder, lambda config: config["llm_config"].update(vocab_size=200)),
            "has no <IMG_CONTEXT> among the model's 200 tokens",
        ),
        (
            lambda folder: edit_tensors(folder, lambda held: held.pop("mlp1.3.bias")),
            "lacks the tensor 'mlp1.3.bias'",
        ),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"{}"), "cannot be read"),
        (lambda folder: (folder / "model.safetensors").unlink(), "holds neither"),
    ],
)
def test_a_folder_that_cannot_answer_says_what_it_lacks(
    spoil: Callable[[Path], Any], says: str, tmp_path: Path
) -> None:
    folder = write_kind(tmp_path / "official", "Qwen2ForCausalLM")
    spoil(folder)
    with pytest.raises(CheckpointError) as caught:
        LocalBackend(str(folder), device="cpu")
    assert says in caught.value.what
    assert caught.value.next_step.endswith(".")


def test_a_template_that_no_file_tells_can_be_named(tmp_path: Path) -> None:
    folder = write_kind(tmp_path / "official", "Qwen2ForCausalLM", template="mine")
    backend = LocalBackend(str(folder), device="cpu", profile="internvl3-1b")
    assert backend.profile.template.name == "internvl2_5"
    assert backend.profile.shape.width == 64, "its sizes are its own"
