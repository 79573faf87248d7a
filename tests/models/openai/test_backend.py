"""What the server backend promises, against a real socket that speaks recorded LMDeploy 0.18 answers."""

import asyncio
import base64
import json
import threading

import pytest

from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import SetupError
from internvl_demo.models.base import ModelInfo, Usage
from internvl_demo.models.openai import backend as server_module
from internvl_demo.models.openai import body as body_module
from internvl_demo.models.openai.backend import ServerBackend, base_url
from internvl_demo.models.openai.watchdog import SilenceLimits
from internvl_demo.models.profiles import served_profile
from internvl_demo.photos.decode import read_photo
from internvl_demo.photos.photo import Photo
from tests.support.pictures import noise, saved
from tests.support.scripted_server import (
    CARD,
    DONE,
    EVENTS,
    GREEDY,
    HEALTHY,
    HELLO,
    MODEL,
    SICK,
    SILENCE,
    STOP,
    TEXT,
    Heard,
    Step,
    ask,
    backend_of,
    chunk,
    delta,
    describe,
    event,
    in_a_loop,
    listing,
    picture,
    serving,
)

# --- bad cases --------------------------------------------------------------------------------------------

NO_ADDRESSES = [
    "",
    " ",
    "localhost:80",
    "ftp://host",
    "http://",
    "http:///v1",
    "http://[::1",
    "http://ho st",
    "http://a..b",
]
NOT_OURS = ["http://host:99999", "http://host:port", "http://me:secret@h", "http://h/?key=1", "http://h/#v1"]


@pytest.mark.parametrize("endpoint", [*NO_ADDRESSES, *NOT_OURS])
def test_an_endpoint_that_cannot_be_one_is_refused_with_the_setting_to_change(endpoint: str) -> None:
    with pytest.raises(SetupError) as caught:
        ServerBackend(endpoint)
    assert "INTERNVL_ENDPOINT" in caught.value.next_step
    assert "secret" not in str(caught.value)


def test_a_key_that_fits_into_no_header_is_refused() -> None:
    for key in ("schlüssel", "two\nlines"):
        with pytest.raises(SetupError, match="INTERNVL_API_KEY"):
            ServerBackend("http://host", key)


# --- stop -------------------------------------------------------------------------------------------------


@in_a_loop
async def test_stop_between_two_pieces_frees_the_server() -> None:
    async with serving(EVENTS, TEXT, SILENCE) as server, backend_of(server) as backend:
        pieces = backend.stream(HELLO, GREEDY)
        assert await anext(pieces) == "I see"
        await pieces.aclose()
        await server.left.wait()


@pytest.mark.parametrize("health", [HEALTHY, SICK, b""], ids=["healthy", "sick", "silent"])
@pytest.mark.parametrize("script", [[SILENCE], [EVENTS, SILENCE]], ids=["before the headers", "after"])
@in_a_loop
async def test_stop_while_the_server_is_silent_frees_it(script: list[Step], health: bytes) -> None:
    limits = SilenceLimits(check_s=0.05)
    async with serving(*script, health=health) as server, backend_of(server, limits=limits) as backend:
        waiting = asyncio.ensure_future(anext(backend.stream(HELLO, GREEDY)))
        await server.asked.wait()
        if not health:
            await server.looking.wait()  # Stop comes while we ask the server how it is
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await server.left.wait()


# --- good cases -------------------------------------------------------------------------------------------


@in_a_loop
async def test_an_answer_is_its_text_and_then_one_usage() -> None:
    async with serving() as server:
        heard = await ask(server, HELLO)
        assert heard == Heard("I see", [Usage(123, 21, 64, None, "stop")])


@in_a_loop
async def test_tags_and_letters_survive_any_cut_of_the_stream() -> None:
    answer = "<ref>猫 🐈</ref><box>[[1, 2, 3, 4]]</box>"
    raw = event(json.dumps(delta(answer), ensure_ascii=False).encode()) + event(delta("", "length"))
    byte_by_byte = b"".join(chunk(raw[at : at + 1]) for at in range(len(raw)))
    async with serving(EVENTS, byte_by_byte, DONE) as server:
        assert await ask(server, HELLO) == Heard(answer, [Usage(0, 0, 0, None, "length")])


HALVES = {
    "both halves in one piece": (["\ud83d\udc08"], "🐈"),
    "a half in each of two": (["a\ud83d", "\udc08b"], "a🐈b"),
    "with an empty piece between": (["\ud83d", "", "\udc08"], "🐈"),
    "only the first": (["a\ud83d", "b"], "a\ufffdb"),
    "only the second": (["a", "\udc08b"], "a\ufffdb"),
    "the first at the end": (["a", "\ud83d"], "a"),
    "two firsts": (["\ud83d\ud83d", "\udc08"], "\ufffd🐈"),
}


