"""Ask two servers the same questions about the same pictures, and measure how far their boxes are apart.

Both are asked at once, greedily; an answer that fails or breaks off is kept as one that could not be read, as long as
the server gives others. Where one of them gives none, or writes no box at all, there is nothing to compare: that is
an error with its next step.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from internvl_demo.answering.stream import Answer, collect
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import BackendError, DemoError, SetupError
from internvl_demo.evaluate.agreement.pairs import Pairs, paired
from internvl_demo.evaluate.agreement.questions import Question
from internvl_demo.models.base import Backend
from internvl_demo.photos.coordinates import Box4

OPTIONS = Options(max_new_tokens=512)
_SHOWN_CHARS = 120


@dataclass(frozen=True)
class Seen:
    """What one server answered: its boxes, how many of them could not be read, and what ended it too early."""

    boxes_1000: tuple[Box4, ...]
    unreadable_boxes: int
    text: str
    failure: DemoError | None = None

    @property
    def readable(self) -> bool:
        """Whether the answer came whole, and every box in it was understood."""
        return self.failure is None and not self.unreadable_boxes


@dataclass(frozen=True)
class Result:
    """A question, what both answered, and how their boxes, and those of each and the truth, lie to each other."""

    question: Question
    seen: tuple[Seen, Seen]
    pairs: Pairs
    truth: tuple[Pairs, Pairs] | None


async def ask_both(
    backends: dict[str, Backend],
    questions: Sequence[Question],
    max_tiles: int,
    progress: Callable[[int], object] = lambda _: None,
) -> list[Result]:
    """Ask both servers, which are named, every question; close them.

    progress: is told how many are answered. Raises BackendError, SetupError where there is nothing to compare.
    """
    async with AsyncExitStack() as stack:
        for backend in backends.values():
            stack.push_async_callback(backend.close)
        for name, backend in backends.items():
            await _reach(name, backend)
        results: list[Result] = []
        for question in questions:
            first, second = await asyncio.gather(
                *(_ask(each, question, max_tiles) for each in backends.values())
            )
            results.append(_result(question, (first, second)))
            progress(len(results))
    for place, name in enumerate(backends):
        _refuse_silence(name, [result.seen[place] for result in results])
    return results


async def _reach(name: str, backend: Backend) -> None:
    try:
        await backend.describe()
    except DemoError as error:
        raise _of(name, error) from error


async def _ask(backend: Backend, question: Question, max_tiles: int) -> Seen:
    conversation = Conversation().ask(question.text, (Attachment(question.photo, max_tiles),))
    return _seen(*await collect(backend, conversation, OPTIONS))


def _seen(given: Answer, failure: DemoError | None) -> Seen:
    boxes = tuple(pinned.box.box_1000 for pinned in given.pinned)
    return Seen(boxes, given.dropped_boxes, given.raw, failure)


def _result(question: Question, seen: tuple[Seen, Seen]) -> Result:
    first, second = (each.boxes_1000 for each in seen)
    truth = question.truth_1000
    return Result(
        question,
        seen,
        paired(first, second),
        None if truth is None else (paired(truth, first), paired(truth, second)),
    )


def _refuse_silence(name: str, seen: Sequence[Seen]) -> None:
    """Raise unless a server has answered at all, and written a box."""
    failures = [each.failure for each in seen if each.failure]
    if failures and len(failures) == len(seen):
        raise _of(name, failures[0])
    if not any(each.boxes_1000 for each in seen):
        unread = sum(each.unreadable_boxes for each in seen)
        wrote = f"{unread} boxes that cannot be read" if unread else "no box"
        said = " ".join(seen[0].text.split())[:_SHOWN_CHARS]
        raise SetupError(
            f"{name} wrote {wrote} in {len(seen)} answers; the first is: {said!r}.",
            "Check that it serves an InternVL, with its chat template and with special tokens in its answers (see "
            "docs/serving.md), or ask in words that ask for boxes: --pictures FOLDER --ask TEXT.",
        )


def _of(name: str, error: DemoError) -> BackendError:
    """Return an error as one that says whose it is."""
    return BackendError(f"{name}: {error.what}", error.next_step, error.details)
