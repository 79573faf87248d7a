"""Make training batches, each from its own seed: batch n is the same on every machine.

`VisionBatches`: views of one size with the truth of every patch. `LessonBatches`: conversations about
single pictures, about pairs, and about pictures in tiles with a thumbnail; with pixels, or with the truth
in their place.
"""

import random
from collections.abc import Callable
from types import ModuleType

import numpy
from PIL import Image
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerFast

from internvl_demo.conversation.prompt import system_text
from internvl_demo.conversation.template import V1_5
from internvl_demo.conversation.tiling import TILE_PX, crop_tiles, plan_tiles
from internvl_demo.nano.lessons.lessons import (
    Lesson,
    ask_nothing,
    ask_pair,
    ask_picture,
    follow_up,
    random_language,
)
from internvl_demo.nano.shape import GRID
from internvl_demo.nano.training.batches import Batch, Sequence, SequenceWriter, pack_talks, pack_views
from internvl_demo.nano.training.pointing import Look, looks_at, looks_at_pair
from internvl_demo.nano.world.charts import draw_chart
from internvl_demo.nano.world.pictures import EXAM_SEEDS, Box, Picture
from internvl_demo.nano.world.prints import draw_card, draw_list, draw_scrap, draw_sign
from internvl_demo.nano.world.scenes import draw_crowd, draw_scene
from internvl_demo.nano.world.truth import PATCH_PX, ViewTruth, legible, view_truth, views_of
from internvl_demo.nano.world.vocabulary import kinds

_SQUARE_PX = 224
_USER = V1_5.before_question
_QUESTIONS = 10
"""How many are asked about a picture of one view; about a sign half as many, for it says one thing only."""
_SINGLES = {draw_scene: 46, draw_sign: 21, draw_chart: 25, draw_card: 8}
"""How often a picture of one view is one of these."""
_WORK = 2.2
"""How much a batch holds for each of the recipe's views: a view, and the usual conversation about it."""
_CHAINED = 0.3
"""Share of conversations whose questions follow one another."""
_FOLLOWS = 0.45
"""How often such a question leans on the one before, where it can."""


