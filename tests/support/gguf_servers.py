"""llama.cpp's server and Ollama on the wire: what each says of itself, how it answers, and how it says no.

From their sources of 2026: llama.cpp's tools/server (server-context, server-task, server-common, server-http); Ollama's
server/routes.go, middleware/openai.go and openai/openai.go. Numbers and names are made up.
"""

import json

from tests.support.scripted_server import EVENTS, Step, chunk, event, whole

LLAMA_MODEL, OLLAMA_MODEL = "InternVL3-2B-Instruct-Q8_0.gguf", "hf.co/someone/InternVL3-2B-GGUF:Q8_0"


def said(data: object, status: int = 200) -> bytes:
    """A whole response of JSON."""
    return whole(status, "application/json; charset=utf-8", json.dumps(data).encode())


# --- llama.cpp --------------------------------------------------------------------------------------------


def llama_card(n_ctx: int | None = 8192) -> dict[str, object]:
    """Its entry in /v1/models; older ones do not tell with which context the model is served."""
    trained = {"vocab_type": 2, "n_vocab": 151674, "n_ctx_train": 32768, "n_embd": 1536, "size": 1888888888}
    meta = trained if n_ctx is None else {**trained, "n_ctx": n_ctx}
    return {"id": LLAMA_MODEL, "object": "model", "created": 1, "owned_by": "llamacpp", "meta": meta}


def llama_listing(card: object) -> bytes:
    """Its /v1/models, which also speaks Ollama's way."""
    also = [{"name": LLAMA_MODEL, "model": LLAMA_MODEL, "capabilities": ["completion", "multimodal"]}]
    return said({"models": also, "object": "list", "data": [card]})


LLAMA_PROPS = said({"default_generation_settings": {"params": {}, "n_ctx": 6144}, "total_slots": 4})


def llama_error(code: int, message: str, kind: str, **more: int) -> bytes:
    """A refusal before the stream."""
    return said({"error": {"code": code, "message": message, "type": kind, **more}}, code)


LLAMA_LONG = llama_error(
    400,
    "request (9310 tokens) exceeds the available context size (8192 tokens), try increasing it",
    "exceed_context_size_error",
    n_prompt_tokens=9310,
    n_ctx=8192,
)
LLAMA_BLIND = llama_error(
    500,
    "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
    "server_error",
)
LLAMA_LOADS = said({"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, 503)
LLAMA_UNREADABLE = llama_error(400, "Failed to load image or audio file", "invalid_request_error")
LLAMA_DIED = chunk(event({"error": {"code": 500, "message": "Compute error.", "type": "server_error"}}))


def _llama_chunk(delta: object, finish: str | None = None) -> dict[str, object]:
    choice = {"finish_reason": finish, "index": 0, "delta": delta}
    common = {
        "created": 1,
        "id": "chatcmpl-x",
        "model": LLAMA_MODEL,
        "system_fingerprint": "b10715-92cedc867",
    }
    return {"choices": [choice], **common, "object": "chat.completion.chunk"}


_LLAMA_USAGE = {
    "completion_tokens": 4,
    "prompt_tokens": 300,
    "total_tokens": 304,
    "prompt_tokens_details": {"cached_tokens": 64},
}
LLAMA_ANSWER: list[Step] = [
    EVENTS,
    chunk(b": ping\n\n" + event(_llama_chunk({"role": "assistant", "content": None}))),
    chunk(event(_llama_chunk({"content": "A red"}))),
    chunk(event(_llama_chunk({"content": " ball."}))),
    chunk(event(_llama_chunk({}, "stop"))),
    chunk(event({**_llama_chunk({}), "choices": [], "usage": _LLAMA_USAGE, "timings": {"cache_n": 64}})),
    chunk(event(b"[DONE]")) + b"0\r\n\r\n",
]


# --- Ollama -----------------------------------------------------------------------------------------------


def ollama_card(owner: str = "someone") -> dict[str, object]:
    """Its entry in /v1/models: the owner is whoever made the model."""
    return {"id": OLLAMA_MODEL, "object": "model", "created": 1, "owned_by": owner}


OLLAMA_VERSION = {"GET /api/version": said({"version": "0.32.9"})}
OLLAMA_IDLE = {**OLLAMA_VERSION, "GET /api/ps": said({"models": []})}
OLLAMA_LOADED = {
    **OLLAMA_VERSION,
    "GET /api/ps": said(
        {
            "models": [
                {"name": "other:latest", "model": "other:latest", "context_length": 1024},
                {"name": OLLAMA_MODEL, "model": OLLAMA_MODEL, "size": 1, "context_length": 16384},
            ]
        }
    ),
}


def ollama_shows(parameters: str) -> dict[str, bytes]:
    """What it says of a model that is not loaded; `context_length` is what it was trained for."""
    shown = {"parameters": parameters, "model_info": {"qwen2.context_length": 32768}}
    return {**OLLAMA_IDLE, "POST /api/show": said(shown)}


def ollama_error(code: int, message: str, kind: str) -> bytes:
    """A refusal before the stream."""
    return said({"error": {"message": message, "type": kind, "param": None, "code": None}}, code)


OLLAMA_LONG = ollama_error(
    400,
    "the prompt is longer than the context length currently available to the model; shorten the prompt, adjust the "
    "context length in settings, or use a model with a longer context length",
    "invalid_request_error",
)
OLLAMA_RUNNER_LONG = ollama_error(
    400,
    "request (9310 tokens) exceeds the available context size (4096 tokens), try increasing it",
    "invalid_request_error",
)
OLLAMA_BLIND = ollama_error(
    500,
    "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
    "api_error",
)
OLLAMA_GONE = ollama_error(404, 'model "x" not found, try pulling it first', "not_found_error")
OLLAMA_BUSY = ollama_error(
    503, "server busy, please try again.  maximum pending requests exceeded", "api_error"
)


def _ollama_chunk(delta: object, finish: str | None = None) -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    common = {"id": "chatcmpl-7", "object": "chat.completion.chunk", "created": 1, "model": OLLAMA_MODEL}
    return {**common, "system_fingerprint": "fp_ollama", "choices": [choice]}


_OLLAMA_USAGE = {"prompt_tokens": 300, "completion_tokens": 4, "total_tokens": 304}
OLLAMA_TEXT = chunk(event(_ollama_chunk({"role": "assistant", "content": "A red"})))
OLLAMA_ANSWER: list[Step] = [
    EVENTS,
    OLLAMA_TEXT,
    chunk(event(_ollama_chunk({"content": " ball."}))),
    chunk(event(_ollama_chunk({}, "stop"))),
    chunk(event({**_ollama_chunk({}), "choices": [], "usage": _OLLAMA_USAGE})),
    chunk(event(b"[DONE]")) + b"0\r\n\r\n",
]
OLLAMA_DIED = chunk(event(_ollama_chunk({}))) + b"0\r\n\r\n"
"""An error in the middle becomes an empty event, and then the stream ends."""