@pytest.mark.parametrize("name", HALVES)
@in_a_loop
async def test_no_half_of_a_character_leaves_the_backend(name: str) -> None:
    pieces, text = HALVES[name]
    said = [chunk(event(delta(piece))) for piece in pieces]
    async with serving(EVENTS, *said, STOP, DONE) as server:
        heard = await ask(server, HELLO)
        assert (heard.text, heard.error) == (text, None)


@in_a_loop
async def test_a_plain_photo_is_sent_as_the_bytes_it_came_in() -> None:
    data = saved(noise(40, 30), "JPEG", quality=60)
    asked = Conversation().ask("?", (Attachment(read_photo(data), 1),))
    async with serving() as server:
        await ask(server, asked)
        (image, _) = server.posts[0]["messages"][1]["content"]
        assert image["image_url"]["url"] == f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"


@in_a_loop
async def test_a_photo_is_encoded_once_and_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[str] = []
    loop_thread = threading.get_ident()

    def file_of(photo: Photo, *, webp: bool) -> tuple[str, bytes]:
        assert webp
        assert threading.get_ident() != loop_thread, "nobody waits while it is encoded"
        encoded.append(photo.id)
        return "image/png", b"x" * 100

    monkeypatch.setattr(body_module, "file_of", file_of)
    monkeypatch.setattr(server_module, "KEPT_BYTES", 250)
    a, b, c = (picture(8, 8, colour) for colour in ("red", "green", "blue"))
    async with serving() as server, backend_of(server) as backend:
        for photos in ([a], [a, b], [b, a], [c], [a], [b]):
            asked = Conversation().ask("?", tuple(Attachment(photo, 1) for photo in photos))
            assert [piece async for piece in backend.stream(asked, GREEDY)]
    assert encoded == [a.id, b.id, c.id, b.id]
    assert server.gets == 1, "the model is looked for once"


@in_a_loop
async def test_the_key_is_sent_and_never_another() -> None:
    async with serving() as server:
        await ask(server, HELLO, api_key="sesame\n")
        assert server.headers["authorization"] == "bearer sesame"
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("OPENAI_API_KEY", "of-somebody-else")
            await ask(server, HELLO)
        assert "of-somebody-else" not in str(server.headers)


@in_a_loop
async def test_a_question_is_json_and_its_answer_not_compressed() -> None:
    async with serving() as server:
        await ask(server, HELLO)
        assert server.headers["content-type"] == "application/json"
        assert server.headers["accept-encoding"] == "identity"
        assert "authorization" not in server.headers and "transfer-encoding" not in server.headers


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/", "//", "/v1/chat/completions", "/health/"])
@in_a_loop
async def test_the_endpoint_may_be_a_route_of_the_server(ending: str) -> None:
    async with serving() as server:
        server.url += ending
        assert (await ask(server, HELLO)).text == "I see"


@pytest.mark.parametrize(
    ("endpoint", "base"),
    [
        ("http://h:1", "http://h:1/v1"),
        ("http://h:1/v1/chat/completions", "http://h:1/v1"),
        ("http://h:1/v1/chat/completions//", "http://h:1/v1"),
        ("http://h:1/chat/completions", "http://h:1/v1"),
        ("http://h:1/v1/completions", "http://h:1/v1"),
        ("http://h:1/v1/models/", "http://h:1/v1"),
        ("http://h:1//v1//models", "http://h:1/v1"),
        ("http://h:1/models", "http://h:1/v1"),
        ("http://h:1/health", "http://h:1/v1"),
        ("HTTPS://H.Example/V1/", "https://H.Example/V1/v1"),  # paths mean their case
        (" Http://[::1]:23333/ ", "http://[::1]:23333/v1"),
        ("https://h/team/a/v1/chat/completions", "https://h/team/a/v1"),
        ("https://h/my-models", "https://h/my-models/v1"),
        ("https://models/v1", "https://models/v1"),
        ("https://h/v1/health", "https://h/v1"),
    ],
)
def test_routes_are_cut_off_an_endpoint(endpoint: str, base: str) -> None:
    assert base_url(endpoint) == base
    assert base_url(base) == base


@pytest.mark.parametrize(
    "endpoint", ["localhost:23333", "127.0.0.1", "h.example/v1", "[::1]:80", "nowhere", "10.0.0.5:23333/v1/"]
)
def test_an_endpoint_without_its_scheme_is_told(endpoint: str) -> None:
    with pytest.raises(SetupError, match="does not begin with http") as caught:
        base_url(endpoint)
    assert f"http://{endpoint}." in caught.value.next_step


@in_a_loop
async def test_describe_tells_the_model_with_the_servers_own_context_length_if_it_says_one() -> None:
    async with serving(models=listing(CARD, {"id": "other", "max_model_len": 8192})) as server:
        assert await describe(server) == ModelInfo(MODEL, 256, 32_768, dialect="lmdeploy")
        small = await describe(server, model="other", tokens_per_tile=64)
        assert small == ModelInfo("other", 64, 8192, served_profile("other"), dialect="lmdeploy")
