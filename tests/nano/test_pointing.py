"""Where the decoder is taught to look: at what the word that it says is about."""

import random
import re
from collections.abc import Callable

import numpy
import pytest
from PIL import Image

from internvl_demo.conversation.tiling import plan_tiles
from internvl_demo.nano.lessons.lessons import LANGUAGES, ask_picture
from internvl_demo.nano.training.pointing import CELLS, looks_at, looks_at_pair
from internvl_demo.nano.world.charts import draw_chart
from internvl_demo.nano.world.pictures import Picture, Thing
from internvl_demo.nano.world.prints import draw_list, draw_sign
from internvl_demo.nano.world.truth import views_of
from internvl_demo.nano.world.vocabulary import kinds

CAT, DOG = (next(kind for kind in kinds() if kind.en == name) for name in ("cat", "dog"))
WHOLE = ((0.0, 0.0, 448.0, 448.0),)


def scene() -> Picture:
    """A cat in the upper left cell, a dog over the four cells of the lower right corner."""
    things = (Thing(CAT, (0, 0, 56, 56)), Thing(DOG, (336, 336, 448, 448)))
    return Picture(Image.new("RGB", (448, 448)), things)


def cells(mask: numpy.ndarray) -> list[int]:
    return [int(place) for place in mask.nonzero()[0]]


def test_an_answer_about_nothing_looks_nowhere() -> None:
    assert looks_at("There is no horse in the image.", scene(), WHOLE) == []
    assert looks_at("A category of dogma.", scene(), WHOLE) == []


@pytest.mark.parametrize(
    ("answer", "start", "where"),
    [
        ("It is a cat.", 8, [0]),
        ("The image shows 2 dogs.", 18, [54, 55, 62, 63]),
        ("图中有1只猫。", 5, [0]),
    ],
)
def test_a_name_looks_at_what_it_names(answer: str, start: int, where: list[int]) -> None:
    (look,) = looks_at(answer, scene(), WHOLE)
    assert (look.start, look.view, cells(look.cells)) == (start, 0, where)


def test_each_number_of_a_box_looks_at_the_box() -> None:
    looks = looks_at("<ref>this</ref><box>[[750, 750, 999, 999]]</box>", scene(), WHOLE)
    assert [look.start for look in looks] == [22, 27, 32, 37]
    assert all(cells(look.cells) == [54, 55, 62, 63] for look in looks)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("draw", "skill", "tiles"),
    [(draw_sign, "read", 1), (draw_list, "price", 12), (draw_chart, "part_value", 1)],
)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_is_read_is_looked_at(
    draw: Callable[[int], Picture], skill: str, tiles: int, lang: str, seed: int
) -> None:
    """Each word or number that is read aloud looks at tokens that hold the middle of that print."""
    picture = draw(seed)
    views = views_of(picture, plan_tiles(picture.image.size, tiles))
    answer = ask_picture(random.Random(seed), picture, LANGUAGES[lang], skill).answer
    looks = [
        look
        for look in looks_at(answer, picture, views)
        if answer[look.start].isupper() or answer[look.start].isdigit()
    ]
    assert looks
    for look in looks:
        x1, y1, x2, y2 = views[look.view]
        read = next(
            found.group() for found in re.finditer("[A-Z]+|[0-9]+", answer) if found.end() > look.start
        )
        rows = {one.row for one in picture.prints if one.text in answer and one.text.isupper()}
        places = []
        for one in picture.prints:
            if one.text == read and one.row in rows:
                x = (max(one.xyxy_px[0], x1) + min(one.xyxy_px[2], x2)) / 2
                y = (one.xyxy_px[1] + one.xyxy_px[3]) / 2
                places.append(int((y - y1) / (y2 - y1) * CELLS) * CELLS + int((x - x1) / (x2 - x1) * CELLS))
        assert set(places) & set(cells(look.cells)), (answer, read)


TWO_CATS = Picture(
    Image.new("RGB", (448, 448)), (Thing(CAT, (0, 0, 56, 56)), Thing(CAT, (392, 392, 448, 448)))
)
PAIR = (scene(), TWO_CATS)
FOUR_TILES = (*(WHOLE * 4), *WHOLE)


@pytest.mark.parametrize(
    ("answer", "looks"),
    [
        ("There is no horse in the images.", []),
        ("Image-1: There is no horse in the image.", []),
        ("Only Image-1 shows a dog.", [(21, 4, [54, 55, 62, 63])]),
        ("Image-1: It is a cat.\nImage-2: It is a cat.", [(17, 4, [0]), (39, 5, [0, 63])]),
        ("1 against 2: Image-2 has more cats.", [(0, 4, [0]), (10, 5, [0, 63])]),
        ("1比2：Image-2里的猫更多。", [(0, 4, [0]), (2, 5, [0, 63])]),
    ],
)
def test_of_two_images_the_one_that_is_meant_is_looked_at(
    answer: str, looks: list[tuple[int, int, list[int]]]
) -> None:
    """The first image is seen in four tiles and a thumbnail, the second in one."""
    found = looks_at_pair(answer, CAT, PAIR, (FOUR_TILES, WHOLE))
    assert [(look.start, look.view, cells(look.cells)) for look in found] == looks


def test_a_number_of_none_looks_nowhere() -> None:
    found = looks_at_pair("0 against 1: Image-2 has more dogs.", DOG, (TWO_CATS, scene()), (WHOLE, WHOLE))
    assert [(look.start, look.view) for look in found] == [(10, 1)]
