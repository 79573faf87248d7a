"""Ask a model the exam's questions through prompt, backend and grounding, and score its answers.

{"lang": "en", "skill": "count", "score": 0.81, "interval95": [0.72, 0.87], "items": 100, "floor": 0.8}
"""

import random
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from internvl_demo.answering.stream import Answer, answer
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import SetupError
from internvl_demo.evaluate.exam.items import SKILLS, Item, item
from internvl_demo.evaluate.exam.marks import Mark
from internvl_demo.models.base import Backend
from internvl_demo.photos.decode import photo_of

_Z = 1.96
_DRAWS = 1000


@dataclass(frozen=True)
class Result:
    """An item, the model's last answer, and its mark."""

    lang: str
    item: Item
    answer: Answer
    mark: Mark


def chosen_skills(names: Sequence[str] | None) -> list[str]:
    """Return the named skills, or all. Raises SetupError on one that does not exist."""
    for name in names or ():
        if name not in SKILLS:
            raise SetupError(f"The exam has no skill {name!r}.", f"Skills are {', '.join(SKILLS)}.")
    return list(names or SKILLS)


async def sit(
    backend: Backend, langs: Sequence[str], skills: Iterable[str], limit: int
) -> AsyncIterator[Result]:
    """Ask `limit` items of every skill in every language, one after the other; yield the results."""
    for lang in langs:
        for skill in skills:
            for number in range(limit):
                asked = item(skill, lang, number)
                last = await ask_item(backend, asked)
                yield Result(lang, asked, last, asked.mark(last))


async def ask_item(backend: Backend, asked: Item) -> Answer:
    """Return the answer to an item's last question; the model's own answers stand before it."""
    images = tuple(Attachment(photo_of(picture.image), asked.max_tiles) for picture in asked.pictures)
    conversation = Conversation()
    for question in asked.questions:
        conversation = conversation.ask(question, images if not conversation.turns else ())
        async for progress in answer(backend, conversation, Options(max_new_tokens=320)):
            last = progress
        conversation = conversation.with_answer(last.raw)
    return last


def scores(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return a row for each language and skill, in the order of the results."""
    groups: dict[tuple[str, str], list[Mark]] = {}
    for result in results:
        groups.setdefault((result.lang, result.item.skill), []).append(result.mark)
    return [_row(lang, skill, marks) for (lang, skill), marks in groups.items()]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the scores as text for people."""
    lines = ["lang  skill       score   95% interval      floor"]
    for row in rows:
        low, high = row["interval95"]
        floor = f"{row['floor']:.0%}" if row["floor"] else "-"
        span = f"{low:6.1%} .. {high:6.1%}"
        lines.append(f"{row['lang']:<5} {row['skill']:<10} {row['score']:6.1%}   {span:<18} {floor:>4}")
    return "\n".join(lines)


def _row(lang: str, skill: str, marks: list[Mark]) -> dict[str, Any]:
    kind = SKILLS[skill]
    score = f1(marks) if kind.f1 else sum(mark.full for mark in marks) / len(marks)
    interval = _bootstrap(marks) if kind.f1 else _wilson(sum(mark.full for mark in marks), len(marks))
    return {
        "lang": lang,
        "skill": skill,
        "score": round(score, 4),
        "interval95": [round(end, 4) for end in interval],
        "measure": "F1" if kind.f1 else "share right",
        "items": len(marks),
        "floor": kind.floor,
    }


def f1(marks: Sequence[Mark]) -> float:
    """Return the harmonic mean of precision and recall over all claims and all truths."""
    right, claimed, true = (
        sum(getattr(mark, name) for mark in marks) for name in ("right", "claimed", "true")
    )
    return 2 * right / (claimed + true) if claimed + true else 1.0


def _bootstrap(marks: list[Mark]) -> tuple[float, float]:
    """Return the middle 95% of F1 over random samples of the items."""
    rng = random.Random(0)
    values = sorted(f1(rng.choices(marks, k=len(marks))) for _ in range(_DRAWS))
    return values[_DRAWS // 40], values[-_DRAWS // 40]


def _wilson(right: int, of: int) -> tuple[float, float]:
    share = right / of
    middle = (share + _Z * _Z / (2 * of)) / (1 + _Z * _Z / of)
    half = _Z * ((share * (1 - share) + _Z * _Z / (4 * of)) / of) ** 0.5 / (1 + _Z * _Z / of)
    return max(0.0, middle - half), min(1.0, middle + half)
