"""The miniature's world: what is drawn is what is told, to the pixel."""

import random

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw

from internvl_demo.conversation.tiling import plan_tiles
from internvl_demo.evaluate.exam.marks import iou
from internvl_demo.nano.world.charts import draw_chart
from internvl_demo.nano.world.pictures import EXAM_SEEDS, Letter, Picture, Thing
from internvl_demo.nano.world.prints import (
    WORDS,
    draw_card,
    draw_list,
    draw_scrap,
    draw_sign,
    pick_face,
    typeface,
    write,
)
from internvl_demo.nano.world.scenes import draw_crowd, draw_scene
from internvl_demo.nano.world.truth import LETTERS, legible, view_truth, views_of, word_numbers
from internvl_demo.nano.world.vocabulary import COLOURS_ZH, kinds, looks

BY_NAME = {kind.en: kind for kind in kinds()}
DRAWN = {
    "scene": draw_scene,
    "crowd": draw_crowd,
    "sign": draw_sign,
    "list": draw_list,
    "chart": draw_chart,
    "card": draw_card,
    "scrap": lambda seed: draw_scrap(seed, 224),
}


def test_the_vocabulary_has_a_hundred_kinds_named_in_both_languages_and_no_two_alike() -> None:
    assert len(kinds()) >= 100
    for names in ([k.char for k in kinds()], [k.en for k in kinds()], [k.zh for k in kinds()]):
        assert len(set(names)) == len(names)
    assert all(kind.en.isascii() and not kind.zh.isascii() and kind.counter for kind in kinds())
    assert {name for kind in kinds() for name, _ in kind.colours} <= COLOURS_ZH.keys()


@pytest.mark.parametrize(
    ("kind", "plural"),
    [("cat", "cats"), ("bus", "buses"), ("strawberry", "strawberries"), ("key", "keys"), ("fish", "fish")],
)
def test_english_counts_as_people_do(kind: str, plural: str) -> None:
    assert BY_NAME[kind].plural == plural


@pytest.mark.parametrize("draw", DRAWN)
@settings(max_examples=8)
@given(seed=st.integers(0, 2 * EXAM_SEEDS))
def test_a_picture_is_what_its_seed_says_and_its_truth_lies_within(draw: str, seed: int) -> None:
    picture, again = DRAWN[draw](seed), DRAWN[draw](seed)
    assert (picture.things, picture.letters, picture.rows) == (again.things, again.letters, again.rows)
    assert ImageChops.difference(picture.image, again.image).getbbox() is None
    for thing in picture.things:
        x1, y1, x2, y2 = thing.xyxy_px
        assert 0 <= x1 < x2 <= picture.image.width
        assert 0 <= y1 < y2 <= picture.image.height
    assert all(letter.char in LETTERS for letter in picture.letters)


def test_boxes_are_those_of_the_visible_glyph() -> None:
    for seed in range(30):
        scene = draw_scene(seed, size_wh=(448, 448), wanted={BY_NAME["pizza"]: 1})
        blank = draw_scene(seed, size_wh=(448, 448), wanted={})
        difference = ImageChops.difference(scene.image, blank.image).getbbox()
        assert difference and iou(difference, scene.things[0].xyxy_px) > 0.9


def test_objects_hardly_overlap() -> None:
    for seed in range(40):
        things = draw_scene(seed).things
        for index, one in enumerate(things):
            assert all(iou(one.xyxy_px, other.xyxy_px) < 0.1 for other in things[index + 1 :])


