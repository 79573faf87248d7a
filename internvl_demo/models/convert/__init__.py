"""Convert a checkpoint between the official InternVL format and `transformers`' own ("native") format.

    official   InternVLChatModel: config.json with llm_config, fused `attn.qkv` and `wqkv`, `mlp1.*`
    native     InternVLForConditionalGeneration: what `transformers` loads, with no remote code

    config     config.json of both formats, and what makes a checkpoint an InternVL
    decoders   the language models of the official format; `section` reads a part of a config.json
    weights    the table: every tensor's name and shape in both formats
    shards     safetensors on disk, read one tensor at a time and written one shard at a time
    tokens     the tokenizer; SentencePiece's tokenizer.model -> tokenizer.json

`models/local/` reads the official format as it is, by the same tables: this is for who wants files. A native folder
brings its template as chat_template.jinja.

Names, shapes and dtypes are compared with the table before anything is written, and values are only moved:
after a conversion there and back every tensor has the same bytes. The result appears under its name only when
it is complete.

An official folder needs more than weights. The original one brings Python files for its configuration,
tokenizer and model, which are not ours to copy and are not needed by LMDeploy's TurboMind: it runs the
configuration's class and the tokenizer, and has the model in C++. So a folder written here brings
`configuration_internvl_chat.py`, our own few lines, and a tokenizer.json that `transformers` reads
without code; serve it with `--trust-remote-code` (for the configuration) and with
`--chat-template assets/templates/internlm2-chat-v1.json`. To load it with `transformers` alone, convert it back.

Not here: quantised checkpoints, downloading; and no other language model than InternLM2 is made official.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from transformers import InternVLConfig

from internvl_demo.conversation.prompt import IMG_CONTEXT
from internvl_demo.conversation.template import V1_5, Template
from internvl_demo.conversation.template_files import jinja_of
from internvl_demo.errors import CheckpointError, SetupError
from internvl_demo.models.convert import configuration_internvl_chat
from internvl_demo.models.convert.config import config_of_native, config_of_official, official_of
from internvl_demo.models.convert.decoders import INTERNLM2, kind_of
from internvl_demo.models.convert.section import Section, read_json
from internvl_demo.models.convert.shards import ShardReader, ShardWriter
from internvl_demo.models.convert.tokens import TokenizerFiles, read_tokenizer
from internvl_demo.models.convert.weights import Weight, weights_of
from internvl_demo.models.profiles.detect import profile_of

Format = Literal["native", "official"]

SHARD_BYTES = 4_000_000_000
"""The most bytes of tensors held at once and written as one file (one larger tensor is a file of its own)."""

OFFICIAL_IMAGE_TOKEN_FROM_END = 7
"""InternVL 1.5 appends nine tokens to InternLM2's: <img> </img> <IMG_CONTEXT> <quad> ... </box>."""


@dataclass(frozen=True)
class Converted:
    """A summary of what was written; `notes` are sentences on what the result still lacks."""

    tensors: int
    parameters: int
    files: int
    notes: tuple[str, ...]


