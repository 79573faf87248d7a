"""Servers of GGUF files, llama.cpp's and Ollama: told apart, asked, and understood when they say no; over sockets."""

import base64
from io import BytesIO

import pytest
from PIL import Image

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import BackendError, ContextError
from internvl_demo.models.base import Usage
from internvl_demo.models.openai.backend import ServerBackend
from internvl_demo.models.openai.watchdog import SilenceLimits
from internvl_demo.photos.decode import read_photo
from tests.support.gguf_servers import (
    LLAMA_ANSWER,
    LLAMA_BLIND,
    LLAMA_DIED,
    LLAMA_LOADS,
    LLAMA_LONG,
    LLAMA_MODEL,
    LLAMA_PROPS,
    LLAMA_UNREADABLE,
    OLLAMA_ANSWER,
    OLLAMA_BLIND,
    OLLAMA_BUSY,
    OLLAMA_DIED,
    OLLAMA_GONE,
    OLLAMA_IDLE,
    OLLAMA_LOADED,
    OLLAMA_LONG,
    OLLAMA_MODEL,
    OLLAMA_RUNNER_LONG,
    OLLAMA_TEXT,
    OLLAMA_VERSION,
    llama_card,
    llama_listing,
    ollama_card,
    ollama_shows,
    said,
)
from tests.support.plain_words import assert_for_people
from tests.support.scripted_server import (
    EVENTS,
    HEALTHY,
    HELLO,
    LOOKED,
    NGINX,
    Step,
    ask,
    describe,
    in_a_loop,
    listing,
    picture,
    serving,
    whole,
)

LLAMA = llama_listing(llama_card())
OLLAMA = listing(ollama_card())
BOTH = Conversation().ask("Both?", (Attachment(picture(8, 9), 1), Attachment(picture(9, 8), 40)))

# --- when they say no --------------------------------------------------------------------------------------

# the listing, the routes, what is said; words of what happened, of what to do next, and of what the host is told
REFUSALS: dict[str, tuple[bytes, Step, str, str, tuple[str, ...]]] = {
    "llama.cpp: too long": (
        LLAMA,
        LLAMA_LONG,
        "too long for the model",
        "lower resolution",
        ("9310 tokens",),
    ),
    "llama.cpp: no mmproj": (LLAMA, LLAMA_BLIND, "without its vision", "without pictures", ("--mmproj",)),
    "llama.cpp: loads": (LLAMA, LLAMA_LOADS, "at this moment", "Wait", ("503: Loading model",)),
    "llama.cpp: bad file": (LLAMA, LLAMA_UNREADABLE, "refused", "photos", ("Failed to load image",)),
    "Ollama: too long": (
        OLLAMA,
        OLLAMA_LONG,
        "too long for the model",
        "lower resolution",
        ("context length",),
    ),
    "Ollama: too long for its runner": (
        OLLAMA,
        OLLAMA_RUNNER_LONG,
        "too long for the model",
        "lower resolution",
        ("4096 tokens",),
    ),
    "Ollama: no mmproj": (OLLAMA, OLLAMA_BLIND, "without its vision", "without pictures", ("--mmproj",)),
    "Ollama: model gone": (
        OLLAMA,
        OLLAMA_GONE,
        "does not take",
        "Tell whoever",
        ("not found", "INTERNVL_MODEL"),
    ),
    "Ollama: busy": (OLLAMA, OLLAMA_BUSY, "at this moment", "Wait", ("server busy",)),
}


@pytest.mark.parametrize("name", REFUSALS)
@in_a_loop
async def test_their_refusals_are_ours_and_say_what_to_do(name: str) -> None:
    models, refused, what, next_step, details = REFUSALS[name]
    async with serving(refused, models=models, routes=OLLAMA_LOADED) as server:
        error = (await ask(server, BOTH)).error
    assert type(error) is (ContextError if "too long" in name else BackendError)
    assert what in error.what and next_step in error.next_step
    assert all(words in error.details for words in details), error.details
    assert_for_people(error, *details)


@pytest.mark.parametrize(
    ("models", "script", "what"),
    [
        (LLAMA, [*LLAMA_ANSWER[:3], LLAMA_DIED], "failed at this question"),
        (OLLAMA, [EVENTS, OLLAMA_TEXT, OLLAMA_DIED], "broke off"),
    ],
)
@in_a_loop
async def test_what_came_before_they_died_stays(models: bytes, script: list[Step], what: str) -> None:
    async with serving(*script, models=models, routes=OLLAMA_LOADED) as server:
        heard = await ask(server, HELLO)
    assert heard.text == "A red" and heard.error and what in heard.error.what


@in_a_loop
async def test_a_penalty_that_ollama_does_not_have_is_not_dropped_in_silence() -> None:
    async with serving(models=OLLAMA, routes=OLLAMA_LOADED) as server:
        error = (await ask(server, HELLO, Options(repetition_penalty=1.2))).error
        assert error and "repetition penalty" in error.what and "to 1" in error.next_step
        assert_for_people(error)
        assert not server.posts
        assert not (await ask(server, HELLO)).error


@in_a_loop
async def test_a_server_that_loads_is_down_and_then_ready() -> None:
    async with serving(models=LLAMA_LOADS, health=LLAMA_LOADS) as server:
        server.silent = True
        backend = ServerBackend(server.url)
        assert (await backend.health()).kind == "down"
        server.models, server.silent = LLAMA, False
        assert (await backend.health()).kind == "ready"


# --- told apart --------------------------------------------------------------------------------------------

WEB_PAGE = whole(200, "text/html", NGINX)


