"""The page: what is wired to what, and its launch. What stands where is in `layout`, what happens in `handlers`.

Handles that tests and scripts may rely on: element ids `composer`, `send`, `stop`, `retry`, `clear`, `mode`,
`conversation`, `token-count`, `notice`, `viewer`; every drawn box is an SVG element of class `ground-box`
with `data-label`, `data-image` and `data-box`. The endpoint `/ask` answers `gradio_client`.
"""

import asyncio
import itertools
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import gradio as gr

from internvl_demo.admission import Admission
from internvl_demo.backends import options_of
from internvl_demo.backends.base import Backend, ModelInfo
from internvl_demo.errors import DemoError, SetupError
from internvl_demo.observe import Observer, log_to_stderr
from internvl_demo.photo import MAX_BYTES
from internvl_demo.settings import NANO_CHECKPOINT, Settings
from internvl_demo.store import open_store
from internvl_demo.ui.handlers import EMPTY, Desk, Message, Person, View
from internvl_demo.ui.layout import CSS, EXAMPLES, I18N, STATIC, Parts, lay_out, theme
from internvl_demo.ui.loading import show_progress
from internvl_demo.ui.probes import probes
from internvl_demo.ui.session import messages, notice, plain
from internvl_demo.ui.shelf import Shelf, use_own_folder
from internvl_demo.ui.strings import Words, words_for
from internvl_demo.ui.viewer import viewer

_FILES = "(message) => JSON.stringify((message?.files ?? []).map((file) => file.path))"
"""In the browser, so that typing sends nothing to the server; only a change of files does."""

_OWNER = re.compile(r"[0-9a-f]{32}")
"""The secret by which a browser is known again: 128 random bits that it made itself."""

_REMEMBERED = (STATIC / "remembered.js").read_text("utf-8")
_REMEMBER = (
    "(shown) => { try { sessionStorage.setItem('internvl-conversation', shown) } catch { /* forbidden */ } }"
)
"""In the browser: the conversation that a tab shows outlives a reload."""

_RUNNING_BY_A_SERVER = 8
"""Questions at once unless told: 40-tile conversations with the 26B that fit into one GPU of 80 GB are ten."""

_THREADS = 512
"""Also the size of Gradio's table of running jobs: with its default of 40 the 41st person waits."""

_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def build_page(
    backend: Backend, info: ModelInfo, settings: Settings, observer: Observer | None = None
) -> gr.Blocks:
    """The page, ready to be launched."""
    use_own_folder()
    store = open_store(settings)
    running = settings.running or (_RUNNING_BY_A_SERVER if settings.endpoint or settings.serve else 1)
    gate = Admission(running, settings.waiting)
    desk = Desk(backend, info, options_of(settings), gate, store, observer)
    miniature = not (settings.endpoint or settings.serve) and settings.checkpoint == str(NANO_CHECKPOINT)
    with gr.Blocks(title="InternVL 1.5", analytics_enabled=False, fill_width=True) as page:
        show_progress(backend)
        parts = lay_out(None if miniature else plain(info.name))
        _wire_conversation(page, parts, desk)
        _wire_composer(parts, desk)
        _wire_api(desk)
    page.queue(default_concurrency_limit=None)
    return page


def launch(backend: Backend, settings: Settings, *, wait: bool = True) -> gr.Blocks:
    """Serves the page until it is interrupted, or returns it running when not told to `wait`.

    Raises BackendError when the model cannot be reached, SetupError when the port is taken.
    """
    observer = Observer()
    page = build_page(backend, asyncio.run(backend.describe()), settings, observer)
    if wait:
        log_to_stderr()
    try:
        page.launch(
            server_name=settings.host,
            server_port=settings.port,
            prevent_thread_lock=not wait,
            quiet=not wait,
            max_threads=_THREADS,
            max_file_size=MAX_BYTES + 1,
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            allowed_paths=[str(EXAMPLES)],
            i18n=I18N,
            theme=theme(),
            css_paths=CSS,
            app_kwargs={"routes": probes(backend, observer)},
        )
    except OSError as error:
        raise SetupError(
            f"The page cannot be served: {error}", "Choose another port with --port (or PORT= for make demo)."
        ) from error
    return page


