"""Make a question and its answer from a picture's truth, in either language.

    lesson = ask_picture(rng, picture, random_language(rng))
    lesson.question   Where is the cat?
    lesson.answer     <ref>the cat</ref><box>[[120, 80, 402, 377]]</box>

With two images each answer names the image that it means: `Image-2: <ref>the cat</ref>...`.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from internvl_demo.nano.lessons import chinese, english
from internvl_demo.nano.world.pictures import Picture, Thing
from internvl_demo.nano.world.vocabulary import SIGN, Kind, kinds

LANGUAGES: dict[str, ModuleType] = {"en": english, "zh": chinese}
_TRIES = 4
_FOLLOWED = ("locate", "count", "present", "region", "absent", "colour")
"""The skills that a question can lean on."""


@dataclass(frozen=True)
class Lesson:
    """A question and its answer; the skill it asks for, and the kind or name that it is about, if any."""

    question: str
    answer: str
    skill: str
    kind: Kind | None = None
    name: str = ""


def random_language(rng: random.Random) -> ModuleType:
    """Return English or Chinese."""
    return LANGUAGES[rng.choice(("en", "zh"))]


def boxes_text(picture: Picture, things: tuple[Thing, ...]) -> str:
    """Return the objects' boxes as `<box>[[x1, y1, x2, y2], ...]</box>`, from left to right."""
    corners = (", ".join(str(value) for value in picture.box_1000(thing)) for thing in things)
    return f"<box>[{', '.join(f'[{four}]' for four in corners)}]</box>"


def located(language: ModuleType, picture: Picture, kind: Kind) -> str:
    """Return where all objects of a kind are, or that there is none."""
    things = picture.of(kind)
    answer: str = (
        language.located(kind, len(things), boxes_text(picture, things)) if things else language.absent(kind)
    )
    return answer


def counted(language: ModuleType, picture: Picture, kind: Kind) -> str:
    """Return how many objects of a kind there are, or that there is none."""
    things = picture.of(kind)
    answer: str = (
        language.counted(kind, len(things), boxes_text(picture, things)) if things else language.absent(kind)
    )
    return answer


def described(language: ModuleType, picture: Picture) -> str:
    """Return all kinds with their counts; of print and charts, what they are."""
    if picture.form not in ("scene", "sign"):
        return str(language.described_form(picture.form))
    return str(
        language.described([language.counted_kind(kind, count) for kind, count in picture.counts.items()])
    )


def ask_picture(
    rng: random.Random, picture: Picture, language: ModuleType, skill: str = "", legible: bool = True
) -> Lesson:
    """Return one question about one image, of the given skill or of one that suits the picture.

    A list that is not `legible` in the tiles that it gets is answered with how it could be read.
    """
    lesson = _Asking(rng, picture, language).ask(skill)
    if not legible and lesson.skill in ("price", "no_price"):
        return Lesson(lesson.question, language.TOO_SMALL, "too_small", name=lesson.name)
    return lesson


