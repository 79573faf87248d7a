"""The model behind an OpenAI-compatible server, in LMDeploy's dialect. The only file that knows `openai`.

In: a conversation and options. Out: the pieces of `base.Backend`. Not here: starting a server, deciding
whether a conversation fits, admission (LMDeploy never says that it is busy, it lets requests wait).

A conversation's first turn with two images of at most 12 tiles each, as sent:

    {"role": "user", "content": [
        {"type": "text", "text": "Image-1: "},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,...", "max_dynamic_patch": 12}},
        {"type": "text", "text": "Image-2: "},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,...", "max_dynamic_patch": 12}},
        {"type": "text", "text": "What changed?"}]}

LMDeploy 0.18 writes `<img>...</img>\\n` where an image part stands and joins all parts of a turn with
nothing in between, so labels are text parts of their own and the prompt is `prompt.prompt_text`'s, letter
for letter. Its older placeholder `<IMAGE_TOKEN>` is never used: one in any turn turns this rule off for
all turns. A turn without images is a plain string, because text parts alone are joined with newlines.

Images go as data URLs only: the server would also open local paths and fetch addresses for us.
"""

import asyncio
import base64
import re
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import openai
from openai.types import CompletionUsage, Model
from openai.types.chat import ChatCompletionChunk

from internvl_demo.backends.base import FinishReason, ModelInfo, Options, Piece, Usage
from internvl_demo.chat import Conversation, Turn
from internvl_demo.errors import BackendError, ContextError, DemoError, SetupError
from internvl_demo.photo import Photo, encode_photo
from internvl_demo.prompt import STOP_STRINGS, SYSTEM, image_labels, neutralise

TOKENS_PER_TILE = 256
"""Of InternVL 1.5: 448-pixel tiles, 14-pixel patches, pixel shuffle by 2."""

CONTEXT_LENGTH = 32_768
"""Of InternVL-Chat-V1-5, for servers that do not tell theirs (LMDeploy does not)."""

CONNECT_S = 10.0
LISTING_S = 30.0
"""The longest silence while the server lists its models: it has nothing to compute."""
SILENCE_S = 1800.0
"""The longest silence while the model answers. LMDeploy sends headers at once and then nothing, not even
keep-alive comments, while a request waits for a free place and while 40-tile images are read."""

KEPT_CHARS = 128 * 2**20
"""Data URLs kept between turns: 128 MiB of text, a few dozen 4K photos."""

SAID_CHARS = 200
"""How much of a server's own words goes into a message."""

_CONTEXT_FIELDS = ("max_model_len", "context_length", "max_context_length")
_TOO_LONG = re.compile(r"context.length|model.len", re.IGNORECASE)

_CHECK_ENDPOINT = "Check that the model server runs and that --endpoint (INTERNVL_ENDPOINT) names it."
_CHECK_PROXY = (
    "Check that --endpoint (INTERNVL_ENDPOINT) names a model server and that no proxy answers in its place."
)
_CHECK_KEY = "Set INTERNVL_API_KEY to a key that the model server accepts."
_CHECK_MODEL = (
    "Check that INTERNVL_MODEL names a model of that server, and --endpoint (INTERNVL_ENDPOINT) the server."
)
_AGAIN = "Send the question again."
_LATER = "Wait a moment, then send the question again."
_FAILED = "Send the question again; if it fails again, look into the model server's log."
_REFUSED = "Change the question or its photos and send it again; the model server's log says more."
_SHORTER = "Remove photos or turns, or choose a lower resolution mode, and send the question again."
_SMALLER = "Send fewer or smaller photos, or raise the size limit of the proxy before the model server."

_NEXT_STEPS: Mapping[int, str] = MappingProxyType(
    {401: _CHECK_KEY, 403: _CHECK_KEY, 404: _CHECK_MODEL, 405: _CHECK_PROXY, 413: _SMALLER}
    | dict.fromkeys((408, 409, 429, 502, 503, 504), _LATER)
)
"""HTTP status -> what the person can do; other 4xx and 5xx have one step each."""


