"""The call that asks a conversation's question again, as a text to paste: for bash, and for Python.

To a model server the body is built by `models.openai.dialects`, as the real one is, and is the same to the byte
(characters that do not print are written as JSON escapes: they would steer a terminal or turn the text around).
In process, Python rebuilds the conversation, and curl asks the page's own API, as far as that can be said there.

In no text: keys, addresses, and folders of the host. What people and models wrote is quoted for its language
and cannot leave its quotes. Images are files beside the script. Pure.
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from internvl_demo.conversation.options import Options, differences
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.models.base import Dialect
from internvl_demo.models.openai.dialects import messages_of, request_fields
from internvl_demo.models.profiles import V1_5_PROFILE, Profile

_CUT = "\ud800"
"""Marks a file's place in a text. Half a character: no text that is sent holds one."""

_LINE_CHARS = 96


@dataclass(frozen=True)
class ByServer:
    """An OpenAI-compatible server answers: its model's name, its dialect, the model's profile."""

    model: str
    dialect: Dialect = "lmdeploy"
    profile: Profile = V1_5_PROFILE


@dataclass(frozen=True)
class InProcess:
    """This package answers, with a checkpoint: a hub id or a directory's name, "" for the miniature."""

    checkpoint: str = ""


How = ByServer | InProcess


class File(NamedTuple):
    """A picture beside the script."""

    name: str
    mime: str


def call_texts(
    conversation: Conversation, options: Options, how: How, files: Mapping[str, File], host: Options
) -> tuple[str, str]:
    """Return the call as curl and as Python; curl is "" where the page's API cannot ask this.

    files: the photos' files, by the photos' ids. host: the options of the page, which its API answers with.
    """
    if isinstance(how, ByServer):
        return (
            _server_curl(conversation, options, how, files),
            _server_python(conversation, options, how, files),
        )
    return _page_curl(conversation, differences(options, host), files), _local_python(
        conversation, options, how, files
    )


def _server_curl(
    conversation: Conversation, options: Options, how: ByServer, files: Mapping[str, File]
) -> str:
    """Write the body in pieces, a message a line, each image encoded where it stands."""
    urls = {key: f"data:{file.mime};base64,{_CUT}{file.name}{_CUT}" for key, file in files.items()}
    head = _json({"model": _whole(how.model), "stream": True}).removesuffix("}")
    *earlier, last = (
        _json(message)
        for message in messages_of(
            conversation, urls, how.dialect, how.profile.system_of(options), how.profile
        )
    )
    fields = _json(request_fields(conversation, options, how.dialect, how.profile)).removeprefix("{")
    lines = []
    for piece in (f'{head},"messages":[', *(f"{message}," for message in earlier), f"{last}],", fields):
        for place, part in enumerate(piece.split(_CUT)):
            lines.append(
                f"base64 < {shlex.quote(part)} | tr -d '\\n'" if place % 2 else f"printf %s {_quoted(part)}"
            )
    body = "\n  ".join(lines)
    return (
        f"{{\n  {body}\n"
        '} | curl --silent --show-error --no-buffer "$INTERNVL_ENDPOINT/v1/chat/completions" \\\n'
        '  --header "Authorization: Bearer $INTERNVL_API_KEY" \\\n'
        "  --header 'Content-Type: application/json' --data-binary @-\n"
    )


def _server_python(
    conversation: Conversation, options: Options, how: ByServer, files: Mapping[str, File]
) -> str:
    urls = {
        key: _Code(f"data_url({_string(file.name)}, {_string(file.mime)})") for key, file in files.items()
    }
    system = how.profile.system_of(options)
    messages = _literal(messages_of(conversation, urls, how.dialect, system, how.profile), 1)
    fields = _literal(request_fields(conversation, options, how.dialect, how.profile), 1)
    return f"""\
import base64
import os
from pathlib import Path

from openai import OpenAI


def data_url(name: str, mime: str) -> str:
    return f"data:{{mime}};base64,{{base64.b64encode(Path(name).read_bytes()).decode()}}"


client = OpenAI(
    base_url=os.environ["INTERNVL_ENDPOINT"] + "/v1",
    api_key=os.environ.get("INTERNVL_API_KEY") or "none",
)
stream = client.chat.completions.create(
    model={_string(_whole(how.model))},
    messages={messages},
    stream=True,
    extra_body={fields},
)
for chunk in stream:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)
print()
"""


