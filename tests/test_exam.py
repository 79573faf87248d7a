"""The exam: the same questions everywhere, answers of any model read fairly, scores that say how sure they are."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internvl_demo.answer import Answer, Timing
from internvl_demo.backends import open_backend
from internvl_demo.chat import Attachment, Conversation
from internvl_demo.grounding import parse
from internvl_demo.nano.exam.items import SKILLS, Item, item
from internvl_demo.nano.exam.marks import (
    Mark,
    iou,
    kinds_mark,
    named_kinds,
    number_in,
    says_none,
    says_words,
)
from internvl_demo.nano.exam.page import exam_page
from internvl_demo.nano.exam.run import Result, f1, scores, sit, table
from internvl_demo.nano.world.vocabulary import kinds
from internvl_demo.photo import photo_of
from internvl_demo.pins import pin
from internvl_demo.settings import Settings

BY_NAME = {kind.en: kind for kind in kinds()}
LANGS = ("en", "zh")


def said(raw: str, asked: Item) -> Answer:
    images = tuple(Attachment(photo_of(picture.image), asked.max_tiles) for picture in asked.pictures)
    conversation = Conversation().ask(asked.questions[0], images)
    events = parse(raw).events
    return Answer(raw, tuple(events), tuple(pin(events, conversation)), 0, Timing(None, 0.0))


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("skill", SKILLS)
def test_the_truth_is_marked_right_and_nonsense_wrong(skill: str, lang: str) -> None:
    for number in range(4):
        asked = item(skill, lang, number)
        assert asked.mark(said(asked.truth, asked)).full, (asked.questions, asked.truth)
        assert not asked.mark(said("Hm, 7131 bananas on Image-9.", asked)).full, asked.truth


def test_an_item_is_the_same_on_every_machine() -> None:
    one, two = item("follow_up", "en", 3), item("follow_up", "en", 3)
    assert (one.questions, one.truth, one.pictures[0].things) == (
        *(two.questions, two.truth),
        two.pictures[0].things,
    )


def test_english_and_chinese_are_asked_the_same_skills() -> None:
    for skill in SKILLS:
        assert item(skill, "zh", 0).questions[0] != item(skill, "en", 0).questions[0]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Counting the cats: there are 3.", 3),
        ("数一数猫：一共有3只。", 3),
        ("There is no cat in the image.", 0),
        ("图中没有猫。", 0),
        ("Image-2 has none", 0),
        ("I know a lot.", None),
    ],
)
def test_the_number_that_is_named(text: str, number: int | None) -> None:
    assert number_in(text) == number


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("The image shows 2 stars, a cat and 3 strawberries.", ["star", "cat", "strawberry"]),
        ("图中有1只猫头鹰和2匹斑马。", ["owl", "zebra"]),
        ("A catalogue of ballast", []),
        ("图中有1只猫和1片树叶", ["cat", "leaf"]),
    ],
)
def test_the_kinds_that_are_named_and_not_those_within_longer_names(text: str, names: list[str]) -> None:
    assert named_kinds(text) == [BY_NAME[name] for name in names]


@pytest.mark.parametrize(
    ("text", "words", "right"),
    [
        ('The sign says "STOP".', "STOP", True),
        ("牌子上写着“STOP”。", "STOP", True),
        ("It reads STOP", "STOP", True),
        ('The sign says "STOPS".', "STOP", False),
        ("NONSTOP", "STOP", False),
        ('"STOP" or "OPEN"', "STOP", False),
    ],
)
def test_words_are_read_exactly(text: str, words: str, right: bool) -> None:
    assert says_words(text, words) == right


@pytest.mark.parametrize(
    ("text", "none"), [("There is no cat.", True), ("没有猫。", True), ("Now a cat.", False)]
)
def test_saying_that_there_is_none(text: str, none: bool) -> None:
    assert says_none(text) == none


def test_naming_everything_is_not_right() -> None:
    mark = kinds_mark(", ".join(kind.en for kind in kinds()), [BY_NAME["cat"]])
    assert f1([mark]) < 0.05
    assert not mark.full


box = st.tuples(*[st.integers(0, 500)] * 2, *[st.integers(501, 999)] * 2)


@given(box, box)
def test_iou_is_a_share_the_same_both_ways_and_one_with_itself(
    a: tuple[int, ...], b: tuple[int, ...]
) -> None:
    assert 0 <= iou(a, b) == iou(b, a) <= 1
    assert iou(a, a) == 1


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_the_interval_holds_the_score(right: list[bool]) -> None:
    asked = item("count", "en", 0)
    results = [Result("en", asked, said("", asked), Mark(int(one))) for one in right]
    (row,) = scores(results)
    low, high = row["interval95"]
    assert 0 <= low <= row["score"] <= high <= 1
    assert row["items"] == len(right)


def test_the_page_shows_every_item_and_takes_no_markup_from_an_answer() -> None:
    results = []
    for lang in LANGS:
        asked = item("locate", lang, 1)
        hostile = said("<script>alert(1)</script><ref><b>x</b></ref><box>[[1, 2, 3, 4]]</box>", asked)
        results.append(Result(lang, asked, hostile, asked.mark(hostile)))
    page = exam_page(results)
    assert "<script" not in page
    assert page.count("<article") == 2
    assert "locate" in table(scores(results))


def test_the_miniature_passes_a_short_exam_in_both_languages() -> None:
    """Five fixed items of each of five skills; the whole exam is a command, its table in the model's card."""
    backend = open_backend(Settings())

    async def sat() -> list[Result]:
        skills = ("locate", "count", "describe", "absent", "follow_up")
        return [result async for result in sit(backend, LANGS, skills, 5)]

    results = asyncio.run(sat())
    for lang in LANGS:
        marks = [result.mark for result in results if result.lang == lang]
        assert len(marks) == 25
        assert sum(mark.full for mark in marks) >= 13, lang