def convert(
    source: Path,
    target: Path,
    to: Format = "native",
    image_token_id: int | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> Converted:
    """Write the checkpoint in `source` to the new or empty directory `target`, in the other format.

    image_token_id: the id of `<IMG_CONTEXT>`, for a checkpoint that holds no tokenizer.
    Raises CheckpointError when the checkpoint is not what it should be, with the name of the tensor, file
    or setting; SetupError when `target` cannot be written. Nothing is left of `target` then.
    """
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise SetupError(f"{target} exists and is not empty.", "Name a directory that does not exist yet.")
    raw = read_json(source, "config.json")
    tokenizer = read_tokenizer(source)
    config = config_of_official(raw, source) if to == "native" else config_of_native(raw, source)
    notes = _set_image_token(config, raw, tokenizer, source, image_token_id) if to == "native" else []
    kind = kind_of(Section(raw, "", source).section("llm_config")) if to == "native" else INTERNLM2
    table = weights_of(config, kind)
    template = _template_of(raw, source, notes)
    reader = ShardReader(source)
    reader.check(_source_shapes(table, to))
    config.dtype = getattr(torch, reader.dtype())

    def fill(folder: Path) -> int:
        writer = ShardWriter(folder, shard_bytes)
        for name, tensor in _target_tensors(table, reader, to):
            writer.add(name, tensor)
        _write_config(config, tokenizer, template, folder, to)
        return writer.finish()

    files = _write_whole(target, fill)
    shapes = [shape for weight in table for shape in weight.shapes]
    tensors = len(table) if to == "official" else len(shapes)
    return Converted(tensors, sum(torch.Size(shape).numel() for shape in shapes), files, tuple(notes))


def _set_image_token(
    config: InternVLConfig,
    raw: dict[str, Any],
    tokenizer: TokenizerFiles | None,
    source: Path,
    image_token_id: int | None,
) -> list[str]:
    """Set `config.image_token_id`; return notes on how it was found."""
    vocabulary = config.text_config.vocab_size
    if tokenizer:
        if (found := tokenizer.id_of(IMG_CONTEXT)) is None or found >= vocabulary:
            raise CheckpointError(
                f"The tokenizer of {source} has no {IMG_CONTEXT} among the model's {vocabulary} tokens.",
                "Copy the tokenizer files of the original checkpoint beside its weights.",
            )
        config.image_token_id = found
        return []
    given = image_token_id if image_token_id is not None else raw.get("img_context_token_id")
    config.image_token_id = given if given is not None else vocabulary - OFFICIAL_IMAGE_TOKEN_FROM_END
    if type(config.image_token_id) is not int or not 0 <= config.image_token_id < vocabulary:
        raise CheckpointError(
            f"{config.image_token_id!r} is no token of this model's {vocabulary}.",
            "Name the id of <IMG_CONTEXT> with --image-token-id.",
        )
    notes = [f"{source} holds no tokenizer; to be asked questions, the result needs one beside its weights."]
    if given is None:
        notes.append(
            f"The image token is taken to be {config.image_token_id}, its place in InternVL 1.5's vocabulary; "
            "if it is another, name it with --image-token-id."
        )
    return notes


def _source_shapes(table: list[Weight], to: Format) -> dict[str, tuple[int, ...]]:
    """Return every tensor that the source must hold, and its shape."""
    if to == "native":
        return {weight.official: weight.official_shape for weight in table}
    return {name: shape for weight in table for name, shape in zip(weight.native, weight.shapes, strict=True)}


def _target_tensors(
    table: list[Weight], reader: ShardReader, to: Format
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the target's tensors, one after another."""
    for weight in table:
        if to == "native":
            yield from zip(weight.native, weight.split(reader.get(weight.official)), strict=True)
        else:
            yield weight.official, weight.join([reader.get(name) for name in weight.native])


def _template_of(raw: dict[str, Any], source: Path, notes: list[str]) -> Template:
    """Return the source's template; V1.5's where nothing tells it, which is noted."""
    jinja = source / "chat_template.jinja"
    try:
        found = profile_of(raw, source.name, jinja.read_text("utf-8") if jinja.is_file() else None)
    except CheckpointError as error:
        notes.append(f"{error.what} InternVL 1.5's is written.")
        return V1_5
    return found.template


def _write_config(
    config: InternVLConfig, tokenizer: TokenizerFiles | None, template: Template, folder: Path, to: Format
) -> None:
    """Write config.json, generation_config.json, the template, and the tokenizer's files if there are any."""
    if to == "native":
        config.architectures = ["InternVLForConditionalGeneration"]
        config.save_pretrained(folder)
        (folder / "chat_template.jinja").write_text(jinja_of(template), "utf-8")
    else:
        _write_json(folder / "config.json", official_of(config, template.system))
        ours = Path(configuration_internvl_chat.__file__)
        shutil.copyfile(ours, folder / ours.name)
    if tokenizer:
        (tokenizer if to == "native" else tokenizer.with_bos()).write(folder)
        stops = [token for text in template.ends if (token := tokenizer.id_of(text)) is not None]
        ids = {name: getattr(config.text_config, name) for name in ("bos_token_id", "pad_token_id")}
        _write_json(folder / "generation_config.json", {**ids, "eos_token_id": stops})


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _write_whole(target: Path, fill: Callable[[Path], int]) -> int:
    """Let `fill` write into a hidden folder beside `target`; rename it to `target` when it is complete."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as hidden:
            folder = Path(hidden) / "checkpoint"
            folder.mkdir()
            result = fill(folder)
            if target.is_dir():
                target.rmdir()
            folder.rename(target)
    except (OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SetupError(
            f"{target} cannot be written: {reason}.", "Name a directory on a disk with room for the weights."
        ) from error
    return result
