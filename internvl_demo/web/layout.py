"""What stands where on the page: components, their ids, and the theme. Nothing happens here.

Every fixed text is chosen by the browser from both languages (`I18N`). Small widgets (the viewer, the
notice, the token count) are fixed markup with a script of their own in `static/`, which draws the widget's
value with textContent and checked numbers only.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from internvl_demo.conversation.tiling import MAX_TILES, MODES
from internvl_demo.settings import asset
from internvl_demo.web.context_bar import NOTHING as NO_BAR
from internvl_demo.web.handlers import Message
from internvl_demo.web.inspector_view import CLOSED
from internvl_demo.web.strings import TABLE, Words, words_for
from internvl_demo.web.tray import empty
from internvl_demo.web.turns import NOTHING as NO_TURNS
from internvl_demo.web.viewer import NOTHING

STATIC = Path(__file__).parent / "static"
EXAMPLES = asset("examples")
CSS = [
    STATIC / "page.css",
    *sorted(STATIC.glob("*/*.css")),
    STATIC / "context-bar.css",
    STATIC / "inspector.css",
]

_EXAMPLES = {
    f"example_{number}": row
    for number, row in enumerate(json.loads((EXAMPLES / "examples.json").read_text("utf-8")))
}
_ENGLISH, _CHINESE = (
    {key: texts[column] for key, texts in TABLE.items()}
    | {name: row[language] for name, row in _EXAMPLES.items()}
    for column, language in ((0, "en"), (1, "zh"))
)
I18N = gr.I18n(en=_ENGLISH, zh=_CHINESE, **{"zh-CN": _CHINESE, "zh-TW": _CHINESE})


_FORMULAS: list[dict[str, str | bool]] = [
    {"left": "$$", "right": "$$", "display": True},
    {"left": "\\[", "right": "\\]", "display": True},
    {"left": "$", "right": "$", "display": False},
    {"left": "\\(", "right": "\\)", "display": False},
]
"""The longer first: `$$` is not twice `$`."""


@dataclass(frozen=True)
class Example:
    """A question in both languages, the paths of its pictures, and the button that puts them into the composer."""

    button: gr.Button
    texts: tuple[str, str]
    files: list[str]

    def message(self, words: Words) -> Message:
        """As it is asked in a language."""
        return {"text": words.either(self.texts), "files": self.files}


@dataclass(frozen=True)
class Parts:
    """The components that something happens to."""

    owner: gr.Textbox
    shown: gr.Textbox
    language: gr.Textbox
    panel: gr.HTML
    switch: gr.Button
    turns: gr.HTML
    pulse: gr.HTML
    conversation: gr.Chatbot
    notice: gr.HTML
    composer: gr.MultimodalTextbox
    mode: gr.Radio
    most: gr.Slider
    tray: gr.HTML
    bar: gr.HTML
    room: gr.Textbox
    got: gr.Textbox
    given: gr.Textbox
    inspector: gr.HTML
    send: gr.Button
    stop: gr.Button
    retry: gr.Button
    clear: gr.Button
    viewer: gr.HTML
    examples: tuple["Example", ...]
    files: gr.Textbox
    labelled: tuple[tuple[Any, Callable[[Words], dict[str, Any]]], ...]
    """What has a fixed text, and that text in a language."""


def lay_out(note: str | None) -> Parts:
    """Places everything into the current gr.Blocks. `note`: what answers; None for the miniature, whose
    world needs one tile and whose pairs of images were taught with one tile each."""
    owner, shown, language = _hidden("owner"), _hidden("shown"), _hidden("language")
    pulse = widget("pulse", {"beat": 0, "running": False})
    with gr.Row(elem_id="head"):
        panel = widget("panel", {})
        gr.Markdown("# InternVL 1.5", elem_id="title", container=False)
        tagline = gr.Markdown(I18N("tagline"), elem_id="tagline", container=False)
        about = I18N("model_miniature") if note is None else note
        about = gr.Markdown(about, elem_id="model-note", container=False)
        switch = gr.Button(I18N("language"), elem_id="switch-language", size="sm", min_width=0)
    with gr.Row(elem_id="desk", equal_height=False):
        with gr.Column(scale=5, min_width=340, elem_id="talk"):
            conversation = _conversation()
            turns = widget("turns", NO_TURNS)
            inspector = widget("inspector", CLOSED, apply_default_css=False)
            notice = widget("notice", {"what": "", "next_step": ""})
            composer = _composer()
            tray = widget("tray", empty(), apply_default_css=False)
            with gr.Row(elem_id="choices"):
                mode, most = _mode("low" if note is None else "standard")
            bar = widget("context-bar", NO_BAR)
            with gr.Row(elem_id="actions"):
                send = _button("send", variant="primary")
                stop = _button("stop", variant="stop", interactive=False)
                retry = _button("retry", interactive=False)
                clear = _button("clear")
        with gr.Column(scale=5, min_width=340, elem_id="sight"):
            viewer = widget("viewer", NOTHING, apply_default_css=False)
            with gr.Row(elem_id="examples"):
                title = gr.Markdown(I18N("examples"), elem_id="examples-title", container=False)
                examples = _examples()
    widget("names", _names())
    files, room, got = _hidden("files-chosen", "[]"), _hidden("room"), _hidden("fetched")
    given = _hidden("given")
    labelled = [
        (conversation, _named(label="conversation", placeholder="conversation_empty")),
        (composer, _named(label="composer", placeholder="composer_placeholder")),
        (mode, lambda words: {"label": words("mode"), "choices": _modes(words)}),
        (most, _named(label="max_tiles")),
        (tagline, _named(value="tagline")),
        (title, _named(value="examples")),
        (switch, _named(value="language")),
        *((button, _named(value=button.elem_id)) for button in (send, stop, retry, clear)),
        *((example.button, _asking(example)) for example in examples),
    ]
    if note is None:
        labelled.append((about, _named(value="model_miniature")))
    return Parts(
        owner=owner,
        shown=shown,
        language=language,
        panel=panel,
        switch=switch,
        turns=turns,
        pulse=pulse,
        conversation=conversation,
        notice=notice,
        composer=composer,
        mode=mode,
        most=most,
        tray=tray,
        bar=bar,
        room=room,
        got=got,
        given=given,
        inspector=inspector,
        send=send,
        stop=stop,
        retry=retry,
        clear=clear,
        viewer=viewer,
        examples=examples,
        files=files,
        labelled=tuple(labelled),
    )


def relabelled(parts: Parts) -> Callable[[str], list[Any]]:
    """Language -> what changes of the parts that have a fixed text."""

    def relabel(language: str) -> list[Any]:
        return [gr.update(**texts(words_for(language))) for _, texts in parts.labelled]

    return relabel


def theme() -> gr.Theme:
    """Quiet, teal, and the system's own fonts: nothing is fetched from elsewhere."""
    return gr.themes.Soft(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=["system-ui", "Segoe UI", "PingFang SC", "Noto Sans CJK SC", "sans-serif"],
        font_mono=["ui-monospace", "Menlo", "monospace"],
    ).set(button_secondary_background_fill_hover_dark="*neutral_700")  # on Soft's teal white cannot be read


