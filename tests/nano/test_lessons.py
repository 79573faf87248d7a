"""What the miniature is taught to say: in two languages, true, and readable by the page."""

import random
import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from internvl_demo.grounding.parser import Box, parse
from internvl_demo.nano.lessons import chinese, english
from internvl_demo.nano.lessons.lessons import (
    LANGUAGES,
    Lesson,
    ask_nothing,
    ask_pair,
    ask_picture,
    counted,
    follow_up,
)
from internvl_demo.nano.world.charts import draw_chart
from internvl_demo.nano.world.prints import draw_list, draw_sign
from internvl_demo.nano.world.scenes import draw_scene
from internvl_demo.nano.world.vocabulary import kinds

BY_NAME = {kind.en: kind for kind in kinds()}
DRAWN = (draw_scene, draw_sign, draw_list, draw_chart)


def test_both_languages_say_the_same_things() -> None:
    def public(language: object) -> set[str]:
        return {name for name in vars(language) if not name.startswith("_")} - {"COLOURS_ZH", "Kind"}

    assert public(english) == public(chinese)


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_question_is_put_in_several_ways(code: str) -> None:
    for name, value in vars(LANGUAGES[code]).items():
        groups = value.values() if isinstance(value, dict) and name == "EXTREME" else [value]
        for group in groups:
            if isinstance(group, tuple) and name not in ("NTH",) and not name.startswith("_"):
                assert len(set(group)) >= 2, name


@pytest.mark.parametrize("code", LANGUAGES)
@settings(max_examples=40)
@given(seed=st.integers(0, 2**31))
def test_every_answer_is_in_the_language_of_the_question_and_its_boxes_are_true(code: str, seed: int) -> None:
    rng = random.Random(seed)
    picture = DRAWN[seed % 4](seed)
    lesson = ask_picture(rng, picture, LANGUAGES[code])
    parsed = parse(lesson.answer)
    assert parsed.dropped == 0
    truths = [picture.box_1000(thing) for thing in picture.things]
    assert all(event.box_1000 in truths for event in parsed.events if isinstance(event, Box))
    for text in (lesson.question, lesson.answer):
        has_chinese = bool(re.search(r"[\u4e00-\u9fff]", text))
        assert has_chinese == (code == "zh"), text
        assert "{" not in text


@pytest.mark.parametrize(
    ("code", "three", "none"),
    [("en", ": there are 3.", "There is no dog in the image."), ("zh", "：一共有3只。", "图中没有狗。")],
)
def test_counting_names_the_number(code: str, three: str, none: str) -> None:
    scene = draw_scene(5, wanted={BY_NAME["cat"]: 3})
    assert counted(LANGUAGES[code], scene, BY_NAME["cat"]).endswith(three)
    assert counted(LANGUAGES[code], scene, BY_NAME["dog"]) == none


def test_a_sign_is_read_a_list_is_priced_a_chart_is_compared() -> None:
    rng = random.Random(1)
    sign, page, chart = draw_sign(1), draw_list(1), draw_chart(1)
    assert sign.words in ask_picture(rng, sign, english, "read").answer
    price = ask_picture(rng, page, english, "price")
    assert price.answer == f"{price.name} costs {dict(page.rows)[price.name]}."
    part = ask_picture(rng, chart, chinese, "part").answer
    values = sorted((value, name) for name, value in chart.rows)
    assert part in (f"{values[-1][1]}最大，是{values[-1][0]}。", f"{values[0][1]}最小，是{values[0][0]}。")


def test_print_too_small_to_read_is_said_to_be_so() -> None:
    for seed in range(20):
        lesson = ask_picture(random.Random(seed), draw_list(1), english, "price", legible=False)
        assert lesson.answer == english.TOO_SMALL


def test_what_only_one_image_shows_and_which_has_more() -> None:
    rng = random.Random(0)
    first = draw_scene(1, wanted={BY_NAME["cat"]: 3, BY_NAME["dog"]: 1})
    second = draw_scene(2, wanted={BY_NAME["cat"]: 1, BY_NAME["bee"]: 2})
    only = {ask_pair(rng, (first, second), english, "only").answer for _ in range(20)}
    assert only == {"Only Image-1 shows a dog.", "Only Image-2 shows 2 bees."}
    more = {ask_pair(rng, (first, second), english, "more").answer for _ in range(60)}
    assert "3 against 1: Image-1 has more cats." in more


