"""Ask a model behind an OpenAI-compatible server (LMDeploy, vLLM, SGLang, llama.cpp, Ollama), and stream its answer.

In: a conversation and options. Out: the pieces of `base.Backend`. What is sent is in `dialects` and `body`, how in
`client`, what is read in `completion`, how long the context is in `context`, what becomes of errors in `errors`, how
long silence may last in `watchdog`. Not here: starting a server, deciding whether a conversation fits, the queue
(`answering.queue`; LMDeploy never says that it is busy).

What one read of the network brings becomes one piece of text. When many answers run, `pace_s` lets the kernel
collect tokens between two reads.

A connection that is lost before the first piece of text is tried once more, with the same request: nothing has
been shown, and a server that restarts or a balancer that lost one closes connections. After the first piece the
loss is raised; what had come stays with whoever read it. Closing the stream closes the connection, on which
all servers stop the model.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing
from urllib.parse import urlsplit

import aiohttp

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import DemoError, SetupError
from internvl_demo.models.base import READY, Backend, Dialect, Health, ModelInfo, Piece, Thinking
from internvl_demo.models.openai.body import KEPT_BYTES, ChatBody, EncodedPhotos, PhotoMarks
from internvl_demo.models.openai.client import ServerClient, check, is_http_address, read, whole_body
from internvl_demo.models.openai.completion import CompletionReader
from internvl_demo.models.openai.context import Card, context_length_of
from internvl_demo.models.openai.dialects import (
    TILES_FOLLOW,
    dialect_of,
    has_penalty,
    messages_of,
    reads_webp,
    request_fields,
)
from internvl_demo.models.openai.errors import (
    CHECK_KEY,
    MalformedError,
    as_our_error,
    is_connection_lost,
    is_error,
    no_model,
    no_penalty,
    not_a_stream,
    refusal,
    stalled,
    unwell,
)
from internvl_demo.models.openai.watchdog import SilenceLimits, Watchdog
from internvl_demo.models.profiles import Profile, served_profile

TOKENS_PER_TILE = 256
"""Of InternVL 1.5: 448-pixel tiles, 14-pixel patches, pixel shuffle by 2."""

LISTING_S = 30.0
"""The longest silence while the server lists its models: it has nothing to compute."""

_ROUTES = ("/chat/completions", "/completions", "/models", "/health")
"""What people copy with a server's address."""

_OLLAMA_IS_THERE = "/api/version"
"""A route that only Ollama has; it answers as long as the server is well."""


