"""Write a checkpoint of the 26B's shape (or with fewer layers) with random weights: for speed, not for answers.

Speed does not depend on the weights' values. Each tensor's numbers come from its own name, so that the official
format (for TurboMind) and the native one (for `transformers`) hold the same model without both lying on the
disk at once. The tokenizer is the miniature's. Only its ordinary words can be generated: the output row of every
other token is zero, and among thousands of random scores the greatest is above zero.
"""

import json
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import InternVLConfig, InternVLForConditionalGeneration, InternVLVisionConfig, LlamaConfig

from internvl_demo.conversation.prompt import IMG_CONTEXT
from internvl_demo.conversation.template import V1_5
from internvl_demo.conversation.template_files import jinja_of
from internvl_demo.conversation.tiling import TILE_PX
from internvl_demo.errors import SetupError
from internvl_demo.models.convert import SHARD_BYTES, Format, configuration_internvl_chat
from internvl_demo.models.convert.config import official_of
from internvl_demo.models.convert.shards import ShardWriter
from internvl_demo.models.convert.tokens import read_tokenizer
from internvl_demo.models.convert.weights import Weight, weights_of
from internvl_demo.models.lmdeploy.capacity import GIB
from internvl_demo.models.profiles.shape import Shape
from internvl_demo.settings import NANO_CHECKPOINT

_STD = 0.02
_LAYER_SCALE = 0.1
_OUTPUT = "language_model.output.weight"


def config_of(shape: Shape) -> InternVLConfig:
    """Return a shape as a configuration of `transformers`, with InternVL 1.5's choices for the rest."""
    tokens = {token["content"]: token["id"] for token in _added_tokens()}
    vision = InternVLVisionConfig(
        hidden_size=shape.vit_width,
        num_hidden_layers=shape.vit_layers,
        num_attention_heads=shape.vit_heads,
        intermediate_size=shape.vit_mlp,
        image_size=TILE_PX,
        patch_size=shape.patch_px,
        use_qk_norm=True,
        norm_type="rms_norm",
        attention_bias=False,
    )
    text = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_width,
        intermediate_size=shape.mlp,
        max_position_embeddings=shape.context,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "dynamic", "factor": 3.0, "rope_theta": 1e6},
        bos_token_id=tokens["<s>"],
        eos_token_id=tokens["<|im_end|>"],
        pad_token_id=tokens["</s>"],
        tie_word_embeddings=False,
    )
    return InternVLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=tokens[IMG_CONTEXT],
        image_seq_length=shape.tokens_per_tile,
        downsample_ratio=0.5,
        tie_word_embeddings=False,
        dtype=torch.bfloat16,
    )


def parameters_on_meta(shape: Shape) -> int:
    """Return how many parameters `transformers`' own model of this shape has. Takes no memory."""
    with torch.device("meta"):
        model = InternVLForConditionalGeneration(config_of(shape))
    return sum(parameter.numel() for parameter in model.parameters())


def with_layers_that_fit(shape: Shape, gpu_gib: float, disk_gib: float) -> Shape:
    """Return the shape with as many decoder layers as a GPU and a disk hold in 16 bits. Raises SetupError."""
    room_gib = min(gpu_gib * 0.75, disk_gib - 4)
    for layers in range(shape.layers, 0, -1):
        fitting = replace(shape, layers=layers)
        if fitting.weights_bytes(awq=False) / GIB <= room_gib:
            return fitting
    raise SetupError(
        f"Not even one decoder layer of this shape fits ({gpu_gib:.0f} GiB of GPU, {disk_gib:.0f} GiB of disk).",
        "Free memory or disk.",
    )


def write_random(shape: Shape, folder: Path, to: Format, device: str) -> None:
    """Write the checkpoint into a new folder, one shard at a time; random numbers are made on `device`."""
    config = config_of(shape)
    folder.mkdir(parents=True)
    writer = ShardWriter(folder, SHARD_BYTES)
    for name, tensor in _tensors(config, to, device):
        writer.add(name, tensor.cpu())
    writer.finish()
    tokenizer = read_tokenizer(NANO_CHECKPOINT)
    assert tokenizer is not None
    if to == "official":
        (folder / "config.json").write_text(json.dumps(official_of(config, V1_5.system), indent=2), "utf-8")
        ours = Path(configuration_internvl_chat.__file__)
        shutil.copyfile(ours, folder / ours.name)
        tokenizer.with_bos().write(folder)
    else:
        config.architectures = ["InternVLForConditionalGeneration"]
        config.save_pretrained(folder)
        (folder / "chat_template.jinja").write_text(jinja_of(V1_5), "utf-8")
        tokenizer.write(folder)


def _tensors(config: InternVLConfig, to: Format, device: str) -> Iterator[tuple[str, torch.Tensor]]:
    for weight in weights_of(config):
        tensor = _random(weight, device)
        if to == "official":
            yield weight.official, tensor
        else:
            yield from zip(weight.native, weight.split(tensor), strict=True)


def _random(weight: Weight, device: str) -> torch.Tensor:
    """Return the official tensor: norms 1, biases 0, layer scales small, everything else noise."""
    name, shape = weight.official, weight.official_shape
    if name.endswith("bias"):
        return torch.zeros(shape, dtype=torch.bfloat16, device=device)
    if len(shape) == 1:
        value = _LAYER_SCALE if name.endswith(("ls1", "ls2")) else 1.0
        return torch.full(shape, value, dtype=torch.bfloat16, device=device)
    source = torch.Generator(device).manual_seed(zlib.crc32(name.encode()))
    tensor = torch.randn(shape, generator=source, dtype=torch.bfloat16, device=device) * _STD
    if name == _OUTPUT:
        unsaid = [token["id"] for token in _added_tokens()]
        tensor[unsaid] = 0
        tensor[_vocabulary_size() :] = 0
    return tensor


def _added_tokens() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _tokenizer_json()["added_tokens"]
    return found


def _vocabulary_size() -> int:
    made = _tokenizer_json()
    ids: list[int] = [*made["model"]["vocab"].values(), *(token["id"] for token in made["added_tokens"])]
    return max(ids) + 1


def _tokenizer_json() -> dict[str, Any]:
    made: dict[str, Any] = json.loads((NANO_CHECKPOINT / "tokenizer.json").read_text("utf-8"))
    return made
