"""Training batches, each from its own seed: batch n is the same on every machine.

`VisionBatches`: scenes seen whole, with their dense truth. `LessonBatches`: conversations about single
images, about pairs, and about images in tiles with a thumbnail: at most `views` pictures a batch, twice as
many when most of them are tiles, which teach the decoder only.
"""

import random

import numpy
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerFast

from internvl_demo.nano.batches import (
    Batch,
    DenseTruth,
    Sequence,
    SequenceWriter,
    dense_truth,
    pack_talk,
    pack_views,
)
from internvl_demo.nano.lessons import Lesson, pair_lesson, plain_lesson, scene_lesson
from internvl_demo.nano.scenes import EXAM_SEEDS, Scene, draw_crowd, draw_scene
from internvl_demo.prompt import system_text
from internvl_demo.tiling import cut, plan_tiles

_USER = "<|im_start|>user\n"
_CHAINED = 0.3
"""Share of conversations whose questions follow one another."""


def _draw(rng: random.Random) -> Scene:
    return draw_scene(rng.randrange(EXAM_SEEDS))


def _views(scene: Scene, max_tiles: int) -> list[numpy.ndarray]:
    return [numpy.asarray(view) for view in cut(scene.image, plan_tiles(scene.image.size, max_tiles))]


class VisionBatches(Dataset[Batch]):
    """Batch n: `views` scenes, half of them crowded, and their dense truth."""

    def __init__(self, seed: int, views: int):
        self.seed, self.views = seed, views

    def __getitem__(self, step: int) -> Batch:
        rng = random.Random(f"{self.seed}/{step}")
        scenes = [
            draw_crowd(rng.randrange(EXAM_SEEDS)) if number % 2 else _draw(rng)
            for number in range(self.views)
        ]
        views = [view for scene in scenes for view in _views(scene, 1)]
        return pack_views(views, {number: dense_truth(scene) for number, scene in enumerate(scenes)})


class LessonBatches(Dataset[Batch]):
    """Batch n: conversations about at most `views` pictures, and one about none."""

    def __init__(self, seed: int, views: int, tokenizer: PreTrainedTokenizerFast):
        self.seed, self.views = seed, views
        self.tokenizer, self.writer = tokenizer, SequenceWriter(tokenizer)

    def __getitem__(self, step: int) -> Batch:
        return _Drawing(random.Random(f"{self.seed}/{step}"), self.views, self.writer).batch()


class _Drawing:
    """One batch being made."""

    def __init__(self, rng: random.Random, room: int, writer: SequenceWriter):
        self.rng, self.room, self.writer = rng, room, writer
        self.views: list[numpy.ndarray] = []
        self.truths: dict[int, DenseTruth] = {}
        self.sequences: list[Sequence] = []

    def batch(self) -> Batch:
        form = self.rng.choices((self._single, self._pair, self._tiled), (55, 20, 25))[0]
        if form == self._tiled:
            self.room *= 2
        while form():
            pass
        self._conversation([system_text() + _USER], [plain_lesson(self.rng) for _ in range(8)])
        batch = pack_views(self.views, self.truths)
        batch.talk = pack_talk(self.sequences, self.writer.tokenizer.pad_token_id)
        return batch

    def _single(self) -> bool:
        return self._about_one(_draw(self.rng), 1, lessons=10)

    def _tiled(self) -> bool:
        return self._about_one(_draw(self.rng), self.rng.choice((2, 4, 6, 12, 12)), lessons=16)

    def _about_one(self, scene: Scene, max_tiles: int, lessons: int) -> bool:
        views = _views(scene, max_tiles)
        if not self._room_for([(scene, views)]):
            return False
        opening: list[str | int] = [f"{system_text()}{_USER}<img>", len(views), "</img>\n"]
        self._conversation(opening, [scene_lesson(self.rng, scene) for _ in range(lessons)])
        return True

    def _pair(self) -> bool:
        """Two images in the first turn; or the second comes after a question about the first."""
        scenes = (_draw(self.rng), _draw(self.rng))
        if not self._room_for([(scene, _views(scene, 1)) for scene in scenes]):
            return False
        lessons = [pair_lesson(self.rng, scenes) for _ in range(8)]
        if self.rng.random() < 0.7:
            start, between = f"{system_text()}{_USER}Image-1: <img>", "</img>\nImage-2: <img>"
        else:
            first = scene_lesson(self.rng, scenes[0])
            start = f"{system_text()}{_USER}<img>"
            between = f"</img>\n{_asked(first)}{_said(first)}{_USER}Image-2: <img>"
        self._conversation([start, 1, between, 1, "</img>\n"], lessons)
        return True

    def _room_for(self, shown: list[tuple[Scene, list[numpy.ndarray]]]) -> bool:
        if self.views and len(self.views) + sum(len(views) for _, views in shown) > self.room:
            return False
        for scene, views in shown:
            self.views += views
            self.truths[len(self.views) - 1] = dense_truth(scene)
        return True

    def _conversation(self, opening: list[str | int], lessons: list[Lesson]) -> None:
        chained = self.rng.random() < _CHAINED
        sequence = self.writer.start(opening, chained)
        for number, lesson in enumerate(lessons):
            turn = _USER if chained and number else ""
            self.writer.add(sequence, [turn + _asked(lesson)], _said(lesson))
        self.sequences.append(sequence)


def _asked(lesson: Lesson) -> str:
    return f"{lesson.question}<|im_end|><|im_start|>assistant\n"


def _said(lesson: Lesson) -> str:
    return f"{lesson.answer}<|im_end|>"
