"""Turn whatever goes wrong between us and a model server into one of our errors, with a next step. Pure.

In: exceptions of `aiohttp`, HTTP statuses, bodies in every form that servers and the proxies before them use.

    {"message": "...", "type": "...", "code": 400, "object": "error"}   LMDeploy, SGLang: flat
    {"error": {"message": "...", ...}}                                  vLLM, OpenAI, llama.cpp, Ollama, and LMDeploy
                                                                        inside a stream
    {"detail": "..."}, {"error_code": -10400, "text": "..."}            FastAPI; LMDeploy's proxy
    Internal Server Error, <html>...                                    plain text; a web page of a proxy

LMDeploy's proxy sends errors with HTTP 200, so a status says nothing alone: an error that names a status of its
own is believed. Out: ContextError for a conversation that is too long, else BackendError. Two sentences are for
whoever asks; what the server said and which setting to look at is in the details: data, short, on one line, and
without the passwords and query strings of addresses.
"""

import json
import re
from collections.abc import Collection, Mapping
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
_CHECK_MODEL = Sentence(
    "Check that INTERNVL_MODEL names a model of that server, and --endpoint (INTERNVL_ENDPOINT) the server."
)
_CHECK_LOG = Sentence("Look into the model server's log.")
_CHECK_MMPROJ = Sentence("Start llama.cpp with the model's --mmproj file; give Ollama a model that has one.")
_CHECK_SIZE = Sentence("Raise the size limit of the proxy before the model server.")
"""For whoever runs the page."""

_AGAIN = Sentence("Send the question again.")
_LATER = Sentence("Wait a moment, then send the question again.")
_TELL = Sentence("Tell whoever runs this page; the question will not be answered before that.")
_AGAIN_OR_TELL = Sentence("Send the question again; if it fails again, tell whoever runs this page.")
_LATER_OR_TELL = Sentence(
    "Wait a moment, then send the question again; if it fails again, tell whoever runs this page."
)
_OTHERWISE = Sentence("Change the question or its photos and send it again.")
_SHORTER = Sentence("Remove photos or turns, or choose a lower resolution mode, and send the question again.")
_SMALLER = Sentence("Send fewer or smaller photos.")
"""For whoever asks."""

_TURNED_AWAY = Sentence("The model does not take this page's questions.")
_NOT_NOW = Sentence("The model cannot answer at this moment.")
_NO_ANSWER = Sentence("What came from the model is not an answer.")
_FAILED = Sentence("The model failed at this question.")
_REFUSED = Sentence("The model refused the question.")
_TOO_LARGE = Sentence("The question is too large for the model's server.")
_REFUSALS: Mapping[int, tuple[Sentence, Sentence, Sentence]] = MappingProxyType(
    dict.fromkeys(range(300, 400), (_TURNED_AWAY, _TELL, CHECK_PROXY))
    | dict.fromkeys((401, 403), (_TURNED_AWAY, _TELL, CHECK_KEY))
    | {404: (_TURNED_AWAY, _TELL, _CHECK_MODEL), 405: (_TURNED_AWAY, _TELL, CHECK_PROXY)}
    | dict.fromkeys((408, 409, 429, 502, 503, 504), (_NOT_NOW, _LATER, _CHECK_LOG))
    | {413: (_TOO_LARGE, _SMALLER, _CHECK_SIZE)}
)
"""HTTP status -> what happened, what whoever asks can do, what the host can; other 4xx and 5xx are alike."""

_TOO_LONG = re.compile(r"context.length|context.size|model.len", re.IGNORECASE)
_NO_PICTURES = re.compile(r"image input is not supported", re.IGNORECASE)
"""What llama.cpp says, also through Ollama, when it was started without a file for the vision encoder."""

