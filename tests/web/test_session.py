"""What the page says of a conversation, in both languages."""

import string

import pytest

from internvl_demo.conversation.tiling import TilePlan
from internvl_demo.web.session import tiles_text
from internvl_demo.web.strings import TABLE, Words, words_for


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
