"""Place the widgets on the page, and choose its colours. Nothing happens here.

Each widget is a folder of `widgets`, served under /page, and its script is a module that fills its place:

    <div id="viewer"><div class="widget"></div></div>      <- page/widgets/viewer/widget.js, mount(element, props)
"""

import json
from pathlib import Path
from typing import Any

import gradio as gr

from internvl_demo.settings import asset

WEB = Path(__file__).parent
CSS = [WEB / "page.css", *sorted((WEB / "widgets").glob("*/*.css"))]

_MOUNT = """import(new URL('page/widgets/{folder}/widget.js', document.baseURI).href)
  .then((widget) => widget.default(element, props))"""


def lay_out() -> None:
    """Place everything into the current gr.Blocks."""
    with gr.Row(elem_id="head"):
        widget("panel")
        widget("heading")
        widget("settings", elem_id="settings-place")
    with gr.Row(elem_id="desk", equal_height=False):
        with gr.Column(scale=5, min_width=320, elem_id="talk"):
            widget("conversation", {"examples": examples()})
            widget("inspector")
            widget("notice")
            widget("composer", elem_id="composer-card")
        with gr.Column(scale=5, min_width=320, elem_id="sight"):
            widget("viewer")


def widget(folder: str, value: dict[str, Any] | None = None, *, elem_id: str | None = None) -> gr.HTML:
    """Place the widget of that folder; `value` is what its script finds as `props.value`."""
    return gr.HTML(
        value or {},
        html_template='<div class="widget"></div>',
        js_on_load=_MOUNT.format(folder=folder),
        elem_id=elem_id or folder,
        apply_default_css=False,
    )


def examples() -> list[dict[str, Any]]:
    """Return the example questions in both languages, and where their pictures are on the page."""
    rows = json.loads((asset("examples") / "examples.json").read_text("utf-8"))
    return [
        {"en": row["en"], "zh": row["zh"], "files": [f"page/examples/{file}" for file in row["files"]]}
        for row in rows
    ]


def head() -> str:
    """Return what stands in the page's head: its styles as they are written, and the script that chooses the theme.

    Gradio's own `css` would rewrite every selector, and cut those with commas inside `:is(...)`.
    """
    styles = "\n".join(path.read_text("utf-8") for path in CSS)
    return f"<style>{styles}</style><script>{(WEB / 'theme.js').read_text('utf-8')}</script>"


def theme() -> gr.Theme:
    """Return the page's colours: quiet, teal, and the system's own fonts, so that nothing is fetched from elsewhere."""
    return gr.themes.Soft(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=["system-ui", "Segoe UI", "PingFang SC", "Noto Sans CJK SC", "sans-serif"],
        font_mono=["ui-monospace", "Menlo", "monospace"],
    ).set(button_secondary_background_fill_hover_dark="*neutral_700")  # on Soft's teal white cannot be read
