"""The decoder of chunked bodies: bad cases, every cut, and h11 as the judge."""

from collections.abc import Iterable

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from internvl_demo.models.openai.chunked import MAX_LINE_BYTES, ChunkedDecoder, ChunkedError

BAD = {
    "no number": b"x\r\n",
    "no size": b"\r\n",
    "a sign": b"+5\r\nhello\r\n",
    "an underscore": b"1_0\r\n",
    "a prefix": b"0x5\r\nhello\r\n",
    "a space before": b" 5\r\nhello\r\n",
    "LF alone": b"5\nhello\n",
    "a size without end": b"1" * (MAX_LINE_BYTES + 1),
    "too many digits": b"1" * 17 + b"\r\n",
    "an extension without end": b"1;" + b"x" * MAX_LINE_BYTES,
    "a chunk longer than its size": b"2\r\nabc\r\n",
    "no line end after a chunk": b"2\r\nab3\r\nabc\r\n",
    "a trailer without end": b"0\r\n" + b"a: b\r\n" * MAX_LINE_BYTES,
}
GOOD = {
    "nothing": (b"0\r\n\r\n", b""),
    "one chunk": (b"5\r\nI see\r\n0\r\n\r\n", b"I see"),
    "two chunks": (b"5\r\nI see\r\n00b\r\n a black ca\r\n0\r\n\r\n", b"I see a black ca"),
    "line ends inside": (b"4\r\n\r\n\r\n\r\n1\r\n\n\r\n0\r\n\r\n", b"\r\n\r\n\n"),
    "extensions": (b'3;a=b;c="d"\r\nabc\r\n0;e\r\n\r\n', b"abc"),
    "a trailer": (b"1\r\na\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n", b"a"),
    "something after the end": (b"1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK", b"a"),
    "large": (b"FFF\r\n" + b"x" * 4095 + b"\r\n0\r\n\r\n", b"x" * 4095),
}


def decoded(pieces: Iterable[bytes]) -> tuple[bytes, bool]:
    decoder = ChunkedDecoder()
    return b"".join(decoder.feed(piece) for piece in pieces), decoder.ended


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_chunk_is_refused_however_it_is_cut(name: str) -> None:
    stream = BAD[name]
    for pieces in ([stream], [stream[at : at + 1] for at in range(len(stream))]):
        with pytest.raises(ChunkedError):
            decoded(pieces)


@pytest.mark.parametrize("name", GOOD)
def test_a_body_is_its_bytes_however_it_is_cut(name: str) -> None:
    stream, body = GOOD[name]
    assert decoded([stream]) == (body, True)
    assert decoded(stream[at : at + 1] for at in range(len(stream))) == (body, True)
    for cut in range(len(stream) + 1):
        assert decoded([stream[:cut], stream[cut:]]) == (body, True)


def test_what_has_no_end_has_not_ended() -> None:
    for stream in (b"", b"5", b"5\r\nI s", b"5\r\nI see\r\n", b"0\r\n", b"0\r\nA: b\r\n"):
        assert not decoded([stream])[1]


def test_what_comes_in_one_read_is_one_piece() -> None:
    assert ChunkedDecoder().feed(b"1\r\na\r\n" * 1000) == b"a" * 1000


def h11_body(stream: bytes) -> tuple[bytes, bool]:
    """What h11 makes of the same bytes."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + stream)
    assert isinstance(connection.next_event(), h11.Response)
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += bytes(event.data)
    return body, isinstance(event, h11.EndOfMessage)


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.booleans(), st.data())
def test_h11_reads_the_same(chunks: list[bytes], whole: bool, data: st.DataObject) -> None:
    stream = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    stream = stream if whole else stream[: data.draw(st.integers(0, len(stream) - 1))]
    cut = data.draw(st.integers(0, len(stream)))
    assert decoded([stream[:cut], stream[cut:]]) == h11_body(stream)
