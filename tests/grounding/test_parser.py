"""The grounding parser: every text of `grounding_texts`, cut everywhere, and then whatever hypothesis writes."""

import json
import re
import sys
from collections.abc import Callable, Iterable
from itertools import combinations, pairwise
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internvl_demo.grounding.lists import LIST_CHARS
from internvl_demo.grounding.parser import (
    LABEL_CHARS,
    MAX_BOXES,
    ZERO_WIDTH_SPACE,
    Box,
    Event,
    GroundingParser,
    Parsed,
    Phrase,
    Text,
    merge_texts,
    parse,
    visible_text,
)
from internvl_demo.photos.coordinates import to_px
from tests.grounding import untagged_texts
from tests.support import grounding_texts
from tests.support.grounding_texts import BAD, Case, box

CASES = grounding_texts.CASES + untagged_texts.CASES
FLOODS = grounding_texts.FLOODS | {
    f"{name}, untagged": flood for name, flood in untagged_texts.FLOODS.items()
}

RAW_TAG = re.compile(r"<\s{0,8}(/\s{0,8})?(ref|box|quad|points?)\s{0,8}>", re.IGNORECASE)


def streamed(pieces: Iterable[str]) -> Parsed:
    parser = GroundingParser()
    events: list[Event] = []
    for piece in pieces:
        events += parser.feed(piece)
    events += parser.finish()
    return Parsed(tuple(merge_texts(events)), parser.dropped)


def cut_at(text: str, *places: int) -> list[str]:
    ends = (0, *places, len(text))
    return [text[start:end] for start, end in pairwise(ends)]


def each(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.reason for case in cases])


def test_the_table_is_large_and_names_each_reason_once() -> None:
    assert len(BAD) >= 45
    assert len({case.reason for case in CASES}) == len(CASES)


@each(CASES)
def test_a_text_gives_what_it_must(case: Case) -> None:
    parsed = parse(case.text)
    assert visible_text(parsed.events) == case.visible
    assert [event for event in parsed.events if isinstance(event, Box)] == case.boxes
    assert parsed.dropped == case.dropped


@each(CASES)
def test_no_raw_tag_is_shown_at_any_moment(case: Case) -> None:
    for end in range(min(len(case.text), 200) + 1):
        assert not RAW_TAG.search(visible_text(parse(case.text[:end]).events))
        assert not RAW_TAG.search(visible_text(GroundingParser().feed(case.text[:end])))


@each(CASES)
def test_character_by_character_gives_the_same(case: Case) -> None:
    assert streamed(case.text) == parse(case.text)


@each([case for case in CASES if len(case.text) <= 1500])
def test_every_cut_gives_the_same(case: Case) -> None:
    whole = parse(case.text)
    for place in range(len(case.text) + 1):
        assert streamed(cut_at(case.text, place)) == whole


@each([case for case in CASES if len(case.text) <= 45])
def test_every_two_cuts_give_the_same(case: Case) -> None:
    whole = parse(case.text)
    for places in combinations(range(len(case.text) + 1), 2):
        assert streamed(cut_at(case.text, *places)) == whole


TAGS = ["<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>", "< BOX >"]
PARTS_OF_TAGS = ["<bo", "<", "</", "/", "x>", "ox>", ">", "b", "ref"]
PARTS_OF_LISTS = ["[[", "]]", "[", "]", "(", ")", "1,2,3,4", "5", ".5", ",", "-", "nan", "[[1,2,3,4]]"]
OTHER_PARTS = [
    " ",
    "\n",
    "\u3000",
    "cat",
    "1" * 150,
    "a" * 260,
    " " * 9,
    "**: ",
    "\n1. ",
    "</b>",
    "<ref>dog</ref><box>[[5,6,7,8]]</box>",
]
PARTS_OF_JSON = [
    "{",
    "}",
    '"',
    '"bbox_2d"',
    '"label"',
    ": ",
    '{"a": 1}',
    untagged_texts.A_CAT,
    untagged_texts.BOTH,
    "\\",
]
PARTS_OF_CODE = [
    "`",
    "```",
    "```json\n",
    "\n```\n",
    "~~~",
    "\n",
    "x",
    "cat[[10,20,300,400]]",
    "[[0.1,0.2,0.3,0.4]]",
]
POINTS = ["<point>", "</point>", '<points x1="50" y1="', '<point x="1.5" y="2" alt="a">', '"/>', "500 300"]
UNTAGGED = st.sampled_from([*PARTS_OF_JSON, *PARTS_OF_CODE, *PARTS_OF_LISTS, "1" * 150, "a" * 260, " " * 9])
FRAGMENTS = st.sampled_from([*TAGS, *PARTS_OF_TAGS, *PARTS_OF_LISTS, *OTHER_PARTS, *POINTS]) | UNTAGGED
TEXTS = st.lists(FRAGMENTS | st.text(max_size=3), max_size=25).map("".join)