class _Asking:
    """A question about one picture in the making."""

    def __init__(self, rng: random.Random, picture: Picture, language: ModuleType):
        self.rng, self.picture, self.language = rng, picture, language

    def ask(self, skill: str = "") -> Lesson:
        if skill:
            return self._of(skill) or self._of("absent") or self.plain()
        for _ in range(_TRIES):  # what a picture has no answer for gives way to another question
            lesson = self._of(self._suiting())
            if lesson:
                return lesson
        return self.plain()

    def _suiting(self) -> str:
        match self.picture.form:
            case "scene":
                skills = {"locate": 22, "count": 22, "describe": 10, "detect": 9, "present": 6, "absent": 9}
                skills |= {"region": 4, "colour": 15, "extreme": 7, "relation": 9, "read": 1, "other": 1}
            case "sign":
                skills = {"read": 60, "locate": 10, "count": 8, "describe": 12, "absent": 8, "other": 2}
            case "list":
                skills = {"price": 86, "no_price": 8, "describe": 4, "absent": 2}
            case _:
                skills = {"part": 45, "part_value": 45, "describe": 6, "absent": 4}
        return self.rng.choices(list(skills), list(skills.values()))[0]

    def _of(self, skill: str) -> Lesson | None:
        """Return a lesson of a skill; None when the picture has nothing for it."""
        maker: Callable[[], Lesson | None] = getattr(self, f"_{skill}")
        return maker()

    def _locate(self) -> Lesson | None:
        return self._about(self._present_kind(), "locate")

    def _count(self) -> Lesson | None:
        return self._about(self._present_kind(), "count")

    def _absent(self) -> Lesson | None:
        kind = self.rng.choice([kind for kind in kinds() if not self.picture.of(kind)])
        lesson = self._about(kind, self.rng.choice(("locate", "locate", "count", "count", "present")))
        return lesson and Lesson(lesson.question, lesson.answer, "absent", kind)

    def _present(self) -> Lesson | None:
        return self._about(self._present_kind(), "present")

    def _about(self, kind: Kind | None, skill: str) -> Lesson | None:
        """Return a question where, how many or whether, about a kind that may not be there."""
        if kind is None:
            return None
        things, language = self.picture.of(kind), self.language
        if skill == "present":
            boxes = boxes_text(self.picture, things)
            text = language.yes_there(kind, len(things), boxes) if things else language.not_there(kind)
            return self._lesson(language.PRESENT, text, skill, kind)
        if skill == "count":
            return self._lesson(language.COUNT, counted(language, self.picture, kind), skill, kind)
        return self._lesson(self._locating(len(things)), located(language, self.picture, kind), skill, kind)

    def _locating(self, count: int) -> tuple[str, ...]:
        if self.rng.random() < 0.2:
            return tuple(self.language.REFER)
        several = (count > 1) == (self.rng.random() < 0.8)
        return tuple(self.language.LOCATE_ALL if several else self.language.LOCATE_ONE)

    def _describe(self) -> Lesson | None:
        return self._lesson(self.language.DESCRIBE, described(self.language, self.picture), "describe")

    def _detect(self) -> Lesson | None:
        parts = []
        for kind, count in self.picture.counts.items():
            name = self.language.named_kind(kind, count)
            parts.append(f"<ref>{name}</ref>{boxes_text(self.picture, self.picture.of(kind))}")
        return self._lesson(self.language.DETECT, self.language.detected(parts), "detect")

    def _region(self) -> Lesson | None:
        if not self.picture.things:
            return None
        thing = self.rng.choice(self.picture.things)
        box = boxes_text(self.picture, (thing,))
        question = self.rng.choice(self.language.REGION).format(box=box)
        return Lesson(question, self.language.region(thing.kind), "region", thing.kind)

    def _colour(self) -> Lesson | None:
        single = [thing for thing in self._single() if thing.colour]
        if not single:
            return None
        thing = self.rng.choice(single)
        text = self.language.coloured(thing.kind, thing.colour)
        return self._lesson(self.language.COLOUR, text, "colour", thing.kind)

    def _extreme(self) -> Lesson | None:
        """Return a question about the largest, leftmost, ... object, if one is so by a clear margin."""
        width, height = self.picture.image.size
        measures: dict[str, Callable[[Thing], float]] = {
            "largest": lambda thing: thing.area_px**0.5 / (width * height) ** 0.5,
            "smallest": lambda thing: -(thing.area_px**0.5) / (width * height) ** 0.5,
            "leftmost": lambda thing: -thing.centre_px[0] / width,
            "rightmost": lambda thing: thing.centre_px[0] / width,
            "topmost": lambda thing: -thing.centre_px[1] / height,
            "lowest": lambda thing: thing.centre_px[1] / height,
        }
        which = self.rng.choice(list(measures))
        order = sorted(self.picture.things, key=measures[which])
        if len(order) < 2 or measures[which](order[-1]) - measures[which](order[-2]) < 0.04:
            return None
        thing = order[-1]
        text = self.language.extreme(which, thing.kind, boxes_text(self.picture, (thing,)))
        return self._lesson(self.language.EXTREME[which], text, "extreme", thing.kind)

    def _relation(self) -> Lesson | None:
        single = self._single()
        if len(single) < 2:
            return None
        one, other = self.rng.sample(single, 2)
        width, height = self.picture.image.size
        across = (one.centre_px[0] - other.centre_px[0]) / width
        down = (one.centre_px[1] - other.centre_px[1]) / height
        if max(abs(across), abs(down)) < 0.15:
            return None
        horizontal = abs(across) >= abs(down)
        sides = ("left", "right") if horizontal else ("above", "below")
        true_side = sides[(across if horizontal else down) > 0]
        side = self.rng.choice(sides)
        question = self.rng.choice(self.language.RELATION).format(
            **{**self.language.names(one.kind), "other": self.language.names(other.kind)["one"]},
            side=self.language.SIDES[side],
        )
        boxes = (boxes_text(self.picture, (one,)), boxes_text(self.picture, (other,)))
        text = self.language.related(side == true_side, one.kind, true_side, other.kind, boxes)
        return Lesson(question, text, "relation")

    def _read(self) -> Lesson | None:
        if not self.picture.words:
            return self._lesson(self.language.READ, self.language.no_sign(), "read")
        return self._lesson(self.language.READ, self.language.read(self.picture.words), "read")

    def _price(self) -> Lesson | None:
        if not self.picture.rows:
            return None
        name, value = self.rng.choice(self.picture.rows)
        return self._printed(self.language.PRICE, name, self.language.price(name, value), "price")

    def _no_price(self) -> Lesson | None:
        printed = {name for name, _ in self.picture.rows}
        name = self.rng.choice([kind.en.upper() for kind in kinds() if kind.en.upper() not in printed])
        return self._printed(self.language.PRICE, name, self.language.no_price(name), "no_price")

    def _part(self) -> Lesson | None:
        which = self.rng.choice(("largest", "smallest"))
        order = sorted(self.picture.rows, key=lambda row: row[1])
        if len(order) < 2:
            return None
        name, value = order[-1 if which == "largest" else 0]
        templates = self.language.PART_LARGEST if which == "largest" else self.language.PART_SMALLEST
        return self._lesson(templates, self.language.part(which, name, value), "part")

    def _part_value(self) -> Lesson | None:
        if not self.picture.rows:
            return None
        name, value = self.rng.choice(self.picture.rows)
        return self._printed(
            self.language.PART_VALUE, name, self.language.part_value(name, value), "part_value"
        )

    def _other(self) -> Lesson | None:
        return self.plain()

    def plain(self) -> Lesson:
        """Return a question that no picture answers."""
        topic = self.rng.choice(("OTHER", "WHO", "GREETING"))
        return self._lesson(getattr(self.language, topic), getattr(self.language, f"{topic}_ANSWER"), "other")

    def _single(self) -> list[Thing]:
        return [thing for thing in self.picture.things if len(self.picture.of(thing.kind)) == 1]

    def _present_kind(self) -> Kind | None:
        return self.rng.choice(list(self.picture.counts)) if self.picture.things else None

    def _printed(self, templates: tuple[str, ...], name: str, answer: str, skill: str) -> Lesson:
        asked = name if self.rng.random() < 0.75 else name.lower()
        return Lesson(self.rng.choice(templates).format(name=asked), answer, skill, name=name)

    def _lesson(
        self, templates: tuple[str, ...], answer: str, skill: str, kind: Kind | None = None
    ) -> Lesson:
        named = self.language.names(kind) if kind else {}
        return Lesson(vary(self.rng, self.rng.choice(templates).format(**named)), answer, skill, kind)


