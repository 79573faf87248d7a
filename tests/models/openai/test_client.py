"""Requests before a real socket: servers that speak no HTTP, bodies of every kind, redirects, uploads."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from internvl_demo.errors import BackendError
from internvl_demo.models.openai import client as client_module
from internvl_demo.models.openai.body import ChatBody
from internvl_demo.models.openai.client import ServerClient, check, whole_body
from internvl_demo.models.openai.errors import StatusError, as_our_error
from tests.models.openai.sockets import CHUNKED, HEAD, listening, open_sockets, says
from tests.support.scripted_server import (
    DONE,
    EVENTS,
    HELLO,
    SILENCE,
    TEXT,
    WAIT,
    ask,
    chunk,
    describe,
    in_a_loop,
    serving,
    whole,
)


async def get(address: str, silence_s: float | None = None) -> bytes:
    url = f"http://{address}/path?query"
    async with ServerClient(url, "").get(url, silence_s) as response:
        return await whole_body(response)


@asynccontextmanager
async def posting(address: str, size: int) -> AsyncIterator[None]:
    """A question of so many bytes; raises StatusError if it is refused."""
    url = f"http://{address}/"
    async with ServerClient(url, "").post(url, ChatBody([b"", bytes(size // 4 * 3)]), {}) as response:
        await check(response)
        yield


# --- bodies -----------------------------------------------------------------------------------------------

BROKEN, NO_ANSWER = "connection", "not an answer"
NO_HTTP = {
    "nothing": (b"", False, BROKEN),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2p1\r\n", False, NO_ANSWER),
    "half a head": (HEAD + b"content-type: text/plain\r\n", False, BROKEN),
    "a head without end": (HEAD + b"x: " + b"y" * 200_000, True, NO_ANSWER),
    "half a body": (HEAD + b"content-length: 10\r\n\r\nhello", False, BROKEN),
    "half a chunk": (CHUNKED + b"5\r\nhel", False, BROKEN),
    "no last chunk": (CHUNKED + b"5\r\nhello\r\n", False, BROKEN),
    "no chunk": (CHUNKED + b"hello\r\n", True, NO_ANSWER),
    "two lengths": (HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\nhello", True, NO_ANSWER),
    "a body without end": (HEAD + b"\r\n" + b"x" * (4 * 2**20 + 1), True, "too long"),
}


@pytest.mark.parametrize("name", NO_HTTP)
@in_a_loop
async def test_what_is_no_http_is_an_error(name: str) -> None:
    response, stay, what = NO_HTTP[name]
    async with listening(says(response, stay)) as address:
        with pytest.raises(Exception) as caught:
            await get(address)
        error = as_our_error(caught.value, address)
        assert isinstance(error, BackendError) and what in error.details


BODIES = {
    "a length": HEAD + b"content-length: 5\r\n\r\nhello",
    "chunks": HEAD + b"Transfer-Encoding: Chunked\r\n\r\n" + chunk(b"hel") + chunk(b"lo") + b"0\r\n\r\n",
    "extensions": CHUNKED + b'5;a=b;c="d"\r\nhello\r\n0;e\r\n\r\n',
    "a trailer": CHUNKED + chunk(b"hello") + b"0\r\nX-Sum: 1\r\nY: 2\r\n\r\n",
    "until the end": HEAD + b"\r\nhello",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "news before": b"HTTP/1.1 102 Processing\r\n\r\n" + HEAD + b"content-length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("name", BODIES)
@in_a_loop
async def test_every_kind_of_body_is_read(name: str) -> None:
    async with listening(says(BODIES[name])) as address:
        assert await get(address) == b"hello"


NO_CHUNK = {
    "no number": b"x\r\n",
    "no size": b"\r\n",
    "a sign": b"+5\r\nhello\r\n",
    "a prefix": b"0x5\r\nhello\r\n",
    "LF alone": b"5\nhello\n",
    "too many digits": b"1" * 17 + b"\r\n",
    "a chunk longer than its size": b"2\r\nabc\r\n",
    "no line end after a chunk": b"2\r\nab3\r\nabc\r\n",
    "a trailer without end": b"0\r\n" + b"a: b\r\n" * 4096,
}


@pytest.mark.parametrize("name", NO_CHUNK)
@in_a_loop
async def test_a_broken_chunk_ends_the_answer_after_its_text(name: str) -> None:
    async with serving(EVENTS, TEXT, WAIT, NO_CHUNK[name], SILENCE) as server:
        heard = await ask(server, HELLO)
        assert heard.text == "I see" and isinstance(heard.error, BackendError) and not heard.usages
        await server.left.wait()


@in_a_loop
async def test_an_answer_that_is_cut_anywhere_is_no_good_end() -> None:
    body = TEXT + DONE
    for cut in range(0, len(TEXT) + DONE.index(b"[DONE]"), 7):
        async with serving(EVENTS, body[:cut], times=2) as server:
            heard = await ask(server, HELLO)
            assert isinstance(heard.error, BackendError) and "connection" in heard.error.what
            assert not heard.usages


@in_a_loop
async def test_a_server_that_is_slow_is_a_timeout() -> None:
    for response in (b"", HEAD + b"content-length: 10\r\n\r\nhello"):
        async with listening(says(response, stay=True)) as address:
            with pytest.raises(TimeoutError):
                await get(address, 0.05)


# --- redirects --------------------------------------------------------------------------------------------


@in_a_loop
async def test_a_redirect_is_named_and_not_followed() -> None:
    async with serving() as elsewhere:
        moved = whole(307, "text/plain", b"").replace(
            b"\r\n", f"\r\nlocation: {elsewhere.url}\r\n".encode(), 1
        )
        async with serving(moved) as server:
            heard = await ask(server, HELLO)
            assert heard.error and f"HTTP 307: {elsewhere.url}" in heard.error.details
            assert "--endpoint" in heard.error.details
        async with serving(models=moved) as server:
            with pytest.raises(BackendError, match="HTTP 307"):
                await describe(server)
        assert not elsewhere.posts and not elsewhere.gets


# --- uploads ----------------------------------------------------------------------------------------------

LARGE = 50 * 2**20


@pytest.mark.parametrize("lingers", [True, False])
@in_a_loop
async def test_a_refusal_that_comes_before_all_is_sent_is_read(lingers: bool) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(whole(413, "text/plain", b"Too large."))
        while lingers and await reader.read(2**20):
            pass

    async with listening(handler) as address:
        with pytest.raises(StatusError) as refused:
            async with posting(address, LARGE):
                pass
        assert (refused.value.status, refused.value.body) == (413, b"Too large.")


@asynccontextmanager
async def deaf() -> AsyncIterator[tuple[str, asyncio.Event, asyncio.Event]]:
    """A server that takes nothing of what it is sent; its address, when it is asked, when it may look again.

    Leaving the block waits until the client's connection is gone."""
    asked, look, left = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()
        asked.set()
        await look.wait()
        writer.transport.resume_reading()
        received = 0
        try:
            while part := await reader.read(2**20):
                received += len(part)
        except ConnectionError:
            pass
        assert received < LARGE
        left.set()

    async with listening(handler) as address:
        yield address, asked, look
        await left.wait()


@in_a_loop
async def test_a_server_that_takes_nothing_is_a_timeout() -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(client_module, "SEND_S", 0.1)
        async with deaf() as (address, _, look):
            with pytest.raises(TimeoutError):
                async with posting(address, LARGE):
                    pass
            look.set()


@in_a_loop
async def test_stop_during_the_upload_drops_the_rest() -> None:
    async def send(address: str) -> None:
        async with posting(address, LARGE):
            pass

    async with deaf() as (address, asked, look):
        files = open_sockets()
        sending = asyncio.ensure_future(send(address))
        await asked.wait()
        await asyncio.sleep(0.05)
        assert open_sockets() == files + 2
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.sleep(0.05)
        assert open_sockets() <= files + 1, "the server's at most"
        look.set()


def test_a_connection_is_kept_alive() -> None:
    with client_module._kept_alive((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))) as made:
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
