"""One token through a Llama-form decoder in plain tensor operations.

A small model on a CPU spends most of a token's time between the operations, not in them: modules, hooks and
masks cost more than the sums. `StepReader` does the same sums as transformers' Llama for exactly one token on the
same key/value cache, and nothing else. Prompts are read by transformers; decoders of another form entirely so.
"""

from typing import Any

import torch
from torch.nn import functional
from transformers import DynamicCache


class StepReader:
    """Reads single tokens. Shares the weights of attention's output and of the MLP's with the model; those that
    read the same input are joined, which copies them."""

    def __init__(self, model: Any):
        """model: `InternVLForConditionalGeneration` whose decoder `can_step`."""
        decoder = model.model.language_model
        self.embedding: torch.Tensor = decoder.embed_tokens.weight
        self.norm, self.head = decoder.norm.weight, model.lm_head.weight
        self.eps: float = decoder.config.rms_norm_eps
        self.width: int = decoder.layers[0].self_attn.head_dim
        self.rates: torch.Tensor = decoder.rotary_emb.inv_freq
        self.layers = [
            (
                layer.input_layernorm.weight,
                torch.cat([getattr(layer.self_attn, f"{name}_proj").weight for name in "qkv"]),
                layer.self_attn.o_proj.weight,
                layer.post_attention_layernorm.weight,
                torch.cat([layer.mlp.gate_proj.weight, layer.mlp.up_proj.weight]),
                layer.mlp.down_proj.weight,
            )
            for layer in decoder.layers
        ]
        self.keys = decoder.config.num_key_value_heads

    def read(self, token: int, cache: DynamicCache) -> torch.Tensor:
        """Adds a token to the cache; logits (vocabulary,) of what follows."""
        hidden = self.embedding[token][None]
        angles = self.rates * cache.get_seq_length()
        turn = torch.polar(torch.ones_like(angles), angles)
        for number, (before, joined, out, between, gate_up, down) in enumerate(self.layers):
            heads = functional.linear(self._normed(hidden, before), joined).view(-1, self.width)
            turned = _turned(heads[: -self.keys], turn)
            keys, values = cache.update(
                turned[None, -self.keys :, None], heads[None, -self.keys :, None], number
            )
            said = functional.scaled_dot_product_attention(
                turned[None, : -self.keys, None], keys, values, enable_gqa=True
            )
            hidden = hidden + functional.linear(said.reshape(1, -1), out)
            gate, up = functional.linear(self._normed(hidden, between), gate_up).chunk(2, dim=-1)
            hidden = hidden + functional.linear(functional.silu(gate) * up, down)
        return functional.linear(self._normed(hidden, self.norm), self.head)[0]

    def _normed(self, hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return functional.rms_norm(hidden, weight.shape, weight, self.eps)


def can_step(model: Any) -> bool:
    """Whether the decoder is a Llama in float32 on a CPU with plain rotary positions and no biases."""
    config = model.config.text_config
    return (
        config.model_type == "llama"
        and model.device.type == "cpu"
        and model.dtype == torch.float32
        and config.rope_parameters.get("rope_type") == "default"
        and config.hidden_act == "silu"
        and not (config.attention_bias or config.mlp_bias)
    )


def _turned(heads: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    """Heads (heads, width) turned by their position; turn (width / 2,) complex. A number is paired with
    the one half a width further."""
    pairs = torch.view_as_complex(heads.view(len(heads), 2, -1).transpose(1, 2).contiguous())
    return torch.view_as_real(pairs * turn).transpose(1, 2).reshape(len(heads), -1)
