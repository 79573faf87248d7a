"""Tell a browser with the page itself what it will need: the page's scripts and texts.

    Link: <page/widgets/viewer/widget.js>; rel=modulepreload; fetchpriority=low, ...

Gradio asks for them only once its own scripts have run. They come while those are read, and after them.
"""

from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def links(folder: Path, place: str) -> str:
    """Return the header for the scripts and texts of a folder that is served at `place`, relative to the page."""
    scripts = [path.relative_to(folder).as_posix() for path in sorted((folder / "widgets").glob("*/*.js"))]
    texts = [path.relative_to(folder).as_posix() for path in sorted((folder / "locale").glob("*.json"))]
    return ", ".join(
        [
            *(f"<{place}/{script}>; rel=modulepreload; fetchpriority=low" for script in scripts),
            *(f"<{place}/{text}>; rel=preload; as=fetch; crossorigin; fetchpriority=low" for text in texts),
        ]
    )


class Preload:
    """ASGI middleware that adds the header to the page, and to nothing else."""

    def __init__(self, app: ASGIApp, header: str):
        self._app, self._header = app, header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        is_page = scope["type"] == "http" and scope["path"] in ("", "/")

        async def send_on(message: Message) -> None:
            if is_page and message["type"] == "http.response.start" and message["status"] == 200:
                MutableHeaders(scope=message)["Link"] = self._header
            await send(message)

        await self._app(scope, receive, send_on)
