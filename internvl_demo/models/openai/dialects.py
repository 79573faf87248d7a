"""Turn a conversation into the fields of a chat request, in the dialect of the server that reads it. Pure.

All read OpenAI's protocol; they differ in what they add to it, and in what they do with an image:

                     LMDeploy (0.18)                vLLM                           SGLang
    most tiles       image_url.max_dynamic_patch    mm_processor_kwargs, one       image_url.max_dynamic_patch
                                                    number for the whole request
    images' places   where their parts stand        before the turn's text         before the turn's text
    greedy           temperature 0 and top_k 1      temperature 0                  temperature 0
    spaces beside    spaces_between_special_tokens  spaces_between_special_tokens  the same in chat_template_kwargs
      special tokens
    special tokens   skip_special_tokens false      skip_special_tokens false      skip_special_tokens false
    stop tokens      `stop` strings                 `stop` strings, stop_token_ids `stop` strings, stop_token_ids
    repetition       repetition_penalty             repetition_penalty             repetition_penalty
      penalty

                     llama.cpp                                     Ollama
    most tiles       fixed in the projector's file (mmproj), 12    as llama.cpp, which it runs
                     where that says none
    images' places   where their parts stand                       each part is a message of its own
    greedy           temperature 0                                 temperature 0
    special tokens   only when started with --special              left out of answers
    stop tokens      `stop` strings                                `stop` strings
    repetition       repeat_penalty                                none
      penalty

OpenAI's own protocol has no repetition penalty. It is sent only where one was chosen, so a server that refuses what
it does not know answers everybody else; its host can fix the option (INTERNVL_FIXED_OPTIONS). llama.cpp and Ollama
do not read fields that they do not know; they are sent only what they do.

A conversation's first turn with two images of at most 12 tiles each, as LMDeploy is sent it:

    {"role": "user", "content": [
        {"type": "text", "text": "Image-1: "},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,...", "max_dynamic_patch": 12}},
        {"type": "text", "text": "Image-2: "},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,...", "max_dynamic_patch": 12}},
        {"type": "text", "text": "What changed?"}]}

LMDeploy writes `<img>...</img>\\n` where an image part stands and joins all parts of a turn with nothing in
between, so labels are text parts of their own and the prompt is `prompt.prompt_text`'s, letter for letter.
Its older placeholder `<IMAGE_TOKEN>` is never used: one in any turn turns this rule off for all turns. A turn
without images is a plain string, because text parts alone are joined with newlines. llama.cpp joins in the same way
and writes `<img>...</img>` alone, so the text behind an image begins with the newline. The others move images
before the text wherever their parts stand, or make messages of parts, and a label without its image would say
nothing: they get the images, then one text. On vLLM every image may get as many tiles as the image that may get most.

Images are data URLs only: a server would also open local paths and fetch addresses for us. No session ids: an
id that is in use is an error on LMDeploy, and closing the connection stops the model everywhere.

Sources: llama.cpp's tools/server (server-schema, server-common), tools/mtmd (clip, mtmd) and conversion/internvl.py;
Ollama's openai/openai.go, server/prompt.go and llm/llama_server.go; both of 2026.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, get_args

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.prompt import image_labels, neutralise, system_prompt
from internvl_demo.conversation.template import Template
from internvl_demo.conversation.tiling import TilesFollow
from internvl_demo.conversation.turns import Conversation, Turn
from internvl_demo.models.base import Dialect
from internvl_demo.models.profiles import V1_5_PROFILE, Profile

DIALECTS: tuple[Dialect, ...] = get_args(Dialect)

TILES_FOLLOW: Mapping[Dialect, TilesFollow] = MappingProxyType(
    {"lmdeploy": "image", "vllm": "request", "sglang": "image", "llamacpp": "engine", "ollama": "engine"}
)
"""Whose choice of the most tiles a server follows."""

_GGUF: tuple[Dialect, ...] = ("llamacpp", "ollama")
"""Servers that run llama.cpp."""

_IN_PLACE: Mapping[Dialect, str] = MappingProxyType({"lmdeploy": "", "llamacpp": "\n"})
"""Servers that leave an image where its part stands -> what has to be written behind it."""

_OLLAMA_OWNER = "library"
"""The owner of Ollama's own models; that of others is whoever made them."""


