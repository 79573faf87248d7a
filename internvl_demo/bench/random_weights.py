"""Write a checkpoint of the family's shape (or with fewer layers) with random weights: for speed, not for answers.

Speed does not depend on the weights' values. Each tensor's numbers come from its own name, so that the official
format (for TurboMind) and the native one (for `transformers`) hold the same model without both lying on the
disk at once. The tokenizer is the miniature's. Only its ordinary words can be generated, so that each is text as soon
as it is there: the output row of every other token is zero, and among thousands of random scores the greatest is above
zero.
"""

import json
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import InternVLConfig, InternVLForConditionalGeneration, InternVLVisionConfig

from internvl_demo.conversation.prompt import IMG_CONTEXT
from internvl_demo.conversation.template_files import jinja_of
from internvl_demo.conversation.tiling import TILE_PX
from internvl_demo.errors import SetupError
from internvl_demo.models.convert import SHARD_BYTES, Format, configuration_internvl_chat
from internvl_demo.models.convert.config import official_of
from internvl_demo.models.convert.decoders import INTERNLM2, decoder_of
from internvl_demo.models.convert.section import Section
from internvl_demo.models.convert.shards import ShardWriter
from internvl_demo.models.convert.tokens import read_tokenizer
from internvl_demo.models.convert.weights import Weight, weights_of
from internvl_demo.models.lmdeploy.capacity import GIB
from internvl_demo.models.profiles import Profile
from internvl_demo.models.profiles.shape import Shape
from internvl_demo.settings import NANO_CHECKPOINT

_STD = 0.02
_LAYER_SCALE = 0.1
_OUTPUTS = ("language_model.output.weight", "language_model.lm_head.weight")


def config_of(profile: Profile) -> InternVLConfig:
    """Return a checkpoint's shape as a configuration of `transformers`.

    Raises CheckpointError where its language model does not run in process.
    """
    shape = profile.shape
    vision = InternVLVisionConfig(
        hidden_size=shape.vit_width,
        num_hidden_layers=shape.vit_layers,
        num_attention_heads=shape.vit_heads,
        intermediate_size=shape.vit_mlp,
        image_size=TILE_PX,
        patch_size=shape.patch_px,
        use_qk_norm=shape.vit_norms,
        norm_type="rms_norm" if shape.vit_norms else "layer_norm",
        attention_bias=not shape.vit_norms,
    )
    return InternVLConfig(
        vision_config=vision,
        text_config=decoder_of(Section(_language(profile), "llm_config.", Path(profile.name))),
        image_token_id=_token_ids()[IMG_CONTEXT],
        image_seq_length=shape.tokens_per_tile,
        downsample_ratio=0.5,
        tie_word_embeddings=False,
        dtype=torch.bfloat16,
    )


def _language(profile: Profile) -> dict[str, Any]:
    """Return the language model as an official config.json has it, with InternVL 1.5's choices for the rest."""
    shape, tokens, kind = profile.shape, _token_ids(), profile.language
    told: dict[str, Any] = {
        "architectures": [kind],
        "model_type": kind.removesuffix("ForCausalLM").lower(),
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": shape.context,
        "hidden_size": shape.width,
        "intermediate_size": shape.mlp,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 1000000,
        "bos_token_id": tokens["<s>"],
        "eos_token_id": tokens["<|im_end|>"],
        "pad_token_id": tokens["</s>"],
        "tie_word_embeddings": False,
    }
    if kind == INTERNLM2:
        told |= {"bias": False, "rope_scaling": {"type": "dynamic", "factor": 3.0}}
    elif kind == "Phi3ForCausalLM":
        factors = [1.0] * (shape.head_width // 2)
        told |= {"rope_scaling": {"type": "su", "short_factor": factors, "long_factor": factors}}
    elif kind == "Qwen3ForCausalLM":
        told |= {"head_dim": shape.head_width}
    return told


def official_config_of(profile: Profile) -> dict[str, Any]:
    """Return config.json of such a checkpoint in the official format. Raises CheckpointError as `config_of` does."""
    template = profile.template
    return official_of(config_of(profile), template.system, template.name, _language(profile))


def parameters_on_meta(profile: Profile) -> int:
    """Return how many parameters `transformers`' own model of this shape has. Takes no memory."""
    with torch.device("meta"):
        model = InternVLForConditionalGeneration(config_of(profile))
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


def write_random(profile: Profile, folder: Path, to: Format, device: str) -> None:
    """Write the checkpoint into a new folder, one shard at a time; random numbers are made on `device`.

    Raises CheckpointError where its language model does not run in process.
    """
    config = config_of(profile)
    folder.mkdir(parents=True)
    writer = ShardWriter(folder, SHARD_BYTES)
    for name, tensor in _tensors(config, profile.language, to, device):
        writer.add(name, tensor.cpu())
    writer.finish()
    tokenizer = read_tokenizer(NANO_CHECKPOINT)
    assert tokenizer is not None
    if to == "official":
        told = json.dumps(official_config_of(profile), indent=2, ensure_ascii=False)
        (folder / "config.json").write_text(told, "utf-8")
        ours = Path(configuration_internvl_chat.__file__)
        shutil.copyfile(ours, folder / ours.name)
        tokenizer.with_bos().write(folder)
    else:
        config.architectures = ["InternVLForConditionalGeneration"]
        config.save_pretrained(folder)
        (folder / "chat_template.jinja").write_text(jinja_of(profile.template), "utf-8")
        tokenizer.write(folder)


def _tensors(
    config: InternVLConfig, kind: str, to: Format, device: str
) -> Iterator[tuple[str, torch.Tensor]]:
    for weight in weights_of(config, kind):
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
    if name in _OUTPUTS:
        words = _words()
        rows = tensor[words].clone()
        tensor.zero_()
        tensor[words] = rows
    return tensor


def _words() -> list[int]:
    """Return the ids of ordinary tokens that are text by themselves, so that each is shown as it is generated."""
    files = read_tokenizer(NANO_CHECKPOINT)
    assert files is not None
    tokenizer = files.tokenizer()
    ids = sorted(set(tokenizer.get_vocab(with_added_tokens=False).values()) - set(_token_ids().values()))
    return [
        id_
        for id_, text in zip(ids, tokenizer.decode_batch([[id_] for id_ in ids]), strict=True)
        if text and "\ufffd" not in text
    ]


@cache
def _token_ids() -> dict[str, int]:
    """Return the ids of the miniature's control tokens."""
    told = json.loads((NANO_CHECKPOINT / "tokenizer.json").read_text("utf-8"))
    return {token["content"]: token["id"] for token in told["added_tokens"]}
