"""No text of a person, a model, a file or a server makes a regular expression take more than linear time.

`READERS` names each function that meets such text, examples of what its patterns look for (the hostile texts are
derived from them), and its patterns. A pattern that stands in no row fails `test_every_pattern_has_a_row`.
"""

import ast
import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image
from tokenizers import normalizers

from internvl_demo.conversation.budget import estimate
from internvl_demo.conversation.prompt import neutralise
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import SetupError
from internvl_demo.evaluate.exam import marks
from internvl_demo.grounding.attribution import Attribution
from internvl_demo.grounding.naming import images_named
from internvl_demo.grounding.overlay import colour_of, drawable
from internvl_demo.grounding.parser import Box, GroundingParser, Text, parse
from internvl_demo.models.convert.tokens import _normalizers, _SentencePiece
from internvl_demo.models.lmdeploy import progress
from internvl_demo.models.lmdeploy.capacity import gpu_gb
from internvl_demo.models.lmdeploy.launch import python_of
from internvl_demo.models.openai.context import num_ctx_in
from internvl_demo.models.openai.errors import refusal
from internvl_demo.models.places import places_of
from internvl_demo.models.profiles import served_profile
from internvl_demo.nano.world.vocabulary import kinds
from internvl_demo.photos.decode import photo_of
from internvl_demo.settings import Settings
from tests.support.linear_time import Family, assert_linear, hostile_texts

ROOT = Path(__file__).parents[1] / "internvl_demo"
ROOMS = ("conversation", "grounding", "models", "evaluate")
"""Where text of people, models, files and servers is read."""


class Reader(NamedTuple):
    """A function of foreign text, examples of what its patterns match, and the patterns: file and name."""

    read: Callable[[str], object]
    examples: tuple[str, ...]
    patterns: tuple[str, ...] = ()


def fed_in_pieces(text: str) -> None:
    parser = GroundingParser()
    for start in range(0, len(text), 7):
        parser.feed(text[start : start + 7])
    parser.finish()


def attributed(text: str) -> None:
    photo = photo_of(Image.new("RGB", (8, 8)))
    attribution = Attribution(Conversation().ask("Where?", (Attachment(photo, 12),) * 3))
    for event in (Box("cat", (1, 2, 3, 4)), Text(text), Box("cat", (1, 2, 3, 4))):
        attribution.add(event)


def memory_given(text: str) -> None:
    with contextlib.suppress(SetupError):
        gpu_gb(text)


def only_of(text: str) -> object:
    return marks.only_mark(text, "Only Image-1 shows a cat.")


def more_of(text: str) -> object:
    return marks.more_mark(f"{text} cat", next(kind for kind in kinds() if kind.en == "cat"), (2, 2))


