"""Ask a model behind an OpenAI-compatible server (LMDeploy, vLLM, SGLang), and stream its answer.

In: a conversation and options. Out: the pieces of `base.Backend`. What is sent is in `dialects` and `body`, what is
read in `completion`, what becomes of errors in `errors`, how long silence may last in `watchdog`. Not here:
starting a server, deciding whether a conversation fits, the queue (`answering.queue`; LMDeploy never says that it
is busy).

The `openai` package sends the request, with its authentication and its errors; the response is read as bytes, and
what one read of the network brings becomes one piece of text. When many answers run, `pace_s` lets the kernel
collect tokens between two reads.

A connection that is lost before the first piece of text is tried once more, with the same request: nothing has
been shown, and a server that restarts or a balancer that lost one closes connections. After the first piece the
loss is raised; what had come stays with whoever read it. Closing the stream closes the connection, on which
all three servers stop the model.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
from openai.types import Model

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import BackendError, DemoError, SetupError
from internvl_demo.models.base import Backend, ModelInfo, Piece
from internvl_demo.models.openai.body import KEPT_BYTES, EncodedPhotos, PhotoMarks
from internvl_demo.models.openai.completion import CompletionReader
from internvl_demo.models.openai.dialects import Dialect, dialect_of, messages_of, request_fields
from internvl_demo.models.openai.errors import (
    CHECK_ENDPOINT,
    CHECK_KEY,
    as_our_error,
    is_connection_lost,
    is_error,
    not_a_stream,
    refusal,
    short,
)
from internvl_demo.models.openai.transport import StreamingTransport, needs_proxy
from internvl_demo.models.openai.watchdog import SilenceLimits, Watchdog

TOKENS_PER_TILE = 256
"""Of InternVL 1.5: 448-pixel tiles, 14-pixel patches, pixel shuffle by 2."""

CONTEXT_LENGTH = 32_768
"""Of InternVL-Chat-V1-5, for servers that do not tell theirs (LMDeploy does not)."""

CONNECT_S = 10.0
SEND_S = 60.0
"""The longest that a connection takes none of what is sent."""
LISTING_S = 30.0
"""The longest silence while the server lists its models: it has nothing to compute."""

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
        limits: SilenceLimits | None = None,
    ):
        self._endpoint = base_url(endpoint)
        self._model = model
        self._dialect = dialect
        self._tokens_per_tile = tokens_per_tile
        self._limits = limits or SilenceLimits()
        self._card: Model | None = None
        self._photos = EncodedPhotos(KEPT_BYTES)
        self._api_key = _bearer(api_key)
        self._has_proxy = needs_proxy(self._endpoint)
        self._client = self._new_client()

    def _new_client(self) -> openai.AsyncOpenAI:
        transport = None if self._has_proxy else StreamingTransport()
        return openai.AsyncOpenAI(
            base_url=self._endpoint,
            api_key=self._api_key,
            timeout=openai.Timeout(None, connect=CONNECT_S, write=SEND_S),  # silence is the watchdog's
            max_retries=0,  # a retry would ask twice, after text may have been shown
            http_client=openai.DefaultAsyncHttpxClient(transport=transport),
        )

    async def describe(self) -> ModelInfo:
        """Return the served model, asked afresh. Raises BackendError."""
        try:
            card = self._card = await self._find_model()
        except DemoError:
            raise
        except Exception as error:
            raise as_our_error(error, self._endpoint) from error
        return ModelInfo(card.id, self._tokens_per_tile, _context_length(card))

    async def stream(self, conversation: Conversation, options: Options) -> AsyncGenerator[Piece, None]:
        """Answer the last question: yield text, then one Usage. Raises BackendError, ContextError, PhotoError.

        Closing it closes the HTTP stream, on which the server stops the model. A failure in the middle is
        raised after the text that arrived before it.
        """
        begun, retried = False, False
        while True:
            try:
                async with aclosing(self._ask(conversation, options)) as pieces:
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
        """Close the connections."""
        await self._client.close()

    async def _ask(self, conversation: Conversation, options: Options) -> AsyncGenerator[Piece, None]:
        """Send one request and read its answer. Raises whatever happens to it."""
        reader = CompletionReader(options.max_new_tokens)
        async with Watchdog(self._is_alive, self._endpoint, self._limits) as watchdog:
            response = await watchdog.wait(self._send(conversation, options))
            async with aclosing(response), aclosing(response.aiter_bytes()) as parts:
                content_type = response.headers.get("content-type", "")
                if not content_type.lower().startswith("text/event-stream"):
                    raise not_a_stream(content_type, await watchdog.wait(_beginning(parts)), self._endpoint)
                while not reader.done and (part := await watchdog.wait(anext(parts, None))) is not None:
                    came_at = time.monotonic()
                    if text := reader.feed(part):
                        yield text
                    if reader.failure:
                        raise reader.failure
                    if text and not reader.done:
                        await self._pause(came_at)
        yield reader.usage()

    async def _pause(self, came_at: float) -> None:
        """Let the kernel collect what comes for `pace_s` after the last read."""
        if self._has_proxy:
            return  # httpx2's transport gives each token by itself: there would be a pause after each
        if (pause_s := self.pace_s()) > 0:
            await asyncio.sleep(came_at + pause_s - time.monotonic())

    async def _send(self, conversation: Conversation, options: Options) -> httpx2.Response:
        """Send the question. Return the response, whose body has not been read."""
        files = {image.photo.id: await self._photos.of(image.photo) for image in conversation.images}
        card = self._card = self._card or await self._find_model()
        dialect = self._dialect or dialect_of(card.owned_by)
        marks = PhotoMarks(files)
        body = marks.body(
            {
                "model": card.id,
                "stream": True,
                "messages": messages_of(conversation, marks.urls, dialect),
                **request_fields(conversation, options, dialect, card.id),
            }
        )
        response: object = await self._client.post(
            "/chat/completions",
            cast_to=httpx2.Response,
            content=body,
            stream=True,
            stream_cls=openai.AsyncStream[Any],
            options={
                "headers": {
                    "Content-Type": "application/json",
                    "Content-Length": str(body.length),
                    "Accept-Encoding": "identity",
                    # for a balancer in between: turns of one conversation belong to one server's prefix cache
                    "X-Conversation-Id": conversation.id,
                }
            },
        )
        assert isinstance(response, httpx2.Response)
        body.clear()  # the response holds its request for as long as the answer takes
        return response

    async def _find_model(self) -> Model:
        """Return what the server says of our model. Raises BackendError when it does not offer it."""
        # with connections of its own: it may be asked in another event loop than the answers
        async with self._new_client() as client:
            page = await client.models.list(timeout=openai.Timeout(LISTING_S, connect=CONNECT_S))
        if is_error(data := page.to_dict(warnings=False)):  # from a proxy, with HTTP 200
            raise refusal(500, data)
        offered = {card.id: card for card in page.data if isinstance(card.id, str)}
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
        """Return what `/health` says. None where there is none, or it is not for us."""
        url = f"{self._endpoint.removesuffix('/v1')}/health"
        try:
            async with asyncio.timeout(self._limits.health_s):  # Python 3.11's wait_for may swallow a cancel
                await self._client.get(url, cast_to=str)
        except openai.APIStatusError as error:
            return False if error.status_code >= 500 else None
        except (openai.OpenAIError, httpx2.HTTPError, TimeoutError):
            return False
        return True


def base_url(endpoint: str) -> str:
    """Return `http://host:23333/v1` for that address with or without `/v1` and slashes. Raises SetupError."""
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
    """Return a key that fits into a header. Never empty: `openai` would send the environment's OPENAI_API_KEY."""
    key = (api_key or "").strip()
    if not key.isascii() or not key.isprintable():
        raise SetupError("The API key holds characters that no key has.", CHECK_KEY)
    return key or "none"


def _context_length(card: Model) -> int:
    told = [(card.model_extra or {}).get(field) for field in _CONTEXT_FIELDS]
    return next((length for length in told if type(length) is int and length > 0), CONTEXT_LENGTH)


async def _beginning(parts: AsyncGenerator[bytes, None]) -> bytes:
    """Return the first bytes of a response that is no stream."""
    body = b""
    async for part in parts:
        body += part
        if len(body) > _NOT_A_STREAM_BYTES:
            break
    return body
