"""What the exam asks, by skill and language, and what makes an answer right.

Item n of a skill is the same on every machine. `floor` is what the miniature shall reach at least.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from internvl_demo.answer import Answer
from internvl_demo.nano.exam.marks import (
    Mark,
    boxes_mark,
    found_mark,
    kinds_mark,
    named_kinds,
    number_in,
    right_if,
    says_none,
    says_words,
)
from internvl_demo.nano.lessons.lessons import TONGUES, Lesson, ask_pair, ask_picture, follow_up
from internvl_demo.nano.world.charts import draw_chart
from internvl_demo.nano.world.pictures import EXAM_SEEDS, Picture
from internvl_demo.nano.world.prints import draw_list, draw_sign
from internvl_demo.nano.world.scenes import draw_scene

_OFFSET = 1000
"""Seeds just above EXAM_SEEDS drew the page's examples."""
_TRIES = 60


@dataclass(frozen=True)
class Item:
    """Pictures, the questions of a conversation about them, what the last answer should be, and its mark.
    `max_tiles` of each picture."""

    skill: str
    pictures: tuple[Picture, ...]
    questions: tuple[str, ...]
    truth: str
    mark: Callable[[Answer], Mark]
    max_tiles: int = 12


@dataclass(frozen=True)
class Skill:
    """A skill: how an item is made, and the least share of right answers; `f1` where several things are said."""

    make: Callable[[random.Random, ModuleType], Item | None]
    floor: float
    f1: bool = False


def item(skill: str, lang: str, number: int) -> Item:
    """Item `number` of a skill in a language."""
    rng = random.Random(f"exam/{skill}/{lang}/{number}")
    for _ in range(_TRIES):
        made = SKILLS[skill].make(rng, TONGUES[lang])
        if made:
            return made
    raise AssertionError(f"no item of {skill} after {_TRIES} tries")


def _seed(rng: random.Random) -> int:
    return EXAM_SEEDS + _OFFSET + rng.randrange(EXAM_SEEDS)


def _scene_item(
    skill: str, asked: str, mark: Callable[[Answer, Picture, Lesson], Mark]
) -> Callable[[random.Random, ModuleType], Item | None]:
    """Items about one scene, seen in one tile, by the skill of the lessons."""

    def make(rng: random.Random, tongue: ModuleType) -> Item | None:
        picture = draw_scene(_seed(rng))
        lesson = ask_picture(rng, picture, tongue, asked)
        if lesson.skill != asked or not picture.things:
            return None
        return Item(
            skill, (picture,), (lesson.question,), lesson.answer, lambda said: mark(said, picture, lesson), 1
        )

    return make


def _locate(rng: random.Random, tongue: ModuleType) -> Item | None:
    picture = draw_scene(_seed(rng))
    lesson = ask_picture(rng, picture, tongue, "locate")
    kind = lesson.kind
    if kind is None or len(picture.of(kind)) != 1:
        return None
    return Item(
        "locate",
        (picture,),
        (lesson.question,),
        lesson.answer,
        lambda said: found_mark(said, picture, kind),
        1,
    )


def _count_mark(said: Answer, picture: Picture, lesson: Lesson) -> Mark:
    assert lesson.kind
    return right_if(number_in(said.text) == len(picture.of(lesson.kind)))


def _absent_mark(said: Answer, _picture: Picture, _lesson: Lesson) -> Mark:
    return right_if(says_none(said.text) and not said.pinned)


def _colour_mark(said: Answer, _picture: Picture, lesson: Lesson) -> Mark:
    return right_if(said.text.strip(" .。").lower() == lesson.answer.strip(" .。").lower())


def _extreme_mark(said: Answer, _picture: Picture, lesson: Lesson) -> Mark:
    return right_if(named_kinds(said.text)[:1] == [lesson.kind])


_YES = re.compile(r"^\W*(yes\b|是的|是，|对)", re.IGNORECASE)
_NO = re.compile(r"^\W*(no\b|不)", re.IGNORECASE)


def _relation_mark(said: Answer, _picture: Picture, lesson: Lesson) -> Mark:
    return right_if(bool((_YES if _YES.match(lesson.answer) else _NO).match(said.text)))