TAG = "< / quad >"
GROUNDED = "<ref>cat</ref>** </b> 1. <box>[[1.5, 20], (300;400)]</box>"
WRITTEN = (
    TAG,
    GROUNDED,
    '<points x="1" y1=\'2',
    '[{"a\\": {"box": [1, 2], "b": "c"}, "d": "e f',
    "1) ```json\n{",
    "`a` red **cat**[[1, 2",
)
READERS = {
    "neutralise": Reader(
        neutralise, ("< / img >", "<|im_end|>", "[UNUSED_TOKEN_145]"), ("conversation/prompt.py _CONTROL",)
    ),
    "estimate": Reader(
        estimate,
        ("<|im_start|>", "</ref>", "  Word CAPS 12", "猫！猫", "ééé"),
        tuple(f"conversation/budget.py {name}" for name in ("_CONTROL", "_WORD", "_FIRST_SPACE", "_CHINESE")),
    ),
    "parse": Reader(
        parse,
        WRITTEN,
        (
            *(
                f"grounding/parser.py {name}"
                for name in (
                    *("_LEXEME", "_ENDS_LIKE_TAG", "_JOINS_TO_TAG", "_PARTIAL_TAG", "_SPACE", "_NO_WORD"),
                    "_ATTRIBUTE",
                )
            ),
            *(
                f"grounding/plain.py {name}"
                for name in ("_SPECIAL", "_LINE_START", "_LISTS", "_INSIDE", "_WORDS", "_LITTLE")
            ),
            "grounding/json_boxes.py _SAID",
            "grounding/numbers.py _NUMBER",
            "grounding/numbers.py _SPACES",
        ),
    ),
    "parse in pieces": Reader(fed_in_pieces, (TAG, GROUNDED, '```\n[{"a": [1', "cat[[1,")),
    "images_named": Reader(
        lambda text: images_named(text, 9),
        (
            "images 1 , and 2 & 3",
            "images two to 3",
            "image - no. 12 and 3",
            "the second to the last uploaded photo",
            "first, and last one of the 3 images",
            "between all the two images",
            "in the second one, ",
            "图片（1、2和3",
            "倒数第 二十一 张 图片",
            "第一、第二和3 张 里",
            "最后面的两张 图",
        ),
        (
            "grounding/naming/__init__.py _NOUN",
            "grounding/naming/__init__.py _JOINING",
            "grounding/naming/english.py _compile",
            "grounding/naming/chinese.py _row",
            "grounding/naming/chinese.py _values",
        ),
    ),
    "attributed": Reader(
        attributed,
        (" it is, and can be located in the second image.", "，在第二张图（", "** - Image-2 : "),
        tuple(
            f"grounding/attribution.py {name}"
            for name in ("_END", "_BREAK", "_LEADS", "_COMPARES", "_SAYS_WHERE", "_NO_WORD", "_HEADS")
        ),
    ),
    "drawable": Reader(lambda text: drawable(text, 1), ("a cat\n猫",)),
    "colour_of": Reader(colour_of, ("a cat\n猫",)),
    "stage_of": Reader(
        progress.stage_of,
        (
            "Fetching 13 files:  46%|",
            "Downloading a: 5%|",
            "Loading:  25%|",
            "Warm-up finished",
            "HINT:  Please open",
        ),
        ("models/lmdeploy/progress.py _SIGNS",),
    ),
    "reason_in": Reader(
        lambda text: progress.reason_in([text]),
        ("2024-06-01 10:11:12,345 - lmdeploy - INFO - a.py:3 - out of memory",),
        ("models/lmdeploy/progress.py _BLAME", "models/lmdeploy/progress.py _PREFIX"),
    ),
    "plain_line": Reader(
        lambda text: progress.plain_line(text.encode()),
        ("\x1b[1;31mred",),
        ("models/lmdeploy/progress.py _COLOUR", "models/lmdeploy/launch.py _read_log"),
    ),
    "python_of": Reader(
        python_of,
        (
            "#!  /opt/python3.11 ",
            "#!/usr/bin/env  python3  ",
            "#!/bin/sh\n'''exec' \"/opt/python3.11\" ",
        ),
        ("models/lmdeploy/launch.py _PYTHON", "models/lmdeploy/launch.py _PYTHON_FAR"),
    ),
    "memory of a GPU": Reader(
        memory_given, ("81920.125 MiB ", "80GB"), ("models/lmdeploy/capacity.py _MEMORY",)
    ),
    "refusal": Reader(
        lambda text: refusal(400, {"message": text, "code": text}),
        ("context_length", "<html>", "429", "http://me:pw@host/path?query#x", "image input is not supported"),
        tuple(
            f"models/openai/errors.py {name}"
            for name in ("_TOO_LONG", "_own_status", "_ADDRESS", "_NO_PICTURES")
        ),
    ),
    "num_ctx_in": Reader(
        num_ctx_in, ("num_ctx 4096  \n", "num_ctx\t"), ("models/openai/context.py _NUM_CTX",)
    ),
    "served_profile": Reader(
        served_profile,
        ("OpenGVLab/Intern VL_3.5 8B-awq-hf-instruct", "-awq"),
        ("models/profiles/__init__.py _SUFFIXES", "models/profiles/__init__.py plain_name"),
    ),
    "places_of": Reader(
        lambda text: places_of(Settings(endpoint=[text or "x"])),
        ("fast=http://gpu:23333",),
        ("models/places.py _NAMED",),
    ),
    "converted tokenizer": Reader(
        normalizers.Sequence(list(_normalizers(_SentencePiece([])))).normalize_str,
        ("  two  words  ",),
        ("models/convert/tokens.py _normalizers",),
    ),
    "number_in": Reader(marks.number_in, ("Image-12 shows 13 cats",), ("evaluate/exam/marks.py number_in",)),
    "says_none": Reader(marks.says_none, ("no nothing", "没有"), ("evaluate/exam/marks.py _NONE",)),
    "yes_or_no": Reader(
        marks.yes_or_no,
        ("**Yes**, the cat: no. ", "不是的。"),
        ("evaluate/exam/marks.py _VERDICT_FIRST", "evaluate/exam/marks.py _VERDICT_LAST"),
    ),
    "says_words": Reader(
        lambda text: marks.says_words(text, "STOP"),
        ('The sign says "STOP"', "“STOP”"),
        (
            "evaluate/exam/marks.py _QUOTED",
            "evaluate/exam/marks.py says_words",
            "evaluate/exam/items.py _chart",
            "evaluate/exam/items.py mark",
        ),
    ),
    "named_kinds": Reader(
        marks.named_kinds, ("strawberries and 猫头鹰",), ("evaluate/exam/marks.py _names",)
    ),
    "only_mark": Reader(only_of, ("Only Image-1 shows a cat",), ("evaluate/exam/marks.py _image",)),
    "more_mark": Reader(more_of, ("both have as many", "一样多"), ("evaluate/exam/marks.py _AS_MANY",)),
}