class ServerBackend:
    """A model behind an OpenAI-compatible server.

    endpoint: `http(s)://host[:port][/path]`, with or without `/v1`; api_key: None where the server wants
    none; model: None for the first that the server offers. Raises SetupError on an endpoint or key that
    cannot be one.
    """

    def __init__(
        self,
        endpoint: str,
        api_key: str | None = None,
        model: str | None = None,
        *,
        tokens_per_tile: int = TOKENS_PER_TILE,
    ):
        self._endpoint = base_url(endpoint)
        self._model = model
        self._tokens_per_tile = tokens_per_tile
        self._card: Model | None = None
        self._data_urls = _DataUrls(KEPT_CHARS)
        self._api_key = _bearer(api_key)
        self._client = self._new_client()

    def _new_client(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            base_url=self._endpoint,
            api_key=self._api_key,
            timeout=openai.Timeout(SILENCE_S, connect=CONNECT_S),
            max_retries=0,  # a retry would ask twice, after text may have been shown
        )

    async def describe(self) -> ModelInfo:
        """The served model, asked afresh. Raises BackendError."""
        try:
            card = self._card = await self._find_model()
        except DemoError:
            raise
        except Exception as error:
            raise _as_our_error(error, self._endpoint) from error
        return ModelInfo(card.id, self._tokens_per_tile, _context_length(card))

    async def stream(self, conversation: Conversation, options: Options) -> AsyncGenerator[Piece, None]:
        """The answer to the last question: text, then one Usage. Raises BackendError, ContextError.

        Closing it closes the HTTP stream, on which LMDeploy stops the model. A failure in the middle is
        raised after the text that arrived before it.
        """
        finish = usage = None
        messages = await self._messages(conversation)
        try:
            async with await self._ask(messages, options, conversation.id) as chunks:
                _expect_events(chunks.response.headers.get("content-type", ""), self._endpoint)
                async for chunk in chunks:
                    _expect_no_error(chunk, chunks)
                    usage = chunk.usage or usage
                    for choice in chunk.choices:
                        finish = choice.finish_reason or finish
                        if choice.delta.content:
                            yield choice.delta.content
            yield _receipt(finish, usage)
        except DemoError:
            raise
        except Exception as error:
            self._card = None  # perhaps the server came back with another model: look again next time
            raise _as_our_error(error, self._endpoint) from error

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()

    async def _find_model(self) -> Model:
        """What the server says of our model. Raises BackendError when it does not offer it."""
        # with connections of its own: it may be asked in another event loop than the answers
        async with self._new_client() as client:
            page = await client.models.list(timeout=openai.Timeout(LISTING_S, connect=CONNECT_S))
        offered = {card.id: card for card in page.data}
        if not offered:
            raise BackendError(f"The server at {self._endpoint} offers no model.", _CHECK_ENDPOINT)
        name = self._model or next(iter(offered))
        if name not in offered:
            raise BackendError(
                f"The server at {self._endpoint} has no model {_short(name)!r}.",
                f"Set INTERNVL_MODEL to one that it offers: {_short(', '.join(offered))}.",
            )
        return offered[name]

    async def _messages(self, conversation: Conversation) -> list[dict[str, Any]]:
        urls = {image.photo.id: await self._data_urls.of(image.photo) for image in conversation.images}
        return messages_of(conversation, urls)

    async def _ask(
        self, messages: Any, options: Options, conversation_id: str
    ) -> openai.AsyncStream[ChatCompletionChunk]:
        card = self._card = self._card or await self._find_model()
        return await self._client.chat.completions.create(
            model=card.id,
            messages=messages,
            stream=True,
            extra_body=request_fields(options),
            # for a balancer in between: turns of one conversation belong to one server's prefix cache
            extra_headers={"X-Conversation-Id": conversation_id},
        )


class _DataUrls:
    """Photos as data URLs, encoded once each; the longest unused go when all are over `limit_chars`."""

    def __init__(self, limit_chars: int):
        self._limit_chars = limit_chars
        self._urls: OrderedDict[str, str] = OrderedDict()

    async def of(self, photo: Photo) -> str:
        if photo.id not in self._urls:
            self._urls[photo.id] = await asyncio.to_thread(_data_url, photo)
        self._urls.move_to_end(photo.id)
        while len(self._urls) > 1 and sum(map(len, self._urls.values())) > self._limit_chars:
            self._urls.popitem(last=False)
        return self._urls[photo.id]


def _data_url(photo: Photo) -> str:
    mime, data = encode_photo(photo)
    return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"


def base_url(endpoint: str) -> str:
    """`http://host:23333`, with or without `/v1` and slashes -> `http://host:23333/v1`. Raises SetupError."""
    text = endpoint.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # reading the port checks it
        good = False
    # a password in the address would show in messages, and a query would swallow the path
    if not good or any(character in text for character in "@?#") or not text.isprintable() or " " in text:
        raise SetupError(
            "The model server's endpoint is not an address that can be used.",
            "Set --endpoint (INTERNVL_ENDPOINT) to http://HOST:PORT or https://HOST; keys go into INTERNVL_API_KEY.",
        )
    return text if text.endswith("/v1") else f"{text}/v1"


def _bearer(api_key: str | None) -> str:
    """A key that fits into a header. Never empty: `openai` would send the environment's OPENAI_API_KEY."""
    key = (api_key or "").strip()
    if not key.isascii() or not key.isprintable():
        raise SetupError("The API key holds characters that no key has.", _CHECK_KEY)
    return key or "none"


def messages_of(conversation: Conversation, urls: Mapping[str, str]) -> list[dict[str, Any]]:
    """The conversation as chat messages; `urls` are the photos' data URLs by id. See the module's opening."""
    if not conversation.waiting:
        raise ValueError("there is no question to answer")  # a server would go on with the last answer
    messages: list[dict[str, Any]] = [{"role": "system", "content": SYSTEM}]
    images_before = 0
    for turn in conversation.turns:
        messages.append({"role": "user", "content": _user_content(turn, images_before, urls)})
        if turn.answer is not None:
            messages.append({"role": "assistant", "content": neutralise(turn.answer)})
        images_before += len(turn.images)
    return messages


