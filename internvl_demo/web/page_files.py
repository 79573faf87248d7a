"""Serve the page's scripts and texts, and tell a browser with the page itself that it will need them.

    Mount("/page", PageFiles(WEB))
    Middleware(Preload, header=links(WEB, "page"))
        Link: <page/widgets/viewer/widget.js>; rel=modulepreload; fetchpriority=low, ...

A page is some fifty small files, and each is asked for at every visit. Starlette's StaticFiles behind Gradio's
compression takes 1.7 ms of CPU for one, which holds up all that Gradio's own scripts ask for; here a file is read and
compressed once, and takes 0.3 ms. Gradio asks for the page's scripts only when its own have run; the header makes a
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
_LINKS = {".js": "rel=modulepreload", ".json": "rel=preload; as=fetch; crossorigin"}


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
    """ASGI middleware that adds a Link header to the page, and to nothing else."""

    def __init__(self, app: ASGIApp, header: str):
        self._app, self._header = app, header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        is_page = scope["type"] == "http" and scope["path"] in ("", "/")

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                MutableHeaders(scope=message)["Link"] = self._header
            await send(message)

        await self._app(scope, receive, send_on if is_page else send)


def links(folder: Path, place: str) -> str:
    """Return the header that names the files of a folder, which are served at `place`, relative to the page."""
    return ", ".join(
        f"<{place}/{path.relative_to(folder).as_posix()}>; {_LINKS[path.suffix]}; fetchpriority=low"
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
