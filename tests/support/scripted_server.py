"""LMDeploy 0.18 as the tests of the server backend meet it: its recorded answers, and a server that gives them.

The server is a real socket that follows a script, in a test wrapped by `in_a_loop`; `ask` and `describe` are
the backend before it; `as_lmdeploy_reads` is what the engine sees of a request.
"""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from PIL import Image

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.prompt import IMG_CONTEXT
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import DemoError
from internvl_demo.models.base import ModelInfo, Usage
from internvl_demo.models.openai.backend import ServerBackend
from internvl_demo.photos.decode import photo_of
from internvl_demo.photos.photo import Photo

# --- recorded ---------------------------------------------------------------------------------------------

MODEL = "internvl-chat-v1-5"
TOO_LONG = "Input length (200092) must be smaller than the model context length (32768)."
CRASH = {
    "message": "An internal server error occurred.",
    "type": "server_error",
    "code": 500,
    "param": None,
    "object": "error",
}
NGINX = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>nginx</body></html>"
USAGE = {"prompt_tokens": 123, "completion_tokens": 21, "prompt_tokens_details": {"cached_tokens": 64}}


def flat(status: int, message: str) -> bytes:
    """A refusal before the stream, as LMDeploy writes it."""
    return whole(
        status, "application/json", json.dumps({**CRASH, "message": message, "code": status}).encode()
    )


def whole(status: int, content_type: str, body: bytes) -> bytes:
    """A whole HTTP response."""
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def event(data: object) -> bytes:
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n"


