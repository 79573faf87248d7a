"""The exam: the same questions everywhere, answers of any model read fairly, scores that say how sure they are."""

import asyncio
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internvl_demo.answering.stream import Answer, Timing
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.evaluate.exam.items import SKILLS, Item, item
from internvl_demo.evaluate.exam.marks import (
    Mark,
    absent_mark,
    as_read,
    iou,
    kinds_mark,
    more_mark,
    named_kinds,
    number_in,
    only_mark,
    says_none,
    says_words,
    yes_or_no,
)
from internvl_demo.evaluate.exam.page import exam_page
from internvl_demo.evaluate.exam.run import Result, f1, scores, sit, table
from internvl_demo.grounding.parser import parse
from internvl_demo.models import open_backend
from internvl_demo.nano.lessons.lessons import LANGUAGES
from internvl_demo.nano.world.vocabulary import Kind, kinds
from internvl_demo.photos.decode import photo_of
from internvl_demo.settings import Settings
from tests.support.grounding_texts import pin

BY_NAME = {kind.en: kind for kind in kinds()}
LANGS = ("en", "zh")
MEANINGS = (
    *(("left of", "的左边"), ("right of", "的右边"), ("above", "的上面"), ("below", "的下面")),
    *(("largest", "最大"), ("smallest", "最小"), ("leftmost", "最左"), ("rightmost", "最右")),
    *(("topmost", "最上"), ("lowest", "最下"), ("as many", "一样多"), (" no ", "没有")),
)

"""What an item may be about beside kinds, names and numbers, as both languages put it in an answer."""


def another(asked: Item) -> Kind:
    """A kind that the truth does not name."""
    return next(kind for kind in kinds() if kind not in named_kinds(as_read(asked.truth)))


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
        assert not asked.mark(said(f"Hm, 7131 {another(asked).plural} on Image-9.", asked)).full, asked.truth


def test_an_item_is_the_same_on_every_machine() -> None:
    one, two = item("follow_up", "en", 3), item("follow_up", "en", 3)
    assert (one.questions, one.truth, one.pictures[0].things) == (
        *(two.questions, two.truth),
        two.pictures[0].things,
    )


@pytest.mark.parametrize("skill", SKILLS)
def test_english_and_chinese_show_and_ask_the_same(skill: str) -> None:
    for number in range(40):
        one, two = item(skill, "en", number), item(skill, "zh", number)
        assert seen(one) == seen(two), number
        assert meant(one, 0) == meant(two, 1), (number, one.questions, two.questions)
        assert one.questions[0].isascii()
        assert not two.questions[0].isascii()


def seen(asked: Item) -> list[object]:
    """All that the pictures show, to the pixel."""
    return [
        (shown.image.tobytes(), shown.things, shown.rows, shown.words, shown.form) for shown in asked.pictures
    ]


def meant(asked: Item, language: int) -> list[object]:
    """What is asked and true, whatever the words. A single thing's 1 is said in Chinese only."""
    truth = as_read(asked.truth)
    content: list[object] = [(lesson.skill, lesson.kind, lesson.name) for lesson in asked.lessons]
    content.append([number for number in re.findall(r"\d+", asked.truth) if number != "1"])
    content.append([pair[language] in truth for pair in MEANINGS])
    if not asked.pictures[0].rows:  # printed names are English in both
        content.append(named_kinds(truth))
    if asked.skill == "relation":
        content.append(named_kinds(asked.questions[0]))
        content.append([pair[language] in asked.questions[0] for pair in MEANINGS])
        content.append(yes_or_no(truth))
    return content


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Counting the cats: there are 3.", 3),
        ("数一数猫：一共有3只。", 3),
        ("There is no cat in the image.", 0),
        ("图中没有猫。", 0),
        ("Image-2 has none", 0),
        ("I know a lot.", None),
        ("9" * 5000, int("9" * 18)),
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


