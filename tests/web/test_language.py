"""What the page says, in both languages."""

import string

import pytest

from internvl_demo.conversation.tiling import TilePlan
from internvl_demo.errors import PhotoError
from internvl_demo.web.language import Words, error_data, table, words_for
from internvl_demo.web.widgets.inspector.view import tiles_text


def test_both_languages_have_the_same_texts_and_values() -> None:
    english, chinese = table("en"), table("zh")
    assert set(english) == set(chinese)
    for key, text in english.items():
        assert text and chinese[key], key
        fields = [
            sorted(name for _, name, _, _ in string.Formatter().parse(each) if name)
            for each in (text, chinese[key])
        ]
        assert fields[0] == fields[1], key


@pytest.mark.parametrize(
    ("header", "text"),
    [("zh-CN,zh;q=0.9,en;q=0.8", "1 块"), ("en-US,en", "1 tile"), (None, "1 tile"), ("de", "1 tile")],
)
def test_people_are_answered_in_their_language(header: str | None, text: str) -> None:
    assert tiles_text(TilePlan((10, 10), (1, 1)), words_for(header)) == text


def test_tiles_are_told_with_their_grid() -> None:
    assert tiles_text(TilePlan((800, 1300), (2, 3)), Words()) == "2 × 3 = 6 tiles + thumbnail"


def test_an_error_in_every_language_if_asked() -> None:
    error = PhotoError("The file is empty.", "Choose another file.")
    plain = error_data(error, {"accept-language": "zh"})
    assert set(plain) == {"what", "next_step"} and plain["what"] == "文件是空的。"
    told = error_data(error, {"accept-language": "zh", "prefer": "languages"})
    assert told == {**plain, "also": {"zh": plain, "en": Words().problem(error)}}