def dialect_of(owned_by: object) -> Dialect | None:
    """Return the dialect of a model whose owner `/v1/models` names; None where that says nothing."""
    owner = owned_by.lower() if isinstance(owned_by, str) else ""
    if owner == _OLLAMA_OWNER:
        return "ollama"
    return next((dialect for dialect in DIALECTS if dialect in owner), None)


def reads_webp(dialect: Dialect) -> bool:
    """Return whether a server decodes WebP files: llama.cpp does where it finds ffmpeg, Ollama since August 2026."""
    return dialect not in _GGUF


def has_penalty(dialect: Dialect) -> bool:
    """Return whether a server's chat requests have a repetition penalty, by whatever name."""
    return dialect != "ollama"


def messages_of(
    conversation: Conversation,
    urls: Mapping[str, str],
    dialect: Dialect = "lmdeploy",
    system: str | None = None,
    profile: Profile = V1_5_PROFILE,
) -> list[dict[str, Any]]:
    """Return the conversation as chat messages; `urls` are the photos' data URLs by id. See the module's opening.

    system: a person's system prompt, in the place of the model's own. profile: the model's.
    """
    if not conversation.waiting:
        raise ValueError("there is no question to answer")  # a server would go on with the last answer
    messages: list[dict[str, Any]] = [{"role": "system", "content": system_prompt(system, profile.template)}]
    images_before = 0
    for turn in conversation.turns:
        content = _user_content(turn, images_before, urls, dialect, profile.template)
        messages.append({"role": "user", "content": content})
        if turn.answer is not None:
            messages.append({"role": "assistant", "content": neutralise(turn.answer)})
        images_before += len(turn.images)
    return messages


def request_fields(
    conversation: Conversation,
    options: Options,
    dialect: Dialect = "lmdeploy",
    profile: Profile = V1_5_PROFILE,
) -> dict[str, Any]:
    """Return what a request says besides model and messages; `profile`: the model's."""
    fields: dict[str, Any] = {
        "stream_options": {"include_usage": True},
        "max_tokens": options.max_new_tokens,  # without it the whole rest of the context
        "stop": list(profile.template.ends),  # a server without the official template would know `</s>` only
        "temperature": options.temperature,
    }
    if options.temperature > 0:
        fields["top_p"] = options.top_p
    elif dialect == "lmdeploy":
        fields["top_k"] = 1  # LMDeploy samples always; top_k 1 makes it greedy
    if options.seed is not None:
        fields["seed"] = options.seed
    if options.repetition_penalty != 1 and has_penalty(dialect):
        name = "repeat_penalty" if dialect == "llamacpp" else "repetition_penalty"
        fields[name] = options.repetition_penalty
    if dialect in _GGUF:
        return fields
    fields["skip_special_tokens"] = False  # <ref> and <box> are special tokens
    spaces = {"spaces_between_special_tokens": False}
    fields |= {"chat_template_kwargs": spaces} if dialect == "sglang" else spaces
    if dialect != "lmdeploy" and profile.stop_ids:
        fields["stop_token_ids"] = list(profile.stop_ids)
    if dialect == "vllm" and conversation.images:
        most = max(image.max_tiles for image in conversation.images)
        fields["mm_processor_kwargs"] = {"max_dynamic_patch": most}
    return fields


def _user_content(
    turn: Turn, images_before: int, urls: Mapping[str, str], dialect: Dialect, template: Template
) -> str | list[dict[str, Any]]:
    if not turn.images:
        return neutralise(turn.text)
    parts: list[dict[str, Any]] = []
    behind = ""
    for label, image in zip(image_labels(turn, images_before, template), turn.images, strict=True):
        if dialect in _IN_PLACE and behind + label:
            parts.append({"type": "text", "text": behind + label})
        image_url: dict[str, Any] = {"url": urls[image.photo.id]}
        if TILES_FOLLOW[dialect] == "image":
            image_url["max_dynamic_patch"] = image.max_tiles
        parts.append({"type": "image_url", "image_url": image_url})
        behind = _IN_PLACE.get(dialect, "")
    return [*parts, {"type": "text", "text": behind + neutralise(turn.text)}]
