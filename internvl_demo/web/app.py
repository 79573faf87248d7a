"""Build the page, serve it with the HTTP interface, and end it cleanly.

Gradio lays the page out and answers `/ask`; all else a page does goes over the HTTP interface under /api (`routes`),
and its scripts and styles come from /page. When the process is told to end (SIGTERM, SIGINT), the streams end first,
then the answers that are coming are stored as broken off, then the store is closed.

Handles that tests and scripts may rely on: element ids `composer`, `send`, `stop`, `retry`, `clear`, `mode`,
`conversation`, `token-count`, `notice`, `viewer`; every drawn box is an SVG element of class `ground-box`
with `data-label`, `data-image` and `data-box`.
"""

import asyncio
import signal
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import gradio as gr
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from internvl_demo.answering.metrics import Observer, log_to_stderr
from internvl_demo.answering.queue import AnswerQueue
from internvl_demo.errors import SetupError
from internvl_demo.models import options_of
from internvl_demo.models.base import Backend, ModelInfo
from internvl_demo.models.places import places_of
from internvl_demo.photos.door import MAX_BYTES
from internvl_demo.settings import Settings, asset
from internvl_demo.store import Store, open_store
from internvl_demo.web.address import address_of, without_proxies
from internvl_demo.web.ask import add_ask
from internvl_demo.web.layout import WEB, head, lay_out, theme
from internvl_demo.web.limits import MAX_BODY_BYTES, BodyLimit
from internvl_demo.web.models import PageModel, PageModels
from internvl_demo.web.page_files import PageFiles, Preload, links
from internvl_demo.web.probes import probes
from internvl_demo.web.routes import http_interface
from internvl_demo.web.service import ChatService
from internvl_demo.web.uploads import keep_small, use_own_folder
from internvl_demo.web.widgets.inspector.prompt import how_of

_RUNNING_BY_A_SERVER = 8
"""Questions at once unless told: 40-tile conversations with the 26B that fit into one GPU of 80 GB are ten."""

_THREADS = 512
"""Also the size of Gradio's table of running jobs: with its default of 40 the 41st call of /ask waits."""

_FORM_BYTES = 64 * 1024
"""What a multipart form may bring around its file."""

_END_S = 10.0
"""The longest that ending waits for answers to be stored."""


class Page(gr.Blocks):  # type: ignore[misc]  # Gradio's types are not read
    """Gradio's page, which also takes calls that leave out the last inputs of an endpoint."""

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        """Add what is left out, as it is when nobody chose it."""
        missing = block_fn.inputs[len(inputs) :]
        inputs += [getattr(component, "value", None) for component in missing]


class Served:
    """A page that is being served: where, and how to end it."""

    def __init__(self, page: gr.Blocks, service: ChatService):
        self.page, self.service = page, service
        self.local_url = str(page.local_url)

    def close(self) -> None:
        """End the streams, store the answers that are coming, stop listening, and close the store."""
        loop = self.service.loop
        if loop and loop.is_running():
            with suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(self.service.close(), loop).result(_END_S)
        self.page.close(verbose=False)
        self.service.store.close()


def build_page(service: ChatService) -> gr.Blocks:
    """Return the page, ready to be launched."""
    with Page(title="InternVL 1.5", analytics_enabled=False, fill_width=True) as page:
        lay_out()
        add_ask(service)
    page.queue(default_concurrency_limit=None)
    return page


def build_service(
    backends: Sequence[Backend],
    infos: Sequence[ModelInfo],
    settings: Settings,
    observer: Observer,
    store: Store,
) -> ChatService:
    """Return the store, the queues and the models behind commands: the backends of the settings' places, in order."""
    models = [
        PageModel(
            place.id,
            backend,
            info,
            AnswerQueue(
                settings.running or (_RUNNING_BY_A_SERVER if place.by_server else 1), settings.waiting
            ),
            how_of(place, info),
            title=place.title,
            miniature=place.is_miniature,
        )
        for place, backend, info in zip(places_of(settings), backends, infos, strict=True)
    ]
    page_models = PageModels(models, fixed="model" in settings.fixed_options)
    options, fixed = options_of(settings), settings.fixed_options - {"model"}
    return ChatService(page_models, options, store, observer, fixed=fixed)


def launch(
    backend: Backend | Sequence[Backend],
    settings: Settings,
    store: Store | None = None,
    *,
    wait: bool = True,
) -> Served:
    """Serve the page until the process is told to end, or return it running when not told to `wait`.

    backend: the settings' model, or all of them in the order of their places. store: the one that the settings ask
    for, if it is open already.
    Raises BackendError when a model cannot be reached, SetupError when nobody can listen there, StoreError.
    """
    observer, folder = Observer(), use_own_folder()
    backends = [backend] if isinstance(backend, Backend) else list(backend)
    infos = asyncio.run(_described(backends))
    service = build_service(backends, infos, settings, observer, store or open_store(settings))
    page = build_page(service)
    api = http_interface(service)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
        service.loop = asyncio.get_running_loop()
        keeping = asyncio.create_task(keep_small(folder))
        yield
        keeping.cancel()
        await service.close()

    uploads = {"/api/photos": MAX_BYTES + _FORM_BYTES, "/gradio_api/upload": MAX_BYTES + _FORM_BYTES}
    kwargs: dict[str, Any] = {
        "routes": [
            *probes(backends[0], observer),
            Mount("/api", api),
            Mount("/page/examples", StaticFiles(directory=asset("examples"))),
            Mount("/page", PageFiles(WEB)),
        ],
        "middleware": [
            Middleware(BodyLimit, most=MAX_BODY_BYTES, uploads=uploads),
            Middleware(Preload, tags=links(WEB, "page")),
        ],
        "lifespan": lifespan,
    }
    told = None
    if wait:
        log_to_stderr()
        told = _listen_for_the_end()
    address = address_of(settings)
    try:
        with without_proxies():
            page.launch(
                server_name=address.name,
                server_port=address.port,
                prevent_thread_lock=True,
                quiet=True,
                max_threads=_THREADS,
                max_file_size=MAX_BYTES + 1,
                state_session_capacity=256,
                footer_links=[],
                run_history=False,
                enable_monitoring=False,
                ssr_mode=False,
                theme=theme(),
                head=head(),
                app_kwargs=kwargs,
            )
    except Exception as error:  # Gradio's libraries raise what they like
        raise SetupError(
            f"The page does not come up at {address.url}: {error}",
            "Start it again; if that fails, choose another --host or --port.",
        ) from error
    served = Served(page, service)
    if told:
        print(f"* Running on local URL:  {address.url}", flush=True)
        while not told.wait(3600):
            pass
        served.close()
    return served


async def _described(backends: Sequence[Backend]) -> list[ModelInfo]:
    return [await backend.describe() for backend in backends]


def _listen_for_the_end() -> threading.Event:
    """Return what is set when the process is told to end; being told twice ends it at once."""
    told = threading.Event()

    def tell(*_: object) -> None:
        if told.is_set():
            raise KeyboardInterrupt
        told.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, tell)
    return told