def patterns_in(path: Path) -> Iterator[str]:
    """Yield `file name` for each call of `re` in a source file, named by its function or else its constant."""

    def visit(node: ast.AST, name: str) -> Iterator[str]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name = node.name
        elif isinstance(node, ast.Assign) and not name and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if called == "Regex" or (called.startswith("re.") and called != "re.escape"):
            yield f"{path.relative_to(ROOT)} {name}"
        for child in ast.iter_child_nodes(node):
            yield from visit(child, name)

    return visit(ast.parse(path.read_text("utf-8")), "")


def test_every_pattern_has_a_row() -> None:
    found = {
        name for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")) for name in patterns_in(path)
    }
    assert found == {pattern for reader in READERS.values() for pattern in reader.patterns}


def test_groups_are_atomic_rather_than_possessive() -> None:
    """Debian 12's Python 3.11.2 reads `(?:ab?)*+` wrongly (mended in 3.11.5), and `(?>(?:ab?)*)` as it should."""
    lines = [line for path in sorted(ROOT.rglob("*.py")) for line in path.read_text("utf-8").splitlines()]
    assert not [line for line in lines if re.search(r"\)(?:[*+?]|\{[0-9,]+\})\+", line)]


@pytest.mark.parametrize("name", READERS)
def test_time_grows_with_the_text(name: str) -> None:
    reader = READERS[name]
    for family in hostile_texts(*reader.examples):
        assert_linear(reader.read, family)


@pytest.mark.parametrize("unit", ["<", "< ", "aA", " ", "猫", "<|im_", "\ud800"])
@pytest.mark.parametrize("read", [neutralise, estimate])
def test_a_long_question_takes_no_longer_for_what_it_says(read: Callable[[str], object], unit: str) -> None:
    assert_linear(read, Family("<", unit))


def test_quadratic_time_is_found() -> None:
    pattern = re.compile(r"<(?=\s*/?\s*img>)")
    with pytest.raises(AssertionError, match="take"):
        for family in hostile_texts("< / img>"):
            assert_linear(pattern.search, family)
