"""Speak HTTP/1.1 with the model server, with little work for each token: a transport for `httpx2`.

httpx2's own transport hands on every HTTP chunk by itself, through h11 and seven generators, and a model server
makes a chunk of every token. Measured with 64 answers of 100 tokens a second, ten tokens in a read: the transport
alone takes 37 ms of CPU for 1,000 tokens, this one 12 ms. Here h11 writes the request and reads the head of the
response; what one read of the network brings of a chunked body is decoded at once (`chunked`) and is one piece.
The network is read only when somebody asks for more, so that what comes meanwhile waits in the kernel.

Each request has a connection of its own, which ends with the response: an answer takes seconds, a connection on
the same machine a tenth of a millisecond, and one that is never idle is never found closed.

Not here: redirects, authentication, errors by status, which stay with httpx2's client and the `openai` package;
proxies, for which `needs_proxy` tells that httpx2's own transport is to be used.
"""

import socket
import ssl
from collections.abc import AsyncIterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import anyio
import h11
import httpx2
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSStream

from internvl_demo.models.openai.chunked import ChunkedDecoder, ChunkedError

MAX_BODY_BYTES = 4 * 2**20
"""The longest response that is no event stream: a listing of models, an error. Streams are bounded by their reader."""

_READ_BYTES = 65_536
_BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)


def needs_proxy(url: str) -> bool:
    """Return whether the environment (`HTTP_PROXY` and the like) sends requests to this address through a proxy."""
    parts, proxies = urlsplit(url), getproxies()
    host = parts.hostname or ""
    if _is_loopback(host):
        return False  # a proxy elsewhere cannot reach this machine's own
    return (parts.scheme in proxies or "all" in proxies) and not proxy_bypass(host)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class StreamingTransport(httpx2.AsyncBaseTransport):
    """A connection for each request."""

    def __init__(self) -> None:
        self._ssl_context: ssl.SSLContext | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; return its response as soon as the head is there. Raises httpx2.TransportError."""
        timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
        exchange = _Exchange(await self._connect(request.url, timeouts.get("connect")), timeouts)
        try:
            await exchange.send(request)
            head = await exchange.read_head()
        except BaseException:
            await exchange.aclose()
            raise
        return httpx2.Response(head.status_code, headers=head.headers.raw_items(), stream=exchange)

    async def _connect(self, url: httpx2.URL, timeout_s: float | None) -> ByteStream:
        try:
            with anyio.fail_after(timeout_s):
                stream = await anyio.connect_tcp(url.host, url.port or (443 if url.scheme == "https" else 80))
                sock: socket.socket = stream.extra(SocketAttribute.raw_socket)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                if url.scheme != "https":
                    return stream
                self._ssl_context = self._ssl_context or httpx2.create_ssl_context()
                return await TLSStream.wrap(
                    stream, hostname=url.host, ssl_context=self._ssl_context, standard_compatible=False
                )
        except TimeoutError as error:
            raise httpx2.ConnectTimeout("no connection in time") from error
        except (*_BROKEN, anyio.EndOfStream) as error:
            raise httpx2.ConnectError(str(error)) from error


class _Exchange(httpx2.AsyncByteStream):
    """One request and its response, whose body it is."""

    def __init__(self, stream: ByteStream, timeouts: dict[str, float | None]):
        self._stream, self._timeouts = stream, timeouts
        self._protocol = h11.Connection(h11.CLIENT)
        self._head: h11.Response | None = None

    async def send(self, request: httpx2.Request) -> None:
        """Write the request, a part of its body at a time."""
        headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"connection"]
        try:
            await self._write(
                h11.Request(
                    method=request.method,
                    target=request.url.raw_path,
                    headers=[*headers, (b"Connection", b"close")],
                )
            )
            assert isinstance(request.stream, httpx2.AsyncByteStream)
            async for part in request.stream:
                await self._write(h11.Data(data=part))
            await self._write(h11.EndOfMessage())
        except TimeoutError as error:
            raise httpx2.WriteTimeout("nothing was taken in time") from error
        except h11.LocalProtocolError as error:
            raise httpx2.LocalProtocolError(str(error)) from error
        except _BROKEN:
            pass  # a server that refuses a large body may say why, and close before it has read it

    async def read_head(self) -> h11.Response:
        """Read until the response begins."""
        while not isinstance(event := await self._next_event(), h11.Response):
            pass
        self._head = event
        return event

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert self._head
        headers = dict(self._head.headers)
        is_stream = headers.get(b"content-type", b"").lower().startswith(b"text/event-stream")
        left = None if is_stream else MAX_BODY_BYTES
        chunked = headers.get(b"transfer-encoding", b"").lower() == b"chunked"
        async for part in self._chunked_body() if chunked else self._plain_body():
            if left is not None and (left := left - len(part)) < 0:
                raise httpx2.RemoteProtocolError("the response is too long")
            yield part

    async def aclose(self) -> None:
        """End the connection."""
        await self._stream.aclose()

    async def _chunked_body(self) -> AsyncIterator[bytes]:
        decoder, data = ChunkedDecoder(), self._protocol.trailing_data[0]
        try:
            while True:
                if part := decoder.feed(data):
                    yield part
                if decoder.ended:
                    return
                data = await self._receive()
                if not data:
                    raise httpx2.RemoteProtocolError(
                        "the connection was closed in the middle of the response"
                    )
        except ChunkedError as error:
            raise httpx2.RemoteProtocolError(str(error)) from error

    async def _plain_body(self) -> AsyncIterator[bytes]:
        while isinstance(event := await self._next_event(), h11.Data):
            yield bytes(event.data)

    async def _next_event(self) -> Any:
        """Return what h11 makes of the response next."""
        try:
            while (event := self._protocol.next_event()) is h11.NEED_DATA:
                data = await self._receive()
                if not data and self._protocol.their_state is h11.SEND_RESPONSE:
                    raise httpx2.RemoteProtocolError("the connection was closed without a response")
                self._protocol.receive_data(data)
        except h11.RemoteProtocolError as error:
            raise httpx2.RemoteProtocolError(str(error)) from error
        return event

    async def _write(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        if data := self._protocol.send(event):
            with anyio.fail_after(self._timeouts.get("write")):
                await self._stream.send(data)

    async def _receive(self) -> bytes:
        """Return what comes next; nothing at the end."""
        timeout_s = self._timeouts.get("read")
        try:
            if timeout_s is None:
                return await self._stream.receive(_READ_BYTES)
            with anyio.fail_after(timeout_s):
                return await self._stream.receive(_READ_BYTES)
        except TimeoutError as error:
            raise httpx2.ReadTimeout("nothing came in time") from error
        except anyio.EndOfStream:
            return b""
        except _BROKEN as error:
            raise httpx2.ReadError(str(error)) from error
