"""Turn whatever goes wrong between us and a model server into one of our errors, with a next step. Pure.

In: exceptions of `aiohttp`, HTTP statuses, bodies in every form that servers and the proxies before them use.

    {"message": "...", "type": "...", "code": 400, "object": "error"}   LMDeploy, SGLang: flat
    {"error": {"message": "...", ...}}                                  vLLM, OpenAI, and LMDeploy inside a stream
    {"detail": "..."}, {"error_code": -10400, "text": "..."}            FastAPI; LMDeploy's proxy
    Internal Server Error, <html>...                                    plain text; a web page of a proxy

LMDeploy's proxy sends errors with HTTP 200, so a status says nothing alone: an error that names a status of its
own is believed. Out: ContextError for a conversation that is too long, else BackendError. What a server said
stands in the sentence as data, short and on one line.
"""

import json
import re
from collections.abc import Mapping
from types import MappingProxyType

import aiohttp

from internvl_demo.errors import BackendError, ContextError, DemoError, Sentence

SAID_CHARS = 200
"""How much of a server's own words goes into a message."""

CHECK_ENDPOINT = Sentence(
    "Check that the model server runs and that --endpoint (INTERNVL_ENDPOINT) names it."
)
CHECK_PROXY = Sentence(
    "Check that --endpoint (INTERNVL_ENDPOINT) names a model server and that no proxy answers in its place."
)
CHECK_KEY = Sentence("Set INTERNVL_API_KEY to a key that the model server accepts.")
AGAIN = Sentence("Send the question again.")
_CHECK_MODEL = Sentence(
    "Check that INTERNVL_MODEL names a model of that server, and --endpoint (INTERNVL_ENDPOINT) the server."
)
_LATER = Sentence("Wait a moment, then send the question again.")
_FAILED = Sentence("Send the question again; if it fails again, look into the model server's log.")
_REFUSED = Sentence("Change the question or its photos and send it again; the model server's log says more.")
_SHORTER = Sentence("Remove photos or turns, or choose a lower resolution mode, and send the question again.")
_SMALLER = Sentence(
    "Send fewer or smaller photos, or raise the size limit of the proxy before the model server."
)
_NEXT_STEPS: Mapping[int, Sentence] = MappingProxyType(
    {401: CHECK_KEY, 403: CHECK_KEY, 404: _CHECK_MODEL, 405: CHECK_PROXY, 413: _SMALLER}
    | dict.fromkeys((408, 409, 429, 502, 503, 504), _LATER)
    | dict.fromkeys(range(300, 400), CHECK_PROXY)
)
"""HTTP status -> what the person can do; other 4xx and 5xx have one step each."""

_TOO_LONG = re.compile(r"context.length|model.len", re.IGNORECASE)

_LOST = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)
"""The connection failed before the head of a response, or while its body was read. Some of them are timeouts, too."""


class StatusError(Exception):
    """The server answered with an HTTP status that is no success; `body` is what it said, undecoded."""

    def __init__(self, status: int, body: bytes):
        super().__init__(f"HTTP {status}")
        self.status, self.body = status, body


class MalformedError(ValueError):
    """A value that a server sent is not of the type that the protocol gives it; its message says which."""


def as_our_error(error: Exception, endpoint: str) -> DemoError:
    """Return an error with a reader for whatever was raised on the way to the server and back: the one door."""
    if isinstance(error, TimeoutError):  # aiohttp's are among them
        return late(endpoint)
    if isinstance(error, StatusError):
        return refusal(error.status, _parsed(error.body))
    if isinstance(error, (*_LOST, aiohttp.InvalidURL, aiohttp.ClientHttpProxyError)):
        return BackendError(
            "The connection to {endpoint} failed ({cause}).",
            CHECK_ENDPOINT,
            endpoint=endpoint,
            cause=_cause(error),
        )
    return BackendError(
        "What came from {endpoint} is not an answer ({kind}).",
        CHECK_PROXY,
        endpoint=endpoint,
        kind=_kind(error),
    )


def is_connection_lost(error: BaseException) -> bool:
    """Return whether the connection failed or broke, rather than the server saying no or being slow: ours, or that
    of a balancer in between, which repeats small requests at another server by itself, and says 502 to large ones."""
    if isinstance(error, StatusError):
        return error.status == 502
    return isinstance(error, _LOST) and not isinstance(error, TimeoutError)


