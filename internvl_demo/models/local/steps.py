"""Run one token through a Llama-form decoder in plain tensor operations.

A small model on a CPU spends most of a token's time between the operations, not in them: modules, hooks and
masks cost more than the sums. `StepReader` computes the same as transformers' Llama for exactly one token on the
same KV cache, and nothing else. Prompts go through transformers, and so do decoders of any other form.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import DynamicCache


class StepReader:
    """Read single tokens with a model's weights.

    Weights that read the same input (queries, keys, values; gate and up) are concatenated, and those of the model
    become parts of that: nothing is held twice.
    """

    def __init__(self, model: Any):
        """Take the weights of an `InternVLForConditionalGeneration` whose decoder `can_step`."""
        decoder = model.model.language_model
        self.embedding: torch.Tensor = decoder.embed_tokens.weight
        self.norm, self.head = decoder.norm.weight, model.lm_head.weight
        self.eps: float = decoder.config.rms_norm_eps
        self.width: int = decoder.layers[0].self_attn.head_dim
        self.rates: torch.Tensor = decoder.rotary_emb.inv_freq
        self.layers = [
            (
                layer.input_layernorm.weight,
                _joined([getattr(layer.self_attn, f"{name}_proj") for name in "qkv"]),
                layer.self_attn.o_proj.weight,
                layer.post_attention_layernorm.weight,
                _joined([layer.mlp.gate_proj, layer.mlp.up_proj]),
                layer.mlp.down_proj.weight,
            )
            for layer in decoder.layers
        ]
        self.n_kv_heads = decoder.config.num_key_value_heads

    def read(self, token: int, cache: DynamicCache) -> torch.Tensor:
        """Add a token to the cache; return the logits (vocabulary,) of the next."""
        hidden = self.embedding[token][None]
        angles = self.rates * cache.get_seq_length()
        rotation = torch.polar(torch.ones_like(angles), angles)
        for number, (before, qkv, out, between, gate_up, down) in enumerate(self.layers):
            heads = functional.linear(self._normed(hidden, before), qkv).view(-1, self.width)
            rotated = _rotate(heads[: -self.n_kv_heads], rotation)
            keys, values = cache.update(
                rotated[None, -self.n_kv_heads :, None], heads[None, -self.n_kv_heads :, None], number
            )
            attended = functional.scaled_dot_product_attention(
                rotated[None, : -self.n_kv_heads, None], keys, values, enable_gqa=True
            )
            hidden = hidden + functional.linear(attended.reshape(1, -1), out)
            gate, up = functional.linear(self._normed(hidden, between), gate_up).chunk(2, dim=-1)
            hidden = hidden + functional.linear(functional.silu(gate) * up, down)
        return functional.linear(self._normed(hidden, self.norm), self.head)[0]

    def _normed(self, hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return functional.rms_norm(hidden, weight.shape, weight, self.eps)


def _joined(layers: Sequence[nn.Linear]) -> torch.Tensor:
    """Return the weights of linear layers as one matrix, of which each layer keeps its rows."""
    joined = torch.cat([layer.weight.detach() for layer in layers])
    parts = torch.split(joined, [len(layer.weight) for layer in layers])
    for layer, rows in zip(layers, parts, strict=True):
        layer.weight = nn.Parameter(rows, requires_grad=False)
    return joined


def can_step(model: Any) -> bool:
    """Return whether the decoder is a Llama in float32 on a CPU with plain rotary positions and no biases.

    InternLM2's `dynamic` positions are plain ones up to the context's end, where the backend stops.
    """
    config = model.config.text_config
    return (
        config.model_type == "llama"
        and model.device.type == "cpu"
        and model.dtype == torch.float32
        and config.rope_parameters.get("rope_type") in ("default", "dynamic")
        and config.hidden_act == "silu"
        and not (config.attention_bias or config.mlp_bias)
    )


def _rotate(heads: torch.Tensor, rotation: torch.Tensor) -> torch.Tensor:
    """Rotate heads (heads, width) by their position; `rotation` is complex (width / 2,).

    Each number is paired with the one half a width further.
    """
    pairs = torch.view_as_complex(heads.view(len(heads), 2, -1).transpose(1, 2).contiguous())
    return torch.view_as_real(pairs * rotation).transpose(1, 2).reshape(len(heads), -1)
