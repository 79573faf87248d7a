"""The transport before a real socket: TLS, proxies, bodies of every kind, servers that speak no HTTP."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import which

import httpx2
import pytest

from internvl_demo.models.openai.backend import ServerBackend
from internvl_demo.models.openai.transport import StreamingTransport, needs_proxy
from tests.support.scripted_server import GREEDY, HELLO, ask, chunk, in_a_loop, listing, serving, whole

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler, **options: ssl.SSLContext) -> AsyncIterator[str]:
    """A server that answers as `handler` does; its address."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
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


async def get(address: str, timeout: httpx2.Timeout | None = None) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=StreamingTransport(), timeout=timeout) as client:
        return await client.get(f"http://{address}/path?query")


HEAD = b"HTTP/1.1 200 OK\r\n"
NO_HTTP = {
    "nothing": (b"", False),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2p1\r\n", False),
    "half a head": (HEAD + b"content-type: text/plain\r\n", False),
    "a head without end": (HEAD + b"x: " + b"y" * 200_000, True),
    "half a body": (HEAD + b"content-length: 10\r\n\r\nhello", False),
    "half a chunk": (HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nhel", False),
    "no last chunk": (HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", False),
    "no chunk": (HEAD + b"transfer-encoding: chunked\r\n\r\nhello\r\n", True),
    "another coding": (HEAD + b"transfer-encoding: br\r\n\r\nhello", True),
    "two lengths": (HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\nhello", True),
    "a body without end": (HEAD + b"\r\n" + b"x" * (4 * 2**20 + 1), True),
}


@pytest.mark.parametrize("name", NO_HTTP)
@in_a_loop
async def test_what_is_no_http_is_an_error_of_the_transport(name: str) -> None:
    async with listening(says(*NO_HTTP[name])) as address:
        with pytest.raises(httpx2.TransportError):
            await get(address)


@in_a_loop
async def test_a_server_that_is_slow_is_a_timeout() -> None:
    quick = httpx2.Timeout(None, read=0.05)
    for response in (b"", HEAD + b"content-length: 10\r\n\r\nhello"):
        async with listening(says(response, stay=True)) as address:
            with pytest.raises(httpx2.ReadTimeout):
                await get(address, quick)


@in_a_loop
async def test_a_server_that_takes_nothing_is_a_timeout() -> None:
    async def deaf(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await left.wait()

    left = asyncio.Event()
    async with listening(deaf) as address:
        transport = StreamingTransport()
        async with httpx2.AsyncClient(transport=transport, timeout=httpx2.Timeout(None, write=0.1)) as client:
            with pytest.raises(httpx2.WriteTimeout):
                await client.post(f"http://{address}/", content=bytes(50 * 2**20))
        left.set()


BODIES = {
    "a length": HEAD + b"content-length: 5\r\n\r\nhello",
    "chunks": HEAD + b"Transfer-Encoding: Chunked\r\n\r\n" + chunk(b"hel") + chunk(b"lo") + b"0\r\n\r\n",
    "until the end": HEAD + b"\r\nhello",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "news before": b"HTTP/1.1 102 Processing\r\n\r\n" + HEAD + b"content-length: 5\r\n\r\nhello",
    "more than its length": HEAD + b"X-A: b\r\ncontent-length: 5\r\n\r\nhello and more",
}


@pytest.mark.parametrize("name", BODIES)
@in_a_loop
async def test_every_kind_of_body_is_read(name: str) -> None:
    async with listening(says(BODIES[name])) as address:
        assert (await get(address)).text == "hello"


@in_a_loop
async def test_a_refusal_that_comes_before_all_is_sent_is_read() -> None:
    refused = whole(413, "text/plain", b"Too large.")

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refused)
        while await reader.read(2**20):
            pass

    async with listening(handler) as address:
        async with httpx2.AsyncClient(transport=StreamingTransport()) as client:
            response = await client.post(f"http://{address}/", content=bytes(5 * 2**20))
        assert (response.status_code, response.text) == (413, "Too large.")


# --- proxies ----------------------------------------------------------------------------------------------


@in_a_loop
async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(listing({"id": "far away"}))
        await writer.drain()

    async with listening(proxy) as address:
        monkeypatch.setenv("HTTP_PROXY", f"http://{address}")
        backend = ServerBackend("http://model.invalid:8000")
        assert (await backend.describe()).name == "far away"
        await backend.close()
    assert asked == [b"GET http://model.invalid:8000/v1/models HTTP/1.1\r\n"]


@in_a_loop
async def test_through_a_proxy_an_answer_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("internvl_demo.models.openai.backend.needs_proxy", lambda _url: True)
    async with serving() as server:
        backend = ServerBackend(server.url)
        backend.pace_s = lambda: 3600.0
        pieces = [piece async for piece in backend.stream(HELLO, GREEDY)]
        assert pieces[0] == "I see" and len(pieces) == 2
        await backend.close()


def test_a_server_on_this_machine_needs_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not needs_proxy("http://host")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy")
    monkeypatch.setenv("NO_PROXY", ".inside,other")
    for host in ("localhost:1", "127.0.0.1", "127.9.9.9:80", "[::1]:23333", "a.inside", "other"):
        assert not needs_proxy(f"http://{host}/v1")
    assert needs_proxy("http://host/v1") and not needs_proxy("https://host/v1")
    monkeypatch.setenv("ALL_PROXY", "http://proxy")
    assert needs_proxy("https://host/v1")


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


@pytest.mark.parametrize("trusted", [False, True])
@in_a_loop
async def test_https_is_spoken_to_whoever_is_trusted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with serving() as server, listening(server, ssl=context) as address:
        server.url = f"https://localhost:{address.rsplit(':', 1)[1]}"
        heard = await ask(server, HELLO)
    if trusted:
        assert (heard.text, heard.error) == ("I see", None)
    else:
        assert heard.error and "certificate" in heard.error.what.lower()