class VisionBatches(Dataset[Batch]):
    """Make batch n: `views` views of `view_px` pixels, and what each of their patches shows.

    squares: the share of batches that show small squares full of print instead, as many pixels in all. Reading is
    learned best there.
    """

    def __init__(self, seed: int, views: int, view_px: int, squares: float = 0.0):
        self.seed, self.views, self.view_px, self.squares = seed, views, view_px, squares

    def __getitem__(self, step: int) -> Batch:
        rng = random.Random(f"{self.seed}/{step}")
        if rng.random() < self.squares:
            side = _SQUARE_PX
            count = self.views * (self.view_px // side) ** 2
            drawn = [_whole(draw_scrap(rng.randrange(EXAM_SEEDS), side), side) for _ in range(count)]
        else:
            side = self.view_px
            drawn = [self._view(rng) for _ in range(self.views)]
        capacity = GRID - side // PATCH_PX
        corners = [(rng.randint(0, capacity), rng.randint(0, capacity)) for _ in drawn]
        return pack_views([truth for truth, _ in drawn], [pixels for _, pixels in drawn], corners=corners)

    def _view(self, rng: random.Random) -> tuple[ViewTruth, numpy.ndarray]:
        picture = self._small(rng) if self.view_px < TILE_PX else self._large(rng)
        if picture.form != "list":
            return _whole(picture, self.view_px)
        plan = plan_tiles(picture.image.size, rng.choice((6, 12, 12, 12)))
        return _part(picture, rng.choice(views_of(picture, plan)), self.view_px)

    def _small(self, rng: random.Random) -> Picture:
        """Draw one to four objects close by, or print."""
        seed, side = rng.randrange(EXAM_SEEDS), self.view_px
        if rng.random() < 0.45:
            return draw_scrap(seed, side)
        most = 1 if side < 200 else 5
        wanted = dict.fromkeys(rng.sample(kinds(), rng.randint(1, most)), 1)
        return draw_scene(seed, size_wh=(side, side), wanted=wanted)

    def _large(self, rng: random.Random) -> Picture:
        seed = rng.randrange(EXAM_SEEDS)
        draw = rng.choices(
            (draw_crowd, draw_scene, draw_sign, draw_chart, draw_list, draw_card, None),
            (20, 18, 14, 20, 12, 10, 6),
        )[0]
        return draw(seed) if draw else draw_scrap(seed, TILE_PX)


def _whole(picture: Picture, view_px: int) -> tuple[ViewTruth, numpy.ndarray]:
    width, height = picture.image.size
    return _part(picture, (0.0, 0.0, float(width), float(height)), view_px)


def _part(picture: Picture, part: Box, view_px: int) -> tuple[ViewTruth, numpy.ndarray]:
    """Return a part of a picture as a square view: what it shows, and its pixels."""
    image = picture.image.resize((view_px, view_px), Image.Resampling.BICUBIC, box=part)
    return view_truth(picture, part, view_px), numpy.asarray(image)


class LessonBatches(Dataset[Batch]):
    """Batch n: conversations about pictures of some `views` views, and one about none."""

    def __init__(self, seed: int, views: int, tokenizer: PreTrainedTokenizerFast, pixels: bool):
        self.seed, self.views, self.pixels = seed, views, pixels
        self.tokenizer, self.writer = tokenizer, SequenceWriter(tokenizer)

    def __getitem__(self, step: int) -> Batch:
        rng = random.Random(f"{self.seed}/{step}")
        return _Drawing(rng, self.views, self.writer, self.pixels).batch()


class _Drawing:
    """One batch being made."""

    def __init__(self, rng: random.Random, capacity: int, writer: SequenceWriter, pixels: bool):
        self.rng, self.capacity, self.writer, self.wants_pixels = rng, capacity, writer, pixels
        self.pixels: list[numpy.ndarray] = []
        self.truths: list[ViewTruth] = []
        self.learned: list[int] = []
        self.sequences: list[Sequence] = []

    def batch(self) -> Batch:
        forms, most = (self._single, self._print, self._pair, self._tiled), _WORK * self.capacity
        while (work := self._work()) < most:
            weights = (70, 6, 21, 3) if work < 0.7 * most else (1, 0, 0, 0)  # small ones fill what is left
            self.rng.choices(forms, weights)[0]()
        nothing = [ask_nothing(self.rng, random_language(self.rng)) for _ in range(8)]
        self._talk([system_text() + _USER], nothing, chained=False, first_view=len(self.truths))
        batch = pack_views(self.truths, self.pixels, self.learned)
        batch.talks = pack_talks(self.sequences, self.writer.tokenizer.pad_token_id)
        return batch

    def _work(self) -> float:
        """Return how much a step will have to compute, in views that are learned from.

        Processes that train together wait for the slowest.
        """
        tokens = sum(len(sequence.ids) for sequence in self.sequences)
        return len(self.learned) + 0.4 * (len(self.truths) - len(self.learned)) + tokens / 210

    def _single(self) -> None:
        draw = self.rng.choices(list(_SINGLES), list(_SINGLES.values()))[0]
        self._about(draw(self._seed()), 1)

    def _print(self) -> None:
        """Add a price list, in enough tiles to be read; now and then in one, where it cannot be."""
        self._about(draw_list(self._seed()), self.rng.choice((1, 6, 12, 12, 12, 12)))

    def _tiled(self) -> None:
        draw = self.rng.choices((draw_scene, draw_sign, draw_chart), (70, 15, 15))[0]
        self._about(draw(self._seed()), self.rng.choice((2, 4, 6, 12, 12)))

    def _about(self, picture: Picture, max_tiles: int) -> None:
        first_view = len(self.truths)
        count = self._show(picture, max_tiles)
        chained = self.rng.random() < _CHAINED
        opening: list[str | int] = [f"{system_text()}{_USER}<img>", count, "</img>\n"]
        parts = views_of(picture, plan_tiles(picture.image.size, max_tiles))
        readable = legible(picture, parts)
        lessons: list[Lesson] = []
        asked = _QUESTIONS // 2 if picture.form == "sign" else _QUESTIONS
        while len(lessons) < asked + count // 2:  # the more is read, the more is asked
            language = random_language(self.rng)
            lesson = self._following(picture, lessons, language) if chained and lessons else None
            lessons.append(lesson or ask_picture(self.rng, picture, language, legible=readable))
        self._talk(opening, lessons, chained, first_view, lambda one: looks_at(one.answer, picture, parts))

    def _following(self, picture: Picture, lessons: list[Lesson], language: ModuleType) -> Lesson | None:
        return follow_up(self.rng, picture, language, lessons[-1]) if self.rng.random() < _FOLLOWS else None

    def _pair(self) -> None:
        """Add two images in the first turn; or the second after a question about the first."""
        pictures = (draw_scene(self._seed()), self._second())
        first_view = len(self.truths)
        tiles = [1 if self.rng.random() < 0.75 else self.rng.choice((2, 4, 6)) for _ in pictures]
        first, second = (self._show(picture, most) for picture, most in zip(pictures, tiles, strict=True))
        parts = [
            views_of(picture, plan_tiles(picture.image.size, most))
            for picture, most in zip(pictures, tiles, strict=True)
        ]
        lessons = [ask_pair(self.rng, pictures, random_language(self.rng)) for _ in range(_QUESTIONS)]
        if self.rng.random() < 0.7:
            start, between = f"{system_text()}{_USER}Image-1: <img>", "</img>\nImage-2: <img>"
        else:
            before = ask_picture(self.rng, pictures[0], random_language(self.rng))
            start = f"{system_text()}{_USER}<img>"
            between = f"</img>\n{_asked(before)}{_said(before)}{_USER}Image-2: <img>"
        chained = self.rng.random() < _CHAINED
        opening: list[str | int] = [start, first, between, second, "</img>\n"]
        self._talk(
            opening,
            lessons,
            chained,
            first_view,
            lambda one: looks_at_pair(one.answer, one.kind, pictures, parts),
        )

    def _second(self) -> Picture:
        draw = self.rng.choices((draw_scene, draw_sign, draw_chart), (80, 12, 8))[0]
        return draw(self._seed())

    def _seed(self) -> int:
        return self.rng.randrange(EXAM_SEEDS)

    def _show(self, picture: Picture, max_tiles: int) -> int:
        """Add a picture's views; return how many.

        The vision encoder learns from the last, the whole image, and from one tile: going back through all of them
        would take most of a step's time.
        """
        plan = plan_tiles(picture.image.size, max_tiles)
        parts = views_of(picture, plan)
        start = len(self.truths)
        self.truths += [view_truth(picture, part) for part in parts]
        if self.wants_pixels:
            self.pixels += [numpy.asarray(view) for view in crop_tiles(picture.image, plan)]
        self.learned.append(start + len(parts) - 1)
        if len(parts) > 1:
            self.learned.append(start + self.rng.randrange(len(parts) - 1))
        return len(parts)

    def _talk(
        self,
        opening: list[str | int],
        lessons: list[Lesson],
        chained: bool,
        first_view: int,
        looks: Callable[[Lesson], list[Look]] = lambda _: [],
    ) -> None:
        """Add a conversation about the views from `first_view` on."""
        sequence = self.writer.start(opening, chained)
        sequence.views = range(first_view, len(self.truths))
        for number, lesson in enumerate(lessons):
            turn = _USER if chained and number else ""
            self.writer.add(sequence, turn + _asked(lesson), _said(lesson), looks(lesson))
        self.sequences.append(sequence)


def _asked(lesson: Lesson) -> str:
    return f"{lesson.question}{V1_5.after_question}{V1_5.before_answer}"


def _said(lesson: Lesson) -> str:
    return V1_5.answer_text(lesson.answer)