@pytest.mark.parametrize("code", LANGUAGES)
def test_what_a_picture_has_no_answer_for_gives_way_to_another_question(code: str) -> None:
    """A lone cat has no colour, no neighbour and nothing larger beside it."""
    scene = draw_scene(5, wanted={BY_NAME["cat"]: 1})
    asked = [ask_picture(random.Random(seed), scene, LANGUAGES[code]).skill for seed in range(400)]
    assert asked.count("other") <= 20
    assert not {"colour", "relation", "extreme"} & set(asked)


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_sign_is_asked_for_where_there_is_none(code: str) -> None:
    scene, language = draw_scene(5, wanted={BY_NAME["cat"]: 1}), LANGUAGES[code]
    assert language.no_sign() in {
        ask_picture(random.Random(seed), scene, language).answer for seed in range(600)
    }


@pytest.mark.parametrize(("code", "labels"), [("en", ["cats", "a dog"]), ("zh", ["猫", "狗"])])
def test_what_is_detected_is_labelled_by_name_alone(code: str, labels: list[str]) -> None:
    """A number before the boxes would have to be right before anything is counted."""
    scene = draw_scene(5, wanted={BY_NAME["cat"]: 3, BY_NAME["dog"]: 1})
    answer = ask_picture(random.Random(0), scene, LANGUAGES[code], "detect").answer
    boxes = [event for event in parse(answer).events if isinstance(event, Box)]
    assert len(boxes) == 4
    assert {box.label for box in boxes} == set(labels)


@pytest.mark.parametrize("code", LANGUAGES)
def test_where_things_are_from_one_another_is_said_after_finding_both(code: str) -> None:
    language, scene = LANGUAGES[code], draw_scene(5, wanted={BY_NAME["cat"]: 1, BY_NAME["dog"]: 1})
    cat, dog = (scene.of(BY_NAME[name])[0].centre_px for name in ("cat", "dog"))
    told = {ask_picture(random.Random(seed), scene, language, "relation").answer for seed in range(40)}
    assert len(told) == 4, "either way round, yes and no"
    for answer in told:
        events = parse(answer).events
        assert sum(isinstance(event, Box) for event in events) == 2
        assert isinstance(events[0], Box) or "<box>" in answer.split(":")[0].split("：")[0]
    if code == "en":
        across = abs(cat[0] - dog[0]) / scene.image.width >= abs(cat[1] - dog[1]) / scene.image.height
        side = (
            ("left of" if cat[0] < dog[0] else "right of")
            if across
            else "above"
            if cat[1] < dog[1]
            else "below"
        )
        assert {answer.split(": ")[1].split(",")[0] for answer in told} >= {f"the cat is {side} the dog"}


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_follow_up_is_about_the_turn_before(code: str) -> None:
    language, scene = LANGUAGES[code], draw_scene(5, wanted={BY_NAME["cat"]: 2, BY_NAME["heart"]: 1})
    said = set()
    for seed in range(80):
        rng = random.Random(seed)
        before = Lesson("How many cats?", "", "count", BY_NAME["cat"])
        after = follow_up(rng, scene, language, before)
        assert after and after.answer
        said.add(after.answer)
    assert any("<ref>the cats</ref>" in answer or "<ref>猫</ref>" in answer for answer in said)
    assert follow_up(random.Random(0), scene, language, Lesson("What is this?", "", "describe")) is None


def test_a_follow_up_can_miss_any_kind_and_be_followed() -> None:
    scene = draw_scene(5, wanted={BY_NAME["cat"]: 2})
    before, missed, followed = Lesson("How many cats?", "", "count", BY_NAME["cat"]), set(), 0
    for seed in range(2000):
        rng = random.Random(seed)
        after = follow_up(rng, scene, english, before)
        assert after
        if after.kind and not scene.of(after.kind):
            missed.add(after.kind)
        followed += follow_up(rng, scene, english, after) is not None
    assert len(missed) > 90
    assert followed == 2000


@pytest.mark.parametrize("code", LANGUAGES)
def test_without_an_image_it_says_who_it_is_or_asks_for_one(code: str) -> None:
    language = LANGUAGES[code]
    answers = {ask_nothing(random.Random(seed), language).answer for seed in range(60)}
    assert answers == {
        language.WHO_ANSWER, language.GREETING_ANSWER, language.OTHER_ANSWER, language.NO_PICTURE_ANSWER
    }  # fmt: skip


def test_templates_name_only_what_they_are_given() -> None:
    known = {"one", "many", "a", "m", "other", "side", "box", "name", "n", "nth", "q"}
    for language in LANGUAGES.values():
        for value in vars(language).values():
            groups = value.values() if isinstance(value, dict) else [value]
            for text in (text for group in groups if isinstance(group, tuple) for text in group):
                assert {field for _, field, _, _ in string.Formatter().parse(text) if field} <= known, text