def _user_content(turn: Turn, images_before: int, urls: Mapping[str, str]) -> str | list[dict[str, Any]]:
    if not turn.images:
        return neutralise(turn.text)
    parts: list[dict[str, Any]] = []
    for label, image in zip(image_labels(turn, images_before), turn.images, strict=True):
        if label:
            parts.append({"type": "text", "text": label})
        image_url = {"url": urls[image.photo.id], "max_dynamic_patch": image.max_tiles}
        parts.append({"type": "image_url", "image_url": image_url})
    return [*parts, {"type": "text", "text": neutralise(turn.text)}]


def request_fields(options: Options) -> dict[str, Any]:
    """What a request says besides model and messages."""
    fields: dict[str, Any] = {
        "stream_options": {"include_usage": True},
        "max_tokens": options.max_new_tokens,  # without it the whole rest of the context
        "stop": list(STOP_STRINGS),  # a server without the official template would know `</s>` only
        "skip_special_tokens": False,  # <ref> and <box> are special tokens
        "spaces_between_special_tokens": False,
    }
    if options.temperature > 0:
        fields |= {"temperature": options.temperature, "top_p": options.top_p}
    else:
        fields |= {"temperature": 0, "top_k": 1}  # LMDeploy samples always; top_k 1 makes it greedy
    if options.seed is not None:
        fields["seed"] = options.seed
    return fields


def _context_length(card: Model) -> int:
    told = [(card.model_extra or {}).get(field) for field in _CONTEXT_FIELDS]
    return next((length for length in told if isinstance(length, int) and length > 0), CONTEXT_LENGTH)


def _receipt(finish: str | None, usage: CompletionUsage | None) -> Usage:
    """What the answer cost; zeros when the server did not count. Raises BackendError without a good end."""
    if finish is None:
        raise BackendError("The model server's answer broke off before its end.", _AGAIN)
    if finish not in ("stop", "length"):
        raise BackendError(f"The model server gave up before the answer's end ({_short(finish)}).", _AGAIN)
    reason: FinishReason = "length" if finish == "length" else "stop"
    if usage is None:
        return Usage(0, 0, finish_reason=reason)
    details = usage.prompt_tokens_details
    cached_tokens = (details.cached_tokens if details else None) or 0
    return Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0, cached_tokens, finish_reason=reason)


def _expect_events(content_type: str, endpoint: str) -> None:
    if not content_type.lower().startswith("text/event-stream"):
        raise BackendError(
            f"What answers at {endpoint} is not a model server ({_short(content_type) or 'no type'}).",
            _CHECK_PROXY,
        )


def _expect_no_error(chunk: ChatCompletionChunk, chunks: openai.AsyncStream[ChatCompletionChunk]) -> None:
    """Raises the error that came in an event's place; `openai` raises only those inside of "error"."""
    if getattr(chunk, "object", None) == "error":
        raise openai.APIError("", chunks.response.request, body=chunk.to_dict(warnings=False))


def _as_our_error(error: Exception, endpoint: str) -> DemoError:
    """The one door: whatever went wrong on the way to the server and back -> an error with a reader."""
    if isinstance(error, openai.APITimeoutError):
        return BackendError(f"The model server at {endpoint} did not answer in time.", _CHECK_ENDPOINT)
    if isinstance(error, openai.APIConnectionError):
        return BackendError(f"The connection to {endpoint} failed ({_cause(error)}).", _CHECK_ENDPOINT)
    if isinstance(error, openai.APIError) and not isinstance(error, openai.APIResponseValidationError):
        return _refusal(_status(error), error.body)
    return BackendError(f"What came from {endpoint} is not an answer ({type(error).__name__}).", _CHECK_PROXY)


def _refusal(status: int, body: object) -> DemoError:
    """What the server said no with: flat or nested JSON (`openai` opens "error"), plain text, a web page."""
    words = body.get("message") or body.get("detail") or body if isinstance(body, Mapping) else body
    said = _short(words)
    if _TOO_LONG.search(str(body)):
        return ContextError(f"The conversation is too long for the model ({said}).", _SHORTER)
    if said.lower().startswith(("<!doctype", "<html", "<?xml")):
        said, otherwise = "a web page", _CHECK_PROXY
    else:
        otherwise = _FAILED if status >= 500 else _REFUSED
    next_step = _NEXT_STEPS.get(status, otherwise)
    return BackendError(f"The model server refused (HTTP {status}: {said or 'no reason'}).", next_step)


def _status(error: openai.APIError) -> int:
    """The HTTP status; inside a stream, which began with 200, the one that the error itself names."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code
    code = error.code or ""
    return int(code) if re.fullmatch(r"[45]\d\d", code) else 500


def _cause(error: openai.APIConnectionError) -> str:
    cause = error.__cause__ or error
    return _short(cause) or type(cause).__name__


def _short(said: object) -> str:
    """Foreign words as data: one line, printable, at most `SAID_CHARS`."""
    line = " ".join(str(said or "").split())
    return "".join(character for character in line if character.isprintable())[:SAID_CHARS].rstrip(" .")
