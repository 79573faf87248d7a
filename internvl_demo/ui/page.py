"""The page: what is wired to what, and its launch. What stands where is in `layout`, what happens in `handlers`.

Handles that tests and scripts may rely on: element ids `composer`, `send`, `stop`, `retry`, `clear`, `mode`,
`conversation`, `token-count`, `notice`, `viewer`; every drawn box is an SVG element of class `ground-box`
with `data-label`, `data-image` and `data-box`. The endpoint `/ask` answers `gradio_client`.
"""

import asyncio
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
from internvl_demo.ui.handlers import Desk, Message, View
from internvl_demo.ui.layout import CSS, EXAMPLES, I18N, Parts, lay_out, theme
from internvl_demo.ui.loading import show_progress
from internvl_demo.ui.probes import probes
from internvl_demo.ui.session import Session, messages, notice, plain
from internvl_demo.ui.shelf import Shelf, use_own_folder
from internvl_demo.ui.strings import Words, words_for
from internvl_demo.ui.viewer import viewer

_FILES = "(message) => JSON.stringify((message?.files ?? []).map((file) => file.path))"
"""In the browser, so that typing sends nothing to the server; only a change of files does."""

_SESSIONS = 256
"""Bounds what tabs hold: a session keeps its photos decoded, some 36 MB for one of 12 megapixels."""

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
    running = settings.running or (_RUNNING_BY_A_SERVER if settings.endpoint or settings.serve else 1)
    desk = Desk(backend, info, options_of(settings), Admission(running, settings.waiting), observer)
    miniature = not (settings.endpoint or settings.serve) and settings.checkpoint == str(NANO_CHECKPOINT)
    with gr.Blocks(title="InternVL 1.5", analytics_enabled=False, fill_width=True) as page:
        show_progress(backend)
        parts = lay_out(None if miniature else plain(info.name))
        _wire_conversation(parts, desk)
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
            state_session_capacity=_SESSIONS,
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


def _wire_conversation(parts: Parts, desk: Desk) -> None:
    """Send, Stop, Retry, Clear."""
    shelf = Shelf()
    shown = [
        *(parts.composer, parts.conversation, parts.viewer, parts.notice, parts.session),
        *(parts.send, parts.stop, parts.retry),
    ]

    def show(view: View, words: Words) -> list[Any]:
        return [
            gr.skip() if view.message is None else view.message,
            messages(view.session, desk.info, words, shelf.path),
            viewer(view.session, desk.info, shelf.url, words),
            view.notice or notice(),
            view.session,
            gr.update(interactive=not view.running),
            gr.update(interactive=view.running),
            gr.update(interactive=bool(view.session.conversation.turns) and not view.running),
        ]

    async def on_ask(
        message: Message, mode: str, most: int, session: Session, request: gr.Request
    ) -> AsyncGenerator[list[Any], None]:
        words = _words(request)
        asking = desk.ask(message, _chosen(mode, most), session, words, _person(request))
        async with aclosing(asking) as views:
            async for view in views:
                yield show(view, words)

    async def on_retry(session: Session, request: gr.Request) -> AsyncGenerator[list[Any], None]:
        words = _words(request)
        async with aclosing(desk.retry(session, words, _person(request))) as views:
            async for view in views:
                yield show(view, words)

    def on_stop(session: Session, request: gr.Request) -> list[Any]:
        return show(desk.settle(session), _words(request))

    def on_clear(request: gr.Request) -> list[Any]:
        return show(desk.clear(), _words(request))

    asked = [parts.composer, parts.mode, parts.most, parts.session]
    running = [
        gr.on([parts.send.click, parts.composer.submit], on_ask, asked, shown, **_QUIET),
        parts.retry.click(on_retry, parts.session, shown, **_QUIET),
    ]
    parts.stop.click(on_stop, parts.session, shown, cancels=running, **_QUIET)
    parts.clear.click(on_clear, None, shown, cancels=running, **_QUIET)


def _wire_composer(parts: Parts, desk: Desk) -> None:
    """What the pictures would cost, the slider of the custom mode, the examples."""

    def on_preview(message: Message, mode: str, most: int, session: Session, request: gr.Request) -> Any:
        return desk.preview(message, _chosen(mode, most), session, _words(request))

    def on_mode(mode: str) -> Any:
        return gr.update(visible=mode == "custom")

    parts.composer.change(None, parts.composer, parts.files, js=_FILES, **_QUIET)
    parts.mode.change(on_mode, parts.mode, parts.most, **_QUIET)
    gr.on(
        [parts.files.change, parts.mode.change, parts.most.change],
        on_preview,
        [parts.composer, parts.mode, parts.most, parts.session],
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
            return await desk.api_ask(message, mode, _person(request))
        except DemoError as error:
            desk.observer.refused(error)
            raise gr.Error(str(error), print_exception=False) from error

    message = gr.MultimodalTextbox(visible=False, file_count="multiple")
    mode = gr.Textbox("standard", visible=False)
    gr.on([], ask, [message, mode], gr.JSON(visible=False), api_name="ask")


def _words(request: gr.Request) -> Words:
    return words_for(request.headers.get("accept-language"))


def _person(request: gr.Request) -> str:
    """Who asks: a tab, or a program's client. Behind a proxy all have one address, so addresses tell nothing."""
    return request.session_hash or ""


def _chosen(mode: str, most: int) -> str | int:
    return int(most) if mode == "custom" else mode