def _local_python(
    conversation: Conversation, options: Options, how: InProcess, files: Mapping[str, File]
) -> str:
    checkpoint = _string(how.checkpoint) if how.checkpoint else "str(NANO_CHECKPOINT)"
    settings = "" if how.checkpoint else "from internvl_demo.settings import NANO_CHECKPOINT\n"
    steps = []
    for turn in conversation.turns:
        steps.append(_call("ask", _string(turn.text), *_attachments(turn.images, files)))
        if turn.answer is not None:
            steps.append(_call("with_answer", _string(turn.answer)))
    return f"""\
import asyncio

from internvl_demo.conversation.options import Options
from internvl_demo.models.local.backend import LocalBackend
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.photos.decode import open_photo
{settings}
conversation = (
    Conversation()
    {"".join(steps).strip()}
)
options = {options!r}


async def main() -> None:
    backend = LocalBackend({checkpoint})
    async for piece in backend.stream(conversation, options):
        if isinstance(piece, str):
            print(piece, end="", flush=True)
    print()
    await backend.close()


asyncio.run(main())
"""


def _attachments(images: tuple[Attachment, ...], files: Mapping[str, File]) -> Iterator[str]:
    each = [
        f"Attachment(open_photo({_string(files[image.photo.id].name)}), {image.max_tiles})"
        for image in images
    ]
    if len(each) == 1:
        yield f"({each[0]},)"
    elif each:
        yield "(\n" + "".join(f"            {one},\n" for one in each) + "        )"


def _call(name: str, *arguments: str) -> str:
    """`.ask(...)`, on one line where it fits."""
    line = f"    .{name}({', '.join(arguments)})\n"
    if "\n" not in line[:-1] and len(line) <= _LINE_CHARS:
        return line
    return f"    .{name}(\n" + "".join(f"        {argument},\n" for argument in arguments) + "    )\n"


def _page_curl(conversation: Conversation, options: Mapping[str, Any], files: Mapping[str, File]) -> str:
    """By the page's API, which takes one question, and one mode for all its images; "" beyond that."""
    images = conversation.images
    modes = {image.max_tiles for image in images} or {1}
    if len(conversation.turns) > 1 or len(modes) > 1:
        return ""
    more = f",{_json(options)}" if options else ""
    before, after = (
        f'{{"data":[{{"text":{_json(_whole(conversation.turns[0].text))},"files":',
        f'}},"{min(modes)}"{more}]}}',
    )
    uploads = " ".join(f"--form files=@{files[image.photo.id].name}" for image in images)
    upload = f"""\
FILES=$(curl --silent --show-error {uploads} "$PAGE/gradio_api/upload" |
  sed 's/"[^"]*"/{{"path":&,"meta":{{"_type":"gradio.FileData"}}}}/g')
"""
    return (
        (upload if images else "FILES='[]'\n")
        + f"""\
EVENT=$(printf %s {_quoted(before)} "$FILES" {_quoted(after)} |
  curl --silent --show-error --header 'Content-Type: application/json' --data-binary @- \\
    "$PAGE/gradio_api/call/ask" | sed 's/.*"event_id"[^"]*"\\([^"]*\\)".*/\\1/')
curl --silent --show-error --no-buffer "$PAGE/gradio_api/call/ask/$EVENT"
"""
    )


# --- quoting ----------------------------------------------------------------------------------------------


class _Code(str):
    """Python that stands in a literal as it is."""

    __slots__ = ()


def _literal(value: Any, depth: int = 0) -> str:
    """Plain data as Python, on one line where it fits."""
    if isinstance(value, _Code):
        return value
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, dict):
        brackets = "{}"
        items = [f"{_string(key)}: {_literal(item, depth + 1)}" for key, item in value.items()]
    elif isinstance(value, list):
        brackets = "[]"
        items = [_literal(item, depth + 1) for item in value]
    else:
        return repr(value)
    flat = f"{brackets[0]}{', '.join(items)}{brackets[1]}"
    if "\n" not in flat and len(flat) + 4 * depth <= _LINE_CHARS:
        return flat
    inner = "".join(f"\n{'    ' * (depth + 1)}{item}," for item in items)
    return f"{brackets[0]}{inner}\n{'    ' * depth}{brackets[1]}"


def _string(text: str) -> str:
    """As `repr`, in double quotes where the text holds none."""
    return repr(text) if '"' in text else repr(text + "'")[:-2] + '"'


def _json(value: Any) -> str:
    """JSON to the letter as `openai` writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _quoted(part: str) -> str:
    """Quote a piece of JSON as one word of a shell. What does not print is escaped, as JSON allows in any text."""
    return shlex.quote("".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in part))


def _whole(text: str) -> str:
    """Half characters as U+FFFD, as in the prompt."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