def follow_up(rng: random.Random, picture: Picture, language: ModuleType, before: Lesson) -> Lesson | None:
    """Return a question that only the turn before makes clear: "And the dogs?", "Where is it?".

    It can be followed up in turn. None when the turn before offers nothing to refer to.
    """
    if before.skill not in _FOLLOWED or before.kind is None:
        return None
    asking = _Asking(rng, picture, language)
    things = picture.of(before.kind)
    others = [kind for kind in picture.counts if kind != before.kind]
    if not others or rng.random() < 0.35:
        others = [kind for kind in kinds() if kind != before.kind]
    other = rng.choice(others)
    many = counted(language, picture, other), "count", other
    place = located(language, picture, other), "locate", other
    ways: list[tuple[tuple[str, ...], tuple[str, str, Kind]]] = [(language.AND_COUNT, many)]
    if before.skill == "count":
        ways.append((language.AND_SAME, many))
    if before.skill == "locate":
        ways.append((language.AND_SAME, place))
    if things:
        where = language.WHERE_IT if len(things) == 1 else language.WHERE_THEY
        if before.skill != "locate":
            ways.append((where, (located(language, picture, before.kind), "locate", before.kind)))
        if before.skill != "count":
            ways.append((language.HOW_MANY, (counted(language, picture, before.kind), "count", before.kind)))
        if len(things) == 1 and things[0].colour:
            text = language.coloured(before.kind, things[0].colour)
            ways.append((language.WHAT_COLOUR, (text, "colour", before.kind)))
    templates, (answer, skill, kind) = rng.choice(ways)
    return asking._lesson(templates, answer, skill, kind)


