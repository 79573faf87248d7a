"""At the page's top, what a model server that this app started does while it cannot answer yet.

Only for a backend that has `progress()`; there is nothing for any other. The tab asks often while there is
something to say, and seldom afterwards, so that the notice comes again when the server is started again.
"""

from collections.abc import Callable
from typing import Any

import gradio as gr

from internvl_demo.errors import DemoError
from internvl_demo.models.base import Backend
from internvl_demo.web.layout import widget
from internvl_demo.web.session import notice, spoken
from internvl_demo.web.strings import words_for

SOON_S = 1.0
SELDOM_S = 10.0


def place_progress(backend: Backend) -> gr.HTML | None:
    """Places the notice into the current gr.Blocks, if there ever is one."""
    return widget("server-state", notice()) if hasattr(backend, "progress") else None


def follow_progress(backend: Backend, state: gr.HTML | None, language: gr.Textbox) -> None:
    """Lets the notice tell how it stands, in the language of the tab."""
    if state is None:
        return
    progress: Callable[[], DemoError | None] = backend.progress  # type: ignore[attr-defined]
    timer = gr.Timer(SOON_S)

    def tell(language: str) -> tuple[dict[str, str], Any]:
        problem = progress()
        return spoken(notice(problem), words_for(language)), gr.Timer(SOON_S if problem else SELDOM_S)

    tick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    timer.tick(tell, language, [state, timer], **tick)
    language.change(tell, language, [state, timer], **tick)  # also at once, when the tab knows its language
