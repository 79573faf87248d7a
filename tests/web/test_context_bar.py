"""What the context bar is told: parts with their shares, a sentence, and every change in words."""

from dataclasses import replace

import pytest

from internvl_demo.conversation.budget import Fix
from internvl_demo.conversation.turns import Attachment
from internvl_demo.web.language import Words
from internvl_demo.web.widgets.context_bar.view import context_bar, fix_text
from tests.support.budgets import FITS, LARGE, TOO_LONG, budget_of

ENGLISH, CHINESE = Words(), Words("zh")
BOTH = "Image-2 36 → 9 · Image-3 36 → 9".replace(" ", "\u00a0").replace("\u00a0·\u00a0", " · ")
"""What `TOO_LONG` offers for its two images; a line never ends within a change."""


def test_shares_are_of_the_longer() -> None:
    fits, over = context_bar(FITS, ENGLISH), context_bar(TOO_LONG, ENGLISH)
    assert sum(part["share"] for part in fits["parts"]) == pytest.approx(FITS.total / 16_384)
    assert fits["limit"] == 1 and fits["problem"] is None and fits["fixes"] == []
    assert sum(part["share"] for part in over["parts"]) == pytest.approx(1)
    assert over["limit"] == pytest.approx(8192 / TOO_LONG.total)


def test_parts_stand_as_in_the_prompt() -> None:
    parts = context_bar(FITS, ENGLISH)["parts"]
    captions = ["So far", "Image-1", "Image-2", "Image-3", "Question", "Answer"]
    assert [part["caption"] for part in parts] == captions
    assert [part["kind"] for part in parts] == ["text", "image", "draft", "draft", "text", "answer"]
    assert parts[1]["text"] == "Image-1, already sent: 768 tokens"
    assert parts[2]["text"] == "Image-2, new: 2,560 tokens"


def test_an_estimate_says_so() -> None:
    assert context_bar(FITS, ENGLISH)["sentence"].startswith(f"≈ {FITS.total:,} of 16,384 tokens")
    exact = replace(FITS, estimated=False)
    assert context_bar(exact, ENGLISH)["sentence"].startswith(f"{FITS.total:,} of")


def test_every_change_says_what_it_does() -> None:
    texts = {fix.key: fix_text(fix, ENGLISH) for fix in TOO_LONG.fixes}
    assert texts == {"fewer-tiles-9-9": f"Fewer tiles: {BOTH}"}
    assert fix_text(Fix("shorter-answer-1000", (), 1000), ENGLISH) == "Shorter answer: at most 1,000 tokens"
    fixes = budget_of(8192, Attachment(LARGE, 16), Attachment(LARGE, 36)).fixes
    out = next(fix for fix in fixes if "out" in fix.key)
    assert fix_text(out, ENGLISH) == "Leave out Image-3 (large.png)"
    new = Fix("new-conversation", (), 1024, new_conversation=True)
    assert fix_text(new, ENGLISH) == "New conversation with only this question"
    fewer = replace(TOO_LONG.fixes[0], new_conversation=True)
    assert fix_text(fewer, CHINESE) == f"新建对话，只带此问题，并减少分块：{BOTH}"


def test_a_change_tells_what_it_leaves() -> None:
    (fewer,) = context_bar(TOO_LONG, ENGLISH)["fixes"]
    assert fewer["images"] == [{"photo": LARGE.id, "mode": 9}] * 2
    assert fewer["max_new_tokens"] == 1024 and not fewer["new_conversation"]
