"""The next token is the one that the options ask for."""

import pytest
import torch

from internvl_demo.conversation.options import Options
from internvl_demo.models.local.sampling import chooser

LOGITS = torch.tensor([1.0, 4.0, 3.9, -1.0, -2.0])


def said(options: Options, prompt_ids: list[int], logits: torch.Tensor = LOGITS, count: int = 4) -> list[int]:
    choose = chooser(options, prompt_ids)
    return [choose(logits) for _ in range(count)]


def test_without_a_penalty_the_likeliest_word_comes_again_and_again() -> None:
    assert said(Options(), [1, 1, 1]) == [1, 1, 1, 1]


def test_a_word_of_the_prompt_is_less_likely() -> None:
    assert said(Options(repetition_penalty=1.1), [1]) == [2, 1, 1, 1]  # 4 / 1.1 against 3.9, then 3.9 / 1.1


def test_a_word_that_was_written_is_less_likely() -> None:
    assert said(Options(repetition_penalty=1.1), []) == [1, 2, 1, 1]


def test_a_penalty_counts_once_however_often_a_word_was_there() -> None:
    often = said(Options(repetition_penalty=1.05), [1, 1, 1, 1, 2, 2])
    assert often == said(Options(repetition_penalty=1.05), [2, 1]) == [1, 1, 1, 1]


def test_a_penalty_makes_unlikely_words_less_likely_too() -> None:
    assert said(Options(repetition_penalty=2.0), [0, 1], torch.tensor([-1.0, -3.0, -1.9])) == [2, 0, 0, 0]


@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_a_seed_repeats_what_it_chose(penalty: float) -> None:
    options = Options(temperature=1.0, seed=7, repetition_penalty=penalty)
    first = said(options, [0], count=50)
    assert first == said(options, [0], count=50) and len(set(first)) > 1
    other = Options(temperature=1.0, seed=8, repetition_penalty=penalty)
    assert first != said(other, [0], count=50)


def test_top_p_leaves_out_the_unlikely() -> None:
    assert set(said(Options(temperature=2.0, top_p=0.5, seed=1), [], count=200)) == {1, 2}


def test_ids_that_the_model_cannot_write_do_no_harm() -> None:
    assert said(Options(repetition_penalty=1.1), [99, 10_000]) == [1, 2, 1, 1]
