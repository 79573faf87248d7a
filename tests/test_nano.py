"""The miniature's world and lessons: what is drawn is what is told; and its recipe learns."""

import random
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageChops

from internvl_demo.cli import Stage
from internvl_demo.grounding import Box, parse
from internvl_demo.nano import lessons
from internvl_demo.nano.data import LessonBatches, VisionBatches
from internvl_demo.nano.exam import counted_number, iou, items, named_kinds
from internvl_demo.nano.model import TOKENS_PER_TILE
from internvl_demo.nano.scenes import EXAM_SEEDS, draw_scene
from internvl_demo.nano.tokenizer import CONTROL, build_tokenizer
from internvl_demo.nano.train import RECIPES, STAGES, rate_at, train
from internvl_demo.nano.vocabulary import NANO_DIR, kinds

BY_NAME = {kind.en: kind for kind in kinds()}


def test_the_vocabulary_has_names_in_both_languages_and_no_two_alike() -> None:
    assert len(kinds()) >= 12
    for names in ([k.char for k in kinds()], [k.en for k in kinds()], [k.zh for k in kinds()]):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("kind", "plural"),
    [("cat", "cats"), ("bus", "buses"), ("strawberry", "strawberries"), ("key", "keys"), ("fish", "fish")],
)
def test_english_counts_as_people_do(kind: str, plural: str) -> None:
    assert BY_NAME[kind].plural == plural


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31))
def test_a_scene_is_what_its_seed_says_and_its_boxes_lie_within(seed: int) -> None:
    scene, again = draw_scene(seed), draw_scene(seed)
    assert scene.things == again.things
    assert ImageChops.difference(scene.image, again.image).getbbox() is None
    for thing in scene.things:
        x1, y1, x2, y2 = thing.xyxy_px
        assert 0 <= x1 < x2 <= scene.image.width
        assert 0 <= y1 < y2 <= scene.image.height


def test_boxes_are_those_of_the_visible_glyph() -> None:
    blank, scene = None, None
    for seed in range(40):
        scene = draw_scene(seed, size_wh=(448, 448), wanted={BY_NAME["apple"]: 1})
        blank = draw_scene(seed, size_wh=(448, 448), wanted={})
        difference = ImageChops.difference(scene.image, blank.image).getbbox()
        assert difference and iou(difference, scene.things[0].xyxy_px) > 0.9


def test_objects_hardly_overlap() -> None:
    for seed in range(60):
        things = draw_scene(seed).things
        for index, one in enumerate(things):
            assert all(iou(one.xyxy_px, other.xyxy_px) < 0.1 for other in things[index + 1 :])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31))
def test_every_answer_is_readable_and_its_boxes_are_true(seed: int) -> None:
    rng = random.Random(seed)
    scene = draw_scene(seed)
    lesson = lessons.scene_lesson(rng, scene)
    parsed = parse(lesson.answer)
    assert parsed.dropped == 0
    truths = [scene.box_1000(thing) for thing in scene.things]
    assert all(event.box_1000 in truths for event in parsed.events if isinstance(event, Box))


def test_counting_names_the_number() -> None:
    scene = draw_scene(5, wanted={BY_NAME["cat"]: 3})
    answer = lessons.counted(scene, BY_NAME["cat"])
    assert re.search(r": there are 3\.$", answer)
    assert lessons.counted(scene, BY_NAME["dog"]) == "There is no dog in the image."


@pytest.mark.parametrize(
    ("text", "number"),
    [("Counting the cats: there are 3.", 3), ("There is no cat in the image.", 0), ("I know nothing.", None)],
)
def test_the_exam_reads_the_number_that_is_named(text: str, number: int | None) -> None:
    assert counted_number(text) == number


def test_the_exam_reads_the_kinds_that_are_named() -> None:
    assert named_kinds("The image shows 2 stars, a cat and 3 strawberries.") == {
        BY_NAME[name] for name in ("star", "cat", "strawberry")
    }


def test_the_exam_asks_about_scenes_that_training_never_saw() -> None:
    scene, questions = items(0)
    assert {item.skill for item in questions} == {"located", "counted", "named"}
    assert scene.things == draw_scene(EXAM_SEEDS + 1000).things


def test_every_number_and_control_string_is_one_token() -> None:
    tokenizer = build_tokenizer(scenes=20)
    for text in (*CONTROL, *(str(number) for number in range(1000))):
        assert len(tokenizer.tokenize(text)) == 1, text
    for text in ("zebra 你好 🦓 1024", "<ref>the cat</ref><box>[[1, 22, 333, 444]]</box>"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == text


def test_batches_are_the_same_on_every_machine() -> None:
    one, two = VisionBatches(0, 2)[7], VisionBatches(0, 2)[7]
    assert torch.equal(one.pixels, two.pixels)
    assert torch.equal(one.sides, two.sides)


@pytest.mark.parametrize("step", range(6))
def test_a_question_sees_the_images_and_not_the_other_questions(step: int) -> None:
    tokenizer = build_tokenizer(scenes=20)
    batch = LessonBatches(3, 4, tokenizer)[step]
    talk = batch.talk
    assert talk is not None
    image = tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>")
    assert int((talk.ids == image).sum()) == len(batch.pixels) * TOKENS_PER_TILE
    assert talk.mask.diagonal(dim1=-2, dim2=-1).all()
    assert not talk.mask.triu(1).any()
    told = talk.ids[talk.losses]
    assert (told == tokenizer.convert_tokens_to_ids("<|im_end|>")).sum() >= 8
    assert ((talk.numbers >= 0) <= talk.losses).all()
    assert talk.cells.any(1).all()
    for row, place, start in talk.points.tolist():
        assert talk.numbers[row, place + 1] >= 0
        assert (talk.ids[row, start : start + TOKENS_PER_TILE] == image).all()
        assert talk.ids[row, start + TOKENS_PER_TILE] != image


def test_every_stage_of_the_recipe_is_a_command() -> None:
    assert tuple(Stage) == STAGES == tuple(RECIPES)


def test_the_rate_rises_stays_and_falls() -> None:
    recipe = RECIPES["vision"]
    shares = [rate_at(step, recipe) for step in range(recipe.steps + 1)]
    assert shares[0] < 0.01
    assert max(shares) == shares[recipe.steps // 2] == 1.0
    assert shares[-1] == 0.0


def test_training_learns_stops_and_goes_on(tmp_path: Path) -> None:
    """Twenty steps of the first stage: the loss falls; a second command goes on where the first stopped."""
    torch.manual_seed(0)
    first = train("vision", tmp_path, steps=5, workers=0, device="cpu")
    last = train("vision", tmp_path, steps=20, workers=0, device="cpu")
    assert (first["step"], last["step"]) == (5, 20)
    assert last["dense"] < first["dense"]


def test_the_card_says_what_the_weights_can_do() -> None:
    card = (NANO_DIR / "README.md").read_text("utf-8")
    assert all(word in card for word in ("located", "counted", "does not"))
    assert sum(path.stat().st_size for path in NANO_DIR.iterdir()) <= 32 * 2**20