def _sign(rng: random.Random, tongue: ModuleType) -> Item:
    picture = draw_sign(_seed(rng))
    lesson = ask_picture(rng, picture, tongue, "read")
    words = picture.words
    return Item(
        "sign",
        (picture,),
        (lesson.question,),
        lesson.answer,
        lambda said: right_if(says_words(said.text, words)),
        1,
    )


def _print(skill: str, max_tiles: int) -> Callable[[random.Random, ModuleType], Item]:
    def make(rng: random.Random, tongue: ModuleType) -> Item:
        picture = draw_list(_seed(rng))
        lesson = ask_picture(rng, picture, tongue, "price")
        value = dict(picture.rows)[lesson.name]
        return Item(
            skill,
            (picture,),
            (lesson.question,),
            lesson.answer,
            lambda said: right_if(number_in(said.text) == value),
            max_tiles,
        )

    return make


def _chart(rng: random.Random, tongue: ModuleType) -> Item:
    picture = draw_chart(_seed(rng))
    lesson = ask_picture(rng, picture, tongue, rng.choice(("part", "part_value")))
    values = dict(picture.rows)
    true = [name for name in values if re.search(rf"\b{name}\b", lesson.answer, re.ASCII)]

    def mark(said: Answer) -> Mark:
        if lesson.skill == "part":
            return right_if(
                [name for name in values if re.search(rf"\b{name}\b", said.text, re.ASCII)] == true
            )
        return right_if(number_in(said.text) == values[lesson.name])

    return Item("chart", (picture,), (lesson.question,), lesson.answer, mark, 1)


def _compare(rng: random.Random, tongue: ModuleType) -> Item | None:
    pictures = (draw_scene(_seed(rng)), draw_scene(_seed(rng)))
    lesson = ask_pair(rng, pictures, tongue, rng.choice(("only", "more")))

    def mark(said: Answer) -> Mark:
        images = re.findall(r"Image-(\d)", said.text)[:1]
        if lesson.skill == "only":
            wanted = set(named_kinds(lesson.answer))
            return right_if(set(named_kinds(said.text)) == wanted and (not wanted or images == number))
        return right_if(
            images == number and (bool(number) or bool(re.search("as many|一样|no |没有", said.text)))
        )

    number = re.findall(r"Image-(\d)", lesson.answer)[:1]
    if lesson.skill == "more" and not number and rng.random() < 0.7:
        return None  # which of none has more: seldom asked
    return Item("compare", pictures, (lesson.question,), lesson.answer, mark, 1)


def _follow_up(rng: random.Random, tongue: ModuleType) -> Item | None:
    picture = draw_scene(_seed(rng))
    first = ask_picture(rng, picture, tongue, rng.choice(("locate", "count", "present")))
    second = follow_up(rng, picture, tongue, first)
    if not second or second.kind is None:
        return None
    kind = second.kind

    def mark(said: Answer) -> Mark:
        if "<box>" in second.answer and not re.search(r"\d", _outside_boxes(second.answer)):
            return found_mark(said, picture, kind)
        if not picture.of(kind):
            return right_if(says_none(said.text))
        if re.search(r"\d", _outside_boxes(second.answer)):
            return right_if(number_in(said.text) == len(picture.of(kind)))
        return right_if(said.text.strip(" .。").lower() == second.answer.strip(" .。").lower())

    return Item("follow_up", (picture,), (first.question, second.question), second.answer, mark, 1)


def _outside_boxes(raw: str) -> str:
    return re.sub(r"<box>.*?</box>", "", raw)


SKILLS: dict[str, Skill] = {
    "locate": Skill(_locate, 0.85),
    "detect": Skill(
        _scene_item("detect", "detect", lambda said, seen, _: boxes_mark(said, seen)), 0.75, f1=True
    ),
    "count": Skill(_scene_item("count", "count", _count_mark), 0.80),
    "describe": Skill(
        _scene_item("describe", "describe", lambda said, seen, _: kinds_mark(said.text, seen.counts)),
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