@given(st.lists(TEXTS, max_size=8))
def test_no_way_of_cutting_changes_anything(pieces: list[str]) -> None:
    whole = parse("".join(pieces))
    assert streamed(pieces) == whole
    assert streamed("".join(pieces)) == whole


@given(TEXTS)
def test_whatever_is_written_no_raw_tag_is_shown_and_boxes_are_boxes(text: str) -> None:
    parsed = parse(text)
    assert not RAW_TAG.search(visible_text(parsed.events))
    assert all(event.text for event in parsed.events if not isinstance(event, Box))
    for event in parsed.events:
        if isinstance(event, Box):
            x1, y1, x2, y2 = event.box_1000
            assert 0 <= x1 < x2 <= 1000
            assert 0 <= y1 < y2 <= 1000
            assert not RAW_TAG.search(event.label)


@given(st.text(alphabet="abx <>/\n", max_size=40))
def test_text_without_a_tag_arrives_unchanged(text: str) -> None:
    assert parse(text + ".").events == (Text(text + "."),)


@given(st.lists(UNTAGGED | st.text(max_size=3), max_size=12).map("".join))
def test_text_without_a_box_arrives_unchanged(text: str) -> None:
    parsed = parse(text.replace("<", ""))
    if not parsed.dropped and not any(isinstance(event, Box) for event in parsed.events):
        assert visible_text(parsed.events) == text.replace("<", "")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc猫"), inner, max_size=3),
)


@given(VALUES, st.sampled_from(["", "```json\n", "See ", "- "]), st.sampled_from([None, 1]))
def test_json_without_a_box_arrives_unchanged(value: object, before: str, indent: int | None) -> None:
    text = before + json.dumps(value, indent=indent, ensure_ascii=False).replace("<", "")
    assert visible_text(parse(text).events) == text


def test_an_object_of_a_list_is_shown_when_it_ends() -> None:
    parser = GroundingParser()
    assert parser.feed('```json\n[{"bbox_2d": [10, 20, 300, 400], "label": "cat"') == []
    assert parser.feed("}, ") == [Phrase("cat"), box("cat", 10, 20, 300, 400)]
    assert parser.feed('{"bbox_2d": [10, 20, 300, 400], "label": "cat"}') == [box("cat", 10, 20, 300, 400)]


def test_json_without_boxes_is_shown_when_its_first_object_ends() -> None:
    parser = GroundingParser()
    assert parser.feed('[{"a": 1') == []
    assert parser.feed("}, ") == [Text('[{"a": 1}, ')]


def test_words_are_not_held_back_for_a_list() -> None:
    parser = GroundingParser()
    assert parser.feed("red cat") == [Text("red cat")]
    assert parser.feed("[[10,20,300,400]") == []
    assert parser.feed("]") == [box("red cat", 10, 20, 300, 400)]


def test_a_box_comes_when_its_own_list_closes() -> None:
    parser = GroundingParser()
    assert parser.feed("<ref>cats</ref><box>[[1,2,3,4") == [Phrase("cats")]
    assert parser.feed("],[5,6,7,") == [box("cats", 1, 2, 3, 4)]
    assert parser.feed("8") == []
    assert parser.feed("]") == [box("cats", 5, 6, 7, 8)]


def test_text_is_held_back_only_while_it_may_become_a_tag() -> None:
    parser = GroundingParser()
    assert parser.feed("a <") == [Text("a ")]
    assert parser.feed("b") == []
    assert parser.feed("r") == [Text("<br")]
    assert parser.feed("> c <re") == [Text("> c ")]
    assert parser.feed("fs") == [Text("<refs")]


