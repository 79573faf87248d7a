"""The model behind an OpenAI-compatible server: LMDeploy, vLLM, SGLang. The client, and the stream.

In: a conversation and options. Out: the pieces of `base.Backend`. What is sent is in `dialects`, what becomes
of errors in `errors`, how long silence may last in `watchdog`. Not here: starting a server, deciding
whether a conversation fits, admission (`answering.queue`; LMDeploy never says that it is busy).

A connection that is lost before the first piece of text is tried once more, with the same request: nothing has
been shown, and most such losses are idle connections that the other side had closed. After the first piece the
loss is raised; what had come stays with whoever read it. Closing the stream closes the connection, on which
all three servers stop the model.
"""

import asyncio
import base64
from collections import OrderedDict
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

import openai
from openai.types import CompletionUsage, Model
from openai.types.chat import ChatCompletionChunk

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import BackendError, DemoError, SetupError
from internvl_demo.models.base import Backend, FinishReason, ModelInfo, Piece, Usage
from internvl_demo.models.openai.dialects import Dialect, dialect_of, messages_of, request_fields
from internvl_demo.models.openai.errors import (
    CHECK_ENDPOINT,
    CHECK_KEY,
    as_our_error,
    broke_off,
    endless,
    gave_up,
    is_connection_lost,
    is_error,
    not_a_stream,
    refusal,
    short,
)
from internvl_demo.models.openai.watchdog import Patience, Watch
from internvl_demo.photos.photo import Photo, file_of

TOKENS_PER_TILE = 256
"""Of InternVL 1.5: 448-pixel tiles, 14-pixel patches, pixel shuffle by 2."""

CONTEXT_LENGTH = 32_768
"""Of InternVL-Chat-V1-5, for servers that do not tell theirs (LMDeploy does not)."""

CONNECT_S = 10.0
SEND_S = 60.0
"""The longest that a connection takes none of what is sent."""
LISTING_S = 30.0
"""The longest silence while the server lists its models: it has nothing to compute."""

KEPT_CHARS = 128 * 2**20
"""Data URLs kept between turns: 128 MiB of text, a few dozen 4K photos."""

EVENTS_PER_TOKEN, EVENTS_MORE, BYTES_PER_EVENT = 2, 100, 4096
"""Bounds on an answer. A token is one event of some 300 bytes or, taken together with others, less."""

_NOT_A_STREAM_BYTES = 65_536
"""How much is read of what came in a stream's place."""

_CONTEXT_FIELDS = ("max_model_len", "context_length", "max_context_length")


