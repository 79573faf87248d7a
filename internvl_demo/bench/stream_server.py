"""A model server that costs next to nothing: it streams a scripted answer as LMDeploy 0.18 writes it.

One wheel turns at the rate of the tokens and gives each open stream its next one, as an engine does that decodes
in one batch. The first token comes with the headers. Nothing is computed: a token is a ready frame of bytes with
the stream's id in it. It answers `/v1/models`, `/health` and `/v1/chat/completions` with `stream`.

    python -m internvl_demo.bench.stream_server PORT TOKENS_PER_S TOKENS

TOKENS is the length of an answer to a question that does not ask for one (`stream_text.question_for`).
"""

import asyncio
import itertools
import json
import sys
from functools import lru_cache
from typing import Any

from internvl_demo.bench.stream_text import asked_tokens, tokens_of

MODEL = "internvl-chat-v1-5"
PROMPT_TOKENS = 100
_ID = "chatcmpl-{:022d}"
_PLACE = "0" * 22
_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
_DONE = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"

Frame = tuple[bytes, bytes]
"""What stands before a stream's number, and behind it."""


@lru_cache(maxsize=16)
def frames_of(count: int, with_usage: bool) -> tuple[list[Frame], list[Frame]]:
    """Return one frame for each token of an answer, and the frames of its end.

    data: {"id":"chatcmpl-…","object":"chat.completion.chunk","created":…,"model":…,
           "choices":[{"index":0,"delta":{"role":"assistant","content":" word"}}],"usage":null}
    """
    texts = [_choices(text) for text in tokens_of(count)]
    ends = [_choices("", "stop")]
    if with_usage:
        usage = {
            "prompt_tokens": PROMPT_TOKENS,
            "total_tokens": PROMPT_TOKENS + count,
            "completion_tokens": count,
        }
        texts, ends = ([{**event, "usage": None} for event in events] for events in (texts, ends))
        ends.append({"choices": [], "usage": {**usage, "prompt_tokens_details": {"cached_tokens": 0}}})
    return [_frame(event) for event in texts], [_frame(event) for event in ends]


def _choices(content: str, finish_reason: str | None = None) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": 0, "delta": {"role": "assistant", "content": content}}
    return {"choices": [choice | ({"finish_reason": finish_reason} if finish_reason else {})]}


def _frame(event: dict[str, Any]) -> Frame:
    common = {
        "id": _ID.format(0),
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": MODEL,
    }
    data = b"data: " + json.dumps({**common, **event}, separators=(",", ":")).encode() + b"\n\n"
    before, behind = data.split(_PLACE.encode(), 1)
    return b"%x\r\n%s" % (len(data), before), behind + b"\r\n"


class Stream:
    """One answer on its way."""

    def __init__(self, transport: asyncio.Transport, number: int, count: int, with_usage: bool):
        self._transport = transport
        self._number = f"{number:022d}".encode()
        self._texts, self._ends = frames_of(count, with_usage)
        self._sent = 0

    def step(self, tokens: int) -> bool:
        """Write the next tokens, and the end behind the last; return whether that was the end."""
        frames = self._texts[self._sent : self._sent + tokens]
        self._sent += len(frames)
        over = self._sent == len(self._texts)
        data = self._number.join(_interleave(frames + self._ends if over else frames))
        self._transport.write(data + _DONE if over else data)
        return over


def _interleave(frames: list[Frame]) -> list[bytes]:
    """Join what stands behind one number with what stands before the next, so that numbers go in between."""
    pieces = [frames[0][0]]
    for one, other in itertools.pairwise(frames):
        pieces.append(one[1] + other[0])
    return [*pieces, frames[-1][1]]


class Wheel:
    """Gives every stream its tokens at the same rate, and makes up for a turn that came late."""

    def __init__(self, tokens_per_s: float):
        self._tokens_per_s = tokens_per_s
        self.streams: set[Stream] = set()

    async def turn(self) -> None:
        """Turn for ever."""
        loop = asyncio.get_running_loop()
        began, given = loop.time(), 0
        while True:
            await asyncio.sleep(began + (given + 1) / self._tokens_per_s - loop.time())
            due = int((loop.time() - began) * self._tokens_per_s + 1e-6)
            for stream in list(self.streams) if due > given else ():
                if stream.step(due - given):
                    self.streams.discard(stream)
            given = max(due, given)


class Connection(asyncio.Protocol):
    """One connection, kept alive from request to request."""

    numbers = itertools.count(1)

    def __init__(self, wheel: Wheel, tokens: int):
        self._wheel = wheel
        self._tokens = tokens
        self._received = bytearray()
        self._stream: Stream | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        """Stop writing to a reader who has left."""
        if self._stream:
            self._wheel.streams.discard(self._stream)

    def data_received(self, data: bytes) -> None:
        """Answer each request as soon as all of it is there."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].decode("latin-1").split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in head[1:])
            whole = end + 4 + int(fields.get("content-length", 0))
            if len(self._received) < whole:
                return
            body = bytes(self._received[end + 4 : whole])
            del self._received[:whole]
            method, path, _ = head[0].split(" ")
            self._answer(method, path, body)

    def _answer(self, method: str, path: str, body: bytes) -> None:
        card = {"id": MODEL, "object": "model", "created": 1, "owned_by": "lmdeploy"}
        match method, path:
            case "POST", "/v1/chat/completions":
                self._stream_answer(json.loads(body))
            case "GET", "/v1/models":
                self._write_json(200, {"object": "list", "data": [card]})
            case "GET", "/health":
                self._write_json(200, {"status": "healthy"})
            case _:
                self._write_json(404, {"detail": "Not Found"})

    def _stream_answer(self, request: dict[str, Any]) -> None:
        count = asked_tokens(_question(request["messages"])) or self._tokens
        with_usage = bool((request.get("stream_options") or {}).get("include_usage"))
        self._transport.write(_HEAD)
        self._stream = Stream(self._transport, next(self.numbers), count, with_usage)
        if not self._stream.step(1):
            self._wheel.streams.add(self._stream)

    def _write_json(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


def _question(messages: list[dict[str, Any]]) -> str:
    """Return the text of the last message, whether it is plain or in parts."""
    content = messages[-1]["content"]
    parts = [{"text": content}] if isinstance(content, str) else content
    return " ".join(str(part.get("text", "")) for part in parts)


async def serve(port: int, tokens_per_s: float, tokens: int) -> None:
    """Serve until the process ends."""
    wheel = Wheel(tokens_per_s)
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Connection(wheel, tokens), "127.0.0.1", port, backlog=4096)
    await wheel.turn()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