@pytest.mark.parametrize(
    ("raw", "right"),
    [
        ("There is no dog in the image.", False),
        ("There is no cat and no dog in the image.", False),
        ("图中没有狗。", False),
        ("图中没有猫头鹰。", False),
        ("There is a cat.", False),
        ("There is nothing.", False),
        ("There is no <ref>cat</ref><box>[[10, 20, 300, 400]]</box>.", False),
        ("There is no cat in the image.", True),
        ("No. There is no cat: no cats at all.", True),
        ("没有，图中没有猫。", True),
    ],
)
def test_that_there_is_none_is_said_of_the_kind_asked_about(raw: str, right: bool) -> None:
    assert absent_mark(said(raw, item("absent", "en", 0)), BY_NAME["cat"]).full == right


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("skill", ["absent", "follow_up"])
def test_of_a_missing_kind_only_its_own_absence_is_right(skill: str, lang: str) -> None:
    asked = next(
        asked
        for asked in (item(skill, lang, number) for number in range(60))
        if not asked.pictures[0].of(asked.lessons[-1].kind)
    )
    right = {kind.en for kind in kinds() if asked.mark(said(LANGUAGES[lang].absent(kind), asked)).full}
    assert right == {asked.lessons[-1].kind.en}


CAT_IN_1, NONE_IN_1 = "Only Image-1 shows 2 cats and a dog.", "没有什么是只在Image-1里的。"


@pytest.mark.parametrize(
    ("text", "truth", "right"),
    [
        ("Only Image-1 shows .", NONE_IN_1, False),
        ("Image-1", NONE_IN_1, False),
        ("Only Image-1 shows a cat.", NONE_IN_1, False),
        ("No cat is only in Image-1.", NONE_IN_1, False),
        ("Nothing is only in Image-2.", NONE_IN_1, False),
        ("没有什么是只在Image-2里的。", NONE_IN_1, False),
        ("Nothing.", NONE_IN_1, False),
        ("Only Image-2 shows 2 cats and a dog.", CAT_IN_1, False),
        ("Only Image-1 shows 2 cats.", CAT_IN_1, False),
        ("Only Image-1 shows a cat, a dog and a pig.", CAT_IN_1, False),
        ("Nothing is only in Image-1.", CAT_IN_1, False),
        ("Nothing is only in Image-1.", NONE_IN_1, True),
        ("没有什么是只在Image-1里的。", NONE_IN_1, True),
        ("Only Image-1 shows a dog and 2 cats.", CAT_IN_1, True),
        ("只有Image-1里有2只猫和1只狗。", CAT_IN_1, True),
    ],
)
def test_what_only_one_image_shows_is_said_of_that_image(text: str, truth: str, right: bool) -> None:
    assert only_mark(text, truth).full == right


@pytest.mark.parametrize(
    ("text", "counts", "right"),
    [
        ("1 against 3: Image-1 has more cats.", (1, 3), False),
        ("1 against 3: Image-2 has more dogs.", (1, 3), False),
        ("1 against 3: Image-2 has more.", (1, 3), False),
        ("1比3：Image-2里的猫头鹰更多。", (1, 3), False),
        ("3 against 3: both have as many cats.", (1, 3), False),
        ("2 against 2: Image-1 has more cats.", (2, 2), False),
        ("2 against 2: both have as many dogs.", (2, 2), False),
        ("There is no cat in the images.", (2, 2), False),
        ("这些图中都没有猫。", (2, 2), False),
        ("There is no dog in the images.", (0, 0), False),
        ("2 against 2: both have as many cats.", (0, 0), False),
        ("1 against 3: Image-2 has more cats.", (1, 3), True),
        ("1比3：Image-2里的猫更多。", (1, 3), True),
        ("3比1：Image-1里的猫更多。", (3, 1), True),
        ("Image-2 has more cats: 3 against 1.", (1, 3), True),
        ("Image-2里的猫更多：3比1。", (1, 3), True),
        ("2 against 2: both have as many cats.", (2, 2), True),
        ("2比2：两张图里的猫一样多。", (2, 2), True),
        ("Both have as many cats: 2.", (2, 2), True),
        ("两张图里的猫一样多：2。", (2, 2), True),
        ("There is no cat in the images.", (0, 0), True),
        ("这些图中都没有猫。", (0, 0), True),
    ],
)
def test_more_of_the_kind_asked_about_in_the_right_image(
    text: str, counts: tuple[int, int], right: bool
) -> None:
    assert more_mark(text, BY_NAME["cat"], counts).full == right


