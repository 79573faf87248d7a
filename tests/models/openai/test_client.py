"""Requests before a real socket: servers that speak no HTTP, bodies of every kind, uploads, proxies, TLS."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import which

import pytest

from internvl_demo.errors import BackendError, SetupError
from internvl_demo.models.openai import client as client_module
from internvl_demo.models.openai.backend import ServerBackend
from internvl_demo.models.openai.body import ChatBody
from internvl_demo.models.openai.client import ServerClient, check, proxy_of, read, whole_body
from internvl_demo.models.openai.errors import StatusError, as_our_error
from tests.support.scripted_server import (
    DONE,
    EVENTS,
    GREEDY,
    HELLO,
    SILENCE,
    TEXT,
    WAIT,
    Scripted,
    ask,
    chunk,
    describe,
    in_a_loop,
    listing,
    serving,
    whole,
)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler, **options: ssl.SSLContext) -> AsyncIterator[str]:
    """A server that answers as `handler` does; its address."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except ConnectionError:
            pass  # the client has left
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, **options)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def says(response: bytes, stay: bool = False) -> Handler:
    """Answers every request with these bytes, and hangs up unless it is to stay."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)
        await writer.drain()
        if stay:
            await reader.read()

    return handler


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

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
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
        assert isinstance(error, BackendError) and what in error.what


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
            assert heard.error and f"HTTP 307: {elsewhere.url}" in heard.error.what
            assert "--endpoint" in heard.error.next_step
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
        assert open_sockets() == files + 1, "the server's alone"
        look.set()


def open_sockets() -> int:
    return sum(link.is_socket() for link in Path("/proc/self/fd").iterdir())


def test_a_connection_is_kept_alive() -> None:
    with client_module._kept_alive((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))) as made:
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


# --- proxies ----------------------------------------------------------------------------------------------


@in_a_loop
async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(listing({"id": "far away"}))
        await writer.drain()

    async with listening(proxy) as address:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@{address}")
        assert (await ServerBackend("http://model.invalid:8000").describe()).name == "far away"
    assert asked[0].startswith(b"GET http://model.invalid:8000/v1/models HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6c2VjcmV0\r\n" in asked[0]


def forwarding(server: Scripted) -> Handler:
    """A proxy that passes all requests on to this server."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        await server.answer(
            (line.replace(b"http://model.invalid", b"") + await reader.readuntil(b"\r\n\r\n")).decode(),
            reader,
            writer,
        )

    return handler


@in_a_loop
async def test_through_a_proxy_an_answer_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as server, listening(forwarding(server)) as address:
        monkeypatch.setenv("ALL_PROXY", address)
        backend = ServerBackend("http://model.invalid")
        backend.pace_s = lambda: 0.01
        pieces = [piece async for piece in backend.stream(HELLO, GREEDY)]
        assert pieces[0] == "I see" and len(pieces) == 2


@in_a_loop
async def test_a_proxy_that_says_no_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(says(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")) as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")
        with pytest.raises(BackendError, match="the proxy said HTTP 407"):
            await ServerBackend("https://model.invalid").describe()


def test_a_server_on_this_machine_needs_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not proxy_of("http://host")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy")
    monkeypatch.setenv("NO_PROXY", ".inside,other")
    for host in ("localhost:1", "127.0.0.1", "127.9.9.9:80", "[::1]:23333", "a.inside", "other"):
        assert not proxy_of(f"http://{host}/v1")
    assert proxy_of("http://host/v1") == "http://proxy" and not proxy_of("https://host/v1")
    monkeypatch.setenv("ALL_PROXY", "proxy:3128")
    assert proxy_of("https://host/v1") == "http://proxy:3128"


@pytest.mark.parametrize("proxy", ["socks5://proxy:1080", "ftp://proxy", "http://proxy:port", "http://"])
def test_a_proxy_that_cannot_be_used_is_said_at_the_start(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(SetupError) as refused:
        ServerBackend("http://host:23333")
    assert "ALL_PROXY" in refused.value.next_step and "NO_PROXY to host." in refused.value.next_step
    ServerBackend("http://127.0.0.1:23333")


# --- TLS --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and its own certificate for `localhost`, in one file."""
    if not which("openssl"):
        pytest.skip("openssl makes the certificate")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command = ["openssl", "req", "-x509", "-days", "2", *key, *names, "-keyout", str(file), "-out", "-"]
    made = subprocess.run(command, check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + made.stdout)
    return file


def speaking(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize("trusted", [False, True])
@in_a_loop
async def test_https_is_spoken_to_whoever_is_trusted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with serving() as server, listening(server, ssl=speaking(certificate)) as address:
        server.url = f"https://localhost:{address.rsplit(':', 1)[1]}"
        heard = await ask(server, HELLO)
    if trusted:
        assert (heard.text, heard.error) == ("I see", None)
    else:
        assert heard.error and "certificate" in heard.error.what.lower()


@in_a_loop
async def test_a_tls_connection_ends_without_a_farewell(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # it would not notice one
        writer.write(CHUNKED + chunk(b"hello"))
        await left.wait()

    left = asyncio.Event()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with listening(handler, ssl=speaking(certificate)) as address:
        files = open_sockets()
        url = f"https://localhost:{address.rsplit(':', 1)[1]}"
        async with ServerClient(url, "").get(url) as response:
            assert await read(response) == b"hello"
            assert open_sockets() == files + 2
        await asyncio.sleep(0.05)
        assert open_sockets() == files + 1, "the server's alone"
        left.set()


@in_a_loop
async def test_a_proxy_may_speak_https(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with serving() as server, listening(forwarding(server), ssl=speaking(certificate)) as address:
        monkeypatch.setenv("HTTP_PROXY", f"https://localhost:{address.rsplit(':', 1)[1]}")
        backend = ServerBackend("http://model.invalid")
        assert "I see" in [piece async for piece in backend.stream(HELLO, GREEDY)]


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_said_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    file = tmp_path / "certificates.pem"
    if content:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    ServerBackend("http://host")
    with pytest.raises(SetupError, match="SSL_CERT_FILE") as refused:
        ServerBackend("https://host")
    assert str(file) in refused.value.what and "PEM" in refused.value.next_step
