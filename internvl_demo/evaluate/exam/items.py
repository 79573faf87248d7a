"""Draw the exam's items, by skill and language, and say what makes an answer right.

Item n of a skill is the same on every machine, and shows and asks the same in every language. `floor` is the
least score that the miniature must reach.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from internvl_demo.answering.stream import Answer
from internvl_demo.evaluate.exam.marks import (
    Mark,
    absent_mark,
    as_read,
    boxes_mark,
    found_mark,
    kinds_mark,
    more_mark,
    named_kinds,
    number_in,
    only_mark,
    right_if,
    says_words,
    yes_or_no,
)
from internvl_demo.nano.lessons.lessons import LANGUAGES, Lesson, ask_pair, ask_picture, follow_up
from internvl_demo.nano.world.charts import draw_chart
from internvl_demo.nano.world.pictures import EXAM_SEEDS, Picture
from internvl_demo.nano.world.prints import draw_list, draw_sign
from internvl_demo.nano.world.scenes import draw_scene

_OFFSET = 1000
"""Seeds just above EXAM_SEEDS drew the page's examples."""
_TRIES = 60


@dataclass(frozen=True)
class Item:
    """Pictures, the lessons of a conversation about them, and how the last answer is marked.

    max_tiles: for each picture.
    """

    skill: str
    pictures: tuple[Picture, ...]
    lessons: tuple[Lesson, ...]
    mark: Callable[[Answer], Mark]
    max_tiles: int = 12

    @property
    def questions(self) -> tuple[str, ...]:
        """The questions, one for each turn."""
        return tuple(lesson.question for lesson in self.lessons)

    @property
    def truth(self) -> str:
        """The right last answer."""
        return self.lessons[-1].answer


@dataclass(frozen=True)
class Skill:
    """A skill: how an item is made, and the least share of right answers.

    f1: score with F1, because one answer makes several claims.
    """

    make: Callable[[random.Random, ModuleType], Item | None]
    floor: float
    f1: bool = False


def item(skill: str, lang: str, number: int) -> Item:
    """Return item `number` of a skill; the language decides its words and nothing else."""
    rng = random.Random(f"exam/{skill}/{number}")
    for _ in range(_TRIES):
        made = SKILLS[skill].make(rng, LANGUAGES[lang])
        if made:
            return made
    raise AssertionError(f"no item of {skill} after {_TRIES} tries")


def _seed(rng: random.Random) -> int:
    return EXAM_SEEDS + _OFFSET + rng.randrange(EXAM_SEEDS)


def _apart(rng: random.Random) -> random.Random:
    """Return a random generator of a lesson's own.

    How many numbers its words take differs between languages; so that must not move anything else.
    """
    return random.Random(rng.getrandbits(64))


def _scene_item(
    skill: str, asked: str, mark: Callable[[Answer, Picture, Lesson], Mark]
) -> Callable[[random.Random, ModuleType], Item | None]:
    """Return a function that makes items about one scene, seen in one tile, from lessons of the skill `asked`."""

    def make(rng: random.Random, language: ModuleType) -> Item | None:
        picture = draw_scene(_seed(rng))
        lesson = ask_picture(_apart(rng), picture, language, asked)
        if lesson.skill != asked or not picture.things:
            return None
        return Item(skill, (picture,), (lesson,), lambda answer: mark(answer, picture, lesson), 1)

    return make


def _locate(rng: random.Random, language: ModuleType) -> Item | None:
    picture = draw_scene(_seed(rng))
    lesson = ask_picture(_apart(rng), picture, language, "locate")
    kind = lesson.kind
    if kind is None or len(picture.of(kind)) != 1:
        return None
    return Item("locate", (picture,), (lesson,), lambda answer: found_mark(answer, picture, kind), 1)


def _count_mark(answer: Answer, picture: Picture, lesson: Lesson) -> Mark:
    assert lesson.kind
    return right_if(number_in(answer.text) == len(picture.of(lesson.kind)))


def _absent_mark(answer: Answer, _picture: Picture, lesson: Lesson) -> Mark:
    assert lesson.kind
    return absent_mark(answer, lesson.kind)


def _colour_mark(answer: Answer, _picture: Picture, lesson: Lesson) -> Mark:
    return right_if(answer.text.strip(" .。").lower() == lesson.answer.strip(" .。").lower())


def _extreme_mark(answer: Answer, _picture: Picture, lesson: Lesson) -> Mark:
    return right_if(named_kinds(answer.text)[:1] == [lesson.kind])


