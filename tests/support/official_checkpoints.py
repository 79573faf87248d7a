"""Small checkpoints in the official InternVL 1.5 format, made up; and the settings of the 26B."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from internvl_demo.errors import CheckpointError
from internvl_demo.models.convert import convert
from internvl_demo.models.convert.config import config_of_official
from internvl_demo.models.convert.weights import weights_of

TOKENIZER = Path(__file__).parents[1] / "data" / "internlm2_tokenizer"
IMAGE = 600
QKV = "language_model.model.layers.1.attention.wqkv.weight"

VISION_26B = {
    "hidden_size": 3200,
    "intermediate_size": 12800,
    "num_hidden_layers": 45,
    "num_attention_heads": 25,
    "num_channels": 3,
    "patch_size": 14,
    "image_size": 448,
    "qkv_bias": False,
    "qk_normalization": True,
    "norm_type": "rms_norm",
    "layer_norm_eps": 1e-6,
    "hidden_act": "gelu",
}
TEXT_26B = {
    "architectures": ["InternLM2ForCausalLM"],
    "vocab_size": 92553,
    "hidden_size": 6144,
    "intermediate_size": 16384,
    "num_hidden_layers": 48,
    "num_attention_heads": 48,
    "num_key_value_heads": 8,
    "max_position_embeddings": 32768,
    "bias": False,
    "rms_norm_eps": 1e-5,
    "rope_theta": 1000000,
    "rope_scaling": {"type": "dynamic", "factor": 3.0},
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
}
CONFIG_26B: dict[str, Any] = {
    "architectures": ["InternVLChatModel"],
    "model_type": "internvl_chat",
    "template": "internlm2-chat",
    "ps_version": "v2",
    "select_layer": -1,
    "downsample_ratio": 0.5,
    "force_image_size": 448,
    "torch_dtype": "bfloat16",
    "vision_config": VISION_26B,
    "llm_config": TEXT_26B,
}
SMALL = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
FORMS = {
    "the 26B's form": ({}, {}),
    "the 2B's form, and biases": (
        {"norm_type": "layer_norm", "qk_normalization": False, "qkv_bias": True},
        {"bias": True, "rope_scaling": None},
    ),
}

Edit = Callable[[dict[str, Any]], object]


def small_config(vision: dict[str, Any], text: dict[str, Any], vocabulary: int = 640) -> dict[str, Any]:
    return {
        **CONFIG_26B,
        "vision_config": {**VISION_26B, **SMALL, "num_attention_heads": 2, "patch_size": 28, **vision},
        "llm_config": {
            **TEXT_26B,
            **SMALL,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "vocab_size": vocabulary,
            **text,
        },
    }


def write_official(folder: Path, config: dict[str, Any]) -> Path:
    """A random checkpoint, whose features and logits are neither tiny nor huge."""
    source = torch.Generator().manual_seed(15)
    tensors = {}
    kind = config["llm_config"]["architectures"][0]
    for weight in weights_of(config_of_official(config, folder, ("v1", "v2")), kind):
        values = torch.randn(weight.official_shape, generator=source)
        near_one = "norm" in weight.official and weight.official.endswith("weight")
        tensors[weight.official] = (1 + 0.1 * values if near_one else 0.1 * values).half()
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        found |= load_file(file)
    return found


def edit_config(folder: Path, edit: Edit) -> None:
    config = json.loads((folder / "config.json").read_text())
    edit(config)
    (folder / "config.json").write_text(json.dumps(config))


def edit_tensors(folder: Path, edit: Edit) -> None:
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors")


def write_sharded(folder: Path, count: int) -> None:
    """Cuts a checkpoint's file into `count` shards and their index, the tensors dealt out in turn."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    homes = {name: f"shard-{number % count}.safetensors" for number, name in enumerate(sorted(tensors))}
    for file in set(homes.values()):
        save_file({name: tensors[name] for name in tensors if homes[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": homes}))


def refused(source: Path, says: str, **how: Any) -> None:
    """The conversion is refused with these words, and nothing is left where the result should be."""
    target = source.parent / "target"
    with pytest.raises(CheckpointError, match=says) as caught:
        convert(source, target, **how)
    assert caught.value.next_step.endswith(".")
    assert [path.name for path in source.parent.iterdir()] == [source.name]


def kind_config(kind: str, vocabulary: int = 700) -> dict[str, Any]:
    """The settings of a small checkpoint with a language model of that kind, as the releases name them."""
    template, text = KINDS[kind]
    config = small_config(FORMS["the 2B's form, and biases"][0], {}, vocabulary)
    sizes = {key: config["llm_config"][key] for key in (*SMALL, "num_attention_heads", "num_key_value_heads")}
    own = {
        "vocab_size": vocabulary,
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-6,
        "hidden_act": "silu",
    }
    config["llm_config"] = {"architectures": [kind], "rope_theta": 1000000, **own, **sizes, **text}
    return {**config, "template": template}


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "InternLM2ForCausalLM": (
        "internlm2-chat",
        {"bias": False, "rope_scaling": {"type": "dynamic", "factor": 2.0}},
    ),
    "LlamaForCausalLM": ("Hermes-2", {"attention_bias": False, "rope_scaling": None}),
    "Qwen2ForCausalLM": ("internvl2_5", {"use_sliding_window": False, "sliding_window": 32768}),
    "Qwen3ForCausalLM": ("internvl2_5", {"head_dim": 32, "attention_bias": False}),
    "Phi3ForCausalLM": (
        "phi3-chat",
        {
            "original_max_position_embeddings": 512,
            "sliding_window": 262144,
            "num_key_value_heads": 4,
            "rope_scaling": {
                "type": "su",
                "short_factor": [1.0 + number / 10 for number in range(8)],
                "long_factor": [1.0 + 4 * number for number in range(8)],
            },
        },
    ),
}
"""Language model -> its template, and what its config.json has besides sizes."""


def write_kind(folder: Path, kind: str, **changes: Any) -> Path:
    """A random checkpoint with a language model of that kind, and a tokenizer of the template's words."""
    return write_tokenizer(write_official(folder, {**kind_config(kind), **changes}))


def write_tokenizer(folder: Path) -> Path:
    """Puts a byte-level tokenizer of 300 tokens, `<IMG_CONTEXT>` among them, beside a checkpoint's weights."""
    special = [
        "<s>",
        "</s>",
        "<img>",
        "</img>",
        "<IMG_CONTEXT>",
        "<|im_start|>",
        "<|im_end|>",
        "<|endoftext|>",
    ]
    special += ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<ref>", "</ref>", "<box>", "</box>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: id_ for id_, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
