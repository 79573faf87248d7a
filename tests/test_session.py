"""What the page shows of a conversation: people's text as they wrote it, a model's text without HTML."""

import html
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internvl_demo.tiling import TilePlan
from internvl_demo.ui.session import markdown, plain, tiles_text
from internvl_demo.ui.strings import TABLE, Words, words_for


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("<script>x</script>", "&lt;script>x&lt;/script>"),
        ("a < b and **bold**", "a &lt; b and **bold**"),
        ("`a < b` and <b>", "`a < b` and &lt;b>"),
        ("```\n<html>\n```\n<html>", "```\n<html>\n```\n&lt;html>"),
        ("```\n<html> never closed", "```\n<html> never closed"),
        ("an open ` tick <b>", "an open ` tick &lt;b>"),
    ],
)
def test_no_html_begins_in_a_models_text_and_code_keeps_its_brackets(said: str, shown: str) -> None:
    assert markdown(said) == shown


@given(st.text(string.ascii_letters + string.punctuation + " \n"))
def test_people_write_no_markup_and_no_formulas_only_text(text: str) -> None:
    shown = plain(text)
    letters = re.sub(r"<span>(&#\d+;)</span>", r"\1", shown)
    assert html.unescape(letters) == text, "what they wrote, whole"
    assert not re.search(r"[`*_{}\[\]()+\-.!|<>~$:=\"'\\]", letters), "no mark of Markdown's is left"
    assert not re.search(r"[$\\]|&#(36|92);", re.sub(r"<span>.*?</span>", "", shown)), (
        "formulas have no beginning"
    )


def test_every_text_is_there_in_both_languages_with_the_same_values() -> None:
    for key, (english, chinese) in TABLE.items():
        assert english and chinese, key
        fields = [
            sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)
            for text in (english, chinese)
        ]
        assert fields[0] == fields[1], key


@pytest.mark.parametrize(
    ("header", "text"),
    [("zh-CN,zh;q=0.9,en;q=0.8", "1 块"), ("en-US,en", "1 tile"), (None, "1 tile"), ("de", "1 tile")],
)
def test_people_are_answered_in_their_browsers_language(header: str | None, text: str) -> None:
    assert tiles_text(TilePlan((10, 10), (1, 1)), words_for(header)) == text


def test_tiles_are_told_with_their_grid() -> None:
    assert tiles_text(TilePlan((800, 1300), (2, 3)), Words()) == "2 × 3 = 6 tiles + thumbnail"