@pytest.mark.parametrize(
    "version", [WEB_PAGE, said({}), said([]), said({"version": 7}), said({"detail": "No"}, 404)]
)
@in_a_loop
async def test_who_does_not_speak_as_ollama_is_not_taken_for_it(version: bytes) -> None:
    async with serving(models=OLLAMA, routes={"GET /api/version": version}) as server:
        assert (await describe(server)).dialect == "lmdeploy"


@in_a_loop
async def test_each_is_known_by_what_it_says_of_itself() -> None:
    async with serving(models=LLAMA) as server:
        info = await describe(server)
        assert (info.name, info.dialect, info.tiles_follow) == (LLAMA_MODEL, "llamacpp", "engine")
    async with serving(models=OLLAMA, routes=OLLAMA_LOADED) as server:
        info = await describe(server)
        assert (info.name, info.dialect, info.tiles_follow) == (OLLAMA_MODEL, "ollama", "engine")
    async with serving(models=listing(ollama_card("library"))) as server:  # where only /v1 can be reached
        assert (await describe(server)).dialect == "ollama"


@in_a_loop
async def test_a_server_that_became_another_is_asked_in_its_own_dialect() -> None:
    async with serving(LLAMA_LONG, models=LLAMA) as server:
        backend = ServerBackend(server.url)
        with pytest.raises(ContextError):
            [piece async for piece in backend.stream(HELLO, Options())]
        server.models, server.routes = OLLAMA, OLLAMA_LOADED
        assert [piece async for piece in backend.stream(BOTH, Options())]
        kinds = [part["type"] for part in server.posts[-1]["messages"][1]["content"]]
        assert kinds == ["image_url", "image_url", "text"], "llama.cpp would have been sent labels"
        await backend.close()


# --- the context -------------------------------------------------------------------------------------------

CONTEXTS: dict[str, tuple[bytes, dict[str, bytes], int]] = {
    "llama.cpp's card": (LLAMA, {"GET /props": LLAMA_PROPS}, 8192),
    "llama.cpp's properties": (llama_listing(llama_card(None)), {"GET /props": LLAMA_PROPS}, 6144),
    "llama.cpp says nothing": (llama_listing(llama_card(None)), {}, 4096),
    "llama.cpp's card is odd": (llama_listing({**llama_card(), "meta": [7]}), {"GET /props": said([])}, 4096),
    "Ollama's model is loaded": (OLLAMA, OLLAMA_LOADED, 16384),
    "Ollama's model says it": (OLLAMA, ollama_shows('stop      "<|im_end|>"\nnum_ctx   12288\n'), 12288),
    "Ollama's model does not": (OLLAMA, ollama_shows("draft_num_ctx    9"), 4096),
    "Ollama has no such routes": (OLLAMA, OLLAMA_VERSION, 4096),
    "Ollama's are odd": (
        OLLAMA,
        {**OLLAMA_IDLE, "GET /api/ps": said({"models": [None, 7, {"name": []}]})},
        4096,
    ),
    "Ollama's is a truth of another type": (
        OLLAMA,
        {**OLLAMA_IDLE, "GET /api/ps": said({"models": [{"name": OLLAMA_MODEL, "context_length": "9"}]})},
        4096,
    ),
}


@pytest.mark.parametrize("name", CONTEXTS)
@in_a_loop
async def test_the_context_is_the_one_that_is_served(name: str) -> None:
    models, routes, length = CONTEXTS[name]
    async with serving(models=models, routes=routes) as server:
        assert (await describe(server)).context_length == length


# --- asked -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("models", "answer", "cached"), [(LLAMA, LLAMA_ANSWER, 64), (OLLAMA, OLLAMA_ANSWER, 0)]
)
@in_a_loop
async def test_their_answers_are_read(models: bytes, answer: list[Step], cached: int) -> None:
    async with serving(*answer, models=models, routes=OLLAMA_LOADED) as server:
        heard = await ask(server, HELLO)
    assert (heard.text, heard.usages, heard.error) == ("A red ball.", [Usage(300, 4, cached)], None)


@pytest.mark.parametrize(
    ("models", "sent"), [(LLAMA, "PNG"), (OLLAMA, "PNG"), (listing({"id": "x"}), "WEBP")]
)
@in_a_loop
async def test_a_webp_file_is_sent_as_one_that_they_can_decode(models: bytes, sent: str) -> None:
    routes = {} if sent == "WEBP" else OLLAMA_LOADED
    file = BytesIO()
    Image.effect_noise((64, 48), 40).convert("RGB").save(file, "WEBP")
    photo = read_photo(file.getvalue())
    assert photo.original and photo.original[0] == "image/webp"
    async with serving(models=models, routes=routes) as server:
        await ask(server, Conversation().ask("What?", (Attachment(photo, 1),)))
        parts = server.posts[0]["messages"][1]["content"]
    (url,) = (part["image_url"]["url"] for part in parts if part["type"] == "image_url")
    assert url.startswith(f"data:image/{sent.lower()};base64,")
    decoded = Image.open(BytesIO(base64.b64decode(url.partition(",")[2])))
    assert (decoded.format, decoded.size) == (sent, photo.size_wh)


@in_a_loop
async def test_an_ollama_that_says_nothing_is_waited_for_while_it_is_well() -> None:
    """It has no /health; without another sign the longest silence would end the answer."""
    soon = SilenceLimits(check_s=0.01, longest_s=0.1)
    library = listing(ollama_card("library"))
    async with serving(EVENTS, LOOKED, *OLLAMA_ANSWER[1:], models=library, health=HEALTHY) as server:
        server.health_route = "/api/version"
        heard = await ask(server, HELLO, limits=soon)
    assert (heard.text, heard.error) == ("A red ball.", None)
