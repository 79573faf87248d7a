"""Streams as servers write them: one answer, whoever sends it and however it is cut; and how answers end."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internvl_demo.conversation.template import V1_5
from internvl_demo.errors import BackendError
from internvl_demo.models.asides import Asides
from internvl_demo.models.base import Usage
from internvl_demo.models.openai.completion import CompletionReader
from tests.models.openai.dialect_streams import COUNTED, DONE, STREAMS, TEXT, THINKING, THOUGHT, lines, one


def read(*pieces: bytes) -> tuple[str, str, CompletionReader]:
    """What a reader makes of a stream in pieces: text, thinking, itself."""
    reader, text, thought = CompletionReader(100), "", ""
    for piece in pieces:
        text += reader.feed(piece)
        if reader.done or reader.failure:
            break
    text += reader.rest()
    thought += reader.take_thinking()
    return text, thought, reader


@pytest.mark.parametrize("server", STREAMS)
def test_every_server_gives_the_same_answer_at_every_cut(server: str) -> None:
    stream = STREAMS[server]
    for cut in range(len(stream) + 1):
        text, thought, reader = read(stream[:cut], stream[cut:])
        assert (text, thought) == (TEXT, THOUGHT if server in THINKING else "")
        assert not reader.failure and reader.usage() == Usage(300, 4)


@pytest.mark.parametrize("server", STREAMS)
def test_every_server_gives_the_same_answer_byte_by_byte(server: str) -> None:
    text, thought, reader = read(*(bytes([byte]) for byte in STREAMS[server]))
    assert (text, bool(thought), reader.usage()) == (TEXT, server in THINKING, Usage(300, 4))


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        *(
            (ending, "stop")
            for ending in ("stop", "eos", "eos_token", "end_turn", "STOP", "stop_sequence", "new")
        ),
        *((ending, "length") for ending in ("length", "max_tokens", "MAX_TOKENS", "model_length")),
    ],
)
def test_an_ending_in_any_words_is_understood(ending: str, reason: str) -> None:
    _, _, reader = read(lines(one({"content": "x"}), one({}, ending), DONE))
    assert reader.usage().finish_reason == reason


@pytest.mark.parametrize("ending", ["content_filter", "abort", "error", "SAFETY", "cancelled"])
def test_an_answer_that_was_given_up_is_a_failure(ending: str) -> None:
    text, _, reader = read(lines(one({"content": "x"}), one({}, ending), DONE))
    assert text == "x"
    with pytest.raises(BackendError, match="gave up"):
        reader.usage()


@pytest.mark.parametrize("end", [lines(DONE), lines(one({}), DONE), b"", lines(": ping")])
def test_an_end_without_any_completion_is_a_fault(end: bytes) -> None:
    _, _, reader = read(end)
    with pytest.raises(BackendError, match="broke off"):
        reader.usage()


def test_text_and_done_without_an_ending_are_an_answer() -> None:
    text, _, reader = read(lines(one({"content": "x"}), DONE))
    assert text == "x" and reader.usage().finish_reason == "stop"


def test_text_and_then_nothing_is_broken_off() -> None:
    text, _, reader = read(lines(one({"content": "A <"})))
    assert text == "A <"
    with pytest.raises(BackendError, match="broke off"):
        reader.usage()


@pytest.mark.parametrize(
    "after",
    [
        "data: [1]",
        "data: {broken",
        {"choices": 7},
        {"error": {"message": "late", "code": 500}},
        one({"content": 7}),
        "data: " + "x" * 2_000_000,
    ],
)
def test_nothing_after_its_ending_breaks_an_answer(after: object) -> None:
    text, _, reader = read(lines(one({"content": "x"}, "stop")), lines(after), lines(COUNTED, DONE))
    assert text == "x" and not reader.failure and reader.usage().finish_reason == "stop"


@pytest.mark.parametrize("mark", V1_5.ends)
def test_our_own_stop_strings_never_reach_the_reader(mark: str) -> None:
    said = f"A red ball.{mark}and more"
    for cut in range(len(said) + 1):
        events = [one({"content": said[:cut]}), one({"content": said[cut:]}), one({"content": "more"})]
        text, _, reader = read(*(lines(event) for event in events))
        assert text == "A red ball."
        assert reader.done, "the model goes on behind its own end: the connection is closed"
        assert reader.usage().finish_reason == "stop"


@pytest.mark.parametrize(
    "text", ["a < b", "<ref>cat</ref>", "<|im_en", "</", "1 </s 2", "<think", "x <think>y</think>"]
)
def test_what_only_looks_like_a_mark_is_text(text: str) -> None:
    for cut in range(len(text) + 1):
        said, thought, _ = read(
            lines(one({"content": text[:cut]}), one({"content": text[cut:]}, "stop"), DONE)
        )
        assert (said, thought) == (text, "")


PARTS = st.sampled_from(
    ["<think>", "</think>", *V1_5.ends, "<", "</", "<|im_", "think>", " ", "\n", "cat", "猫"]
)


@given(st.lists(PARTS, max_size=12), st.lists(st.integers(0, 80), max_size=6))
def test_however_a_text_is_cut_it_is_divided_alike(parts: list[str], cuts: list[int]) -> None:
    text = "".join(parts)
    whole, cut = Asides(), Asides()
    places = sorted({0, len(text), *(place for place in cuts if place < len(text))})
    told = [whole.feed(text), whole.finish()]
    pieces = [cut.feed(text[start:end]) for start, end in pairwise(places)] + [cut.finish()]
    for kind in (0, 1):
        assert "".join(piece[kind] for piece in pieces) == "".join(piece[kind] for piece in told)
    assert not any(mark in told[0][0] for mark in V1_5.ends)


def test_thinking_is_bounded_like_text() -> None:
    reader = CompletionReader(4)
    event = lines(one({"reasoning_content": "x" * 1000}))
    while not reader.failure:
        reader.feed(event)
    assert len(reader.take_thinking()) < 8000
    assert isinstance(reader.failure, BackendError) and "beyond the longest answer" in reader.failure.what
