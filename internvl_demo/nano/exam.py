"""Fresh scenes, asked through the same road as a person's questions: chat, prompt, backend, grounding.

Scene n is drawn from a seed that training never uses. Three questions about each: where is one object
(right: IoU with the truth of at least 0.5), how many are there (right: the exact number, none included), and
what is in the picture (right: exactly the kinds that are). Phrasings vary as in training.

    {"scenes": 200, "located": {"right": 171, "of": 200, "share": 0.855, "interval95": [0.8, 0.897]}, ...}
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from internvl_demo.answer import Answer, answer
from internvl_demo.backends.base import Backend, Options
from internvl_demo.chat import Attachment, Conversation
from internvl_demo.nano.lessons import vary
from internvl_demo.nano.phrases import COUNT, DESCRIBE, LOCATE_ONE
from internvl_demo.nano.scenes import EXAM_SEEDS, Scene, Thing, draw_scene
from internvl_demo.nano.vocabulary import Kind, kinds
from internvl_demo.photo import photo_of
from internvl_demo.tiling import max_tiles_of

IOU_RIGHT = 0.5
_EXAM_OFFSET = 1000
"""Seeds just above EXAM_SEEDS drew the page's examples."""


@dataclass(frozen=True)
class Item:
    """One question of the exam: its skill, its words, and what tells whether an answer is right."""

    skill: str
    question: str
    right: Callable[[Answer], bool]


def iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes (x1, y1, x2, y2)."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - width * height
    return width * height / area if area else 0.0


def counted_number(text: str) -> int | None:
    """The number that an answer to `how many` names: its last, or 0 for `There is no ...`."""
    numbers = re.findall(r"\d+", text)
    if numbers:
        return int(numbers[-1])
    return 0 if re.search(r"\b(no|not any|none)\b", text, re.IGNORECASE) else None


def named_kinds(text: str) -> set[Kind]:
    """The kinds that a description names, singular or plural."""
    words = text.lower()
    return {kind for kind in kinds() if re.search(rf"\b({kind.en}|{kind.plural})\b", words)}


def items(number: int) -> tuple[Scene, tuple[Item, ...]]:
    """Scene `number` of the exam and its questions."""
    rng = random.Random(f"exam/{number}")
    scene = draw_scene(EXAM_SEEDS + _EXAM_OFFSET + number)
    single = [thing for thing in scene.things if len(scene.of(thing.kind)) == 1]
    thing = rng.choice(single or list(scene.things))
    kind = rng.choice(list(scene.counts) if rng.random() < 0.9 else list(kinds()))
    where = vary(rng, rng.choice(LOCATE_ONE).format(one=thing.kind.en, a=thing.kind.with_article))
    many = vary(rng, rng.choice(COUNT).format(many=kind.plural))
    return scene, (
        Item("located", where, lambda said: _found(scene, thing, said)),
        Item("counted", many, lambda said: counted_number(said.text) == len(scene.of(kind))),
        Item("named", rng.choice(DESCRIBE), lambda said: named_kinds(said.text) == set(scene.counts)),
    )


def _found(scene: Scene, thing: Thing, said: Answer) -> bool:
    """Every object of the kind has its own box, and there is no box too many."""
    truths = [scene.box_1000(one) for one in scene.of(thing.kind)]
    boxes = [pinned.box.box_1000 for pinned in said.pinned]
    matched = all(any(iou(truth, box) >= IOU_RIGHT for box in boxes) for truth in truths)
    return matched and len(boxes) == len(truths)


async def run_exam(backend: Backend, scenes: int, mode: str) -> dict[str, Any]:
    """Asks everything about `scenes` scenes; the scores by skill."""
    right: dict[str, int] = {}
    for number in range(scenes):
        scene, questions = items(number)
        image = Attachment(photo_of(scene.image), max_tiles_of(mode))
        conversation = Conversation()
        for item in questions:
            conversation = Conversation(id=conversation.id).ask(item.question, (image,))
            async for said in answer(backend, conversation, Options(max_new_tokens=256)):
                last = said
            right[item.skill] = right.get(item.skill, 0) + item.right(last)
    return {
        "scenes": scenes,
        "mode": mode,
        **{skill: _score(count, scenes) for skill, count in right.items()},
    }


def table(scores: dict[str, Any]) -> str:
    """The scores for people."""
    lines = [f"{scores['scenes']} fresh scenes, mode {scores['mode']}"]
    for skill, score in scores.items():
        if isinstance(score, dict):
            low, high = score["interval95"]
            lines.append(f"{skill:<10} {score['share']:6.1%}   ({low:.1%} .. {high:.1%})")
    return "\n".join(lines)


def _score(right: int, of: int) -> dict[str, Any]:
    """With Wilson's 95% interval."""
    z, share = 1.96, right / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * ((share * (1 - share) + z * z / (4 * of)) / of) ** 0.5 / (1 + z * z / of)
    interval = [round(max(0.0, middle - half), 3), round(min(1.0, middle + half), 3)]
    return {"right": right, "of": of, "share": round(share, 4), "interval95": interval}