def _conversation() -> gr.Chatbot:
    return gr.Chatbot(
        elem_id="conversation",
        label=I18N("conversation"),
        show_label=False,
        placeholder=I18N("conversation_empty"),
        height="100%",
        buttons=[],
        feedback_options=None,
        allow_file_downloads=False,
        allow_tags=False,
        latex_delimiters=_FORMULAS,
    )


def _composer() -> gr.MultimodalTextbox:
    return gr.MultimodalTextbox(
        elem_id="composer",
        label=I18N("composer"),
        show_label=False,
        placeholder=I18N("composer_placeholder"),
        file_count="multiple",
        file_types=["image"],
        max_lines=8,
        max_plain_text_length=100_000,
        submit_btn=False,
    )


def _mode(chosen: str) -> tuple[gr.Radio, gr.Slider]:
    """Low, standard, high; or custom, which shows the slider."""
    mode = gr.Radio(_modes(I18N), value=chosen, label=I18N("mode"), elem_id="mode", container=False)
    most = gr.Slider(
        1, MAX_TILES, value=6, step=1, label=I18N("max_tiles"), elem_id="max-tiles", visible=False
    )
    return mode, most


def _modes(text: Callable[[str], Any]) -> list[tuple[Any, str]]:
    return [(text(f"mode_{name}"), name) for name in (*MODES, "custom")]


def _named(**keys: str) -> Callable[[Words], dict[str, Any]]:
    """Properties that are texts of the table."""
    return lambda words: {name: words(key) for name, key in keys.items()}


def _names() -> dict[str, dict[str, str]]:
    """What `static/names.js` names, in both languages."""
    keys = {key.removeprefix("names_"): key for key in TABLE if key.startswith("names_")}
    keys |= {key: key for key in ("conversation", "composer", "max_tiles")}
    columns = (("en", 0), ("zh", 1))
    return {
        language: {name: TABLE[key][column] for name, key in keys.items()} for language, column in columns
    }


def _hidden(name: str, value: str = "") -> gr.Textbox:
    """A value that the browser holds."""
    return gr.Textbox(value, visible="hidden", elem_id=name)


def _button(name: str, **settings: Any) -> gr.Button:
    return gr.Button(I18N(name), elem_id=name, min_width=80, **settings)


def _examples() -> tuple[Example, ...]:
    """The repository's, each with its button."""
    made = []
    for name, row in _EXAMPLES.items():
        files = [str(EXAMPLES / file) for file in row["files"]]
        button = gr.Button(I18N(name), icon=files[-1], size="sm", elem_classes="example", min_width=150)
        made.append(Example(button, (row["en"], row["zh"]), files))
    return tuple(made)


def _asking(example: Example) -> Callable[[Words], dict[str, Any]]:
    return lambda words: {"value": words.either(example.texts)}


def widget(name: str, value: dict[str, Any], **settings: Any) -> gr.HTML:
    """An element of this id, drawn by the script of this name from its value."""
    template = '<div class="widget"></div>'
    return gr.HTML(value, html_template=template, js_on_load=_script(name), elem_id=name, **settings)


def _script(name: str) -> str:
    """A widget's one file; or those of its folder, which share one scope with `viewer/dom.js`, `main.js` last."""
    folder = STATIC / name
    files = sorted(folder.glob("*.js"), key=lambda file: (file.name == "main.js", file.name))
    if files and name != "viewer":
        files.insert(0, STATIC / "viewer" / "dom.js")
    return "\n".join(file.read_text("utf-8") for file in files or [STATIC / f"{name}.js"])
