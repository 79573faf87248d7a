"""Bound what a request may bring, before anything reads it.

    Middleware(BodyLimit, most=1_048_576, uploads={"/api/photos": 33 * 1024 * 1024})

A body that is longer than allowed is answered with 413 and two sentences, whether it says its length or not; nothing
of what is too much is kept. Routes of Gradio's that the page does not use and that tell or change something about a
session are not there: 404.
"""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from internvl_demo.errors import DemoError
from internvl_demo.web.language import error_data

MAX_BODY_BYTES = 1024 * 1024
"""The longest body of a request that is not an upload: a question has 64,000 characters at most."""

CLOSED = ("/gradio_api/deep_link", "/gradio_api/dev/reload", "/gradio_api/process_recording")
"""Gradio's routes that hand out a session's values, or that only its own developers need."""


class BodyLimit:
    """ASGI middleware. uploads: paths that may bring more, with how much."""

    def __init__(self, app: ASGIApp, most: int, uploads: Mapping[str, int]):
        self._app, self._most, self._uploads = app, most, uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, as long as its body keeps to its limit."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = str(scope["path"]).rstrip("/")
        if path in CLOSED:
            await JSONResponse({"detail": "Not Found"}, 404)(scope, receive, send)
            return
        most = self._uploads.get(path, self._most)
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > most:
            await _refusal(headers, most)(scope, receive, send)
            return
        counter = _Counter(receive, most)
        sent = False

        async def send_on(message: Message) -> None:
            nonlocal sent
            if counter.over and not sent:
                return  # whatever the application makes of a body that was cut
            sent = True
            await send(message)

        try:
            await self._app(scope, counter.receive, send_on)
        finally:
            if counter.over and not sent:
                await _refusal(headers, most)(scope, receive, send)


class _Counter:
    """Counts the bytes of a body; what is over the limit looks like a client that has left."""

    def __init__(self, receive: Receive, most: int):
        self._receive, self._left = receive, most
        self.over = False

    async def receive(self) -> Message:
        if self.over:
            return {"type": "http.disconnect"}
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                self.over = True
                return {"type": "http.disconnect"}
        return message


def _refusal(headers: Headers, most: int) -> JSONResponse:
    error = DemoError(
        "The request is larger than {limit} MB.", "Send less at once.", limit=max(1, most // 1024 // 1024)
    )
    return JSONResponse(error_data(error, headers), status_code=413)
