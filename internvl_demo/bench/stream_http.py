"""HTTP as cheap as a load generator needs it: a connection for each request, and server-sent events from bytes.

`EventParser` does no I/O and takes a response in any pieces. `call` is one request and its whole answer; `follow`
reads events until its reader has enough.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit


class Event(NamedTuple):
    """One server-sent event: its name, "message" where it has none, and its data."""

    name: str
    data: bytes


class Refused(Exception):
    """Another status than the one that was asked for."""

    def __init__(self, status: int, body: bytes = b""):
        super().__init__(f"refused with {status}")
        self.body = body


class EventParser:
    """Turns the bytes of a response, head and chunks included, into events."""

    def __init__(self) -> None:
        self.status: int | None = None
        self._raw = bytearray()
        self._body = bytearray()
        self._chunked = False
        self._left = 0
        self._name = "message"
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> list[Event]:
        """Take further bytes, return the events that are whole now. Raise Refused on a status that is not 200."""
        self._raw += data
        if self.status is None:
            end = self._raw.find(b"\r\n\r\n")
            if end < 0:
                return []
            head = bytes(self._raw[:end]).lower()
            self.status = int(head.split(b" ", 2)[1])
            self._chunked = b"transfer-encoding: chunked" in head
            del self._raw[: end + 4]
            if self.status != 200:
                raise Refused(self.status)
        self._unchunk()
        return self._events()

    def _unchunk(self) -> None:
        if not self._chunked:
            self._body += self._raw
            self._raw.clear()
            return
        at = 0
        while at < len(self._raw):
            if not self._left:
                end = self._raw.find(b"\r\n", at)
                if end < 0:
                    break
                self._left = int(self._raw[at:end].split(b";")[0], 16) + 2  # and the line's end behind it
                at = end + 2
            taken = self._raw[at : at + self._left]
            self._body += taken[: max(0, self._left - 2)]
            self._left -= len(taken)
            at += len(taken)
        del self._raw[:at]

    def _events(self) -> list[Event]:
        if b"\n" not in self._body:
            return []
        *lines, rest = self._body.split(b"\n")
        self._body = rest
        events = []
        for line in lines:
            field, _, value = bytes(line.rstrip(b"\r")).partition(b":")
            value = value.removeprefix(b" ")
            if field == b"data":
                self._data.append(value)
            elif field == b"event":
                self._name = value.decode()
            elif not line.rstrip(b"\r"):
                if self._data:
                    events.append(Event(self._name, b"\n".join(self._data)))
                self._name, self._data = "message", []
        return events


def request_of(method: str, url: str, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    """Return a request as bytes; its answer ends with the connection."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    fields = {"Host": parts.netloc, "Connection": "close", **(headers or {})}
    if body or method != "GET":
        fields["Content-Length"] = str(len(body))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def call(
    method: str, url: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> tuple[int, bytes]:
    """Return the status and the body of an answer. Raise OSError when there is none."""
    return await send(url, request_of(method, url, headers, body))


async def send(url: str, request: bytes) -> tuple[int, bytes]:
    """Send the bytes of a request to the host of `url`; return the status and the body of its answer."""
    reader, writer = await asyncio.open_connection(*_address(url))
    try:
        writer.write(request)
        head, _, rest = (await reader.read()).partition(b"\r\n\r\n")
        if not head:
            raise ConnectionError("closed without an answer")
        chunked = b"transfer-encoding: chunked" in head.lower()
        return int(head.split(b" ", 2)[1]), unchunked(rest) if chunked else rest
    finally:
        writer.close()


def unchunked(data: bytes) -> bytes:
    """Return the body of a whole answer in chunks."""
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        body += data[:length]
        data = data[length + 2 :]
    return body


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80


class _Following(asyncio.Protocol):
    def __init__(self, request: bytes, on_event: Callable[[Event], bool], over: "asyncio.Future[None]"):
        self._request = request
        self._on_event = on_event
        self._parser = EventParser()
        self._over = over

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._over.done():
            return
        try:
            for event in self._parser.feed(data):
                if self._on_event(event):
                    self._over.set_result(None)
                    return
        except Exception as error:  # noqa: BLE001 - whoever follows hears of it
            self._over.set_exception(error)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        if not self._over.done():
            self._over.set_exception(ConnectionError("closed early"))


async def follow(url: str, request: bytes, on_event: Callable[[Event], bool]) -> None:
    """Hand each event of the answer to `on_event` until it returns True. Raise Refused, or OSError on an end before."""
    host, port = _address(url)
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    transport, _ = await loop.create_connection(lambda: _Following(request, on_event, over), host, port)
    try:
        await over
    finally:
        transport.abort()
