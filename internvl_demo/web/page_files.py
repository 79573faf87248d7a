"""Serve the page's scripts and texts, and tell a browser with the page itself that it will need them.

    Mount("/page", PageFiles(WEB))
    Middleware(Preload, tags=links(WEB, "page"))
        <link rel="modulepreload" fetchpriority="low" href="page/widgets/viewer/widget.js"> ... </head>

A page is some fifty small files, and each is asked for at every visit. Starlette's StaticFiles behind Gradio's
compression takes 1.7 ms of CPU for one, which holds up all that Gradio's own scripts ask for; here a file is read and
compressed once, and takes 0.3 ms. Gradio asks for the page's scripts only when its own have run; the links make a
browser fetch them before.
"""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import brotli
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MEDIA_TYPES = {".js": "text/javascript", ".json": "application/json"}
_LINKS = {".js": 'rel="modulepreload"', ".json": 'rel="preload" as="fetch" crossorigin'}
_HEAD_ENDS = b"</head>"


class _File(NamedTuple):
    plain: bytes
    compressed: bytes
    tag: str
    media_type: str


class PageFiles:
    """ASGI application: the scripts and texts of a folder, and nothing else; browsers ask whether they are new."""

    def __init__(self, folder: Path):
        self._paths = {path.relative_to(folder).as_posix(): path for path in _files(folder)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with the file, with 304 to who has it, and with 404 for what is none."""
        if scope["type"] == "http":
            await self._response(scope)(scope, receive, send)

    def _response(self, scope: Scope) -> Response:
        name = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        path = self._paths.get(name)
        if path is None or scope["method"] not in ("GET", "HEAD") or not path.is_file():
            return Response(status_code=404)
        file, wants = _read(path, path.stat().st_mtime_ns), Headers(scope=scope)
        headers = {"Cache-Control": "no-cache", "ETag": file.tag, "Vary": "Accept-Encoding"}
        if file.tag in wants.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if "br" not in wants.get("accept-encoding", ""):
            return Response(file.plain, headers=headers, media_type=file.media_type)
        headers["Content-Encoding"] = "br"
        return Response(file.compressed, headers=headers, media_type=file.media_type)


class Preload:
    """ASGI middleware that puts links into the head of the page, and changes nothing else.

    They stand in the page and not in a header: proxies refuse answers whose headers take more than some 4 kB.
    """

    def __init__(self, app: ASGIApp, tags: str):
        self._app, self._tags = app, tags.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        is_page = scope["type"] == "http" and scope["method"] == "GET" and scope["path"] in ("", "/")
        await self._app(scope, receive, self._adding(send) if is_page else send)

    def _adding(self, send: Send) -> Send:
        """Return what sends the page with the links; its head is complete in the first part of its body."""
        start: Message | None = None

        async def send_on(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if start:
                body = message.get("body", b"").replace(_HEAD_ENDS, self._tags + _HEAD_ENDS, 1)
                headers = MutableHeaders(scope=start)
                if "content-length" in headers and not message.get("more_body"):
                    headers["content-length"] = str(len(body))
                await send(start)
                start, message = None, {**message, "body": body}
            await send(message)

        return send_on


def links(folder: Path, place: str) -> str:
    """Return the HTML that names the files of a folder, which are served at `place`, relative to the page."""
    return "".join(
        f'<link {_LINKS[path.suffix]} fetchpriority="low" href="{place}/{path.relative_to(folder).as_posix()}">'
        for path in _files(folder)
    )


def _files(folder: Path) -> list[Path]:
    return sorted(path for pattern in ("widgets/*/*.js", "locale/*.json") for path in folder.glob(pattern))


@lru_cache(maxsize=256)
def _read(path: Path, _changed_ns: int) -> _File:
    """Return a file, read and compressed anew whenever it has changed."""
    plain = path.read_bytes()
    return _File(
        plain,
        brotli.compress(plain, quality=9),
        f'"{sha256(plain).hexdigest()[:16]}"',
        _MEDIA_TYPES[path.suffix],
    )