_ADDRESS = re.compile(r"://(?:[^\s?#]*@)?([^\s?#]*)\S*")
"""What follows the scheme of an address: a user and password, what may be shown, a query string."""

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
            "The connection to the model failed.",
            _LATER_OR_TELL,
            "The connection to {endpoint} failed ({cause}). {check}",
            endpoint=endpoint,
            cause=_cause(error),
            check=CHECK_ENDPOINT,
        )
    return BackendError(
        _NO_ANSWER,
        _AGAIN_OR_TELL,
        "What came from {endpoint} is not an answer ({kind}). {check}",
        endpoint=endpoint,
        kind=_kind(error),
        check=CHECK_PROXY,
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
        return ContextError(
            "The conversation is too long for the model.",
            _SHORTER,
            "The model server refused (HTTP {status}: {said}).",
            status=status,
            said=said or Sentence("no reason"),
        )
    if _NO_PICTURES.search(str(said)):
        return BackendError(
            "The model is served without its vision encoder.",
            "Ask without pictures, or tell whoever runs this page.",
            "The model server refused (HTTP {status}: {said}). {check}",
            status=status,
            said=said,
            check=_CHECK_MMPROJ,
        )
    if said.lower().startswith(("<!doctype", "<html", "<?xml")):
        said, check = Sentence("a web page"), CHECK_PROXY
    else:
        check = _CHECK_LOG
    otherwise = (_FAILED, _AGAIN_OR_TELL, check) if status >= 500 else (_REFUSED, _OTHERWISE, check)
    what, next_step, check = _REFUSALS.get(status, otherwise)
    return BackendError(
        what,
        next_step,
        "The model server refused (HTTP {status}: {said}). {check}",
        status=status,
        said=said or Sentence("no reason"),
        check=check,
    )


def not_a_stream(content_type: str, body: bytes, endpoint: str) -> DemoError:
    """Return the error inside of an HTTP 200 that is no stream of events, or one that says: no model server."""
    if is_error(found := _parsed(body)):
        return refusal(500, found)
    return BackendError(
        _NO_ANSWER,
        _AGAIN_OR_TELL,
        "What answers at {endpoint} is not a model server ({kind}). {check}",
        endpoint=endpoint,
        kind=short(content_type) or Sentence("no type"),
        check=CHECK_PROXY,
    )


def is_error(data: object) -> bool:
    """Return whether JSON that came in an answer's place is an error, in any of the forms."""
    return isinstance(data, Mapping) and bool(
        data.get("object") == "error" or data.get("error") or data.get("error_code")
    )


def late(endpoint: str) -> BackendError:
    """Return the error for a server that is slow beyond all limits."""
    return BackendError(
        "The model did not answer in time.",
        _LATER_OR_TELL,
        "The model server at {endpoint} did not answer in time. {check}",
        endpoint=endpoint,
        check=CHECK_ENDPOINT,
    )


def stalled(endpoint: str) -> BackendError:
    """Return the error for a server that says nothing and does not answer when asked how it is."""
    return BackendError(
        "The model has stopped answering.",
        "Wait until it runs again, then send the question again.",
        "The model server at {endpoint} does not say that it is well (/health). {check}",
        endpoint=endpoint,
        check=_CHECK_LOG,
    )


def unwell(endpoint: str, status: int) -> BackendError:
    """Return the error for a server that says of itself that it cannot answer."""
    return BackendError(
        _NOT_NOW,
        "Wait until it runs again, then send the question again.",
        "The model server at {endpoint} says that it is not well (/health, HTTP {status}). {check}",
        endpoint=endpoint,
        status=status,
        check=_CHECK_LOG,
    )


def no_model(endpoint: str, name: str, offered: Collection[str]) -> BackendError:
    """Return the error for a server that offers other models than ours, or none at all."""
    if not offered:
        return BackendError(
            _TURNED_AWAY,
            _TELL,
            "The server at {endpoint} offers no model. {check}",
            endpoint=endpoint,
            check=CHECK_ENDPOINT,
        )
    return BackendError(
        _TURNED_AWAY,
        _TELL,
        "The server at {endpoint} has no model {name}. Set INTERNVL_MODEL to one that it offers: {offered}.",
        endpoint=endpoint,
        name=repr(short(name)),
        offered=short(", ".join(offered)),
    )


def no_penalty() -> BackendError:
    """Return the error for a question with a repetition penalty to a server that has none."""
    return BackendError(
        "The model's server has no repetition penalty.",
        "Set the repetition penalty to 1 in the settings, and send the question again.",
        "Ollama's chat requests have none. Fix repetition_penalty with INTERNVL_FIXED_OPTIONS, or use llama.cpp.",
    )


def endless() -> BackendError:
    """Return the error for an answer that goes on beyond what was asked for."""
    return BackendError(
        "The answer went on far beyond the longest answer and was cut.", _AGAIN_OR_TELL, _CHECK_LOG
    )


def broke_off() -> BackendError:
    """Return the error for a stream that ended in good order, but before the answer did."""
    return BackendError("The model's answer broke off before its end.", _AGAIN)


def gave_up(finish: str) -> BackendError:
    """Return the error for an answer whose end is not a good one."""
    return BackendError(
        "The model gave up before the answer's end.",
        _AGAIN,
        "The model server names as the reason: {reason}.",
        reason=short(finish),
    )


def short(said: object) -> str:
    """Return foreign words as data: one line, printable, at most `SAID_CHARS`; addresses without their secrets."""
    line = _ADDRESS.sub(r"://\1", " ".join(str(said or "").split()))
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