class ServerBackend(Backend):
    """A model behind an OpenAI-compatible server.

    endpoint: `http(s)://host[:port][/path]`, with or without `/v1`; api_key: None where the server wants
    none; model: None for the first that the server offers; dialect: None for what the server says it is; profile:
    None for that of the model's name.
    Raises SetupError on an endpoint or key that cannot be one, and on a proxy or certificates that cannot be used.
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
        profile: Profile | None = None,
    ):
        self._endpoint = base_url(endpoint)
        self._model = model
        self._set_dialect = self._dialect = dialect
        self._tokens_per_tile = tokens_per_tile
        self._profile = profile
        self._limits = limits or SilenceLimits()
        self._card: Card | None = None
        self._late = 0
        self._photos = EncodedPhotos(KEPT_BYTES)
        self._client = ServerClient(self._endpoint, _fitting(api_key))

    async def describe(self) -> ModelInfo:
        """Return the served model, asked afresh. Raises BackendError."""
        try:
            card = self._card = await self._find_model()
            self._dialect = self._set_dialect
            dialect = await self._dialect_of(card)
            length = await context_length_of(card, dialect, self._asked)
        except DemoError:
            raise
        except Exception as error:
            raise as_our_error(error, self._endpoint) from error
        return ModelInfo(
            card["id"],
            self._tokens_per_tile,
            length,
            self._profile_of(card),
            TILES_FOLLOW[dialect],
            dialect,
        )

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
                # perhaps the server comes back with another model, or as another: look again next time
                self._card, self._dialect = None, self._set_dialect
                if isinstance(error, DemoError):
                    raise
                if begun or retried or not is_connection_lost(error):
                    raise as_our_error(error, self._endpoint) from error
                retried = True

    async def health(self) -> Health:
        """Return how the server is: what its `/health` says, and whether it still offers the model.

        One silent moment is no death: a server that reads many images may be late once.
        """
        try:
            async with asyncio.timeout(self._limits.health_s):
                status = await self._health_status()
                if status >= 500:
                    return Health("down", unwell(self._endpoint, status))
                await self._find_model()
        except TimeoutError:
            self._late += 1
            return Health("down", stalled(self._endpoint)) if self._late > 1 else READY
        except DemoError as error:
            return Health("down", error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the model cannot be asked
            return Health("down", as_our_error(error, self._endpoint))
        self._late = 0
        return READY

    async def _ask(self, conversation: Conversation, options: Options) -> AsyncGenerator[Piece, None]:
        """Send one request and read its answer. Raises whatever happens to it."""
        async with (
            Watchdog(self._is_alive, self._endpoint, self._limits) as watchdog,
            AsyncExitStack() as opened,
        ):
            self._card = card = await watchdog.wait(self._known_model())
            profile, dialect = self._profile_of(card), await watchdog.wait(self._dialect_of(card))
            if options.repetition_penalty != 1 and not has_penalty(dialect):
                raise no_penalty()
            reader = CompletionReader(options.max_new_tokens, profile.template.ends)
            response = await watchdog.wait(self._send(conversation, options, opened, card, profile, dialect))
            await watchdog.wait(check(response))
            content_type = response.headers.get("Content-Type", "")
            if not content_type.lower().startswith("text/event-stream"):
                raise not_a_stream(content_type, await watchdog.wait(whole_body(response)), self._endpoint)
            over_at: float | None = None
            while not reader.done and (part := await self._part(watchdog, response, over_at)):
                came_at = time.monotonic()
                text = reader.feed(part)
                if reader.ended and over_at is None:
                    over_at = asyncio.get_running_loop().time() + self._limits.cost_s
                if thought := reader.take_thinking():
                    yield Thinking(thought)
                if text:
                    yield text
                if reader.failure:
                    break
                if (text or thought) and not reader.done and (pause_s := self.pace_s()) > 0:
                    await asyncio.sleep(came_at + pause_s - time.monotonic())
        rest = reader.rest()
        if thought := reader.take_thinking():
            yield Thinking(thought)
        if rest:
            yield rest
        if reader.failure:
            raise reader.failure
        yield reader.usage()

    @staticmethod
    async def _part(watchdog: Watchdog, response: aiohttp.ClientResponse, over_at: float | None) -> bytes:
        """Return what comes next. Behind the answer's end only its cost may come, until `over_at`; nothing can fail."""
        if over_at is None:
            return await watchdog.wait(read(response))
        try:
            async with asyncio.timeout_at(over_at):
                return await read(response)
        except Exception:  # noqa: BLE001 - whatever it is, the answer is whole
            return b""

    async def _send(
        self,
        conversation: Conversation,
        options: Options,
        opened: AsyncExitStack,
        card: Card,
        profile: Profile,
        dialect: Dialect,
    ) -> aiohttp.ClientResponse:
        """Send the question. Return the response, whose body has not been read; `opened` ends it."""
        webp = reads_webp(dialect)
        files = {
            image.photo.id: await self._photos.of(image.photo, webp=webp) for image in conversation.images
        }
        marks = PhotoMarks(files)
        body = marks.body(
            {
                "model": card["id"],
                "stream": True,
                "messages": messages_of(
                    conversation, marks.urls, dialect, profile.system_of(options), profile
                ),
                **request_fields(conversation, options, dialect, profile),
            }
        )
        # for a balancer in between: turns of one conversation belong to one server's prefix cache
        headers = {"X-Conversation-Id": conversation.id}
        url = f"{self._endpoint}/chat/completions"
        response = await opened.enter_async_context(self._client.post(url, body, headers))
        body.clear()  # the request is held for as long as the answer takes
        return response

    def _profile_of(self, card: Card) -> Profile:
        return self._profile or served_profile(card["id"])

    async def _dialect_of(self, card: Card) -> Dialect:
        """Return what was set, what the model's owner tells, or what the server answers to a question of Ollama's.

        Ollama names whoever made a model as its owner.
        """
        if self._dialect is None:
            self._dialect = dialect_of(card.get("owned_by"))
        if self._dialect is None:
            version = await self._asked(_OLLAMA_IS_THERE)
            ollama = isinstance(version, dict) and isinstance(version.get("version"), str)
            self._dialect = "ollama" if ollama else "lmdeploy"
        return self._dialect

    async def _asked(self, route: str, body: Mapping[str, str] | None = None) -> object:
        """Return the JSON at a route below the server's root, None where there is none. Raises aiohttp's errors."""
        url = self._root + route
        async with asyncio.timeout(LISTING_S), AsyncExitStack() as opened:
            call = (
                self._client.post(url, ChatBody([json.dumps(body).encode()]), {})
                if body
                else self._client.get(url)
            )
            response = await opened.enter_async_context(call)
            try:
                return json.loads(await whole_body(response)) if response.status == 200 else None
            except ValueError:  # a web page
                return None

    @property
    def _root(self) -> str:
        return self._endpoint.removesuffix("/v1")

    async def _known_model(self) -> Card:
        return self._card or await self._find_model()

    async def _find_model(self) -> Card:
        """Return what the server says of our model. Raises BackendError when it does not offer it."""
        async with self._client.get(f"{self._endpoint}/models", LISTING_S) as response:
            await check(response)
            listing = json.loads(await whole_body(response))
        if is_error(listing):  # from a proxy, with HTTP 200
            raise refusal(500, listing)
        cards = listing.get("data") if isinstance(listing, dict) else None
        if not isinstance(cards, list):
            raise MalformedError("a listing without models")
        offered = {
            card["id"]: card for card in cards if isinstance(card, dict) and isinstance(card.get("id"), str)
        }
        name = self._model or next(iter(offered), "")
        if name not in offered:
            raise no_model(self._endpoint, name, offered)
        return offered[name]

    async def _is_alive(self) -> bool | None:
        """Return what `/health` says. None where there is none, or it is not for us."""
        try:
            # Python 3.11's wait_for may swallow a cancel
            async with asyncio.timeout(self._limits.health_s):
                status = await self._health_status()
        except (aiohttp.ClientError, TimeoutError):
            return False
        if status < 300:
            return True
        return False if status >= 500 else None

    async def _health_status(self) -> int:
        """Return the HTTP status of `/health`, or of what Ollama has in its place. Raises aiohttp's errors."""
        route = _OLLAMA_IS_THERE if self._dialect == "ollama" else "/health"
        async with self._client.get(self._root + route) as response:
            return response.status


