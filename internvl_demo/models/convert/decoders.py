"""Read the language model of an official config.json (`llm_config`): one function for each kind in the family.

    InternLM2ForCausalLM   InternVL 1.5, Mini-2B, 2B to 26B     a Llama whose wqkv is fused: `weights` divides it
    LlamaForCausalLM       V1-2, 40B (Yi), 76B (Llama 3)
    Qwen2ForCausalLM       1B, InternVL2.5 and 3
    Qwen3ForCausalLM       InternVL3.5
    Phi3ForCausalLM        Mini-4B, InternVL2-4B                RoPE factors for prompts up to 4,096 tokens, and above

Word embeddings are never tied in an official checkpoint, whatever the language model's own defaults are. Not here:
mixtures of experts, InternLM3, GPT-OSS; a server runs these.
"""

from collections.abc import Callable
from typing import Any

from transformers import LlamaConfig, Phi3Config, PreTrainedConfig, Qwen2Config, Qwen3Config

from internvl_demo.errors import CheckpointError
from internvl_demo.models.convert.section import Section

INTERNLM2 = "InternLM2ForCausalLM"
ROPES = ("dynamic", "linear")
MOST_LAYERS = 1000
_MOST_TOKENS = 1 << 24


def kind_of(text: Section) -> str:
    """Return the architecture of an `llm_config`. Raises CheckpointError when it does not run in process."""
    told = text.get("architectures")
    kind = told[0] if isinstance(told, list) and told and isinstance(told[0], str) else ""
    if kind not in KINDS:
        raise CheckpointError(
            f"{text.source} has a language model of the kind {kind or 'nameless'!r}, which does not run in process.",
            f"Serve it and name the server with --endpoint. In process run: {', '.join(KINDS)}.",
        )
    return kind


def decoder_of(text: Section) -> PreTrainedConfig:
    """Return the language model's configuration for `transformers`. Raises CheckpointError naming what is odd."""
    kind = kind_of(text)
    text.must("hidden_act", "silu", default="silu")
    text.must("use_sliding_window", False, default=False)
    if kind != "Qwen3ForCausalLM":
        text.divides("hidden_size", "num_attention_heads")
    text.divides("num_attention_heads", "num_key_value_heads")
    return KINDS[kind](text)


def _sizes(text: Section) -> dict[str, Any]:
    return {
        "vocab_size": text.size("vocab_size"),
        "hidden_size": text.size("hidden_size"),
        "intermediate_size": text.size("intermediate_size"),
        "num_hidden_layers": text.size("num_hidden_layers", most=MOST_LAYERS),
        "num_attention_heads": text.size("num_attention_heads"),
        "num_key_value_heads": text.size("num_key_value_heads"),
        "max_position_embeddings": text.size("max_position_embeddings", most=_MOST_TOKENS),
        "rms_norm_eps": text.number("rms_norm_eps", 1e-6),
        "bos_token_id": text.token("bos_token_id"),
        "eos_token_id": text.token("eos_token_id"),
        "pad_token_id": text.token("pad_token_id"),
        "tie_word_embeddings": False,
    }


def _head(text: Section) -> int:
    return text.size("hidden_size") // text.size("num_attention_heads")


def _internlm2(text: Section) -> PreTrainedConfig:
    bias = text.flag("bias", True)
    return LlamaConfig(**_sizes(text), head_dim=_head(text), rope_parameters=_rope(text), attention_bias=bias)


def _llama(text: Section) -> PreTrainedConfig:
    text.must("mlp_bias", False, default=False)
    bias = text.flag("attention_bias", False)
    return LlamaConfig(**_sizes(text), head_dim=_head(text), rope_parameters=_rope(text), attention_bias=bias)


def _qwen2(text: Section) -> PreTrainedConfig:
    return Qwen2Config(**_sizes(text), rope_parameters=_rope(text), use_sliding_window=False)


def _qwen3(text: Section) -> PreTrainedConfig:
    text.must("attention_bias", False, default=False)
    head = text.size("head_dim", 128)
    return Qwen3Config(**_sizes(text), head_dim=head, rope_parameters=_rope(text), use_sliding_window=False)


def _phi3(text: Section) -> PreTrainedConfig:
    """Read Phi-3, whose config.json names a window of attention that is longer than the context: it is none."""
    window = text.get("sliding_window")
    if window is not None and text.size("sliding_window", most=_MOST_TOKENS) < text.size(
        "max_position_embeddings", most=_MOST_TOKENS
    ):
        raise text.odd("sliding_window", "as large as max_position_embeddings, or missing")
    return Phi3Config(
        **_sizes(text),
        rope_parameters=_longrope(text) if text.get("rope_scaling") else _rope(text),
        original_max_position_embeddings=text.size("original_max_position_embeddings", 4096),
        sliding_window=None,
    )


def _rope(text: Section) -> dict[str, Any]:
    rope: dict[str, Any] = {"rope_type": "default", "rope_theta": text.number("rope_theta", 10_000)}
    if text.get("rope_scaling"):
        scaling = text.section("rope_scaling")
        rope["rope_type"] = scaling.must("type" if scaling.get("type") else "rope_type", *ROPES)
        rope["factor"] = scaling.number("factor", 1)
    return rope


def _longrope(text: Section) -> dict[str, Any]:
    scaling, half = text.section("rope_scaling"), _head(text) // 2
    scaling.must("type", "su", "longrope")
    return {
        "rope_type": "longrope",
        "rope_theta": text.number("rope_theta", 10_000),
        "short_factor": scaling.numbers("short_factor", half),
        "long_factor": scaling.numbers("long_factor", half),
    }


KINDS: dict[str, Callable[[Section], PreTrainedConfig]] = {
    INTERNLM2: _internlm2,
    "LlamaForCausalLM": _llama,
    "Qwen2ForCausalLM": _qwen2,
    "Qwen3ForCausalLM": _qwen3,
    "Phi3ForCausalLM": _phi3,
}
