"""The page and its launch. What stands where is in `layout`, what is wired to what in `wiring`, what happens in
`handlers`.

Handles that tests and scripts may rely on: element ids `composer`, `send`, `stop`, `retry`, `clear`, `mode`,
`conversation`, `token-count`, `notice`, `viewer`; every drawn box is an SVG element of class `ground-box`
with `data-label`, `data-image` and `data-box`. The endpoint `/ask` answers `gradio_client`.
"""

import asyncio
from typing import Any

import gradio as gr

from internvl_demo.answering.metrics import Observer, log_to_stderr
from internvl_demo.answering.queue import Admission
from internvl_demo.errors import DemoError, SetupError
from internvl_demo.models import options_of
from internvl_demo.models.base import Backend, ModelInfo
from internvl_demo.photos.decode import MAX_BYTES
from internvl_demo.settings import NANO_CHECKPOINT, Settings
from internvl_demo.store import open_store
from internvl_demo.web.handlers import Desk, Message
from internvl_demo.web.inspection.prompt import how_of
from internvl_demo.web.layout import CSS, EXAMPLES, I18N, lay_out, theme
from internvl_demo.web.loading import follow_progress, place_progress
from internvl_demo.web.markup import plain
from internvl_demo.web.probes import probes
from internvl_demo.web.shelf import use_own_folder
from internvl_demo.web.wiring import Wiring

_RUNNING_BY_A_SERVER = 8
"""Questions at once unless told: 40-tile conversations with the 26B that fit into one GPU of 80 GB are ten."""

_THREADS = 512
"""Also the size of Gradio's table of running jobs: with its default of 40 the 41st person waits."""


def build_page(
    backend: Backend, info: ModelInfo, settings: Settings, observer: Observer | None = None
) -> gr.Blocks:
    """The page, ready to be launched."""
    use_own_folder()
    store = open_store(settings)
    running = settings.running or (_RUNNING_BY_A_SERVER if settings.endpoint or settings.serve else 1)
    gate = Admission(running, settings.waiting)
    desk = Desk(backend, info, options_of(settings), gate, store, observer, how_of(settings, info))
    miniature = not (settings.endpoint or settings.serve) and settings.checkpoint == str(NANO_CHECKPOINT)
    with gr.Blocks(title="InternVL 1.5", analytics_enabled=False, fill_width=True) as page:
        state = place_progress(backend)
        parts = lay_out(None if miniature else plain(info.name))
        follow_progress(backend, state, parts.language)
        Wiring(page, parts, desk)
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
