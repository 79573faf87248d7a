"""Choose Phi-3's RoPE factors by the whole prompt, as the official code does, which reads a prompt in one piece.

Phi-3 rotates by short factors up to 4,096 tokens and by long ones above. `transformers` looks at what it is given at
once, which here is a chunk of the prompt: the beginning of a long prompt would be rotated by the short factors. So
the length of the prompt decides for all of its chunks; a cache that was rotated otherwise is of no use to it. A token
that is generated goes by its own place, and what was rotated before it stays, as in the official code.
"""

from typing import Any

import torch
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

_OURS = "chosen by the prompt"


class PromptRope:
    """The factors of a model's decoder; of one that has only one set nothing is ever changed."""

    def __init__(self, decoder: Any):
        """Take over the choice for this decoder, which must be on its device already."""
        rotary = decoder.rotary_emb
        self._rotary: Any = None
        if getattr(rotary, "rope_type", None) != "longrope":
            return
        self._rotary = rotary
        self._most_short = int(decoder.config.rope_parameters["original_max_position_embeddings"])
        self._short: torch.Tensor = rotary.inv_freq.clone()
        compute = ROPE_INIT_FUNCTIONS["longrope"]
        self._long: torch.Tensor = compute(decoder.config, self._short.device, seq_len=self._most_short + 1)[
            0
        ]
        rotary.rope_type = _OURS

    def is_long(self, tokens: int) -> bool:
        """Return whether so many tokens are rotated by the long factors."""
        return self._rotary is not None and tokens > self._most_short

    def choose(self, tokens: int) -> None:
        """Rotate what is read next as part of so many tokens."""
        if self._rotary is not None:
            self._rotary.inv_freq.copy_(self._long if self.is_long(tokens) else self._short)