def _relation_mark(answer: Answer, _picture: Picture, lesson: Lesson) -> Mark:
    truth = yes_or_no(as_read(lesson.answer))
    assert truth is not None, lesson.answer
    return right_if(yes_or_no(answer.text) is truth)


def _sign(rng: random.Random, language: ModuleType) -> Item:
    picture = draw_sign(_seed(rng))
    lesson = ask_picture(_apart(rng), picture, language, "read")
    words = picture.words
    return Item("sign", (picture,), (lesson,), lambda answer: right_if(says_words(answer.text, words)), 1)


def _print(skill: str, max_tiles: int) -> Callable[[random.Random, ModuleType], Item]:
    def make(rng: random.Random, language: ModuleType) -> Item:
        picture = draw_list(_seed(rng))
        lesson = ask_picture(_apart(rng), picture, language, "price")
        value = dict(picture.rows)[lesson.name]
        return Item(
            skill, (picture,), (lesson,), lambda answer: right_if(number_in(answer.text) == value), max_tiles
        )

    return make


def _chart(rng: random.Random, language: ModuleType) -> Item:
    picture = draw_chart(_seed(rng))
    lesson = ask_picture(_apart(rng), picture, language, rng.choice(("part", "part_value")))
    values = dict(picture.rows)
    true = [name for name in values if re.search(rf"\b{name}\b", lesson.answer, re.ASCII)]

    def mark(answer: Answer) -> Mark:
        if lesson.skill == "part":
            return right_if(
                [name for name in values if re.search(rf"\b{name}\b", answer.text, re.ASCII)] == true
            )
        return right_if(number_in(answer.text) == values[lesson.name])

    return Item("chart", (picture,), (lesson,), mark, 1)


def _compare(rng: random.Random, language: ModuleType) -> Item | None:
    pictures = (draw_scene(_seed(rng)), draw_scene(_seed(rng)))
    lesson = ask_pair(_apart(rng), pictures, language, rng.choice(("only", "more")))
    if lesson.skill == "only":
        return Item("compare", pictures, (lesson,), lambda answer: only_mark(answer.text, lesson.answer), 1)
    kind = lesson.kind
    assert kind
    first, second = (len(picture.of(kind)) for picture in pictures)
    if first == second and rng.random() < 0.7:
        return None  # which of none has more: seldom asked
    return Item(
        "compare", pictures, (lesson,), lambda answer: more_mark(answer.text, kind, (first, second)), 1
    )


def _follow_up(rng: random.Random, language: ModuleType) -> Item | None:
    picture = draw_scene(_seed(rng))
    first = ask_picture(_apart(rng), picture, language, rng.choice(("locate", "count", "present")))
    second = follow_up(_apart(rng), picture, language, first)
    if not second or second.kind is None:
        return None
    kind, truth = second.kind, as_read(second.answer)

    def mark(answer: Answer) -> Mark:
        if not picture.of(kind):
            return absent_mark(answer, kind)
        if re.search(r"\d", truth):
            return right_if(number_in(answer.text) == len(picture.of(kind)))
        if "<box>" in second.answer:
            return found_mark(answer, picture, kind)
        return right_if(answer.text.strip(" .。").lower() == truth.strip(" .。").lower())

    return Item("follow_up", (picture,), (first, second), mark, 1)


SKILLS: dict[str, Skill] = {
    "locate": Skill(_locate, 0.85),
    "detect": Skill(
        _scene_item("detect", "detect", lambda answer, seen, _: boxes_mark(answer, seen)), 0.75, f1=True
    ),
    "count": Skill(_scene_item("count", "count", _count_mark), 0.80),
    "describe": Skill(
        _scene_item("describe", "describe", lambda answer, seen, _: kinds_mark(answer.text, seen.counts)),
        0.85,
        f1=True,
    ),
    "sign": Skill(_sign, 0.70),
    "print": Skill(_print("print", 12), 0.60),
    "print_low": Skill(_print("print_low", 1), 0.0),
    "chart": Skill(_chart, 0.70),
    "compare": Skill(_compare, 0.65),
    "follow_up": Skill(_follow_up, 0.75),
    "absent": Skill(_scene_item("absent", "absent", _absent_mark), 0.90),
    "colour": Skill(_scene_item("colour", "colour", _colour_mark), 0.0),
    "extreme": Skill(_scene_item("extreme", "extreme", _extreme_mark), 0.0),
    "relation": Skill(_scene_item("relation", "relation", _relation_mark), 0.0),
}
