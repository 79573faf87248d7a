"""At the page's top, what a model server that this app started does while it cannot answer yet.

Only for a backend that has `progress()`; there is nothing for any other. The tab asks often while there is
something to say, and seldom afterwards, so that the notice comes again when the server is started again.
"""

from typing import Any

import gradio as gr

from internvl_demo.backends.base import Backend
from internvl_demo.ui.layout import widget
from internvl_demo.ui.session import notice

SOON_S = 1.0
SELDOM_S = 10.0


def show_progress(backend: Backend) -> None:
    """Places the notice into the current gr.Blocks."""
    progress = getattr(backend, "progress", None)
    if progress is None:
        return
    state = widget("server-state", notice(progress()))
    timer = gr.Timer(SOON_S)

    def tell() -> tuple[dict[str, str], Any]:
        problem = progress()
        return notice(problem), gr.Timer(SOON_S if problem else SELDOM_S)

    timer.tick(tell, None, [state, timer], show_progress="hidden", api_visibility="private")
