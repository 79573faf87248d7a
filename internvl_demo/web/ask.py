"""The endpoint `/ask` for `gradio_client`: one question with its pictures in, the whole answer out.

    client.predict(message={"text": "Where is the cat?", "files": [handle_file("a.png")]}, api_name="/ask")

It goes through Gradio's queue, which programs that know Gradio expect; nothing of it is kept. Pictures come through
Gradio's upload folder, from which they are removed as soon as they are read.
"""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr

from internvl_demo.conversation.options import OptionError
from internvl_demo.conversation.tiling import max_tiles_of
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import DemoError
from internvl_demo.photos.decode import open_photo
from internvl_demo.web.blocking import run_blocking
from internvl_demo.web.service import ChatService


def add_ask(service: ChatService) -> None:
    """Add the endpoint to the current gr.Blocks: message {text, files}, mode, options -> the report of the answer."""

    async def ask(
        message: dict[str, Any], request: gr.Request, mode: str = "standard", options: Any = None
    ) -> dict[str, Any]:
        try:
            conversation = await run_blocking(_conversation, message, mode)
            return await service.ask_once(_person(request), conversation, service.chosen(_object(options)))
        except DemoError as error:
            service.observer.refused(error)
            raise gr.Error(f"{error.what} {error.next_step}", print_exception=False) from error

    message = gr.MultimodalTextbox(visible=False, file_count="multiple")
    mode = gr.Textbox("standard", visible=False)
    options = gr.JSON(None, visible=False)
    gr.on([], ask, [message, mode, options], gr.JSON(visible=False), api_name="ask")


def _conversation(message: dict[str, Any], mode: str) -> Conversation:
    """Read a message's pictures, and remove their files. Raises PhotoError, ModeError."""
    most = max_tiles_of(mode)
    files = [str(path) for path in message.get("files") or []]
    try:
        images = tuple(Attachment(open_photo(path), most) for path in files)
    finally:
        for path in files:
            with suppress(OSError):
                Path(path).unlink()
    return Conversation().ask(str(message.get("text") or ""), images)


def _object(options: object) -> dict[str, Any]:
    """Return the options by name; their values are checked by the service. Raises OptionError."""
    if options is None:
        return {}
    if not isinstance(options, dict):
        raise OptionError("The options are not a JSON object.", 'Send one, such as {"temperature": 0.7}.')
    return options


def _person(request: gr.Request) -> str:
    """Return whose share of the model a question takes: a client's session is somebody."""
    return hashlib.sha256(f"ask {request.session_hash}".encode()).hexdigest()