def _wire_conversation(page: gr.Blocks, parts: Parts, desk: Desk) -> None:
    """The page as it is opened, Send, Stop, Retry, Clear."""
    shelf = Shelf()
    beats = itertools.count(1)
    shown = [
        *(parts.composer, parts.conversation, parts.viewer, parts.notice, parts.shown, parts.pulse),
        *(parts.send, parts.stop, parts.retry),
    ]

    def show(view: View, words: Words) -> list[Any]:
        session, message = view.session, view.message
        if message is not None:
            message = {**message, "files": [shelf.path(image.photo) for image in view.images]}
        return [
            gr.skip() if message is None else message,
            messages(session, desk.info, words, shelf.path),
            viewer(session, desk.info, shelf.url, words),
            view.notice or notice(),
            session.record.id if session.record else "",
            {"beat": next(beats), "running": view.running},
            gr.update(interactive=not view.running),
            gr.update(interactive=view.running),
            gr.update(interactive=bool(session.conversation.turns) and not view.running),
        ]

    async def showing(views: AsyncGenerator[View, None], words: Words) -> AsyncGenerator[list[Any], None]:
        async with aclosing(views):
            async for view in views:
                yield show(view, words)

    async def on_open(owner: str, shown: str, request: gr.Request) -> AsyncGenerator[list[Any], None]:
        words = _words(request)
        async with aclosing(showing(desk.open(_person(owner, request), shown, words), words)) as updates:
            async for update in updates:
                yield update

    async def on_ask(
        message: Message, mode: str, most: int, owner: str, shown: str, request: gr.Request
    ) -> AsyncGenerator[list[Any], None]:
        words = _words(request)
        views = desk.ask(message, _chosen(mode, most), _person(owner, request), shown, words)
        async with aclosing(showing(views, words)) as updates:
            async for update in updates:
                yield update

    async def on_retry(owner: str, shown: str, request: gr.Request) -> AsyncGenerator[list[Any], None]:
        words = _words(request)
        async with aclosing(showing(desk.retry(_person(owner, request), shown, words), words)) as updates:
            async for update in updates:
                yield update

    async def on_stop(owner: str, shown: str, request: gr.Request) -> list[Any]:
        return show(await desk.stop(_person(owner, request), shown), _words(request))

    def on_clear(request: gr.Request) -> list[Any]:
        return show(View(message=EMPTY), _words(request))

    who = [parts.owner, parts.shown]
    asked = [parts.composer, parts.mode, parts.most, *who]
    remembered = page.load(None, None, who, js=_REMEMBERED, **_QUIET)
    following = [
        remembered.then(on_open, who, shown, **_QUIET),
        parts.pulse.click(on_open, who, shown, **_QUIET),
        gr.on([parts.send.click, parts.composer.submit], on_ask, asked, shown, **_QUIET),
        parts.retry.click(on_retry, who, shown, **_QUIET),
    ]
    parts.stop.click(on_stop, who, shown, **_QUIET)
    parts.clear.click(on_clear, None, shown, cancels=following, **_QUIET)
    parts.shown.change(None, parts.shown, js=_REMEMBER, **_QUIET)


def _wire_composer(parts: Parts, desk: Desk) -> None:
    """What the pictures would cost, the slider of the custom mode, the examples."""

    async def on_preview(
        message: Message, mode: str, most: int, owner: str, shown: str, request: gr.Request
    ) -> Any:
        person = _person(owner, request)
        return await desk.preview(message, _chosen(mode, most), person, shown, _words(request))

    def on_mode(mode: str) -> Any:
        return gr.update(visible=mode == "custom")

    parts.composer.change(None, parts.composer, parts.files, js=_FILES, **_QUIET)
    parts.mode.change(on_mode, parts.mode, parts.most, **_QUIET)
    gr.on(
        [parts.files.change, parts.mode.change, parts.most.change],
        on_preview,
        [parts.composer, parts.mode, parts.most, parts.owner, parts.shown],
        parts.tokens,
        trigger_mode="always_last",
        **_QUIET,
    )
    for button, message in parts.examples:
        button.click(lambda message=message: message, None, parts.composer, **_QUIET)


def _wire_api(desk: Desk) -> None:
    """The endpoint `/ask`: message {text, files}, mode -> the report of the answer."""

    async def ask(message: Message, request: gr.Request, mode: str = "standard") -> dict[str, Any]:
        try:
            return await desk.api_ask(message, mode, request.session_hash or "")
        except DemoError as error:
            desk.observer.refused(error)
            raise gr.Error(str(error), print_exception=False) from error

    message = gr.MultimodalTextbox(visible=False, file_count="multiple")
    mode = gr.Textbox("standard", visible=False)
    gr.on([], ask, [message, mode], gr.JSON(visible=False), api_name="ask")


def _words(request: gr.Request) -> Words:
    return words_for(request.headers.get("accept-language"))


def _person(owner: str, request: gr.Request) -> Person:
    """Who asks. For a fair share a tab, or a program's client, is somebody: behind a proxy all have one address,
    so addresses tell nothing."""
    tab = request.session_hash or ""
    return Person(owner if _OWNER.fullmatch(owner or "") else tab, tab)


def _chosen(mode: str, most: int) -> str | int:
    return int(most) if mode == "custom" else mode
