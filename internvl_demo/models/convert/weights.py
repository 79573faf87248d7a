"""List the weights: what a tensor is called in each format, its shapes, and how one becomes the other.

Most tensors only change their name. Two kinds are fused in the official format, row by row:

    attn.qkv          queries of all heads, keys of all heads, values of all heads
    attention.wqkv    for every key/value head: its group's queries, its key, its value

Both are `groups` times (queries, keys, values); the first has one group, the second one for each key/value
head. No I/O here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from transformers import InternVLConfig

from internvl_demo.models.convert.decoders import INTERNLM2

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Weight:
    """One official tensor and the native tensors that are its rows: one, or queries, keys and values.

    shapes: of the native tensors.
    groups: how often queries, keys and values alternate in the official tensor's rows.
    """

    official: str
    native: tuple[str, ...]
    shapes: tuple[Shape, ...]
    groups: int = 1

    @property
    def official_shape(self) -> Shape:
        """Shape of the official tensor: as many rows as the native tensors have together."""
        return (sum(shape[0] for shape in self.shapes), *self.shapes[0][1:])

    def split(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        """Split the official tensor into the native ones."""
        if len(self.native) == 1:
            return [tensor]
        rows = self._grouped(tensor)
        sizes = [shape[0] // self.groups for shape in self.shapes]
        return [part.flatten(0, 1).contiguous() for part in torch.split(rows, sizes, dim=1)]

    def join(self, tensors: list[torch.Tensor]) -> torch.Tensor:
        """Join the native tensors to the official one."""
        if len(tensors) == 1:
            return tensors[0]
        return torch.cat([self._grouped(part) for part in tensors], dim=1).flatten(0, 1)

    def _grouped(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.reshape(self.groups, -1, *tensor.shape[1:])


def weights_of(config: InternVLConfig, kind: str = INTERNLM2) -> list[Weight]:
    """Return every tensor of a checkpoint with this configuration, in the order of computing.

    kind: the architecture of the official language model. All but InternLM2's are named as in `transformers`.
    """
    text = _internlm2(config) if kind == INTERNLM2 else _as_native(config)
    return [*_vision(config), *_projector(config), *text]


def _vision(config: InternVLConfig) -> Iterator[Weight]:
    vision = config.vision_config
    width, inner, patch = vision.hidden_size, vision.intermediate_size, vision.patch_size[0]
    patches = (vision.image_size[0] // patch) ** 2
    ours, theirs = "vision_tower.embeddings", "vision_model.embeddings"
    yield _same(f"{theirs}.class_embedding", f"{ours}.cls_token", 1, 1, width)
    yield _same(f"{theirs}.position_embedding", f"{ours}.position_embeddings", 1, patches + 1, width)
    projection = f"{ours}.patch_embeddings.projection"
    yield _same(
        f"{theirs}.patch_embedding.weight", f"{projection}.weight", width, vision.num_channels, patch, patch
    )
    yield _same(f"{theirs}.patch_embedding.bias", f"{projection}.bias", width)
    norms = ("weight",) if vision.norm_type == "rms_norm" else ("weight", "bias")
    for layer in range(vision.num_hidden_layers):
        theirs, ours = f"vision_model.encoder.layers.{layer}", f"vision_tower.encoder.layer.{layer}"
        for number, name in (("1", "before"), ("2", "after")):
            for kind in norms:
                yield _same(f"{theirs}.norm{number}.{kind}", f"{ours}.layernorm_{name}.{kind}", width)
            yield _same(f"{theirs}.ls{number}", f"{ours}.lambda_{number}", width)
        yield _fused(f"{theirs}.attn.qkv.weight", f"{ours}.attention", "weight", ((width, width),) * 3)
        if vision.attention_bias:
            yield _fused(f"{theirs}.attn.qkv.bias", f"{ours}.attention", "bias", ((width,),) * 3)
        for name in ("q_norm", "k_norm") if vision.use_qk_norm else ():
            yield _same(f"{theirs}.attn.{name}.weight", f"{ours}.attention.{name}.weight", width)
        yield from _linear(f"{theirs}.attn.proj", f"{ours}.attention.projection_layer", width, width)
        yield from _linear(f"{theirs}.mlp.fc1", f"{ours}.mlp.fc1", inner, width)
        yield from _linear(f"{theirs}.mlp.fc2", f"{ours}.mlp.fc2", width, inner)


def _projector(config: InternVLConfig) -> Iterator[Weight]:
    shuffled = config.vision_config.hidden_size * round(1 / config.downsample_ratio) ** 2
    width, ours = config.text_config.hidden_size, "multi_modal_projector"
    yield from _linear("mlp1.0", f"{ours}.layer_norm", shuffled)
    yield from _linear("mlp1.1", f"{ours}.linear_1", width, shuffled)
    yield from _linear("mlp1.3", f"{ours}.linear_2", width, width)


def _internlm2(config: InternVLConfig) -> Iterator[Weight]:
    text = config.text_config
    width, inner, groups = text.hidden_size, text.intermediate_size, text.num_key_value_heads
    keys = width // text.num_attention_heads * groups
    model = "language_model.model"
    yield _same(f"{model}.tok_embeddings.weight", f"{model}.embed_tokens.weight", text.vocab_size, width)
    for layer in range(text.num_hidden_layers):
        here = f"{model}.layers.{layer}"
        yield _same(f"{here}.attention_norm.weight", f"{here}.input_layernorm.weight", width)
        fused, ours = f"{here}.attention.wqkv", f"{here}.self_attn"
        shapes = ((width, width), (keys, width), (keys, width))
        yield _fused(f"{fused}.weight", ours, "weight", shapes, groups)
        yield _same(f"{here}.attention.wo.weight", f"{ours}.o_proj.weight", width, width)
        if text.attention_bias:
            yield _fused(f"{fused}.bias", ours, "bias", ((width,), (keys,), (keys,)), groups)
            yield _same(f"{here}.attention.wo.bias", f"{ours}.o_proj.bias", width)
        yield _same(f"{here}.ffn_norm.weight", f"{here}.post_attention_layernorm.weight", width)
        for number, name in ((1, "gate_proj"), (3, "up_proj")):
            yield _same(f"{here}.feed_forward.w{number}.weight", f"{here}.mlp.{name}.weight", inner, width)
        yield _same(f"{here}.feed_forward.w2.weight", f"{here}.mlp.down_proj.weight", width, inner)
    yield _same(f"{model}.norm.weight", f"{model}.norm.weight", width)
    yield _same("language_model.output.weight", "language_model.lm_head.weight", text.vocab_size, width)


def _as_native(config: InternVLConfig) -> Iterator[Weight]:
    text = config.text_config
    width, inner = text.hidden_size, text.intermediate_size
    head = getattr(text, "head_dim", None) or width // text.num_attention_heads
    queries, keys = head * text.num_attention_heads, head * text.num_key_value_heads
    bias = text.model_type == "qwen2" or getattr(text, "attention_bias", False)

    def own(name: str, *shape: int) -> Weight:
        return _same(name, name, *shape)

    model = "language_model.model"
    yield own(f"{model}.embed_tokens.weight", text.vocab_size, width)
    for layer in range(text.num_hidden_layers):
        here = f"{model}.layers.{layer}"
        yield own(f"{here}.input_layernorm.weight", width)
        if text.model_type == "phi3":
            yield own(f"{here}.self_attn.qkv_proj.weight", queries + 2 * keys, width)
        else:
            for part, rows in (("q", queries), ("k", keys), ("v", keys)):
                yield own(f"{here}.self_attn.{part}_proj.weight", rows, width)
                if bias:
                    yield own(f"{here}.self_attn.{part}_proj.bias", rows)
        if text.model_type == "qwen3":
            yield own(f"{here}.self_attn.q_norm.weight", head)
            yield own(f"{here}.self_attn.k_norm.weight", head)
        yield own(f"{here}.self_attn.o_proj.weight", width, queries)
        if bias and text.model_type == "llama":
            yield own(f"{here}.self_attn.o_proj.bias", width)
        yield own(f"{here}.post_attention_layernorm.weight", width)
        if text.model_type == "phi3":
            yield own(f"{here}.mlp.gate_up_proj.weight", 2 * inner, width)
        else:
            yield own(f"{here}.mlp.gate_proj.weight", inner, width)
            yield own(f"{here}.mlp.up_proj.weight", inner, width)
        yield own(f"{here}.mlp.down_proj.weight", width, inner)
    yield own(f"{model}.norm.weight", width)
    yield own("language_model.lm_head.weight", text.vocab_size, width)


def _same(official: str, native: str, *shape: int) -> Weight:
    return Weight(official, (native,), (shape,))


def _linear(official: str, native: str, *shape: int) -> Iterator[Weight]:
    yield _same(f"{official}.weight", f"{native}.weight", *shape)
    yield _same(f"{official}.bias", f"{native}.bias", shape[0])


def _fused(official: str, native: str, kind: str, shapes: tuple[Shape, ...], groups: int = 1) -> Weight:
    return Weight(official, tuple(f"{native}.{part}_proj.{kind}" for part in "qkv"), shapes, groups)