def base_url(endpoint: str) -> str:
    """Return `http://host:23333/v1` for that address, or for that of one of its routes. Raises SetupError."""
    text = endpoint.strip()
    # a password in the address would show in messages, and a query would swallow the path
    shown = text.isprintable() and not any(character in text for character in "@?# ")
    if shown and not text.lower().startswith(("http:", "https:")) and is_http_address(f"http://{text}"):
        raise SetupError(
            "The model server's endpoint {endpoint} does not begin with http:// or https://.",
            "Set --endpoint (INTERNVL_ENDPOINT) to http://{endpoint}.",
            endpoint=text,
        )
    if not shown or not is_http_address(text):
        raise SetupError(
            "The model server's endpoint is not an address that can be used.",
            "Set --endpoint (INTERNVL_ENDPOINT) to http://HOST:PORT or https://HOST; keys go into INTERNVL_API_KEY.",
        )
    parts = urlsplit(text)
    path = "/".join(["", *filter(None, parts.path.split("/"))])
    for route in _ROUTES:
        path = path.removesuffix(route)
    return f"{parts.scheme}://{parts.netloc}{path.removesuffix('/v1')}/v1"


def _fitting(api_key: str | None) -> str:
    """Return a key that fits into a header; empty where there is none. Raises SetupError."""
    key = (api_key or "").strip()
    if not key.isascii() or not key.isprintable():
        raise SetupError("The API key holds characters that no key has.", CHECK_KEY)
    return key
