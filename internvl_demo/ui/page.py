"""The layout of the page, and what is wired to what. What happens is in `handlers`.

Handles that tests and scripts may rely on: element ids `composer`, `send`, `stop`, `retry`, `clear`, `mode`,
`conversation`, `token-count`, `notice`, `viewer`; every drawn box is an SVG element of class `ground-box`
with `data-label`, `data-image` and `data-box`. The endpoint `/ask` answers `gradio_client`.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import gradio as gr

from internvl_demo.backends import options_of
from internvl_demo.backends.base import Backend, ModelInfo
from internvl_demo.errors import DemoError, SetupError
from internvl_demo.photo import MAX_BYTES
from internvl_demo.settings import NANO_CHECKPOINT, Settings
from internvl_demo.tiling import MAX_TILES, MODES
from internvl_demo.ui.handlers import Desk, Message, View
from internvl_demo.ui.session import Session, messages, notice, plain, viewer
from internvl_demo.ui.shelf import Shelf, use_own_folder
from internvl_demo.ui.strings import TABLE, words_for

STATIC = Path(__file__).parent / "static"
EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples"
_BOTH = {column: {key: texts[column] for key, texts in TABLE.items()} for column in (0, 1)}
I18N = gr.I18n(en=_BOTH[0], zh=_BOTH[1], **{"zh-CN": _BOTH[1], "zh-TW": _BOTH[1]})
"""The browser chooses its language for everything that is fixed."""

_FILES = "(message) => JSON.stringify((message?.files ?? []).map((file) => file.path))"
"""In the browser, so that typing sends nothing to the server; only a change of files does."""

_SESSION_SECONDS = 3600
_SESSIONS = 256
"""Bounds on what tabs hold: a session keeps its photos decoded, some 36 MB for one of 12 megapixels."""
_THREADS = 512
"""Also the size of Gradio's table of running jobs: with its default of 40 the 41st person waits."""


def build_page(backend: Backend, info: ModelInfo, settings: Settings) -> gr.Blocks:
    """The page, ready to be launched."""
    use_own_folder()
    desk, shelf = Desk(backend, info, options_of(settings)), Shelf()
    with gr.Blocks(title="InternVL 1.5", analytics_enabled=False, fill_width=True) as page:
        session = gr.State(Session(), time_to_live=_SESSION_SECONDS)
        _header(info, settings)
        with gr.Row(elem_id="desk", equal_height=False):
            with gr.Column(scale=5, min_width=340, elem_id="talk"):
                conversation = gr.Chatbot(
                    elem_id="conversation",
                    label=I18N("conversation"),
                    show_label=False,
                    placeholder=I18N("conversation_empty"),
                    height="100%",
                    layout="bubble",
                    buttons=["copy"],
                    feedback_options=None,
                    allow_file_downloads=False,
                    allow_tags=False,
                )
                alert = _widget("notice", {"what": "", "next_step": ""})
                composer = gr.MultimodalTextbox(
                    elem_id="composer",
                    label=I18N("composer"),
                    show_label=False,
                    placeholder=I18N("composer_placeholder"),
                    file_count="multiple",
                    file_types=["image"],
                    lines=1,
                    max_lines=8,
                    max_plain_text_length=100_000,
                    submit_btn=False,
                )
                with gr.Row(elem_id="choices"):
                    mode = gr.Radio(
                        [(I18N(f"mode_{name}"), name) for name in (*MODES, "custom")],
                        value="standard",
                        label=I18N("mode"),
                        elem_id="mode",
                        container=False,
                    )
                    most = gr.Slider(
                        1,
                        MAX_TILES,
                        value=6,
                        step=1,
                        label=I18N("max_tiles"),
                        elem_id="max-tiles",
                        visible=False,
                    )
                tokens = _widget("token-count", {"lines": [], "total": ""})
                with gr.Row(elem_id="actions"):
                    send = gr.Button(I18N("send"), elem_id="send", variant="primary", min_width=80)
                    stop = gr.Button(
                        I18N("stop"), elem_id="stop", variant="stop", min_width=80, interactive=False
                    )
                    retry = gr.Button(I18N("retry"), elem_id="retry", min_width=80, interactive=False)
                    clear = gr.Button(I18N("clear"), elem_id="clear", min_width=80)
            with gr.Column(scale=5, min_width=340, elem_id="sight"):
                sight = _widget("viewer", {"images": [], "boxes": []})
                examples = _examples()
        files = gr.Textbox("[]", visible="hidden", elem_id="files-chosen")

        shown = [composer, conversation, sight, alert, session, send, stop, retry]

        def show(view: View, request: gr.Request) -> list[Any]:
            words = words_for(request.headers.get("accept-language"))
            return [
                gr.skip() if view.message is None else view.message,
                messages(view.session, info, words, shelf.path),
                viewer(view.session, shelf.url, words),
                view.notice or notice(),
                view.session,
                gr.update(interactive=not view.running),
                gr.update(interactive=view.running),
                gr.update(interactive=bool(view.session.conversation.turns) and not view.running),
            ]

        async def on_ask(
            message: Message, mode: str, most: int, session: Session, request: gr.Request
        ) -> AsyncGenerator[list[Any], None]:
            words = words_for(request.headers.get("accept-language"))
            async with aclosing(desk.ask(message, _chosen(mode, most), session, words)) as views:
                async for view in views:
                    yield show(view, request)

        async def on_retry(session: Session, request: gr.Request) -> AsyncGenerator[list[Any], None]:
            async with aclosing(
                desk.retry(session, words_for(request.headers.get("accept-language")))
            ) as views:
                async for view in views:
                    yield show(view, request)

        def on_stop(session: Session, request: gr.Request) -> list[Any]:
            return show(desk.settle(session), request)

        def on_clear(request: gr.Request) -> list[Any]:
            return show(desk.clear(), request)

        def on_preview(message: Message, mode: str, most: int, session: Session, request: gr.Request) -> Any:
            words = words_for(request.headers.get("accept-language"))
            return desk.preview(message, _chosen(mode, most), session, words)

        async def ask(message: Message, mode: str = "standard") -> dict[str, Any]:
            try:
                return await desk.api_ask(message, mode)
            except DemoError as error:
                raise gr.Error(str(error), print_exception=False) from error

        private: dict[str, Any] = {"api_visibility": "private"}
        running = [
            gr.on(
                [send.click, composer.submit],
                on_ask,
                [composer, mode, most, session],
                shown,
                show_progress="hidden",
                **private,
            ),
            retry.click(on_retry, session, shown, show_progress="hidden", **private),
        ]
        stop.click(on_stop, session, shown, cancels=running, show_progress="hidden", **private)
        clear.click(on_clear, None, shown, cancels=running, show_progress="hidden", **private)

        composer.change(None, composer, files, js=_FILES, **private)
        mode.change(
            lambda mode: gr.update(visible=mode == "custom"), mode, most, show_progress="hidden", **private
        )
        gr.on(
            [files.change, mode.change, most.change],
            on_preview,
            [composer, mode, most, session],
            [tokens, alert],
            show_progress="hidden",
            trigger_mode="always_last",
            **private,
        )
        for button, message in examples:
            button.click(lambda message=message: message, None, composer, show_progress="hidden", **private)

        gr.on(
            [],
            ask,
            [
                gr.MultimodalTextbox(visible=False, file_count="multiple"),
                gr.Textbox("standard", visible=False),
            ],
            gr.JSON(visible=False),
            api_name="ask",
        )
    page.queue(default_concurrency_limit=None)
    return page