def refusal(status: int, body: object) -> DemoError:
    """Return the error for a server that said no with parsed JSON, flat or nested, plain text, or a web page."""
    body = _opened(body)
    status = _own_status(body) or status
    said = short(_words(body))
    if _TOO_LONG.search(str(body)):
        return ContextError("The conversation is too long for the model ({said}).", _SHORTER, said=said)
    if said.lower().startswith(("<!doctype", "<html", "<?xml")):
        said, otherwise = Sentence("a web page"), CHECK_PROXY
    else:
        otherwise = _FAILED if status >= 500 else _REFUSED
    next_step = _NEXT_STEPS.get(status, otherwise)
    return BackendError(
        "The model server refused (HTTP {status}: {said}).",
        next_step,
        status=status,
        said=said or Sentence("no reason"),
    )


def not_a_stream(content_type: str, body: bytes, endpoint: str) -> DemoError:
    """Return the error inside of an HTTP 200 that is no stream of events, or one that says: no model server."""
    if is_error(found := _parsed(body)):
        return refusal(500, found)
    kind = short(content_type) or Sentence("no type")
    return BackendError(
        "What answers at {endpoint} is not a model server ({kind}).",
        CHECK_PROXY,
        endpoint=endpoint,
        kind=kind,
    )


def is_error(data: object) -> bool:
    """Return whether JSON that came in an answer's place is an error, in any of the forms."""
    return isinstance(data, Mapping) and bool(
        data.get("object") == "error" or data.get("error") or data.get("error_code")
    )


def late(endpoint: str) -> BackendError:
    """Return the error for a server that is slow beyond all limits."""
    return BackendError(
        "The model server at {endpoint} did not answer in time.", CHECK_ENDPOINT, endpoint=endpoint
    )


def stalled(endpoint: str) -> BackendError:
    """Return the error for a server that says nothing and does not answer when asked how it is."""
    return BackendError(
        "The model server at {endpoint} has stopped answering.",
        "Wait until it runs again, then send the question again; the host can check it and its log.",
        endpoint=endpoint,
    )


def endless() -> BackendError:
    """Return the error for an answer that goes on beyond what was asked for."""
    return BackendError(
        "The model server's answer went on far beyond the longest answer and was cut.", _FAILED
    )


def broke_off() -> BackendError:
    """Return the error for a stream that ended in good order, but before the answer did."""
    return BackendError("The model server's answer broke off before its end.", AGAIN)


def gave_up(finish: str) -> BackendError:
    """Return the error for an answer whose end is not a good one."""
    return BackendError(
        "The model server gave up before the answer's end ({reason}).", AGAIN, reason=short(finish)
    )


def short(said: object) -> str:
    """Return foreign words as data: one line, printable, at most `SAID_CHARS`."""
    line = " ".join(str(said or "").split())
    return "".join(character for character in line if character.isprintable())[:SAID_CHARS].rstrip(" .")


def _parsed(body: bytes) -> object:
    """Return a body as JSON, or as text where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")


def _opened(body: object) -> object:
    """Return it without the "error" around it."""
    return body.get("error") or body if isinstance(body, Mapping) else body


def _words(body: object) -> object:
    if not isinstance(body, Mapping):
        return body
    return next((body[key] for key in ("message", "detail", "text") if body.get(key)), body)


def _own_status(body: object) -> int | None:
    """Return the HTTP status that the error itself names."""
    code = str(body.get("code")) if isinstance(body, Mapping) else ""
    return int(code) if re.fullmatch(r"[45]\d\d", code) else None


def _cause(error: Exception) -> str:
    """Return the first cause in words: what the operating system said, rather than what was made of it."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed without a response"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy said HTTP {error.status}"
    cause: BaseException = error
    while cause.__cause__:
        cause = cause.__cause__
    if isinstance(error, aiohttp.ClientPayloadError) and not isinstance(cause, OSError):
        return "the connection was closed in the middle of the response"
    return short(cause) or type(cause).__name__


def _kind(error: Exception) -> str:
    """Return what came in an answer's place."""
    if type(error) is MalformedError:
        return short(error)
    if isinstance(error, aiohttp.ClientResponseError):
        return short(error.message)
    return type(error).__name__
