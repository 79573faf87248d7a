"""Load a checkpoint: its model, its tokenizer, and what it is. Either format; nothing of its own code is run.

    loaded = load("/models/Mini-InternVL-Chat-2B-V1-5", torch.device("cpu"))
    loaded.model, loaded.tokenizer, loaded.profile

Transformers' format is read by `from_pretrained`, the official one by `official`.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from transformers import (
    AutoTokenizer,
    InternVLForConditionalGeneration,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
)
from transformers.utils import cached_file
from transformers.utils import logging as transformers_logging

from internvl_demo.conversation.prompt import IMG_CONTEXT
from internvl_demo.errors import CheckpointError
from internvl_demo.models.convert.section import read_json
from internvl_demo.models.convert.shards import ShardReader
from internvl_demo.models.convert.tokens import read_tokenizer
from internvl_demo.models.local.device import attention_on, dtype_for
from internvl_demo.models.local.official import Progress, load_official
from internvl_demo.models.profiles import Profile
from internvl_demo.models.profiles.detect import chat_template_of, profile_for

OFFICIAL = "internvl_chat"
"""What config.json of the official format calls the model."""

_NOT_NEEDED = ["*.py", "*.bin", "*.pt", "*/*"]


@dataclass(frozen=True)
class Loaded:
    """A model that is ready to answer, its tokenizer, and its profile with its real sizes and first token."""

    model: InternVLForConditionalGeneration
    tokenizer: Any
    profile: Profile


def load(
    checkpoint: str,
    device: torch.device,
    name: str = "",
    profile: str | None = None,
    progress: Progress = lambda _: None,
) -> Loaded:
    """Load a directory, or a hub id in transformers' format.

    name: by which its profile is looked up (default: the checkpoint). profile: one that was named for it.
    Raises CheckpointError when it is no InternVL checkpoint, or cannot be read; SetupError on an unknown profile.
    """
    here = Path(checkpoint)
    if here.is_dir() and not (here / "config.json").is_file():
        raise CheckpointError(
            f"{checkpoint} holds no config.json.", "Name the directory that holds the checkpoint."
        )
    transformers_logging.disable_progress_bar()
    try:
        raw = PreTrainedConfig.get_config_dict(checkpoint)[0]
        kind = raw.get("model_type")
        if kind == OFFICIAL:
            if not here.is_dir():
                here = Path(snapshot_download(checkpoint, ignore_patterns=_NOT_NEEDED))
            return _official(here, device, name or checkpoint, profile, progress)
        if kind != "internvl":
            raise CheckpointError(
                f"{checkpoint} is a checkpoint of the kind {kind!r}.",
                "Use an InternVL checkpoint, such as OpenGVLab/Mini-InternVL-Chat-2B-V1-5.",
            )
        return _native(checkpoint, raw, device, name or checkpoint, profile)
    except CheckpointError:
        raise
    except torch.OutOfMemoryError as error:
        raise CheckpointError(
            f"The GPU has too little memory for {checkpoint}.",
            "End what else runs on it, choose a smaller model, or set --device cpu.",
        ) from error
    except Exception as error:  # transformers raises OSError, ValueError, KeyError, safetensors errors ...
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"The checkpoint {checkpoint} cannot be loaded: {reason}",
            "Name a directory, or a hub id that this machine can reach, with --checkpoint.",
        ) from error


def _native(
    checkpoint: str, raw: dict[str, Any], device: torch.device, name: str, profile: str | None
) -> Loaded:
    found = profile_for(raw, name, _chat_template(checkpoint), profile)
    stored = str(raw.get("dtype") or raw.get("torch_dtype") or "float32").removeprefix("torch.")
    model = InternVLForConditionalGeneration.from_pretrained(
        checkpoint,
        dtype=dtype_for(device, stored, found.shape.parameters),
        attn_implementation=attention_on(device),
    )
    tokenizer = AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=False)
    return Loaded(model.to(device).eval(), tokenizer, _begun(found, tokenizer))


def _official(
    folder: Path, device: torch.device, name: str, profile: str | None, progress: Progress
) -> Loaded:
    raw = read_json(folder, "config.json")
    found = profile_for(raw, name, None, profile)
    files = read_tokenizer(folder)
    if files is None:
        raise CheckpointError(
            f"{folder} holds no tokenizer.",
            "Copy the tokenizer files of the original checkpoint beside its weights.",
        )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=files.tokenizer(), **files.settings)
    image_token_id = files.id_of(IMG_CONTEXT)
    vocabulary = int((raw.get("llm_config") or {}).get("vocab_size") or 0)
    if image_token_id is None or image_token_id >= vocabulary:
        raise CheckpointError(
            f"The tokenizer of {folder} has no {IMG_CONTEXT} among the model's {vocabulary} tokens.",
            "Copy the tokenizer files of the original checkpoint beside its weights.",
        )
    stored = ShardReader(folder).dtype()
    model = load_official(
        folder,
        raw,
        image_token_id,
        device,
        dtype_for(device, stored, found.shape.parameters),
        attention=attention_on(device),
        progress=progress,
    )
    return Loaded(model, tokenizer, _begun(found, tokenizer))


def _begun(profile: Profile, tokenizer: Any) -> Profile:
    """Return the profile with the first token of this tokenizer: the one it writes itself, else the template's."""
    own = tokenizer("")["input_ids"]
    start = profile.template.start
    if own:
        start = tokenizer.decode(own)
    elif start not in tokenizer.get_vocab():
        start = ""
    return replace(profile, template=replace(profile.template, start=start))


def _chat_template(checkpoint: str) -> str | None:
    def read(name: str) -> str | None:
        found = cached_file(
            checkpoint,
            name,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_gated_repo=False,
        )
        return Path(found).read_text("utf-8") if found else None

    return chat_template_of(read)
