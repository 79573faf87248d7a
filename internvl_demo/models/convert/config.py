"""Read and write config.json of both formats, and check that a checkpoint is an InternVL 1.5.

Both are converted through `transformers`' InternVLConfig: an official config.json becomes one and is made from
one. What it cannot express, or what the model's code here does not compute, is an error that names the setting.
Two defaults of `transformers` are not InternVL's and are always set: word embeddings are not tied, and
the vision encoder normalises queries and keys. No weights here.
"""

import json
from pathlib import Path
from typing import Any

from transformers import InternVLConfig, InternVLVisionConfig, LlamaConfig

from internvl_demo.conversation.tiling import TILE_PX
from internvl_demo.errors import CheckpointError

LANGUAGE_MODEL = "InternLM2ForCausalLM"
PIXEL_SHUFFLE = 0.5
QK_NORM_EPS = 1e-6
"""What `transformers` normalises queries and keys with, whatever config.json says."""

_MOST = 1 << 20
_MOST_LAYERS = 1000
_ROPES = ("dynamic", "linear")


class _Section:
    """One object of a config.json, or a configuration as such an object; errors name the setting."""

    def __init__(self, values: Any, name: str, source: Path):
        self.values: dict[str, Any] = values if isinstance(values, dict) else {}
        self.name, self.source = name, source

    def get(self, key: str, default: Any = None) -> Any:
        value = self.values.get(key)
        return default if value is None else value

    def section(self, key: str) -> "_Section":
        if not isinstance(self.values.get(key), dict):
            raise self._odd(key, "an object")
        return _Section(self.values[key], f"{self.name}{key}.", self.source)

    def size(self, key: str, default: int | None = None, most: int = _MOST) -> int:
        value = self.get(key, default)
        if type(value) is not int or not 1 <= value <= most:
            raise self._odd(key, f"a number from 1 to {most}")
        return value

    def number(self, key: str, default: float) -> float:
        value = self.get(key, default)
        if type(value) not in (int, float) or not 0 < value < 1e12:
            raise self._odd(key, "a positive number")
        return float(value)

    def token(self, key: str) -> int | None:
        value = self.values.get(key)
        return value if type(value) is int else None

    def flag(self, key: str, default: bool) -> bool:
        value = self.get(key, default)
        if type(value) is not bool:
            raise self._odd(key, "true or false")
        return value

    def must(self, key: str, *allowed: Any, default: Any = None) -> Any:
        value = self.get(key, default)
        if not any(type(value) is type(one) and value == one for one in allowed):
            raise self._odd(key, " or ".join(repr(one) for one in allowed))
        return value

    def divides(self, key: str, by: str) -> None:
        if self.size(key) % self.size(by):
            raise self._odd(key, f"a multiple of {by}, which is {self.size(by)}")

    def _odd(self, key: str, wanted: str) -> CheckpointError:
        found = repr(self.values[key])[:80] if self.values.get(key) is not None else "missing"
        return CheckpointError(
            f"{self.source} is not a checkpoint of InternVL 1.5 that can be converted: "
            f"{self.name}{key} in its config.json is {found}; it must be {wanted}.",
            "Use an InternVL-Chat-V1-5 or Mini-InternVL-Chat-2B-V1-5 checkpoint, or one fine-tuned from it.",
        )


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Read a JSON object from a file. Raises CheckpointError when it is missing or not an object."""
    try:
        values = json.loads((folder / name).read_text("utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder} holds no {name}.", "Name the directory that holds the checkpoint."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"{folder / name} cannot be read: {reason}.", "Download or copy it again."
        ) from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{folder / name} is no JSON object.", "Download or copy it again.")
    return values


def config_of_official(raw: dict[str, Any], source: Path) -> InternVLConfig:
    """Convert an official config.json to an InternVLConfig, which lacks `image_token_id` and the dtype."""
    top = _Section(raw, "", source)
    if raw.get("model_type") == "internvl":
        raise CheckpointError(
            f"{source} is in transformers' format already.",
            "Load it as it is with --checkpoint, or make the official format of it with --to official.",
        )
    top.must("architectures", ["InternVLChatModel"])
    top.must("ps_version", "v2")
    top.must("select_layer", -1, default=-1)
    top.must("downsample_ratio", PIXEL_SHUFFLE, default=PIXEL_SHUFFLE)
    top.must("force_image_size", TILE_PX, default=TILE_PX)
    vision = top.section("vision_config")
    text = top.section("llm_config")
    text.must("architectures", [LANGUAGE_MODEL])
    text.must("hidden_act", "silu", default="silu")
    text.divides("hidden_size", "num_attention_heads")
    text.divides("num_attention_heads", "num_key_value_heads")
    llama = LlamaConfig(
        vocab_size=text.size("vocab_size"),
        hidden_size=text.size("hidden_size"),
        intermediate_size=text.size("intermediate_size"),
        num_hidden_layers=text.size("num_hidden_layers", most=_MOST_LAYERS),
        num_attention_heads=text.size("num_attention_heads"),
        num_key_value_heads=text.size("num_key_value_heads"),
        head_dim=text.size("hidden_size") // text.size("num_attention_heads"),
        max_position_embeddings=text.size("max_position_embeddings", most=1 << 24),
        rms_norm_eps=text.number("rms_norm_eps", 1e-6),
        rope_parameters=_rope_of_official(text),
        attention_bias=text.flag("bias", True),
        bos_token_id=text.token("bos_token_id"),
        eos_token_id=text.token("eos_token_id"),
        pad_token_id=text.token("pad_token_id"),
        tie_word_embeddings=False,
    )
    config = InternVLConfig(
        vision_config=_vision_of_official(vision),
        text_config=llama,
        downsample_ratio=PIXEL_SHUFFLE,
        tie_word_embeddings=False,
    )
    config.image_seq_length = int(TILE_PX // vision.size("patch_size") * PIXEL_SHUFFLE) ** 2
    return config


def config_of_native(raw: dict[str, Any], source: Path) -> InternVLConfig:
    """Read a native config.json as an InternVLConfig; check that the official format can express it."""
    top = _Section(raw, "", source)
    if raw.get("architectures") == ["InternVLChatModel"]:
        raise CheckpointError(
            f"{source} is in the official format already.", "Leave out --to official to convert it."
        )
    top.must("model_type", "internvl")
    top.section("text_config").must("model_type", "llama")
    try:
        config = InternVLConfig.from_dict(raw)
    except Exception as error:  # huggingface_hub's validators raise kinds of their own
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"config.json in {source} cannot be read: {reason}.", "Download or copy it again."
        ) from error
    top = _Section(config.to_dict(), "", source)
    top.must("downsample_ratio", PIXEL_SHUFFLE)
    top.must("projector_hidden_act", "gelu")
    top.must("vision_feature_layer", -1)
    top.must("vision_feature_select_strategy", "default")
    top.must("tie_word_embeddings", False)
    text, vision = top.section("text_config"), top.section("vision_config")
    text.must("hidden_act", "silu")
    text.must("mlp_bias", False)
    text.divides("hidden_size", "num_attention_heads")
    text.divides("num_attention_heads", "num_key_value_heads")
    text.must("head_dim", config.text_config.hidden_size // config.text_config.num_attention_heads)
    text.section("rope_parameters").must("rope_type", "default", *_ROPES)
    vision.must("hidden_act", "gelu")
    vision.must("norm_type", "rms_norm", "layer_norm")
    vision.must("use_mask_token", False)
    vision.must("use_absolute_position_embeddings", True)
    vision.must("use_mean_pooling", True)
    sides = (config.vision_config.image_size, config.vision_config.patch_size)
    if any(len(set(side)) != 1 for side in sides) or sides[0][0] != TILE_PX:
        vision.must("image_size", [TILE_PX, TILE_PX])
        vision.must("patch_size", [sides[1][0]] * 2)
    return config


def official_of(config: InternVLConfig) -> dict[str, Any]:
    """Convert an InternVLConfig to config.json in the official format, which names its dtype in three places."""
    vision, text, rope = config.vision_config, config.text_config, config.text_config.rope_parameters
    dtype = str(config.dtype).removeprefix("torch.")
    scaling = (
        None if rope["rope_type"] == "default" else {"type": rope["rope_type"], "factor": rope["factor"]}
    )
    return {
        "architectures": ["InternVLChatModel"],
        "auto_map": {"AutoConfig": "configuration_internvl_chat.InternVLChatConfig"},
        "model_type": "internvl_chat",
        "torch_dtype": dtype,
        "template": "internlm2-chat",
        "ps_version": "v2",
        "select_layer": -1,
        "downsample_ratio": config.downsample_ratio,
        "dynamic_image_size": True,
        "use_thumbnail": True,
        "min_dynamic_patch": 1,
        "max_dynamic_patch": 12,
        "force_image_size": TILE_PX,
        "pad2square": False,
        "use_backbone_lora": 0,
        "use_llm_lora": 0,
        "tie_word_embeddings": False,
        "vision_config": {
            "architectures": ["InternVisionModel"],
            "model_type": "intern_vit_6b",
            "torch_dtype": dtype,
            "image_size": TILE_PX,
            "patch_size": vision.patch_size[0],
            "num_channels": vision.num_channels,
            "hidden_size": vision.hidden_size,
            "intermediate_size": vision.intermediate_size,
            "num_hidden_layers": vision.num_hidden_layers,
            "num_attention_heads": vision.num_attention_heads,
            "qkv_bias": vision.attention_bias,
            "qk_normalization": vision.use_qk_norm,
            "norm_type": vision.norm_type,
            "layer_norm_eps": vision.layer_norm_eps,
            "hidden_act": "gelu",
        },
        "llm_config": {
            "architectures": [LANGUAGE_MODEL],
            "model_type": "internlm2",
            "torch_dtype": dtype,
            "vocab_size": text.vocab_size,
            "max_position_embeddings": text.max_position_embeddings,
            "hidden_size": text.hidden_size,
            "intermediate_size": text.intermediate_size,
            "num_hidden_layers": text.num_hidden_layers,
            "num_attention_heads": text.num_attention_heads,
            "num_key_value_heads": text.num_key_value_heads,
            "hidden_act": "silu",
            "bias": text.attention_bias,
            "rms_norm_eps": text.rms_norm_eps,
            "rope_theta": rope["rope_theta"],
            **({"rope_scaling": scaling} if scaling else {}),
            "bos_token_id": text.bos_token_id,
            "eos_token_id": text.eos_token_id,
            "pad_token_id": text.pad_token_id,
            "tie_word_embeddings": False,
        },
    }


def _vision_of_official(vision: _Section) -> InternVLVisionConfig:
    vision.must("image_size", TILE_PX)
    vision.must("hidden_act", "gelu", default="gelu")
    vision.divides("hidden_size", "num_attention_heads")
    normalised = vision.flag("qk_normalization", True)
    if normalised:
        vision.must("layer_norm_eps", QK_NORM_EPS, default=QK_NORM_EPS)
    patch = vision.size("patch_size")
    if TILE_PX % (2 * patch):
        vision.must("patch_size", 14, 28)
    return InternVLVisionConfig(
        hidden_size=vision.size("hidden_size"),
        intermediate_size=vision.size("intermediate_size"),
        num_hidden_layers=vision.size("num_hidden_layers", most=_MOST_LAYERS),
        num_attention_heads=vision.size("num_attention_heads"),
        num_channels=vision.must("num_channels", 3, default=3),
        image_size=TILE_PX,
        patch_size=patch,
        use_qk_norm=normalised,
        attention_bias=vision.flag("qkv_bias", False),
        norm_type=vision.must("norm_type", "rms_norm", "layer_norm", default="rms_norm"),
        layer_norm_eps=vision.number("layer_norm_eps", 1e-6),
    )


def _rope_of_official(text: _Section) -> dict[str, Any]:
    rope: dict[str, Any] = {"rope_type": "default", "rope_theta": text.number("rope_theta", 10_000)}
    if text.get("rope_scaling"):
        scaling = text.section("rope_scaling")
        rope["rope_type"] = scaling.must("type", *_ROPES)
        rope["factor"] = scaling.number("factor", 1)
    return rope
