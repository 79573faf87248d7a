"""Find out how long a served model's context is: each kind of server says it elsewhere, or not at all.

    vLLM, SGLang  `max_model_len` of the model's card, which is its entry in /v1/models
    llama.cpp     `meta.n_ctx` of the card; of older ones `default_generation_settings.n_ctx` of /props
    Ollama        `context_length` of /api/ps as long as the model is loaded; else `num_ctx` of its own parameters
    LMDeploy      nowhere

In: a card and what asks the server. Out: tokens. Whatever a server says is checked for its type. A length that a model
was trained for (`n_ctx_train`) is not what it is served with, and is not read.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from internvl_demo.models.base import Dialect

CONTEXT_LENGTH = 32_768
"""Of InternVL-Chat-V1-5, for servers that do not tell theirs (LMDeploy does not)."""

LEAST_CONTEXT_LENGTH = 4_096
"""The least that Ollama serves unless told otherwise, for models of which it or llama.cpp does not say more. Ollama
drops turns that do not fit without a word: a guess that is too high would lose something."""

Card = Mapping[str, Any]
"""What a server says of a model: its `id`, `owned_by`, and the like."""

Asking = Callable[[str, Mapping[str, str] | None], Awaitable[object]]
"""Asks a server for a route below its root, by GET or, with a body, by POST; returns JSON, None where there is none."""

_FIELDS = ("max_model_len", "context_length", "max_context_length")
_NUM_CTX = re.compile(r"^num_ctx[ \t]+(\d{1,9})[ \t\r]*$", re.MULTILINE)


async def context_length_of(card: Card, dialect: Dialect, ask: Asking) -> int:
    """Return the context length of a model, in tokens. Raises what `ask` raises."""
    if dialect == "llamacpp":
        found = _count(card.get("meta"), "n_ctx")
        if found is None:
            props = _fields(await ask("/props", None))
            found = _count(props.get("default_generation_settings"), "n_ctx")
        return found or LEAST_CONTEXT_LENGTH
    if dialect == "ollama":
        return await _ollama_context(card["id"], ask) or LEAST_CONTEXT_LENGTH
    return next(filter(None, (_count(card, field) for field in _FIELDS)), CONTEXT_LENGTH)


async def _ollama_context(name: str, ask: Asking) -> int | None:
    running = _fields(await ask("/api/ps", None)).get("models")
    for model in running if isinstance(running, list) else []:
        if name in (_fields(model).get("name"), _fields(model).get("model")):
            return _count(model, "context_length")
    return num_ctx_in(_fields(await ask("/api/show", {"model": name})).get("parameters"))


def num_ctx_in(parameters: object) -> int | None:
    """Return the context that Ollama's parameters of a model set, a line each; None where they set none."""
    told = _NUM_CTX.search(parameters) if isinstance(parameters, str) else None
    return int(told[1]) if told else None


def _fields(data: object) -> Mapping[str, Any]:
    return data if isinstance(data, Mapping) else {}


def _count(data: object, field: str) -> int | None:
    count = _fields(data).get(field)
    return count if type(count) is int and count > 0 else None
