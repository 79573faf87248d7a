"""Thinking is told from the answer, wherever a stream is cut."""

import pytest

from internvl_demo.conversation.template import V1_5
from internvl_demo.models.asides import Asides

DIVIDED = [
    # nothing to tell apart
    ("", "", ""),
    ("A cat.", "A cat.", ""),
    ("A <think>cat</think>.", "A <think>cat</think>.", ""),
    ("</think>A cat.", "</think>A cat.", ""),
    ("<thinking>A cat.", "<thinking>A cat.", ""),
    ("< think>Two</think>A cat.", "< think>Two</think>A cat.", ""),
    # cut before its end
    ("<think>", "", ""),
    ("<think>Two balls", "", "Two balls"),
    ("<think>Two</thin", "", "Two</thin"),
    ("<think>Two<|im_end|>A cat.", "", "Two"),
    # whole
    ("<think></think>A cat.", "A cat.", ""),
    ("<think>Two</think>\n\nA cat.", "A cat.", "Two"),
    ("\n <think>\nTwo\n</think> A cat.", "A cat.", "\nTwo\n"),
    ("<think>a < b </ think> <think> <b></think>A cat.", "A cat.", "a < b </ think> <think> <b>"),
    ("<think>Two</think>A </think> cat.<|im_end|>more", "A </think> cat.", "Two"),
    ("<think>先看图。🐈</think>\n有一只<ref>猫</ref>。", "有一只<ref>猫</ref>。", "先看图。🐈"),
]


@pytest.mark.parametrize(("said", "answer", "thinking"), DIVIDED)
def test_thinking_is_told_apart_at_every_cut(said: str, answer: str, thinking: str) -> None:
    for first in range(len(said) + 1):
        for second in range(first, len(said) + 1):
            asides = Asides(V1_5.ends)
            told = [asides.feed(part) for part in (said[:first], said[first:second], said[second:])]
            told.append(asides.finish())
            assert ("".join(text for text, _ in told), "".join(aside for _, aside in told)) == (
                answer,
                thinking,
            )


@pytest.mark.parametrize("whole", ["<think>Two</think>A cat.", "先<think>猫</think>"])
def test_what_is_certain_is_told_at_once(whole: str) -> None:
    asides = Asides(V1_5.ends)
    told = ["".join(asides.feed(character)) for character in whole]
    assert told[-1] == whole[-1] and not asides.finish()[0]
