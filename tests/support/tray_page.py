"""The tray and a composer on a page of their own, wired as simply as can be."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr

from internvl_demo.conversation.turns import Attachment
from internvl_demo.errors import DemoError
from internvl_demo.models.base import ModelInfo
from internvl_demo.photos.decode import Photo, open_photo
from internvl_demo.web.draft import Chip, Draft, acted, added
from internvl_demo.web.layout import CSS, I18N, STATIC, theme, widget
from internvl_demo.web.shelf import Shelf, use_own_folder
from internvl_demo.web.strings import words_for
from internvl_demo.web.tray import empty, tray

INFO = ModelInfo("scripted", tokens_per_tile=64, context_length=8192)
FILES = "(message) => JSON.stringify((message?.files ?? []).map((file) => file.path))"
TAKEN = """(taken, message) => {
    const gone = new Set(JSON.parse(taken))
    return { ...message, files: message.files.filter((file) => !gone.has(file.path)) }
}"""
"""In the browser, so that what is typed or added meanwhile stays."""


@dataclass
class Seen:
    """What came from the page, and what its next events bring."""

    deeds: list[dict[str, Any]] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    fetched: list[Photo | DemoError | None] = field(default_factory=list)
    """For each address what comes of it; None: nothing until there is something else."""


@dataclass(frozen=True)
class Kept:
    draft: Draft = ()
    problem: DemoError | None = None


def build(seen: Seen, before: tuple[Attachment, ...] = ()) -> gr.Blocks:
    """`before`: the conversation's images."""
    use_own_folder()
    shelf = Shelf()

    def show(kept: Kept, request: gr.Request) -> list[Any]:
        words = words_for(request.headers.get("accept-language"))
        value = tray(kept.draft, 12, INFO, shelf.url, words, before=before, problem=kept.problem)
        return [kept, value]

    def on_files(message: dict[str, Any], kept: Kept, request: gr.Request) -> list[Any]:
        files = message.get("files") or []
        if not files:
            return [gr.skip(), gr.skip()]
        try:
            kept = Kept(added(kept.draft, [open_photo(path) for path in files]))
        except DemoError as error:
            kept = replace(kept, problem=error)
        return show(kept, request)

    def on_act(kept: Kept, request: gr.Request, event: gr.EventData) -> list[Any]:
        seen.deeds.append(dict(event._data))
        return show(Kept(acted(kept.draft, event._data)), request)

    async def on_fetch(event: gr.EventData) -> Photo | DemoError:
        seen.urls.append(event._data["url"])
        while seen.fetched[0] is None:
            await asyncio.sleep(0.01)
        return seen.fetched.pop(0) or DemoError("", "")

    def on_fetched(got: Photo | DemoError, kept: Kept, request: gr.Request) -> list[Any]:
        kept = Kept((*kept.draft, Chip(got))) if isinstance(got, Photo) else replace(kept, problem=got)
        return show(kept, request)

    with gr.Blocks(title="Tray", analytics_enabled=False, fill_width=True) as page:
        kept, got = gr.State(Kept()), gr.State()
        composer = gr.MultimodalTextbox(
            elem_id="composer", show_label=False, label="Message", placeholder="Message",
            file_count="multiple", file_types=["image"],
            max_lines=8, submit_btn=False,
        )  # fmt: skip
        files = gr.Textbox("[]", visible="hidden")
        box = widget("tray", empty(), apply_default_css=False)
        gr.Button("Send", elem_id="send")
        quiet: dict[str, Any] = {"show_progress": "hidden", "concurrency_limit": 1, "concurrency_id": "draft"}
        many: dict[str, Any] = {**quiet, "trigger_mode": "multiple"}
        page.load(show, kept, [kept, box], **quiet)
        composer.change(None, composer, files, js=FILES, show_progress="hidden")
        files.change(on_files, [composer, kept], [kept, box], trigger_mode="always_last", **quiet).then(
            None, [files, composer], composer, js=TAKEN, show_progress="hidden"
        )
        sent = gr.Textbox(elem_id="sent", label="Sent")
        composer.submit(lambda message: message["text"], composer, sent, **quiet)
        box.act(on_act, kept, [kept, box], **many)
        box.fetch(on_fetch, None, got, show_progress="hidden", concurrency_limit=None).then(
            on_fetched, [got, kept], [kept, box], **quiet
        )
    return page


@contextmanager
def served(seen: Seen, before: tuple[Attachment, ...] = ()) -> Iterator[str]:
    """The page's address. Launched in a thread of its own: Playwright keeps an event loop in this one."""

    def launch() -> gr.Blocks:
        page = build(seen, before)
        css = list(dict.fromkeys([*CSS, STATIC / "tray" / "tray.css"]))
        page.launch(
            prevent_thread_lock=True, quiet=True, footer_links=[], theme=theme(), css_paths=css, i18n=I18N,
            ssr_mode=False,
        )  # fmt: skip
        return page

    with ThreadPoolExecutor(1) as thread:
        page = thread.submit(launch).result()
    yield page.local_url
    page.close()
