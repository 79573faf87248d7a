"""What the environment says of the way to the server: proxies, and whose certificates are trusted."""

import asyncio
import socket
import ssl
import subprocess
from contextlib import suppress
from pathlib import Path
from shutil import which

import pytest

from internvl_demo.errors import BackendError, SetupError
from internvl_demo.models.openai.backend import ServerBackend
from internvl_demo.models.openai.client import ServerClient, proxy_of, read
from tests.models.openai.sockets import CHUNKED, Handler, listening, open_sockets, says
from tests.support.scripted_server import GREEDY, HELLO, Scripted, ask, chunk, in_a_loop, listing, serving

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


def own_address() -> str:
    """An address by which others reach this machine, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.7", 9))
        return str(probe.getsockname()[0])
    return "127.0.0.1"


def test_a_server_on_this_machine_needs_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not proxy_of("http://host")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy")
    monkeypatch.setenv("NO_PROXY", ".inside,other")
    own = (socket.gethostname(), "0.0.0.0:80", f"{own_address()}:23333")
    for host in ("localhost:1", "127.0.0.1", "127.9.9.9:80", "[::1]:23333", "a.inside", "other", *own):
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
        assert heard.error and "certificate" in heard.error.details.lower()


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
        assert open_sockets() <= files + 1, "the server's at most"
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
