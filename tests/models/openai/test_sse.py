"""The decoder of server-sent events: whole, byte by byte, cut everywhere, and against the specification's own words."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internvl_demo.models.openai.sse import EventDecoder, EventTooLongError

BAD = {
    "nothing": (b"", []),
    "no end": (b'data: {"a": 1}', []),
    "one line end only": (b"data: a\n", []),
    "no field": (b"hello\n\n", []),
    "another field": (b"event: error\nid: 7\nretry: 1\n\n", []),
    "a field that only begins so": (b"database: a\n\n", []),
    "a space before the field": (b" data: a\n\n", []),
    "comments": (b": ping\n\n:\n\n: data: a\n\n", []),
    "empty lines": (b"\n\r\n\r\r\n\n", []),
    "the mark of byte order in the middle": (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"]),
    "no text at all": (b"\xff\xfe\x00\n\n", []),
}
GOOD = {
    "LF": (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
    "CRLF": (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
    "CR": (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
    "all three": (b"data: a\r\n\rdata: b\n\r\n", [b"a", b"b"]),
    "no space": (b"data:a\n\n", [b"a"]),
    "two spaces": (b"data:  a\n\n", [b" a"]),
    "no value": (b"data\n\ndata:\n\n", [b"", b""]),
    "several lines": (b"data: a\ndata\ndata: b\n\n", [b"a\n\nb"]),
    "other fields between": (b"id: 1\ndata: a\n: c\nevent: x\ndata: b\n\n", [b"a\nb"]),
    "the mark of byte order": (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
    "other line ends of Unicode": ("data: a\u2028b\x0bc\x85\n\n".encode(), ["a\u2028b\x0bc\x85".encode()]),
    "a character cut in half": (b"data: \xe7\x8c\n\n", [b"\xe7\x8c"]),
    "end": (b"data: [DONE]\n\n", [b"[DONE]"]),
}
CASES = BAD | GOOD


def decoded(pieces: Iterable[bytes]) -> list[bytes]:
    decoder = EventDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)]


def as_specified(stream: bytes) -> list[bytes]:
    """What the WHATWG's text says, line by line."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events: list[bytes] = []
    buffer = b""
    for line in text.split(b"\n")[:-1]:
        name, _, value = line.partition(b":")
        if not line:
            events += [buffer[:-1]] if buffer else []
            buffer = b""
        elif name == b"data":
            buffer += value.removeprefix(b" ") + b"\n"
    return events


@pytest.mark.parametrize("name", CASES)
def test_a_stream_is_its_events_however_it_is_cut(name: str) -> None:
    stream, events = CASES[name]
    assert as_specified(stream) == events
    assert decoded([stream]) == events
    assert decoded(stream[at : at + 1] for at in range(len(stream))) == events
    for first in range(len(stream) + 1):
        for second in range(first, len(stream) + 1):
            assert decoded([stream[:first], stream[first:second], stream[second:]]) == events


PARTS = st.sampled_from(
    [
        b"data",
        b"data:",
        b"data: ",
        b"\n",
        b"\r",
        b"\r\n",
        b":",
        b" ",
        b"a",
        b"id: 1",
        b"\xef\xbb\xbf",
        b"\xe7",
    ]
)


@given(st.lists(PARTS, max_size=30), st.data())
def test_any_bytes_are_read_as_specified(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert decoded(pieces) == as_specified(stream)


@pytest.mark.parametrize("piece", [b"x", b"data: x\n", b": \r\ndata: x\r"])
def test_an_event_without_end_is_ended(piece: bytes) -> None:
    decoder = EventDecoder(max_event_bytes=1000)
    with pytest.raises(EventTooLongError):
        for _ in range(1001):
            assert decoder.feed(piece) == []


def test_many_events_are_no_long_event() -> None:
    decoder = EventDecoder(max_event_bytes=10)
    assert decoder.feed(b"data: 1234\n\n: comment\n" * 1000) == [b"1234"] * 1000