@pytest.mark.parametrize("lang", LANGS)
def test_a_comparison_with_another_image_or_kind_is_wrong(lang: str) -> None:
    for number in range(12):
        asked = item("compare", lang, number)
        kind = named_kinds(asked.truth)[0]
        of_another = re.sub(f"{kind.plural}|{kind.en}|{kind.zh}", another(asked).zh, asked.truth)
        assert not asked.mark(said(of_another, asked)).full, of_another
        swapped = re.sub(r"Image-(\d)", lambda named: f"Image-{3 - int(named[1])}", asked.truth)
        assert swapped == asked.truth or not asked.mark(said(swapped, asked)).full, swapped


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("The cat is left of the dog.", None),
        ("Nothing is left of the dog.", None),
        ("Yesterday the cat was left of the dog.", None),
        ("Is it so? Yes and no are words.", None),
        ("Yes, the cat is left of the dog: no.", None),
        ("不是，猫在狗的左边：是的。", None),
        ("The cat is left of the casino.", None),
        ("猫在狗的左边。", None),
        ("不知道", None),
        ("", None),
        ("Yes", True),
        ("Yes, the cat is left of the dog.", True),
        ("the cat is left of the dog: yes.", True),
        ("**Yes**, the cat is left of the dog: yes.", True),
        ("是的，猫在狗的左边。", True),
        ("对。", True),
        ("猫在狗的左边：是的。", True),
        ("the cat and the dog: the cat is left of the dog, so yes.", True),
        ("No, the cat is right of the dog.", False),
        ("the cat is right of the dog: no.", False),
        ("不是，猫在狗的右边。", False),
        ("不在", False),
        ("猫在狗的右边：不是。", False),
        ("猫和狗：猫在狗的右边，不是。", False),
    ],
)
def test_the_verdict_before_or_after_its_reason(text: str, verdict: bool | None) -> None:
    assert yes_or_no(text) is verdict


@pytest.mark.parametrize(
    ("lang", "yes", "no"),
    [
        ("en", "<ref>the cat</ref><box>[[1, 2, 30, 40]]</box> is there: yes.", "the cat is there: no."),
        ("zh", "<ref>猫</ref><box>[[1, 2, 30, 40]]</box>在那里：是的。", "猫在那里：不是。"),
    ],
)
def test_a_relation_is_marked_by_its_verdict_alone(lang: str, yes: str, no: str) -> None:
    truths = set()
    for number in range(12):
        asked = item("relation", lang, number)
        true = yes_or_no(as_read(asked.truth))
        marks = [asked.mark(said(raw, asked)).full for raw in (yes, no)]
        assert marks == [true, not true], asked.truth
        truths.add(true)
    assert truths == {True, False}


@pytest.mark.parametrize("raw", ["<ref>the cat</ref><box>[[1, 2, 30, 40]]</box> is here: yes.", "猫<box>"])
def test_an_answer_as_read_is_what_the_page_shows(raw: str) -> None:
    assert as_read(raw) == said(raw, item("count", "en", 0)).text


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


@pytest.fixture(scope="module")
def unanswered() -> Result:
    """One item with an empty answer: drawing it takes longer than an example of hypothesis may."""
    asked = item("count", "en", 0)
    return Result("en", asked, said("", asked), Mark(0))


@given(right=st.lists(st.booleans(), min_size=1, max_size=60))
def test_the_interval_holds_the_score(unanswered: Result, right: list[bool]) -> None:
    results = [replace(unanswered, mark=Mark(int(one))) for one in right]
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
        assert sum(mark.full for mark in marks) >= 20, lang
