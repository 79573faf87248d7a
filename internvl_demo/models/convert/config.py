"""Read and write config.json of both formats, and check that a checkpoint is an InternVL.

Both are converted through `transformers`' InternVLConfig: an official config.json becomes one and is made from
one. What it cannot express, or what the model's code here does not compute, is an error that names the setting.
Two defaults of `transformers` are not InternVL's and are always set: word embeddings are not tied, and
the vision encoder normalises queries and keys. No weights here.
"""

from pathlib import Path
from typing import Any

from transformers import InternVLConfig, InternVLVisionConfig, PreTrainedConfig

from internvl_demo.conversation.template import V1_5
from internvl_demo.conversation.tiling import TILE_PX
from internvl_demo.errors import CheckpointError
from internvl_demo.models.convert.decoders import INTERNLM2, MOST_LAYERS, ROPES, decoder_of
from internvl_demo.models.convert.section import Section

PIXEL_SHUFFLE = 0.5
QK_NORM_EPS = 1e-6
"""What `transformers` normalises queries and keys with, whatever config.json says."""


def config_of_official(
    raw: dict[str, Any], source: Path, shuffles: tuple[str, ...] = ("v2",)
) -> InternVLConfig:
    """Convert an official config.json to an InternVLConfig, which lacks `image_token_id` and the dtype.

    shuffles: the versions of the pixel shuffle that the caller computes; `transformers` has v2 alone.
    """
    top = Section(raw, "", source)
    if raw.get("model_type") == "internvl":
        raise CheckpointError(
            f"{source} is in transformers' format already.",
            "Load it as it is with --checkpoint, or make the official format of it with --to official.",
        )
    top.must("architectures", ["InternVLChatModel"])
    top.must("ps_version", *shuffles)
    top.must("select_layer", -1, default=-1)
    top.must("downsample_ratio", PIXEL_SHUFFLE, default=PIXEL_SHUFFLE)
    top.must("force_image_size", TILE_PX, default=TILE_PX)
    vision = top.section("vision_config")
    config = InternVLConfig(
        vision_config=_vision_of_official(vision),
        text_config=decoder_of(top.section("llm_config")),
        downsample_ratio=PIXEL_SHUFFLE,
        tie_word_embeddings=False,
    )
    config.image_seq_length = int(TILE_PX // vision.size("patch_size") * PIXEL_SHUFFLE) ** 2
    return config


def config_of_native(raw: dict[str, Any], source: Path) -> InternVLConfig:
    """Read a native config.json as an InternVLConfig; check that the official format can express it."""
    top = Section(raw, "", source)
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
    top = Section(config.to_dict(), "", source)
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
    text.section("rope_parameters").must("rope_type", "default", *ROPES)
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


def official_of(
    config: InternVLConfig, system: str, template: str = V1_5.name, llm: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Convert an InternVLConfig to config.json in the official format, which names its dtype in three places.

    system: the model's own system prompt. template: its name. llm: the language model as `llm_config` has it, where
    it is no InternLM2.
    """
    vision, dtype = config.vision_config, str(config.dtype).removeprefix("torch.")
    return {
        "architectures": ["InternVLChatModel"],
        "auto_map": {"AutoConfig": "configuration_internvl_chat.InternVLChatConfig"},
        "model_type": "internvl_chat",
        "torch_dtype": dtype,
        "template": template,
        "system_message": system,
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
        "llm_config": {"torch_dtype": dtype, **(llm or _internlm2_of(config.text_config))},
    }


def _internlm2_of(text: PreTrainedConfig) -> dict[str, Any]:
    rope = text.rope_parameters
    scaling = (
        None if rope["rope_type"] == "default" else {"type": rope["rope_type"], "factor": rope["factor"]}
    )
    return {
        "architectures": [INTERNLM2],
        "model_type": "internlm2",
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
    }


def _vision_of_official(vision: Section) -> InternVLVisionConfig:
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
        num_hidden_layers=vision.size("num_hidden_layers", most=MOST_LAYERS),
        num_attention_heads=vision.size("num_attention_heads"),
        num_channels=vision.must("num_channels", 3, default=3),
        image_size=TILE_PX,
        patch_size=patch,
        use_qk_norm=normalised,
        attention_bias=vision.flag("qkv_bias", False),
        norm_type=vision.must("norm_type", "rms_norm", "layer_norm", default="rms_norm"),
        layer_norm_eps=vision.number("layer_norm_eps", 1e-6),
    )
