"""A streamed completion is untrusted: what its reader refuses, what it bounds, and what it makes of a good one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internvl_demo.errors import BackendError, DemoError
from internvl_demo.models.base import Usage
from internvl_demo.models.openai.completion import (
    BYTES_PER_EVENT,
    CHARS_PER_TOKEN,
    EVENTS_PER_TOKEN,
    MORE_CHARS,
    MORE_EVENTS,
    CompletionReader,
)
from internvl_demo.models.openai.errors import as_our_error
from internvl_demo.models.openai.sse import MAX_EVENT_BYTES
from tests.support.scripted_server import USAGE, delta, event

END = event(b"[DONE]")


def choice(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": "x"}} | fields]}


def usage(**fields: Any) -> dict[str, Any]:
    return {"choices": [], "usage": fields}


MALFORMED: dict[str, object] = {
    "a number": 7,
    "a list": [choice()],
    "choices that are an object": {"choices": {"0": {}}},
    "a choice that is a text": {"choices": ["x"]},
    "a delta that is a text": choice(delta="x"),
    "content that is a number": choice(delta={"content": 7}),
    "parts whose text is a number": choice(delta={"content": [{"type": "text", "text": 7}]}),
    "content that is true": choice(delta={"content": True}),
    "content that is zero": choice(delta={"content": 0}),
    "a finish reason that is a number": choice(finish_reason=1),
    "a finish reason that is an object": choice(finish_reason={"a": 1}),
}
UNREADABLE_COSTS = {
    "a usage that is a number": usage() | {"usage": 7},
    "tokens that are a text": usage(prompt_tokens="7"),
    "tokens that are a fraction": usage(completion_tokens=7.5),
    "tokens that are true": usage(prompt_tokens=True),
    "tokens below zero": usage(prompt_tokens=-1),
    "tokens beyond all numbers": usage(completion_tokens=10**30),
    "details that are a list": usage(prompt_tokens_details=[1]),
    "cached tokens that are a text": usage(prompt_tokens_details={"cached_tokens": "1"}),
}
NO_JSON = {
    "broken JSON": b'{"choices": [',
    "two values": b"{} {}",
    "broken UTF-8": b'{"choices": [{"index": 0, "delta": {"content": "\xe7\x8c"}}]}',
    "nested without end": b"[" * 100_000,
    "a number without end": b'{"choices": ' + b"1" * 5000 + b"}",
}


@pytest.mark.parametrize("name", [*MALFORMED, *NO_JSON])
def test_what_is_no_answer_is_refused_after_the_text_before_it(name: str) -> None:
    bad = NO_JSON[name] if name in NO_JSON else json.dumps(MALFORMED[name]).encode()
    reader = CompletionReader(100)
    assert reader.feed(event(delta("I see")) + event(bad) + event(delta(" nothing more"))) == "I see"
    assert reader.failure and not isinstance(reader.failure, DemoError)
    error = as_our_error(reader.failure, "http://host")
    assert isinstance(error, BackendError) and "is not an answer (" in error.details
    assert "proxy" in error.details


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "content", "finish_reason", "usage", "prompt_tokens", "error"]
            )
            | st.text(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.lists(JSON, max_size=4))
def test_any_json_is_text_or_a_failure_of_ours(values: list[object]) -> None:
    reader = CompletionReader(100)
    text = reader.feed(b"".join(event(json.dumps(value).encode()) for value in values))
    text.encode()
    if reader.failure:
        assert isinstance(reader.failure, DemoError | ValueError)
    else:
        with pytest.raises(BackendError):
            reader.usage()


def read_until_failure(piece: bytes, max_new_tokens: int = 4) -> tuple[str, int, CompletionReader]:
    """What is read of the same bytes again and again, and how many bytes they were."""
    reader, text, count = CompletionReader(max_new_tokens), "", 0
    while not reader.failure:
        text += reader.feed(piece)
        count += len(piece)
    return text, count, reader


MOST_EVENTS = 4 * EVENTS_PER_TOKEN + MORE_EVENTS


@pytest.mark.parametrize(
    ("piece", "most_chars", "most_bytes"),
    [
        (event(delta("a")), MOST_EVENTS, MOST_EVENTS * 400),
        (event(delta("a")) * 50, MOST_EVENTS, MOST_EVENTS * 400),
        (event(delta("a" * 200)), 4 * CHARS_PER_TOKEN + MORE_CHARS, MOST_EVENTS * 600),
        (event(delta("a" * 9000)), 0, 10_000),
        (event(delta("")), 0, MOST_EVENTS * 400),
        (b": ping\n\n", 0, MOST_EVENTS * BYTES_PER_EVENT + 10),
        (b"data: x", 0, MOST_EVENTS * BYTES_PER_EVENT + 10),
    ],
    ids=["events", "events at once", "text", "one long text", "empty events", "comments", "one line"],
)
def test_an_answer_without_end_is_cut(piece: bytes, most_chars: int, most_bytes: int) -> None:
    text, count, reader = read_until_failure(piece)
    assert isinstance(reader.failure, BackendError) and "beyond the longest answer" in reader.failure.what
    assert len(text) <= most_chars and count <= most_bytes


def test_one_event_is_never_larger_than_its_bound() -> None:
    _, count, reader = read_until_failure(b"data: " + b"x" * 1000, max_new_tokens=10**6)
    assert isinstance(reader.failure, BackendError) and count < MAX_EVENT_BYTES + 2000


def test_the_longest_honest_answer_fits() -> None:
    reader = CompletionReader(1000)
    text = "".join(reader.feed(event(delta("a" * CHARS_PER_TOKEN))) for _ in range(1000))
    reader.feed(event(delta("", "length")) + END)
    assert len(text) == 1000 * CHARS_PER_TOKEN and reader.done and not reader.failure


def test_an_answer_is_its_text_and_its_usage() -> None:
    reader = CompletionReader(100)
    stop = event(delta("", "stop")) + event({"choices": [], "usage": USAGE}) + END
    assert reader.feed(event(delta("I ")) + event(delta("see")) + stop + event(delta("!"))) == "I see"
    assert reader.done and not reader.failure
    assert reader.usage() == Usage(123, 21, 64, None, "stop")


@pytest.mark.parametrize("name", UNREADABLE_COSTS)
def test_a_cost_that_cannot_be_read_takes_nothing_from_an_answer(name: str) -> None:
    reader = CompletionReader(100)
    cost = event(json.dumps(UNREADABLE_COSTS[name]).encode())
    assert reader.feed(event(delta("I see")) + cost + event(delta(" it", "stop")) + cost + END) == "I see it"
    assert not reader.failure and reader.usage() == Usage(0, 0, finish_reason="stop")


@pytest.mark.parametrize("counted", [None, {}, {"prompt_tokens": None}, {"prompt_tokens_details": None}])
def test_a_server_that_does_not_count_is_believed_without(counted: object) -> None:
    reader = CompletionReader(100)
    reader.feed(event({**delta("x", "stop"), "usage": counted}) + END)
    assert not reader.failure and reader.usage() == Usage(0, 0)


@given(st.data())
def test_text_is_the_same_however_it_is_cut(data: st.DataObject) -> None:
    texts = data.draw(st.lists(st.text(alphabet="aé猫🐈\ud83d\udc08", max_size=3), max_size=5))
    stream = b"".join(event(delta(text)) for text in texts) + event(delta("", "stop")) + END
    whole, cut = CompletionReader(100), CompletionReader(100)
    at = data.draw(st.integers(0, len(stream)))
    assert cut.feed(stream[:at]) + cut.feed(stream[at:]) == whole.feed(stream)
    assert cut.usage() == whole.usage() and not cut.failure
