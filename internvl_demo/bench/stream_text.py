"""The answer that the scripted server gives: plain English, and how much of it a reader has.

A token is a word with the space before it, a mark, or the gap between two paragraphs. Whoever asks for as many
tokens gets the same ones, so that a reader's text can be compared with what was sent.

    question_for(800) == "Write 800 tokens."  ->  "The window opens slowly, a lamp ..."
"""

import random
import re
from functools import cache
from itertools import accumulate

_LINES = """
a light window street small bright tree under near with two people walk slowly before old stone house and the red
door open beside green garden where some birds rest on long wall while clouds move over quiet water behind tall
tower that shows time to everyone who looks up from market below
"""
_WORDS = _LINES.split()
_ASKED = re.compile(r"Write (\d+) tokens")
_SEED = 12


def question_for(count: int) -> str:
    """Return the question that the scripted server answers with `count` tokens."""
    return f"Write {count} tokens."


def asked_tokens(text: str) -> int | None:
    """Return how many tokens a question asks for, or None if it does not say."""
    found = _ASKED.search(text)
    return int(found[1]) if found else None


@cache
def tokens_of(count: int) -> tuple[str, ...]:
    """Return an answer of `count` tokens: sentences of 6 to 14 words, paragraphs of 3 to 5 sentences."""
    chance = random.Random(_SEED)
    tokens: list[str] = []
    while len(tokens) < count:
        if tokens:
            tokens.append("\n\n")
        for _ in range(chance.randint(3, 5)):
            tokens += _sentence(chance, first=not tokens or tokens[-1] == "\n\n")
    return (*tokens[: count - 1], ".")


def _sentence(chance: random.Random, first: bool) -> list[str]:
    words = chance.choices(_WORDS, k=chance.randint(6, 14))
    tokens = [words[0].capitalize() if first else f" {words[0].capitalize()}"]
    for word in words[1:]:
        if chance.random() < 0.08:
            tokens.append(",")
        tokens.append(f" {word}")
    return [*tokens, "."]


@cache
def text_of(count: int) -> str:
    """Return the same answer as text."""
    return "".join(tokens_of(count))


def tokens_received(text: str, count: int) -> int:
    """Return how many whole tokens, of the `count` that were sent, a reader's text begins with."""
    whole = text_of(count)
    same = len(text) if whole.startswith(text) else _common_length(text, whole)
    return sum(end <= same for end in _ends(count))


@cache
def _ends(count: int) -> tuple[int, ...]:
    return tuple(accumulate(map(len, tokens_of(count))))


def _common_length(one: str, other: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(other))
