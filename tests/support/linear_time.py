"""Prove that a function's time grows with its text and not with the text's square.

In: a function of one text, and hostile texts as functions of their length. Out: nothing, or an AssertionError.
`hostile_texts("<img>")` derives the texts from an example of what a pattern looks for: every beginning of it,
repeated; and every beginning followed by a long run of one character, where a pattern that backtracks tries
each length of the run. Time is the thread's own CPU time: what else the machine does is not counted.
"""

import gc
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

LENGTHS = (256, 1024, 4096, 16_384)
"""Each four times the one before; quadratic work on the last takes from ten milliseconds to minutes."""

MOST_GROWTH = 8
"""Between four, which is linear, and sixteen, which is quadratic."""

_MEASURABLE_S = 0.002
_LONG_ENOUGH_S = 0.01
_TRIES, _ROUNDS = 9, 3
_RUNS = (" ", "\n", "a", "0")


class Family(NamedTuple):
    """A kind of hostile text: `head`, then `unit` over and over, then `tail`."""

    head: str
    unit: str
    tail: str = ""

    def text(self, length: int) -> str:
        """Return the family's text of about this length."""
        return self.head + self.unit * max(1, length // len(self.unit)) + self.tail


def hostile_texts(*examples: str) -> Iterator[Family]:
    """Yield hostile texts for a pattern that matches the examples, all of them near misses."""
    for example in examples:
        for end in range(1, len(example) + 1):
            beginning = example[:end]
            yield Family("", beginning)
            yield from (Family(beginning, run, "\x7f") for run in dict.fromkeys((*_RUNS, beginning[-1])))


def assert_linear(function: Callable[[str], object], family: Family) -> None:
    """Call the function with longer and longer texts; fail when four times the text takes eight times as long."""
    shorter_s = 0.0
    for before, length in zip((0, *LENGTHS), LENGTHS, strict=False):
        took_s = _seconds(function, family.text(length))
        if before and took_s > max(_MEASURABLE_S, MOST_GROWTH * shorter_s):
            for _ in range(_ROUNDS):
                shorter_s, took_s = _least_seconds(function, family.text(before), family.text(length))
                if took_s < max(_MEASURABLE_S, MOST_GROWTH * shorter_s):
                    break
            else:
                raise AssertionError(
                    f"{family}: {before} characters take {shorter_s:.6f} s, {length} take {took_s:.6f} s"
                )
        if took_s > _LONG_ENOUGH_S:
            return
        shorter_s = took_s


def _least_seconds(function: Callable[[str], object], *texts: str) -> list[float]:
    """Return for each text the least of several measurements, taken in turn: noise only adds, and meets them alike."""
    runs = [[_seconds(function, text) for text in texts] for _ in range(_TRIES)]
    return [min(took) for took in zip(*runs, strict=True)]


def _seconds(function: Callable[[str], object], text: str) -> float:
    collecting = gc.isenabled()
    gc.disable()
    try:
        start = time.thread_time()
        function(text)
        return time.thread_time() - start
    finally:
        if collecting:
            gc.enable()
