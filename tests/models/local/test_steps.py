"""One token at a time in plain tensor operations: the same numbers as transformers, and no weight held twice."""

import copy
import threading
from pathlib import Path

import pytest
import torch
from transformers import DynamicCache

from internvl_demo.models.local.backend import LocalBackend, _Kept
from internvl_demo.settings import NANO_CHECKPOINT
from tests.support.official_checkpoints import write_kind

IDS = list(range(20, 60))


@pytest.fixture(params=["the miniature", "InternLM2 with dynamic positions"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> LocalBackend:
    if request.param == "the miniature":
        return LocalBackend(str(NANO_CHECKPOINT), "cpu")
    made = LocalBackend(str(write_kind(tmp_path / "official", "InternLM2ForCausalLM")), "cpu")
    assert made.model.config.text_config.rope_parameters["rope_type"] == "dynamic"
    return made


@torch.inference_mode()
def test_a_token_is_read_as_transformers_reads_it(backend: LocalBackend) -> None:
    assert backend._steps
    decoder = backend.model.model.language_model
    kept = _Kept([], DynamicCache(config=backend.model.config.text_config))
    backend._prefill(
        kept, list(IDS), backend.model.get_input_embeddings()(torch.tensor([IDS])), threading.Event()
    )
    theirs = copy.deepcopy(kept.cache)
    for token in (7, 99, 31):
        hidden = decoder(input_ids=torch.tensor([[token]]), past_key_values=theirs, use_cache=True)
        wanted = backend.model.lm_head(hidden.last_hidden_state[:, -1])[0]
        torch.testing.assert_close(backend._steps.read(token, kept.cache), wanted, rtol=0, atol=1e-4)


def test_no_weight_is_held_twice(backend: LocalBackend) -> None:
    assert backend._steps
    steps = [tensor for layer in backend._steps.layers for tensor in layer]
    held = {}
    for tensor in (*backend.model.parameters(), *steps):
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
    assert sum(held.values()) == sum(weight.nbytes for weight in backend.model.parameters())