def launch(backend: Backend, settings: Settings, *, wait: bool = True) -> gr.Blocks:
    """Serves the page until it is interrupted, or returns it running when not told to `wait`."""
    info = asyncio.run(backend.describe())
    page = build_page(backend, info, settings)
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
            theme=_theme(),
            css_paths=[STATIC / "page.css"],
        )
    except OSError as error:
        raise SetupError(
            f"The page cannot be served: {error}", "Choose another port with --port (or PORT= for make demo)."
        ) from error
    return page


def _chosen(mode: str, most: int) -> str | int:
    return int(most) if mode == "custom" else mode


def _header(info: ModelInfo, settings: Settings) -> None:
    miniature = not settings.endpoint and settings.checkpoint == str(NANO_CHECKPOINT)
    with gr.Row(elem_id="head"):
        gr.Markdown("# InternVL 1.5", elem_id="title", container=False)
        gr.Markdown(I18N("tagline"), elem_id="tagline", container=False)
        note = I18N("model_miniature") if miniature else plain(info.name)
        gr.Markdown(note, elem_id="model-note", container=False)


def _examples() -> list[tuple[gr.Button, Message]]:
    """A button for each example, and what it puts into the composer."""
    rows = json.loads((EXAMPLES / "examples.json").read_text("utf-8"))
    made = []
    with gr.Row(elem_id="examples"):
        gr.Markdown(I18N("examples"), elem_id="examples-title", container=False)
        for row in rows:
            files = [str(EXAMPLES / name) for name in row["files"]]
            button = gr.Button(row["text"], icon=files[-1], size="sm", elem_classes="example", min_width=150)
            made.append((button, {"text": row["text"], "files": files}))
    return made


def _widget(name: str, value: dict[str, Any]) -> gr.HTML:
    """A small widget: fixed markup, and a script that draws its value with textContent only."""
    script = (STATIC / f"{name}.js").read_text("utf-8")
    return gr.HTML(value, html_template='<div class="widget"></div>', js_on_load=script, elem_id=name)


def _theme() -> gr.Theme:
    return gr.themes.Soft(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=["system-ui", "Segoe UI", "PingFang SC", "Noto Sans CJK SC", "sans-serif"],
        font_mono=["ui-monospace", "Menlo", "monospace"],
    )
