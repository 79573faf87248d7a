"""Say how large a checkpoint is: layers and widths, and from them parameters, bytes, tokens. Arithmetic only.

shape_of(config.json) -> Shape      the official format (`llm_config`) and transformers' (`text_config`)

>>> Shape().parameters              # the 26B's, whose config.json is public
25514186112
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

CacheFormat = Literal["auto", "int8"]
"""The KV cache as computed (16 bits), or quantised to 8 (LMDeploy's --quant-policy 8)."""

TILE_PX = 448


@dataclass(frozen=True)
class Shape:
    """Layers and widths of an InternVL. The defaults are the 26B's of V1.5.

    vit_norms: whether the vision encoder normalises queries and keys (InternViT-6B) or has biases (300M).
    head: width of a head of the decoder; 0: width / heads. experts: 0 for a dense decoder; `mlp` is of one.
    biases: whether queries, keys and values of the decoder have biases.
    """

    vit_layers: int = 45
    vit_width: int = 3200
    vit_heads: int = 25
    vit_mlp: int = 12_800
    patch_px: int = 14
    layers: int = 48
    width: int = 6144
    heads: int = 48
    kv_heads: int = 8
    mlp: int = 16_384
    vocabulary: int = 92_553
    context: int = 32_768
    vit_norms: bool = True
    head: int = 0
    experts: int = 0
    biases: bool = False

    @property
    def head_width(self) -> int:
        """Width of one attention head of the decoder."""
        return self.head or self.width // self.heads

    @property
    def tokens_per_tile(self) -> int:
        """Visual tokens of one tile: 448 pixels a side, 2 x 2 patches joined by pixel shuffle."""
        return (TILE_PX // self.patch_px // 2) ** 2

    @property
    def vit_attention(self) -> int:
        """Parameters of the vision encoder's attention matrices."""
        return self.vit_layers * 4 * self.vit_width**2

    @property
    def vit(self) -> int:
        """Parameters of the vision encoder."""
        width, patches = self.vit_width, (TILE_PX // self.patch_px) ** 2
        # biases, norms of the layer, layer scales; norms of queries and keys, or biases of q, k, v and the norms
        vectors = (8 if self.vit_norms else 11) * width + self.vit_mlp
        layer = 4 * width**2 + 2 * width * self.vit_mlp + vectors
        return self.vit_layers * layer + 3 * self.patch_px**2 * width + width + (patches + 2) * width

    @property
    def connector(self) -> int:
        """Parameters of the MLP between vision encoder and decoder: a norm and two layers."""
        wide = 4 * self.vit_width
        return 2 * wide + (wide + 1) * self.width + (self.width + 1) * self.width

    @property
    def matrices(self) -> int:
        """Parameters of the decoder's layers without norms: what AWQ stores in 4 bits."""
        kept = (self.heads + 2 * self.kv_heads) * self.head_width * self.width
        mlp = 3 * self.width * self.mlp * max(1, self.experts) + self.experts * self.width
        return self.layers * (kept + self.heads * self.head_width * self.width + mlp)

    @property
    def decoder(self) -> int:
        """Parameters of the decoder."""
        biases = self.layers * (self.heads + 2 * self.kv_heads) * self.head_width if self.biases else 0
        return self.matrices + biases + (2 * self.layers + 1 + 2 * self.vocabulary) * self.width

    @property
    def parameters(self) -> int:
        """Parameters of the whole model."""
        return self.vit + self.connector + self.decoder

    def weights_bytes(self, awq: bool = False) -> float:
        """Return the size of the weights: 2 bytes each.

        With AWQ those of `matrices` take 4 bits, and a scale (16 bits) and a zero (4 bits) for every 128.
        """
        saved = self.matrices * (2 - 0.5 - 2.5 / 128) if awq else 0.0
        return 2 * self.parameters - saved

    def token_bytes(self, kv: CacheFormat = "auto") -> int:
        """Return the KV cache's size for one token.

        With int8 a value is one byte, and each head adds a scale and a zero (16 bits each).
        """
        vectors = 2 * self.layers * self.kv_heads
        return vectors * (self.head_width + 4) if kv == "int8" else vectors * self.head_width * 2


def shape_of(config: Mapping[str, Any]) -> Shape:
    """Return the shape in a checkpoint's config.json, of either format. Raises KeyError, TypeError, ValueError."""
    vision, text = config["vision_config"], config.get("llm_config") or config["text_config"]
    width, heads = int(text["hidden_size"]), int(text["num_attention_heads"])
    head = int(text.get("head_dim") or 0)
    experts = int(text.get("num_experts") or 0) if "moe_intermediate_size" in text else 0
    return Shape(
        vit_layers=int(vision["num_hidden_layers"]),
        vit_width=int(vision["hidden_size"]),
        vit_heads=int(vision["num_attention_heads"]),
        vit_mlp=int(vision["intermediate_size"]),
        patch_px=_side(vision["patch_size"]),
        layers=int(text["num_hidden_layers"]),
        width=width,
        heads=heads,
        kv_heads=int(text.get("num_key_value_heads") or heads),
        mlp=int(text["moe_intermediate_size"] if experts else text["intermediate_size"]),
        vocabulary=int(text["vocab_size"]),
        context=int(text["max_position_embeddings"]),
        vit_norms=bool(vision.get("qk_normalization", vision.get("use_qk_norm", True))),
        head=0 if head * heads == width else head,
        experts=experts,
        biases=_language(text) == "qwen2" or bool(text.get("bias") or text.get("attention_bias")),
    )


def _side(size: Any) -> int:
    return int(size[0] if isinstance(size, list | tuple) else size)


def _language(text: Mapping[str, Any]) -> str:
    return str(text.get("model_type") or "").lower()