def ask_pair(
    rng: random.Random, pictures: tuple[Picture, Picture], language: ModuleType, skill: str = ""
) -> Lesson:
    """Return one question about two images: about one by its number, or about both."""
    weights = {"locate": 24, "which": 10, "count": 10, "describe": 8, "only": 16, "more": 14, "one": 18}
    skill = skill or rng.choices(list(weights), list(weights.values()))[0]
    if skill == "one":
        number = rng.choice((1, 2))
        lesson = ask_picture(rng, pictures[number - 1], language)
        question = rng.choice(language.IN_IMAGE).format(n=number, q=lesson.question)
        return Lesson(question, f"Image-{number}: {lesson.answer}", "one")
    if skill == "only":
        number = rng.choice((1, 2))
        here, there = pictures[number - 1].counts, pictures[2 - number].counts
        parts = [language.counted_kind(kind, count) for kind, count in here.items() if kind not in there]
        question = rng.choice(language.ONLY).format(n=number, nth=language.NTH[number - 1])
        return Lesson(vary(rng, question), language.only(number, parts), "only")
    kind = _kind_of_either(rng, pictures)
    counts = (len(pictures[0].of(kind)), len(pictures[1].of(kind)))
    asking = _Asking(rng, pictures[0], language)
    if skill == "more":
        text = language.more(kind, counts) if any(counts) else language.absent_everywhere(kind)
        return asking._lesson(language.MORE, text, skill, kind)
    if skill in ("locate", "which"):
        lines = [
            f"Image-{number}: {located(language, picture, kind)}"
            for number, picture in enumerate(pictures, 1)
            if picture.of(kind)
        ]
        templates = asking._locating(max(counts)) if skill == "locate" else language.WHICH
        return asking._lesson(templates, "\n".join(lines) or language.absent_everywhere(kind), skill, kind)
    if skill == "describe":
        lines = [f"Image-{n}: {described(language, picture)}" for n, picture in enumerate(pictures, 1)]
        return asking._lesson(language.DESCRIBE, "\n".join(lines), skill)
    lines = [f"Image-{n}: {counted(language, picture, kind)}" for n, picture in enumerate(pictures, 1)]
    return asking._lesson(language.COUNT, "\n".join(lines), skill, kind)


def ask_nothing(rng: random.Random, language: ModuleType) -> Lesson:
    """Return a question without an image: about the assistant, or about a picture that is not there."""
    asking = _Asking(rng, Picture(image=None), language)  # type: ignore[arg-type]
    if rng.random() < 0.35:
        kind = rng.choice(kinds())
        templates = rng.choice((language.COUNT, language.LOCATE_ONE, language.DESCRIBE, language.READ))
        return asking._lesson(templates, language.NO_PICTURE_ANSWER, "other", kind)
    return asking.plain()


def vary(rng: random.Random, question: str) -> str:
    """Return the same question as different people would type it."""
    if rng.random() < 0.15:
        question = question[0].lower() + question[1:]
    if rng.random() < 0.15:
        question = question.rstrip("?.!？。！")
    if question.isascii() and rng.random() < 0.06:
        question = rng.choice(("Please tell me: ", "Hi! ", "Now: ")) + question[0].lower() + question[1:]
    return question


def _kind_of_either(rng: random.Random, pictures: tuple[Picture, Picture]) -> Kind:
    """Return a kind for a question; four times in five one that is there."""
    there = [kind for picture in pictures for kind in picture.counts if kind != SIGN]
    return rng.choice(there) if there and rng.random() < 0.8 else rng.choice(kinds())