def test_a_zero_width_space_stands_only_where_a_tag_would_arise() -> None:
    assert ZERO_WIDTH_SPACE not in visible_text(parse("x < <ref>cat</ref>, y <<ref>d</ref>>").events)
    assert ZERO_WIDTH_SPACE in visible_text(parse("x <<ref>box</ref>>").events)


def test_a_phrase_of_the_longest_length_is_a_phrase() -> None:
    assert parse(f"<ref>{'a' * LABEL_CHARS}</ref>").events == (Phrase("a" * LABEL_CHARS),)


def test_boxes_beyond_the_limit_are_counted() -> None:
    parsed = parse("<box>[" + "[1,2,3,4]," * (MAX_BOXES + 7) + "]</box>")
    assert len(parsed.events) == MAX_BOXES
    assert parsed.dropped == 7


def test_an_answer_may_end_twice() -> None:
    parser = GroundingParser()
    parser.feed("<box>[[1")
    assert parser.finish() == []
    assert parser.finish() == []
    assert parser.dropped == 1


MEGABYTE = 1_000_000

each_flood = pytest.mark.parametrize(("head", "unit"), FLOODS.values(), ids=FLOODS.keys())


def flood(head: str, unit: str, chars: int) -> str:
    return head + unit * (chars // len(unit))


def kept_bytes(value: object) -> int:
    """Size of what the parser holds, its lists' characters included."""
    if hasattr(value, "__dict__"):
        return sum(kept_bytes(part) for part in vars(value).values())
    if isinstance(value, list):
        return sys.getsizeof(value) + sum(kept_bytes(part) for part in value)
    return sys.getsizeof(value)


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of Python `work` runs: a measure of time that no other process disturbs."""
    count = 0

    def trace(_frame: FrameType, event: str, _arg: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@each_flood
def test_a_flood_is_parsed_and_little_of_it_kept(head: str, unit: str) -> None:
    parser = GroundingParser()
    text = flood(head, unit, 100_000)
    for start in range(0, len(text), 5_000):
        parser.feed(text[start : start + 5_000])
        assert kept_bytes(parser) < 100 * LIST_CHARS
    parser.finish()


@pytest.mark.parametrize("name", ["text", "digits", "an unclosed phrase", "boxes"])
def test_a_megabyte_is_parsed_at_once(name: str) -> None:
    parser = GroundingParser()
    parser.feed(flood(*FLOODS[name], MEGABYTE))
    assert kept_bytes(parser) < 100 * LIST_CHARS


@each_flood
def test_work_grows_with_the_text_not_with_its_square(head: str, unit: str) -> None:
    short, long = flood(head, unit, 2_000), flood(head, unit, 8_000)
    assert lines_run(lambda: streamed(long)) < 4.5 * lines_run(lambda: streamed(short)) + 2_000
    assert lines_run(lambda: parse(long)) < 4.5 * lines_run(lambda: parse(short)) + 2_000


@pytest.mark.parametrize(
    ("box_1000", "size_wh", "xyxy_px"),
    [
        ((0, 0, 1000, 1000), (640, 480), (0, 0, 640, 480)),
        ((250, 500, 750, 1000), (640, 480), (160, 240, 480, 480)),
        ((0, 0, 1, 1), (100, 100), (0, 0, 1, 1)),
        ((999, 999, 1000, 1000), (100, 100), (99, 99, 100, 100)),
        ((400, 400, 401, 401), (1, 1), (0, 0, 1, 1)),
        ((-50, 5, 2000, 995), (100, 100), (0, 1, 100, 100)),
        ((1, 2, 3, 4), (0, 0), (0, 0, 0, 0)),
    ],
)
def test_pixels(
    box_1000: tuple[int, int, int, int], size_wh: tuple[int, int], xyxy_px: tuple[int, int, int, int]
) -> None:
    assert to_px(box_1000, size_wh) == xyxy_px


@given(st.tuples(*[st.integers(-10, 1010)] * 4), st.tuples(st.integers(1, 5000), st.integers(1, 5000)))
def test_pixels_lie_within_the_image(box_1000: tuple[int, int, int, int], size_wh: tuple[int, int]) -> None:
    left, top, right, bottom = to_px(box_1000, size_wh)
    assert 0 <= left < right <= size_wh[0]
    assert 0 <= top < bottom <= size_wh[1]