class ServerBackend(Backend):
    """A model behind an OpenAI-compatible server.

    endpoint: `http(s)://host[:port][/path]`, with or without `/v1`; api_key: None where the server wants
    none; model: None for the first that the server offers; dialect: None for what the server says it is.
    Raises SetupError on an endpoint or key that cannot be one.
    """

    def __init__(
        self,
        endpoint: str,
        api_key: str | None = None,
        model: str | None = None,
        *,
        dialect: Dialect | None = None,
        tokens_per_tile: int = TOKENS_PER_TILE,
        patience: Patience | None = None,
    ):
        self._endpoint = base_url(endpoint)
        self._model = model
        self._dialect = dialect
        self._tokens_per_tile = tokens_per_tile
        self._patience = patience or Patience()
        self._card: Model | None = None
        self._data_urls = _DataUrls(KEPT_CHARS)
        self._api_key = _bearer(api_key)
        self._client = self._new_client()

    def _new_client(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            base_url=self._endpoint,
            api_key=self._api_key,
            timeout=openai.Timeout(
                None, connect=CONNECT_S, write=SEND_S
            ),  # `Watch` knows how long is too long
            max_retries=0,  # a retry would ask twice, after text may have been shown
        )

    async def describe(self) -> ModelInfo:
        """The served model, asked afresh. Raises BackendError."""
        try:
            card = self._card = await self._find_model()
        except DemoError:
            raise
        except Exception as error:
            raise as_our_error(error, self._endpoint) from error
        return ModelInfo(card.id, self._tokens_per_tile, _context_length(card))

    async def stream(self, conversation: Conversation, options: Options) -> AsyncGenerator[Piece, None]:
        """The answer to the last question: text, then one Usage. Raises BackendError, ContextError.

        Closing it closes the HTTP stream, on which the server stops the model. A failure in the middle is
        raised after the text that arrived before it.
        """
        urls = {image.photo.id: await self._data_urls.of(image.photo) for image in conversation.images}
        begun, retried = False, False
        while True:
            try:
                async with aclosing(self._once(conversation, urls, options)) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
                return
            except Exception as error:
                self._card = None  # perhaps the server comes back with another model: look again next time
                if isinstance(error, DemoError):
                    raise
                if begun or retried or not is_connection_lost(error):
                    raise as_our_error(error, self._endpoint) from error
                retried = True

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()

    async def _once(
        self, conversation: Conversation, urls: dict[str, str], options: Options
    ) -> AsyncGenerator[Piece, None]:
        """One request. Raises whatever happens to it."""
        finish, usage, letters = None, None, _Letters()
        events_left = options.max_new_tokens * EVENTS_PER_TOKEN + EVENTS_MORE
        watch = Watch(self._is_alive, self._endpoint, self._patience, events_left * BYTES_PER_EVENT)
        async with await self._begun(watch, self._ask(conversation, urls, options)) as chunks:
            watch.received = lambda: chunks.response.num_bytes_downloaded
            content_type = chunks.response.headers.get("content-type", "")
            if not content_type.lower().startswith("text/event-stream"):
                body = await watch.wait(_beginning(chunks))
                raise not_a_stream(content_type, body, self._endpoint)
            while chunk := await watch.wait(anext(chunks, None)):
                events_left -= 1
                if events_left < 0:
                    raise endless()
                if _is_error_event(chunk):
                    raise refusal(500, chunk.to_dict(warnings=False))
                usage = chunk.usage or usage
                for choice in chunk.choices:
                    finish = choice.finish_reason or finish
                    if text := letters.whole(choice.delta.content or ""):
                        yield text
        yield _receipt(finish, usage)

    async def _begun(
        self, watch: Watch, request: Coroutine[Any, Any, openai.AsyncStream[ChatCompletionChunk]]
    ) -> openai.AsyncStream[ChatCompletionChunk]:
        """The stream, never left open: Stop may come in the very moment in which it begins."""
        asked = asyncio.ensure_future(request)
        try:
            return await watch.wait(asked)
        except asyncio.CancelledError:
            if not asked.cancelled() and not asked.exception():
                await asked.result().close()
            raise

    async def _ask(
        self, conversation: Conversation, urls: dict[str, str], options: Options
    ) -> openai.AsyncStream[ChatCompletionChunk]:
        card = self._card = self._card or await self._find_model()
        dialect = self._dialect or dialect_of(card.owned_by)
        messages: Any = messages_of(conversation, urls, dialect)
        return await self._client.chat.completions.create(
            model=card.id,
            messages=messages,
            stream=True,
            extra_body=request_fields(conversation, options, dialect, card.id),
            # for a balancer in between: turns of one conversation belong to one server's prefix cache
            extra_headers={"X-Conversation-Id": conversation.id},
        )

    async def _find_model(self) -> Model:
        """What the server says of our model. Raises BackendError when it does not offer it."""
        # with connections of its own: it may be asked in another event loop than the answers
        async with self._new_client() as client:
            page = await client.models.list(timeout=openai.Timeout(LISTING_S, connect=CONNECT_S))
        if is_error(data := page.to_dict(warnings=False)):  # from a proxy, with HTTP 200
            raise refusal(500, data)
        offered = {card.id: card for card in page.data}
        if not offered:
            raise BackendError(
                "The server at {endpoint} offers no model.", CHECK_ENDPOINT, endpoint=self._endpoint
            )
        name = self._model or next(iter(offered))
        if name not in offered:
            raise BackendError(
                "The server at {endpoint} has no model {name}.",
                "Set INTERNVL_MODEL to one that it offers: {offered}.",
                endpoint=self._endpoint,
                name=repr(short(name)),
                offered=short(", ".join(offered)),
            )
        return offered[name]

    async def _is_alive(self) -> bool | None:
        """What `/health` says. None where there is none, or it is not for us."""
        url = f"{self._endpoint.removesuffix('/v1')}/health"
        try:
            async with asyncio.timeout(
                self._patience.health_s
            ):  # Python 3.11's wait_for may swallow a cancel
                await self._client.get(url, cast_to=str)
        except openai.APIStatusError as error:
            return False if error.status_code >= 500 else None
        except (openai.OpenAIError, TimeoutError):
            return False
        return True


class _DataUrls:
    """Photos as data URLs, encoded once each; the longest unused go when all are over `limit_chars`."""

    def __init__(self, limit_chars: int):
        self._limit_chars = limit_chars
        self._urls: OrderedDict[str, str] = OrderedDict()

    async def of(self, photo: Photo) -> str:
        if photo.id not in self._urls:
            self._urls[photo.id] = await asyncio.to_thread(_data_url, photo)
        self._urls.move_to_end(photo.id)
        url = self._urls[photo.id]
        while len(self._urls) > 1 and sum(map(len, self._urls.values())) > self._limit_chars:
            self._urls.popitem(last=False)
        return url


class _Letters:
    """Text in which no character is cut in half: JSON may carry the halves of one in two pieces, or one only."""

    def __init__(self) -> None:
        self._half = ""

    def whole(self, text: str) -> str:
        """The text, with what was kept before it and without a first half at its end, which is kept."""
        text, self._half = self._half + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _data_url(photo: Photo) -> str:
    mime, data = file_of(photo)
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
        raise SetupError("The API key holds characters that no key has.", CHECK_KEY)
    return key or "none"


def _context_length(card: Model) -> int:
    told = [(card.model_extra or {}).get(field) for field in _CONTEXT_FIELDS]
    return next((length for length in told if isinstance(length, int) and length > 0), CONTEXT_LENGTH)


async def _beginning(chunks: openai.AsyncStream[ChatCompletionChunk]) -> bytes:
    """The first bytes of a response that is no stream."""
    body = b""
    async for part in chunks.response.aiter_bytes():
        body += part
        if len(body) > _NOT_A_STREAM_BYTES:
            break
    return body


def _is_error_event(chunk: ChatCompletionChunk) -> bool:
    """Whether an event is an error in an answer's place; `openai` itself raises those inside of "error"."""
    return is_error({"object": getattr(chunk, "object", None), **(chunk.model_extra or {})})


def _receipt(finish: str | None, usage: CompletionUsage | None) -> Usage:
    """What the answer cost; zeros when the server did not count. Raises BackendError without a good end."""
    if finish is None:
        raise broke_off()
    if finish not in ("stop", "length"):
        raise gave_up(finish)
    reason: FinishReason = "length" if finish == "length" else "stop"
    if usage is None:
        return Usage(0, 0, finish_reason=reason)
    details = usage.prompt_tokens_details
    cached_tokens = (details.cached_tokens if details else None) or 0
    return Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0, cached_tokens, finish_reason=reason)
