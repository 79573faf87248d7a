"""Converting a checkpoint that is not what it should be: what is refused, in which words, and what is left."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from internvl_demo.errors import SetupError
from internvl_demo.models.convert import convert, shards
from internvl_demo.settings import NANO_CHECKPOINT
from tests.support.official_checkpoints import (
    QKV,
    Edit,
    edit_config,
    edit_tensors,
    refused,
    small_config,
    write_official,
    write_sharded,
)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A checkpoint that a test may break."""
    return write_official(tmp_path / "own", small_config({}, {}))


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda held: held.pop(QKV), f"lacks the tensor '{QKV}'"),
        (lambda held: held.pop("mlp1.3.bias"), r"lacks the tensor 'mlp1\.3\.bias'"),
        (
            lambda held: [held.pop(name) for name in list(held) if "layers.1.mlp" in name],
            r"lacks the tensors '.*layers\.1\.mlp.*and 1 more",
        ),
        (lambda held: held.update(extra=torch.zeros(1)), "holds the tensor 'extra'"),
        (
            lambda held: held.update({QKV.replace("weight", "qweight"): held.pop(QKV)}),
            f"lacks the tensor '{QKV}' and holds the tensor '.*qweight'.*Quantised",
        ),
        (lambda held: held.update({QKV: held[QKV][:-2]}), f"'{QKV}' has the shape 126 x 64.*128 x 64"),
        (lambda held: held.update({QKV: held[QKV].to(torch.int8)}), f"'{QKV}' is stored as I8"),
        (lambda held: held.update({QKV: held[QKV].float()}), f"different ways: .*'{QKV}' as F32"),
    ],
)
def test_a_wrong_tensor_is_named(own: Path, edit: Edit, says: str) -> None:
    edit_tensors(own, edit)
    refused(own, says)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda config: config.update(ps_version="v1"), "ps_version in its config.json is 'v1'.*'v2'"),
        (lambda config: config.pop("ps_version"), "ps_version .* is missing"),
        (lambda config: config.update(select_layer=-4), "select_layer .* is -4"),
        (lambda config: config.update(architectures=["LlavaForCausalLM"]), "architectures"),
        (lambda config: config.update(model_type="internvl"), "in transformers' format already"),
        (
            lambda config: config["llm_config"].update(architectures=["GptOssForCausalLM"]),
            "GptOssForCausalLM.*does not run in process",
        ),
        (lambda config: config.pop("vision_config"), "vision_config .* is missing"),
        (lambda config: config["llm_config"].pop("hidden_size"), r"llm_config\.hidden_size .* is missing"),
        (lambda config: config["llm_config"].update(hidden_size="64"), "hidden_size .* is '64'"),
        (
            lambda config: config["llm_config"].update(num_attention_heads=5),
            "a multiple of num_attention_heads",
        ),
        (lambda config: config["llm_config"].update(num_hidden_layers=10**9), "a number from 1 to 1000"),
        (lambda config: config["llm_config"].update(rope_scaling={"type": "yarn"}), r"rope_scaling\.type"),
        (
            lambda config: config["vision_config"].update(image_size=336),
            r"vision_config\.image_size .* is 336",
        ),
        (lambda config: config["vision_config"].update(patch_size=13), r"vision_config\.patch_size .* is 13"),
        (lambda config: config["vision_config"].update(layer_norm_eps=1e-5), "layer_norm_eps"),
        (lambda config: config["llm_config"].update(num_hidden_layers=3), r"lacks the tensors '.*layers\.2"),
    ],
)
def test_a_checkpoint_that_is_no_internvl_1_5_is_refused_with_the_setting(
    own: Path, edit: Edit, says: str
) -> None:
    edit_config(own, edit)
    refused(own, says)


@pytest.mark.parametrize("broken", ["cut off", "no header", "not JSON", "an array", "a pickle", "nothing"])
def test_a_damaged_file_is_named(own: Path, broken: str) -> None:
    weights = own / "model.safetensors"
    if broken == "cut off":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif broken == "no header":
        weights.write_bytes(b"weights")
    elif broken == "not JSON":
        (own / "config.json").write_text("{")
    elif broken == "an array":
        (own / "config.json").write_text("[]")
    elif broken == "a pickle":
        weights.rename(own / "pytorch_model.bin")
    else:
        (own / "config.json").unlink()
    says = r"config\.json" if broken in ("not JSON", "an array", "nothing") else r"model\.safetensors"
    refused(own, says)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda homes: homes.update(x="shard-9.safetensors"), r"lacks 'shard-9\.safetensors'"),
        (lambda homes: homes.update(x="../own/shard-0.safetensors"), "lacks '../own/shard-0"),
        (lambda homes: homes.clear() or homes.update(x=1), "names no files"),
    ],
)
def test_an_index_that_names_missing_or_foreign_files_is_refused(own: Path, edit: Edit, says: str) -> None:
    write_sharded(own, 2)
    index = own / "model.safetensors.index.json"
    homes = json.loads(index.read_text())["weight_map"]
    edit(homes)
    index.write_text(json.dumps({"weight_map": homes}))
    refused(own, says)


def test_a_tensor_that_lies_in_two_shards_is_named(own: Path) -> None:
    write_sharded(own, 2)
    tensors = load_file(own / "shard-0.safetensors") | load_file(own / "shard-1.safetensors")
    save_file({QKV: tensors[QKV]} | load_file(own / "shard-0.safetensors"), own / "shard-0.safetensors")
    save_file({QKV: tensors[QKV]} | load_file(own / "shard-1.safetensors"), own / "shard-1.safetensors")
    refused(own, rf"'{QKV}' lies in shard-0\.safetensors and in shard-1\.safetensors")


def test_a_directory_that_is_not_empty_is_left_as_it_is(own: Path, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "mine.txt").write_text("mine")
    with pytest.raises(SetupError, match="exists and is not empty"):
        convert(own, tmp_path / "target")
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["mine.txt"]


def test_a_full_disk_leaves_nothing_behind(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shards, "save_file", full)
    with pytest.raises(SetupError, match=r"No space left.*room for the weights"):
        convert(own, tmp_path / "target")
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


def test_the_wrong_direction_says_so(own: Path) -> None:
    refused(own, "official format already.*Leave out --to official", to="official")


def deeper(config: dict[str, Any]) -> None:
    """A layer more than the weights have."""
    config["text_config"]["num_hidden_layers"] += 1


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda config: config.update(tie_word_embeddings=True), "tie_word_embeddings .* is True"),
        (lambda config: config["text_config"].update(model_type="qwen2"), r"text_config\.model_type"),
        (lambda config: config["text_config"].update(head_dim=32), r"text_config\.head_dim .* is 32"),
        (lambda config: config["vision_config"].update(num_hidden_layers="4"), "num_hidden_layers"),
        (deeper, "lacks the tensors 'language"),
    ],
)
def test_what_the_official_format_cannot_say_is_refused(tmp_path: Path, edit: Edit, says: str) -> None:
    source = tmp_path / "own"
    shutil.copytree(NANO_CHECKPOINT, source)
    edit_config(source, edit)
    refused(source, says, to="official")
