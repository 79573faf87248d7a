"""Official checkpoints in process compute what the official code computed: compared where the reference data is.

Each folder of the reference is a tiny random checkpoint of one kind; see `tests.support.references`. The tokenizers
are not part of it: a made-up one stands in, and the prompt is given by its ids.
"""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import AddedToken, Tokenizer, models
from transformers import DynamicCache

from internvl_demo.models.local.backend import LocalBackend, _Kept
from tests.support.references import REFERENCE, needs_reference

FOLDERS = {
    "legacy-tiny": (15, 600, "26b"),
    "family/mini-2b-v1-5": (21, 633, None),
    "family/mini-4b-v1-5": (22, 601, None),
    "family/qwen2": (23, 617, None),
    "family/qwen2-v3": (24, 617, None),
    "family/qwen3": (25, 439, None),
    "family/40b": (26, 609, None),
    "family/v1-2-plus": (27, 609, None),
}
"""Folder -> the seed of its pixels, its image token, and a profile where config.json is too old to name a template."""

pytestmark = needs_reference


def loaded(name: str, tmp_path: Path) -> LocalBackend:
    """The checkpoint with a tokenizer of as many tokens."""
    _, image, profile = FOLDERS[name]
    folder = tmp_path / Path(name).name
    folder.mkdir()
    for file in (REFERENCE / name).iterdir():
        (folder / file.name).symlink_to(file)
    words = {f"t{number}": number for number in range(image)} | {"<IMG_CONTEXT>": image}
    tokenizer = Tokenizer(models.WordLevel(words, "t0"))
    tokenizer.add_special_tokens([AddedToken("<IMG_CONTEXT>", special=True)])
    tokenizer.save(str(folder / "tokenizer.json"))
    return LocalBackend(str(folder), device="cpu", profile=profile)


def pixels_of(name: str) -> torch.Tensor:
    seed = FOLDERS[name][0]
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 1, (3, 3, 448, 448)).astype("float32"))


def greedy(backend: LocalBackend, ids: torch.Tensor, features: torch.Tensor, count: int) -> list[int]:
    """The next tokens as the backend generates them: the prompt in chunks, then token by token."""
    embedded = backend.model.get_input_embeddings()(ids)
    embedded[0, ids[0] == backend.model.config.image_token_id] = features.flatten(0, 1)
    prompt = ids[0].tolist()
    kept = _Kept([], DynamicCache(config=backend.model.config.text_config))
    backend._rope.choose(len(prompt))
    logits = backend._prefill(kept, prompt, embedded, threading.Event())
    found: list[int] = []
    while len(found) < count:
        found.append(int(logits.argmax()))
        logits = backend._step(kept, found[-1])
    return found


@pytest.mark.parametrize("name", FOLDERS)
@torch.inference_mode()
def test_features_logits_and_tokens_are_the_official_codes(name: str, tmp_path: Path) -> None:
    backend = loaded(name, tmp_path)
    wanted = load_file(REFERENCE / name / "reference.safetensors")
    pixels, ids = pixels_of(name), wanted["input_ids"]
    features = backend.model.get_image_features(pixel_values=pixels, return_dict=True).pooler_output
    assert (features - wanted["visual_features"]).abs().max() < 1e-4
    logits = backend.model(input_ids=ids, pixel_values=pixels).logits[:, -16:]
    assert (logits - wanted["logits_last16"]).abs().max() < 1e-4
    assert greedy(backend, ids, features, 12) == wanted["greedy"].tolist()
    if "long_input_ids" in wanted:
        ids = wanted["long_input_ids"]
        backend._rope.choose(ids.shape[1])
        logits = backend.model(input_ids=ids, pixel_values=pixels).logits[:, -16:]
        assert (logits - wanted["long_logits_last16"]).abs().max() < 1e-4
        assert greedy(backend, ids, features, 12) == wanted["long_greedy"].tolist()
        assert greedy(backend, wanted["input_ids"], features, 12) == wanted["greedy"].tolist()