@pytest.mark.parametrize("exam", [False, True])
def test_letters_stand_where_they_are_told_to(exam: bool) -> None:
    """Whiting out every letter's box leaves a blank page: nothing is printed elsewhere."""
    for seed in range(12):
        rng = random.Random(seed)
        page = Image.new("L", (600, 120), 255)
        face = typeface(pick_face(rng, exam), rng.randint(18, 60))
        letters = write(ImageDraw.Draw(page), (30, 30), "QUIZ 4207 JET", face, 0)
        assert "".join(letter.char for letter in letters) == "QUIZ4207JET"
        for letter in letters:
            x1, y1, x2, y2 = (round(value) for value in letter.xyxy_px)
            assert (numpy.asarray(page.crop((x1, y1, x2, y2))) < 128).mean() > 0.08
        for letter in letters:
            x1, y1, x2, y2 = (round(value) for value in letter.xyxy_px)
            page.paste(255, (x1 - 2, y1 - 2, x2 + 2, y2 + (y2 - y1) // 3))
        assert (numpy.asarray(page) < 128).sum() < 40


def test_signs_say_words_numbers_or_letters_large_enough_to_read() -> None:
    for seed in range(40):
        sign = draw_sign(EXAM_SEEDS + seed)
        assert sign.words in WORDS or sign.words.isdigit()
        assert "".join(letter.char for letter in sign.letters) == sign.words
        boxes = [letter.xyxy_px for letter in sign.letters]
        heights = [448 * (y2 - y1) / sign.image.height for _, y1, _, y2 in boxes]
        assert min(heights) >= 21


def test_small_print_can_be_read_in_twelve_tiles_and_not_in_one() -> None:
    for seed in range(6):
        page = draw_list(seed)
        legible = {}
        for most in (1, 12):
            views = views_of(page, plan_tiles(page.image.size, most))
            legible[most] = sum(int((view_truth(page, view).letters > 0).sum()) for view in views)
        assert legible[1] < 0.1 * len(page.letters)
        assert legible[12] > 0.9 * len(page.letters)


def test_a_card_can_be_read_in_one_tile() -> None:
    for seed in range(30):
        card = draw_card(seed)
        width, height = card.image.size
        assert card.rows
        assert legible(card, [(0, 0, width, height)])
        assert all(one.xyxy_px[2] <= width for one in card.prints), "no price leaves the card"


def test_a_row_of_a_chart_is_told_as_a_whole() -> None:
    """Name and value of each row are both told the row's word and number, the extremes that they are."""
    charts = [draw_chart(seed) for seed in range(40)]
    assert {chart.form for chart in charts} == {"bar", "line", "pie"}
    for chart in charts:
        width, height = chart.image.size
        truth = view_truth(chart, (0, 0, width, height))
        words, ranks = truth.words.reshape(16, 16), truth.ranks.reshape(16, 16)
        largest = max(chart.rows, key=lambda row: row[1])
        for one in chart.prints:
            x1, y1, x2, y2 = one.xyxy_px
            place = int((y1 + y2) / 2 * 16 / height), int((x1 + x2) / 2 * 16 / width)
            if one.row < 0 or not 0 <= x1 < x2 <= width:
                continue
            name, value = chart.rows[one.row]
            assert words[place] == word_numbers()[name]
            digits = truth.digits.reshape(16, 16, 3)[place]
            assert digits.tolist() == [0, *(1 + int(digit) for digit in str(value))]
            assert (ranks[place] == 1) == ((name, value) == largest)


def test_exams_use_other_typefaces_than_training() -> None:
    faces = [{pick_face(random.Random(n), exam) for n in range(200)} for exam in (False, True)]
    assert faces[0] and faces[1] and not faces[0] & faces[1]


def test_a_chart_has_a_value_for_every_name_and_prints_both() -> None:
    for seed in range(30):
        chart = draw_chart(seed)
        printed = "".join(letter.char for letter in chart.letters)
        assert 3 <= len(chart.rows) <= 6
        assert all(name in printed and str(value) in printed for name, value in chart.rows)
        assert len({value for _, value in chart.rows}) == len(chart.rows)


def test_every_patch_is_told_what_covers_it() -> None:
    blank = Image.new("RGB", (448, 448))
    picture = Picture(
        blank, (Thing(BY_NAME["cat"], (28, 56, 112, 140)),), letters=(Letter("K", (300, 300, 312, 316)),)
    )
    truth = view_truth(picture, (0, 0, 448, 448))
    named = truth.looks.reshape(16, 16)
    assert (named[2:5, 1:4] == looks()["cat", ""]).all()
    assert (named > 0).sum() == 9
    assert numpy.allclose(truth.sides.reshape(16, 16, 4)[2, 1] * 448, [14, 14, 70, 70])
    places = numpy.argwhere(truth.letters.reshape(16, 16, 4))
    assert places.tolist() == [[10, 10, 3], [11, 10, 1]], "the quarters whose centres it covers"


def test_a_tile_is_told_its_own_part_only() -> None:
    blank = Image.new("RGB", (896, 448))
    picture = Picture(blank, (Thing(BY_NAME["cat"], (400, 100, 500, 200)),))
    parts = views_of(picture, plan_tiles(blank.size, 2))
    assert len(parts) == 3
    left, right, whole = (view_truth(picture, part) for part in parts)
    assert left.looks.reshape(16, 16)[:, :14].sum() == 0
    assert right.looks.reshape(16, 16)[:, 2:].sum() == 0
    assert (whole.looks > 0).any()


def test_a_small_view_is_told_on_its_own_grid() -> None:
    scene = draw_scene(3, size_wh=(112, 112), wanted={BY_NAME["cat"]: 1})
    assert view_truth(scene, (0, 0, 112, 112), 112).looks.shape == (16,)
