"""Load a checkpoint in the official format into `transformers`' own InternVL: no copy on disk, no remote code.

    config.json -> an empty model (no memory) -> each tensor read, renamed, moved to the device -> the model

The table of names is `models.convert`'s. One tensor at a time passes through memory beside the weights, whatever the
size of the shards. Two things of the official code are not in `transformers`' class and are put in: the first version
of the pixel shuffle (V1-2), and the choice of Phi-3's RoPE factors by the whole prompt (`rope`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import InternVLConfig, InternVLForConditionalGeneration

from internvl_demo.models.convert.config import config_of_official
from internvl_demo.models.convert.decoders import kind_of
from internvl_demo.models.convert.section import Section
from internvl_demo.models.convert.shards import ShardReader
from internvl_demo.models.convert.weights import Weight, weights_of

Progress = Callable[[float], object]
"""Is told how much is loaded, from 0 to 1."""

_MODULES = (
    ("language_model.lm_head.", "lm_head."),
    ("language_model.model.", "model.language_model."),
    ("vision_tower.", "model.vision_tower."),
    ("multi_modal_projector.", "model.multi_modal_projector."),
)
"""What `transformers` calls a tensor in a file -> in the model."""


def load_official(
    folder: Path,
    raw: dict[str, Any],
    image_token_id: int,
    device: torch.device,
    dtype: torch.dtype | None = None,
    *,
    attention: str = "sdpa",
    progress: Progress = lambda _: None,
) -> InternVLForConditionalGeneration:
    """Load the checkpoint in `folder`, whose config.json is `raw`; return the model, ready to answer.

    dtype: None keeps that of the file. Raises CheckpointError naming the setting, tensor or file that is odd.
    """
    config = config_of_official(raw, folder, ("v1", "v2"))
    config.image_token_id = image_token_id
    table = weights_of(config, kind_of(Section(raw, "", folder).section("llm_config")))
    reader = ShardReader(folder)
    reader.check({weight.official: weight.official_shape for weight in table})
    kept: torch.dtype = dtype or getattr(torch, reader.dtype())
    model = _empty(config, kept, attention)
    _fill(model, table, reader, device, kept, progress)
    language_model = model.model.language_model
    language_model.rotary_emb = type(language_model.rotary_emb)(language_model.config).to(device)
    _check_whole(model)
    if raw.get("ps_version") == "v1":
        _swap_after_shuffle(model.model)
    return model.eval()


def _empty(config: InternVLConfig, dtype: torch.dtype, attention: str) -> InternVLForConditionalGeneration:
    """Return the model without memory for its weights."""
    with torch.device("meta"):
        return InternVLForConditionalGeneration._from_config(
            config, dtype=dtype, attn_implementation=attention
        )


def _fill(
    model: nn.Module,
    table: list[Weight],
    reader: ShardReader,
    device: torch.device,
    dtype: torch.dtype,
    progress: Progress,
) -> None:
    total = sum(torch.Size(weight.official_shape).numel() for weight in table)
    done = 0
    for weight in table:
        parts = weight.split(reader.get(weight.official))
        for name, part in zip(weight.native, parts, strict=True):
            _place(model, name, part.to(device, dtype, copy=True))
        done += torch.Size(weight.official_shape).numel()
        progress(done / total)


def _place(model: nn.Module, name: str, tensor: torch.Tensor) -> None:
    """Put a tensor where the model has a parameter of that name and shape."""
    for stored, inside in _MODULES:
        if name.startswith(stored):
            name = inside + name.removeprefix(stored)
            break
    owner, _, last = name.rpartition(".")
    module = model.get_submodule(owner)
    empty = module.get_parameter(last)
    assert empty.shape == tensor.shape, name
    module.register_parameter(last, nn.Parameter(tensor, requires_grad=False))


def _check_whole(model: nn.Module) -> None:
    """Fail on a parameter or buffer that nothing has filled: the table of names and the model disagree."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    empty = [name for name, tensor in tensors if tensor.is_meta]
    if empty:
        raise RuntimeError(f"not loaded: {', '.join(empty[:3])}")


def _swap_after_shuffle(model: Any) -> None:
    """Make the pixel shuffle that of `ps_version` v1, after which height and width of a tile stay swapped."""
    shuffle = model.pixel_shuffle

    def swapped(features: torch.Tensor, scale_factor: float = 0.5) -> torch.Tensor:
        shuffled: torch.Tensor = shuffle(features, scale_factor=scale_factor)
        return shuffled.transpose(1, 2).contiguous()

    model.pixel_shuffle = swapped
