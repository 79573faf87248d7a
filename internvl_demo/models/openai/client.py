"""Send requests to the model server, with `aiohttp`: its key, proxy, certificates and time limits.

    async with client.post(url, body, {"X-Conversation-Id": id}) as response:     the head is there, nothing of the body
        await check(response)                                   StatusError, unless the server agreed
        while part := await read(response):                     what came since the last read, as one piece

Each request has a session and a connection of its own, which end with the response: an answer takes seconds, a
connection on the same machine a fraction of a millisecond, and one that is never idle is never found closed.
Nothing is shared, so requests may be sent in any event loop.

aiohttp reads ahead, chunk by chunk of what a server sends. `read` lets it do so only while somebody waits: what
comes meanwhile stays in the kernel and costs nothing, and a connection that is lost is noticed only after the text
that came before.

Redirects are not followed: a question of many megabytes is not sent twice, and the setting can be corrected.

Not here: what is asked (`backend`), what becomes of errors (`errors`), how long silence may last (`watchdog`).
"""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from internvl_demo.environment import is_this_machine
from internvl_demo.errors import SetupError
from internvl_demo.models.openai.body import ChatBody
from internvl_demo.models.openai.errors import MalformedError, StatusError, short

CONNECT_S = 10.0
"""The longest that a connection takes to be made, its name looked up and its TLS agreed on."""
SEND_S = 60.0
"""The longest that a connection takes none of what is sent."""

MAX_BODY_BYTES = 4 * 2**20
"""The longest response that is no event stream: a listing of models, an error. Streams are bounded by their reader."""


class ServerClient:
    """Sends requests to one server.

    api_key: empty where the server wants none. Raises SetupError where the environment names a proxy or
    certificates that cannot be used.
    """

    def __init__(self, endpoint: str, api_key: str):
        self._proxy = proxy_of(endpoint)
        speaks_tls = "https" in (urlsplit(endpoint).scheme, urlsplit(self._proxy or "").scheme)
        self._ssl = _trusted() if speaks_tls else True
        self._headers = {"Accept-Encoding": "identity"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"

    @asynccontextmanager
    async def get(self, url: str, silence_s: float | None = None) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask for an address; `silence_s` is the longest in which nothing comes. Raises aiohttp's errors."""
        async with self._session(silence_s) as session:
            with _ended(await session.get(url, proxy=self._proxy, allow_redirects=False)) as response:
                yield response

    @asynccontextmanager
    async def post(
        self, url: str, body: ChatBody, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send JSON; the response may take as long as it likes. Raises aiohttp's errors and TimeoutError."""
        async with self._session() as session:
            response = await session.post(
                url, data=_Upload(body), headers=headers, proxy=self._proxy, allow_redirects=False
            )
            with _ended(response):
                yield response

    def _session(self, silence_s: float | None = None) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, ssl=self._ssl, socket_factory=_kept_alive),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_S, sock_read=silence_s),
        )


async def check(response: aiohttp.ClientResponse) -> None:
    """Raise StatusError unless the server agreed: with what it sent, or where it redirects."""
    if 300 <= response.status < 400:
        location = response.headers.get("Location", "")
        raise StatusError(response.status, location.partition("?")[0].encode())  # the rest may be secret
    if response.status >= 400:
        raise StatusError(response.status, await whole_body(response))


async def whole_body(response: aiohttp.ClientResponse) -> bytes:
    """Return a body that is no stream. Raises MalformedError on one that is too long."""
    body = bytearray()
    while part := await response.content.readany():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise MalformedError("the response is too long")
    return bytes(body)


async def read(response: aiohttp.ClientResponse) -> bytes:
    """Return what has come of a stream, or what comes next; nothing at its end."""
    if transport := _transport_of(response):
        transport.resume_reading()
    part = await response.content.readany()
    if transport := _transport_of(response):
        transport.pause_reading()
    return part


def _transport_of(response: aiohttp.ClientResponse) -> asyncio.Transport | None:
    """Return what the response comes by; None once it has ended."""
    return response.connection.transport if response.connection else None


@contextmanager
def _ended(response: aiohttp.ClientResponse) -> Iterator[aiohttp.ClientResponse]:
    """End the response's connection behind the block, at once, whatever has not been sent or read."""
    _tell_of_loss(response)
    try:
        yield response
    finally:
        if transport := _transport_of(response):
            transport.abort()
        response.close()


def _tell_of_loss(response: aiohttp.ClientResponse) -> None:
    """Tell whoever reads a response how its connection ended, where aiohttp 3.14 does not: it keeps to itself what
    the operating system said, and after a malformed chunk it closes the connection and lets them wait for ever."""
    content = response.content

    def tell(closed: "asyncio.Future[None]") -> None:
        lost, error = closed.exception(), content.exception()
        if lost and error:
            error.__cause__ = lost.__cause__
        elif not error and not content.is_eof():
            content.set_exception(MalformedError("the response is not as HTTP has it"))

    protocol = response.connection.protocol if response.connection else None
    closed = protocol.closed if protocol is not None else None  # an empty protocol is falsy
    if closed:
        closed.add_done_callback(tell)


class _Upload(aiohttp.Payload):
    """A request's body for aiohttp: a slice is written when the network has taken the one before."""

    _value: ChatBody

    def __init__(self, body: ChatBody):
        super().__init__(body, content_type="application/json")
        self._size = body.length

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002 - the interface
        raise TypeError("a body is only ever sent")

    async def write(self, writer: AbstractStreamWriter) -> None:
        transport = writer.transport  # which the writer forgets when it is closed
        try:
            async for part in self._value:
                async with asyncio.timeout(SEND_S):
                    await writer.write(part)
        except BaseException:
            if transport:
                transport.abort()  # closing alone would wait until the rest is taken
            raise


def _kept_alive(address: aiohttp.AddrInfoType) -> socket.socket:
    """Return a socket on which the kernel finds out when the other machine is gone."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return made


# --- the environment --------------------------------------------------------------------------------------


def proxy_of(url: str) -> str | None:
    """Return the proxy that the environment (`HTTP_PROXY` and the like) names for an address. Raises SetupError."""
    parts, proxies = urlsplit(url), getproxies()
    host = parts.hostname or ""
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or is_this_machine(host) or proxy_bypass(host):
        return None  # a proxy elsewhere cannot reach this machine's own
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not is_http_address(proxy):
        raise SetupError(  # its address may hold a password
            "The proxy that the environment names for the model server is not an HTTP proxy.",
            "Set HTTP_PROXY, HTTPS_PROXY or ALL_PROXY to http://HOST:PORT, or NO_PROXY to {host}.",
            host=host,
        )
    return proxy


def is_http_address(text: str) -> bool:
    """Return whether it is `http(s)://host`, with or without more."""
    try:
        parts = urlsplit(text)
        named = bool((parts.hostname or "").encode("idna"))  # checks it, as reading the port does
        return parts.scheme in ("http", "https") and named and parts.port != 0
    except ValueError:
        return False


def _trusted() -> ssl.SSLContext:
    """Return whom to trust: the certificates of the file that SSL_CERT_FILE names, else the system's."""
    file = os.environ.get("SSL_CERT_FILE")
    try:
        return ssl.create_default_context(cafile=file or None)
    except OSError as error:
        raise SetupError(
            "The certificates of SSL_CERT_FILE cannot be read ({file}: {cause}).",
            "Set SSL_CERT_FILE to a file of certificates in PEM format, or unset it.",
            file=str(file),
            cause=short(error.strerror or error),
        ) from error
