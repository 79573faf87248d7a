"""Every input that the fuzzers keep or begin with, tried once."""

from pathlib import Path

import pytest

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("name", TARGETS)
def test_every_input_of_the_corpus_is_read(name: str) -> None:
    kept = sorted((CORPUS / name).iterdir())
    assert kept
    for data in [*seeds(name), *(file.read_bytes() for file in kept)]:
        TARGETS[name](data)
