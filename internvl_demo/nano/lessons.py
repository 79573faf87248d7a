"""Questions about scenes, and their answers: what the miniature is taught to say.

A lesson is a question as a person may put it and the one right answer. Answers about objects are
grounded: `<ref>the cat</ref><box>[[x1, y1, x2, y2]]</box>` in thousandths of the image, several boxes
from left to right. A count first finds what it counts. With two images each answer says which it means:

    Where is the cat?   ->   Image-2: <ref>the cat</ref><box>[[120, 80, 402, 377]]</box>

English only, so far; asked in Chinese it says so.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from internvl_demo.nano.phrases import (
    CHINESE,
    CHINESE_ANSWER,
    COUNT,
    DESCRIBE,
    DETECT,
    GREETING,
    GREETING_ANSWER,
    LOCATE_ALL,
    LOCATE_ONE,
    NO_PICTURE_ANSWER,
    OTHER,
    OTHER_ANSWER,
    PRESENT,
    REFER,
    REGION,
    WHICH,
    WHO,
    WHO_ANSWER,
)
from internvl_demo.nano.scenes import EXAM_SEEDS, Scene, Thing, draw_scene
from internvl_demo.nano.vocabulary import Kind, kinds


@dataclass(frozen=True)
class Lesson:
    """A question and its answer."""

    question: str
    answer: str


def boxes_text(scene: Scene, things: tuple[Thing, ...]) -> str:
    """`<box>[[x1, y1, x2, y2], ...]</box>` of things, from left to right."""
    corners = (", ".join(str(value) for value in scene.box_1000(thing)) for thing in things)
    return f"<box>[{', '.join(f'[{four}]' for four in corners)}]</box>"


def located(scene: Scene, kind: Kind) -> str:
    """Where all of a kind are."""
    things = scene.of(kind)
    if not things:
        return absent(kind)
    return f"<ref>the {kind.en if len(things) == 1 else kind.plural}</ref>{boxes_text(scene, things)}"


def counted(scene: Scene, kind: Kind) -> str:
    """How many of a kind, after finding them."""
    count = len(scene.of(kind))
    if not count:
        return absent(kind)
    return f"Counting {located(scene, kind)}: there {'is' if count == 1 else 'are'} {count}."


def present(scene: Scene, kind: Kind) -> str:
    """Whether any of a kind is there."""
    things = scene.of(kind)
    if not things:
        return f"No. {absent(kind)}"
    return f"Yes, there {'is' if len(things) == 1 else 'are'} {_grounded(scene, kind)}."


def absent(kind: Kind) -> str:
    """None of a kind."""
    return f"There is no {kind.en} in the image."


def described(scene: Scene) -> str:
    """All kinds with their counts."""
    return f"The image shows {_listed([kind.counted(count) for kind, count in scene.counts.items()])}."


def detected(scene: Scene) -> str:
    """All kinds with all their boxes."""
    return f"I see {_listed([_grounded(scene, kind) for kind in scene.counts])}."


def _grounded(scene: Scene, kind: Kind) -> str:
    things = scene.of(kind)
    return f"<ref>{kind.counted(len(things))}</ref>{boxes_text(scene, things)}"


def _listed(parts: list[str]) -> str:
    """a, b and c; of an empty picture, nothing that I know."""
    if not parts:
        return "nothing that I know"
    return " and ".join(part for part in (", ".join(parts[:-1]), parts[-1]) if part)


def scene_lesson(rng: random.Random, scene: Scene) -> Lesson:
    """One question about one image."""
    skill = rng.choices(
        ("locate", "count", "describe", "detect", "present", "region", "other"), (26, 38, 8, 6, 12, 5, 5)
    )[0]
    kind = _some_kind(rng, scene)
    match skill:
        case "locate":
            return Lesson(vary(rng, _locating(rng, scene, kind)), located(scene, kind))
        case "count":
            return Lesson(vary(rng, _named(rng, COUNT, kind)), counted(scene, kind))
        case "describe":
            return Lesson(vary(rng, rng.choice(DESCRIBE)), described(scene))
        case "detect":
            return Lesson(vary(rng, rng.choice(DETECT)), detected(scene))
        case "present":
            return Lesson(vary(rng, _named(rng, PRESENT, kind)), present(scene, kind))
        case "region" if scene.things:
            thing = rng.choice(scene.things)
            return Lesson(
                rng.choice(REGION).format(box=boxes_text(scene, (thing,))),
                f"It is {thing.kind.with_article}.",
            )
    return plain_lesson(rng, with_picture=True)


def pair_lesson(rng: random.Random, scenes: tuple[Scene, Scene]) -> Lesson:
    """One question about two images, of one by its number or of both."""
    kind = _some_kind(rng, rng.choice(scenes))
    skill = rng.choices(("locate", "which", "count", "describe", "one"), (40, 12, 12, 12, 24))[0]
    if skill == "one":
        number = rng.choice((1, 2))
        asked = rng.choice(
            ("In Image-{n}: {q}", "{q} (Image-{n})", "Image-{n}: {q}", "Look at Image-{n}. {q}")
        )
        lesson = scene_lesson(rng, scenes[number - 1])
        return Lesson(asked.format(n=number, q=lesson.question), f"Image-{number}: {lesson.answer}")
    if skill in ("locate", "which"):
        holders = [number for number, scene in enumerate(scenes, 1) if scene.of(kind)]
        question = _locating(rng, scenes[0], kind) if skill == "locate" else _named(rng, WHICH, kind)
        lines = [f"Image-{number}: {located(scenes[number - 1], kind)}" for number in holders]
        return Lesson(vary(rng, question), "\n".join(lines) or f"There is no {kind.en} in the images.")
    tell = described if skill == "describe" else lambda scene: counted(scene, kind)
    question = rng.choice(DESCRIBE) if skill == "describe" else _named(rng, COUNT, kind)
    lines = [f"Image-{number}: {tell(scene)}" for number, scene in enumerate(scenes, 1)]
    return Lesson(vary(rng, question), "\n".join(lines))


def plain_lesson(rng: random.Random, with_picture: bool = False) -> Lesson:
    """A question that no picture answers, or a question about a picture that is not there."""
    topics = (
        (OTHER, OTHER_ANSWER),
        (WHO, WHO_ANSWER),
        (GREETING, GREETING_ANSWER),
        (CHINESE, CHINESE_ANSWER),
    )
    if not with_picture and rng.random() < 0.35:
        kind = rng.choice(kinds())
        question = rng.choice((_named(rng, COUNT, kind), _named(rng, LOCATE_ONE, kind), rng.choice(DESCRIBE)))
        return Lesson(vary(rng, question), NO_PICTURE_ANSWER)
    questions, answer = rng.choice(topics)
    return Lesson(vary(rng, rng.choice(questions)), answer)


def vary(rng: random.Random, question: str) -> str:
    """The same question typed by different people."""
    if rng.random() < 0.15:
        question = question[0].lower() + question[1:]
    if rng.random() < 0.15:
        question = question.rstrip("?.!")
    if rng.random() < 0.06:
        question = (
            rng.choice(("Please tell me: ", "Hi! ", "And ", "Now: ")) + question[0].lower() + question[1:]
        )
    return question


def _some_kind(rng: random.Random, scene: Scene) -> Kind:
    """A kind that is there, three times in four."""
    if scene.things and rng.random() < 0.76:
        return rng.choice(list(scene.counts))
    return rng.choice(kinds())


def _locating(rng: random.Random, scene: Scene, kind: Kind) -> str:
    if rng.random() < 0.2:
        return _named(rng, REFER, kind)
    several = len(scene.of(kind)) > 1
    return _named(rng, LOCATE_ALL if several == (rng.random() < 0.8) else LOCATE_ONE, kind)


def _named(rng: random.Random, templates: tuple[str, ...], kind: Kind) -> str:
    return rng.choice(templates).format(one=kind.en, many=kind.plural, a=kind.with_article)


def sample_texts(rng: random.Random, scenes: int) -> Iterator[str]:
    """Questions and answers as training holds them, for the tokenizer."""
    for _ in range(scenes):
        scene, other = draw_scene(rng.randrange(EXAM_SEEDS)), draw_scene(rng.randrange(EXAM_SEEDS))
        lessons = [scene_lesson(rng, scene) for _ in range(8)]
        for lesson in (*lessons, pair_lesson(rng, (scene, other)), plain_lesson(rng)):
            yield f"{lesson.question}\n{lesson.answer}\n"