def delta(content: str, finish_reason: str | None = None) -> dict[str, object]:
    choice: dict[str, object] = {"index": 0, "delta": {"role": "assistant", "content": content}}
    if finish_reason:
        choice["finish_reason"] = finish_reason
    common = {"id": "chatcmpl-yDJ9", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
    return {**common, "choices": [choice], "usage": None}


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


EVENTS = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
TEXT = chunk(event(delta("I see")))
STOP = chunk(event(delta("", "stop")))
COUNTED = chunk(event({**delta(""), "choices": [], "usage": USAGE}))
DONE = chunk(event(b"[DONE]")) + b"0\r\n\r\n"
GOOD = EVENTS + TEXT + STOP + COUNTED + DONE
CARD = {"id": MODEL, "object": "model", "created": 1, "owned_by": "lmdeploy"}


def listing(*cards: object) -> bytes:
    return whole(200, "application/json", json.dumps({"object": "list", "data": cards}).encode())


# --- a server that follows a script -----------------------------------------------------------------------

Step = bytes | str
RESET, WAIT, SILENCE = "reset", "wait for the test", "wait until the client leaves"
LOOKED, LOOKS = "wait until the client has asked how we are", 4
ENDLESS_TEXT, ENDLESS_LINE = "text without end", "one line without end"
ENDLESS_REFUSAL = "an error without end"
ENDLESS = {
    ENDLESS_TEXT: (EVENTS, TEXT),
    ENDLESS_LINE: (EVENTS, chunk(b"x" * 65_536)),
    ENDLESS_REFUSAL: (
        EVENTS.replace(b"200 OK", b"500 No").replace(b"event-stream", b"plain"),
        chunk(b"No! " * 16_384),
    ),
}
HEALTHY = whole(200, "application/json", b'{"status": "healthy"}')
SICK = whole(503, "application/json", b'{"status": "unhealthy"}')
NO_HEALTH = whole(404, "application/json", b'{"detail": "Not Found"}')


@dataclass
class Scripted:
    """Answers GET with `models`, or with the next of `healths` and then `health` (none: no answer), what `routes` names
    with what stands there, and each question with the next script; the last script stays. Before it falls silent it is
    healthy."""

    scripts: list[list[Step]]
    models: bytes
    health: bytes = NO_HEALTH
    healths: list[bytes] = field(default_factory=list)
    routes: dict[str, bytes] = field(default_factory=dict)
    health_route: str = "/health"
    url: str = ""
    gets: int = 0
    silent: bool = False
    looks: int = 0
    looking: asyncio.Event = field(default_factory=asyncio.Event)
    looked: asyncio.Event = field(default_factory=asyncio.Event)
    posts: list[dict[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    listener: asyncio.Server | None = None
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def come(self) -> None:
        """Listens, at the same port as before if there was one."""
        port = int(self.url.rsplit(":", 1)[1]) if self.url else 0
        self.listener = await asyncio.start_server(self, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self.listener.sockets[0].getsockname()[1]}"

    async def die(self) -> None:
        """Every connection breaks, and nobody listens any more."""
        assert self.listener
        self.listener.close()
        for writer in list(self.writers):
            writer.transport.abort()

    def begin(self, *script: Step) -> None:
        """From now on every question is answered so."""
        self.scripts = [list(script)]
        for event in (self.asked, self.left, self.go):
            event.clear()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self.answer(head.decode(), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        if head.startswith("GET /v1/models "):
            self.gets += 1
            writer.write(self.models)
            await writer.drain()
        elif head.startswith(f"GET {self.health_route} "):
            self.look(writer)
            await writer.drain()
        elif not head.startswith("POST /v1/chat/completions "):
            await reader.readexactly(int(self.headers.get("content-length", 0)))
            writer.write(self.routes.get(" ".join(head.split(" ", 2)[:2]), NO_HEALTH))
            await writer.drain()
        else:
            await self.answer_question(reader, writer)

    def look(self, writer: asyncio.StreamWriter) -> None:
        if not self.silent:
            writer.write(HEALTHY)
            return
        self.looks += 1
        writer.write(self.healths.pop(0) if self.healths else self.health)
        self.looking.set()
        if self.looks >= LOOKS:
            self.looked.set()

    async def answer_question(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.posts.append(json.loads(await reader.readexactly(int(self.headers["content-length"]))))
        self.asked.set()
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        for step in script:
            await self.do(step, reader, writer)
        if script != [GOOD]:
            raise ConnectionError("the script is over")

    async def do(self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.silent = step in (SILENCE, LOOKED)
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
        elif step == WAIT:
            await self.go.wait()
        elif step == LOOKED:
            await self.looked.wait()
        elif step == SILENCE:
            with suppress(ConnectionError):
                assert await reader.read() == b""
            self.left.set()
        elif step in ENDLESS:
            await self.do_not_end(*ENDLESS[step], writer)
        else:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def do_not_end(self, head: bytes, again: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(head)
            while True:
                writer.write(again)
                await writer.drain()
        finally:
            self.left.set()


@asynccontextmanager
async def serving(
    *script: Step,
    then: Step = GOOD,
    models: bytes = b"",
    health: bytes = NO_HEALTH,
    times: int = 1,
    routes: dict[str, bytes] | None = None,
) -> AsyncIterator[Scripted]:
    """A server that follows `script` `times` over, and gives good answers `then`. routes: such as "GET /props"."""
    scripts: list[list[Step]] = [list(script) for _ in range(times)] if script else []
    scripted = Scripted([*scripts, [then]], models or listing(CARD), health, routes=routes or {})
    await scripted.come()
    try:
        yield scripted
    finally:
        await scripted.die()


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """An asynchronous test as a plain one; what hangs fails."""

    @wraps(test)
    def plain(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 120))

    return plain


# --- the backend before it --------------------------------------------------------------------------------

GREEDY = Options()
HELLO = Conversation().ask("Hello")


@dataclass
class Heard:
    """An answer: its text, what it cost, and the error at its end."""

    text: str = ""
    usages: list[Usage] = field(default_factory=list)
    error: DemoError | None = None


@asynccontextmanager
async def backend_of(server: Scripted, **settings: Any) -> AsyncIterator[ServerBackend]:
    backend = ServerBackend(server.url, **settings)
    try:
        yield backend
    finally:
        await backend.close()


async def ask(
    server: Scripted, conversation: Conversation, options: Options = GREEDY, **settings: Any
) -> Heard:
    heard = Heard()
    try:
        async with (
            backend_of(server, **settings) as backend,
            aclosing(backend.stream(conversation, options)) as pieces,
        ):
            async for piece in pieces:
                assert not heard.usages, "something came after the usage"
                if isinstance(piece, Usage):
                    heard.usages.append(piece)
                else:
                    assert piece
                    heard.text += piece
                    server.go.set()
    except DemoError as error:
        heard.error = error
    return heard


async def describe(server: Scripted, **settings: Any) -> ModelInfo:
    async with backend_of(server, **settings) as backend:
        return await backend.describe()


def picture(width: int, height: int, colour: str = "red") -> Photo:
    return photo_of(Image.new("RGB", (width, height), colour))


# --- what the engine reads -------------------------------------------------------------------------------


def as_lmdeploy_reads(messages: list[dict[str, Any]], views: list[int]) -> str:
    """The prompt that LMDeploy 0.18 makes of messages with the official template (seen by its engine)."""
    prompt = "<s>"
    for message in messages:
        content = message["content"]
        prompt += f"<|im_start|>{message['role']}\n"
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if part["type"] == "text":
                assert "<IMAGE_TOKEN>" not in part["text"], "it would put the images elsewhere"
                prompt += part["text"]
            else:
                prompt += f"<img>{IMG_CONTEXT * (256 * views.pop(0))}</img>\n"
        prompt += "<|im_end|>"
    return prompt + "<|im_start|>assistant\n"
