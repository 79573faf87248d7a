"""Hostile answers cost no more than others: the work grows with the text, and not with its square."""

import sys

import pytest

from internvl_demo.grounding.parser import Text
from internvl_demo.web.markup import AnswerRenderer, answer, render_answer
from tests.support.linear_time import Family, assert_linear
from tests.web.test_markup_blocks import Reader

PATHOLOGICAL = [
    *(
        "[",
        "[a](",
        "![",
        "](",
        "]",
        "*",
        "**a ",
        "*a_ ",
        "~~a",
        "`",
        "`` ` ",
        "<",
        "<http://a",
        "&",
        "&a",
        "\\",
    ),
    *(
        "<sup>",
        "<sup>a</sub>",
        "<sup>a</sup>",
        "<br>",
        "__a__",
        "__a_",
        "a*b",
        "*_~~",
        "：**",
        "5$",
        "$5 ",
        "$a-$b",
    ),
    *(
        "\\begin{",
        "\\begin{a}",
        "\\begin{a}&",
        "\\begin{a}\n",
        "\\begin{a}\n\n",
        "\\end{a}",
        "\\begin{a}b\\end{a}",
    ),
    *("| a ", "| a\n", "| a\n\n", "\n| a\n|-|"),
    *("$", "$a ", "$$\n", "$x$ ", "\\(", "\\[\n", "\\[\na\n", "\\[" * 100 + "\n\\]\n", "> \\[\n"),
    *("> ", "> a\n", "- ", "- - - ", "- a\n", "- a\n\n", "1. a\n", "#\n", "|", "|a|\n|-|\n", "a|b\n"),
    *("```\n", "```c\n", "a\n\n", "\n", " ", "\t", "\r", "\r\n"),
]


def calls(said: str, piece: int) -> int:
    """How many functions are called to draw it from pieces; counted, for time depends on the machine."""
    count = 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    drawn = AnswerRenderer()
    sys.setprofile(note)
    try:
        for start in range(0, len(said), piece):
            drawn.feed([Text(said[start : start + piece])])
            drawn.blocks()
        drawn.blocks(final=True)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("unit", PATHOLOGICAL)
def test_any_text_takes_linear_time(unit: str) -> None:
    few, many = (calls(unit * (chars // len(unit)), 50) for chars in (800, 3_200))
    assert many <= 7 * few + 10_000, "four times the text; squared it were sixteen times"


def test_what_is_parsed_is_linear_in_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    real = answer.split
    monkeypatch.setattr(
        answer, "split", lambda text, **open: (parsed.append(len(text)), real(text, **open))[1]
    )
    items = "".join(f"{number}. The **thing** is red and lies there.\n\n" for number in range(1, 150))
    for said in (
        items,
        f"```python\n{items}```\n\n{items}",
        "A word. " * 900,
        f"{'A word. ' * 60}\n\n" * 20,
        "A **b** " * 900,
    ):
        parsed.clear()
        reader = Reader()
        for start in range(0, len(said), 5):
            reader.take(Text(said[start : start + 5]))
        assert sum(parsed) <= 12 * len(said)


UNITS = [
    *("*", "_", "~", "$", "**a", "*a*", "_a_", "~~a", "$a$", "$5 ", "5$", "*_", "*_~~", "a*", "：**"),
    *("__a", "__a_", "__a__", "<sup>", "</sup>", "<sup>a</sup>", "<sup></sub>", "<sub><sup>", "<br>", "<"),
    *("*<sup>", "<sup>*", "\\begin{", "\\begin{a}", "\\end{a}", "\\begin{a}\\end{a}", "\\begin{a}\\begin{b}"),
    *("\\begin{align}&", "\\", "\\(", "| a\n", "| a\n|-|\n", "[a](http", "[", "`a ``b ", "```\n", "```a b\n"),
]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_marks_without_end_take_linear_time(unit: str) -> None:
    assert_linear(lambda text: render_answer([Text(text)]), Family("", unit))
    assert_linear(lambda text: render_answer([Text(text)]), Family("a ", unit, " z"))
