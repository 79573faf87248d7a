"""What becomes of a model server's errors: one of ours, with a next step, on a real socket."""

from typing import Any

import aiohttp
import pytest

from internvl_demo.conversation.options import Options
from internvl_demo.errors import BackendError, ContextError
from internvl_demo.models.openai.errors import (
    SAID_CHARS,
    StatusError,
    as_our_error,
    is_connection_lost,
    refusal,
)
from internvl_demo.models.openai.watchdog import SilenceLimits
from tests.support.scripted_server import (
    CRASH,
    DONE,
    ENDLESS_LINE,
    ENDLESS_REFUSAL,
    ENDLESS_TEXT,
    EVENTS,
    GOOD,
    GREEDY,
    HEALTHY,
    HELLO,
    LOOKED,
    LOOKS,
    NGINX,
    RESET,
    SICK,
    SILENCE,
    TEXT,
    TOO_LONG,
    WAIT,
    Heard,
    Step,
    ask,
    backend_of,
    chunk,
    delta,
    describe,
    event,
    flat,
    in_a_loop,
    listing,
    serving,
    whole,
)

LONG_FOR_THE_ENGINE = {**CRASH, "code": 400, "message": "The request exceeds the model context length."}
OPENAI_LONG = b'{"error": {"message": "No.", "code": "context_length_exceeded"}}'
VLLM_BUSY = b'{"error": {"message": "Too many.", "type": "TooMany", "param": null, "code": 429}}'
PROXIED_LONG = whole(200, "application/json", flat(400, TOO_LONG).split(b"\r\n\r\n", 1)[1])
PROXIED_LOSS = whole(
    200, "application/json", b'{"error_code": -10402, "text": "Failed to get response from node."}'
)
LOST = ("hung up", "reset", "half an event", "half a character", "proxy without server")
"""Connections that break, ours or a balancer's: the question is sent once more, if nothing had come."""

# name -> what the server does, a word of what happened, a word of what to do next
BEFORE_THE_STREAM: dict[str, tuple[list[Step], str, str]] = {
    "too long": ([flat(400, TOO_LONG)], "200092", "lower resolution"),
    "too long, OpenAI's way": ([whole(400, "application/json", OPENAI_LONG)], "too long", "lower resolution"),
    "wrong key": ([flat(401, "Unauthorized.")], "Unauthorized", "INTERNVL_API_KEY"),
    "model gone": ([flat(404, "The model 'x' does not exist.")], "'x'", "INTERNVL_MODEL"),
    "wrong path": ([whole(404, "application/json", b'{"detail": "No"}')], "404: No", "INTERNVL_ENDPOINT"),
    "bad picture": ([flat(400, "Request preprocessing failed.")], "preprocessing", "photos"),
    "large for a proxy": ([whole(413, "text/html", NGINX)], "413", "smaller photos"),
    "asleep": ([flat(503, "Engine is sleeping.")], "sleeping", "Wait"),
    "proxy without server": ([whole(502, "text/html", NGINX)], "a web page", "Wait"),
    "proxy with a fault": ([whole(500, "text/html", NGINX)], "a web page", "proxy"),
    "behind LMDeploy's proxy": ([flat(200, "Died.")], "HTTP 500: Died", "fails again"),
    "too long behind LMDeploy's proxy": ([PROXIED_LONG], "too long", "lower resolution"),
    "a node lost behind it": ([PROXIED_LOSS], "Failed to get response", "fails again"),
    "busy, nested": ([whole(429, "application/json", VLLM_BUSY)], "Too many", "Wait"),
    "JSON that is no error": ([whole(200, "application/json", b"[]")], "not a model server", "proxy"),
    "JSON cut short": ([whole(200, "application/json", b'{"err')], "not a model server", "proxy"),
    "another site": ([whole(200, "text/html", NGINX)], "not a model server", "INTERNVL_ENDPOINT"),
    "plain text": ([whole(500, "text/plain", b"Internal Server Error")], "Internal Server", "fails again"),
    "no words": ([whole(500, "text/plain", b"")], "no reason", "fails again"),
    "hung up": ([], "connection", "INTERNVL_ENDPOINT"),
    "reset": ([RESET], "Connection reset by peer", "INTERNVL_ENDPOINT"),
}
IN_THE_STREAM: dict[str, tuple[list[Step], str, str]] = {
    "too long": ([chunk(event({"error": LONG_FOR_THE_ENGINE})), DONE], "too long", "lower resolution"),
    "crash": ([chunk(event({"error": CRASH})), DONE], "HTTP 500", "fails again"),
    "crash, code in words": (
        [chunk(event({"error": {**CRASH, "code": "x"}})), DONE],
        "HTTP 500",
        "fails again",
    ),
    "crash, only text": ([chunk(event({"error": "Died."})), DONE], "Died", "fails again"),
    "flat error as an event": ([chunk(event({**CRASH, "object": "error"})), DONE], "HTTP 500", "fails again"),
    "broken JSON": ([chunk(event(b"{nope")), DONE], "not an answer", "proxy"),
    "broken UTF-8": ([chunk(event(b'{"id": "\xff"}')), DONE], "not an answer", "proxy"),
    "another shape": ([chunk(event({"choices": 7})), DONE], "not an answer", "proxy"),
    "line outside of events": ([chunk(b'{"error_code": -10400}\n'), b"0\r\n\r\n"], "broke off", "again"),
    "no end": ([b"0\r\n\r\n"], "broke off", "again"),
    "aborted": ([chunk(event(delta("", "abort"))), DONE], "abort", "again"),
    "gave up": ([chunk(event(delta("", "error"))), DONE], "error", "again"),
    "reset": ([RESET], "Connection reset by peer", "INTERNVL_ENDPOINT"),
    "half an event": ([chunk(b'data: {"id')], "connection", "INTERNVL_ENDPOINT"),
    "half a character": ([chunk(event("猫".encode())[:-4])], "connection", "INTERNVL_ENDPOINT"),
    "an error with a code of its own": (
        [chunk(event({"error_code": -10402, "text": "No node."})), DONE],
        "No node",
        "again",
    ),
    "content of another kind": ([chunk(event(delta(7))), DONE], "not an answer", "proxy"),
}


def assert_failed(heard: Heard, name: str, what: str, next_step: str) -> None:
    assert type(heard.error) is (ContextError if name.startswith("too long") else BackendError)
    assert heard.error and what in heard.error.what and next_step in heard.error.next_step
    assert not heard.usages


@pytest.mark.parametrize("name", BEFORE_THE_STREAM)
@in_a_loop
async def test_every_refusal_is_ours_and_says_what_to_do(name: str) -> None:
    script, what, next_step = BEFORE_THE_STREAM[name]
    async with serving(*script, b"", times=2) as server:
        heard = await ask(server, HELLO)
        assert_failed(heard, name, what, next_step)
        assert heard.text == ""
        assert len(server.posts) == 1 + (name in LOST), "only a lost connection is tried again, and once"


@pytest.mark.parametrize("text", ["", "I see"])
@pytest.mark.parametrize("name", IN_THE_STREAM)
@in_a_loop
async def test_a_failure_in_the_stream_is_raised_after_the_text_before_it(name: str, text: str) -> None:
    script, what, next_step = IN_THE_STREAM[name]
    before: list[Step] = [EVENTS, TEXT, WAIT] if text else [EVENTS]
    async with serving(*before, *script, times=2) as server:
        heard = await ask(server, HELLO)
        assert_failed(heard, name, what, next_step)
        assert heard.text == text
        assert len(server.posts) == 1 + (name in LOST and not text)


@in_a_loop
async def test_a_server_that_is_not_there_is_named_with_its_setting() -> None:
    async with serving() as server:
        pass  # its port is closed from here on
    heard = await ask(server, HELLO)
    assert isinstance(heard.error, BackendError) and server.url in heard.error.what
    assert "--endpoint" in heard.error.next_step and "INTERNVL_ENDPOINT" in heard.error.next_step
    with pytest.raises(BackendError, match="INTERNVL_ENDPOINT"):
        await describe(server)


@in_a_loop
async def test_what_a_server_says_stays_short_and_on_one_line() -> None:
    async with serving(flat(400, "Bad\x1b[31m\r\n\u2028" + "<b>words</b> " * 1000), b"") as server:
        heard = await ask(server, HELLO)
        assert heard.error and heard.error.what.isprintable() and "[31m <b>words</b> <b>" in heard.error.what
        assert len(heard.error.what) < SAID_CHARS + 60


@in_a_loop
async def test_a_model_that_the_server_lacks_is_answered_with_those_it_has() -> None:
    async with serving(models=listing({"id": "one"}, {"id": "two"})) as server:
        heard = await ask(server, HELLO, model="three")
        assert isinstance(heard.error, BackendError) and "three" in heard.error.what
        assert "INTERNVL_MODEL" in heard.error.next_step and "one, two" in heard.error.next_step
        with pytest.raises(BackendError, match="one, two"):
            await describe(server, model="three")
        assert not server.posts


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (listing(), "offers no model"),
        (flat(401, "Unauthorized."), "INTERNVL_API_KEY"),
        (whole(200, "text/html", NGINX), "INTERNVL_ENDPOINT"),
        (whole(200, "application/json", b"[1]"), "INTERNVL_ENDPOINT"),
        (whole(500, "text/plain", b"Internal Server Error"), "log"),
    ],
    ids=["empty", "wrong key", "web page", "another shape", "crash"],
)
@in_a_loop
async def test_a_listing_that_names_no_model_is_an_error_with_a_next_step(models: bytes, words: str) -> None:
    async with serving(models=models) as server:
        with pytest.raises(BackendError, match=words):
            await describe(server)


@in_a_loop
async def test_after_a_failure_the_next_question_looks_for_the_model_again() -> None:
    async with serving(flat(404, "The model does not exist.")) as server:
        async with backend_of(server) as backend:
            with pytest.raises(BackendError):
                await anext(backend.stream(HELLO, GREEDY))
            assert "I see" in [piece async for piece in backend.stream(HELLO, GREEDY)]
        assert server.gets == 2


# --- a lost connection --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lost",
    [[], [RESET], [EVENTS, RESET], [EVENTS, chunk(b'data: {"id')], [whole(502, "text/html", NGINX), b""]],
)
@in_a_loop
async def test_a_connection_lost_before_the_first_text_is_tried_once_more(lost: list[Step]) -> None:
    async with serving(*lost, b"") as server:
        heard = await ask(server, HELLO)
        assert (heard.text, heard.error) == ("I see", None)
        assert server.posts[0] == server.posts[1]


def errors_of_aiohttp() -> list[Any]:
    """One of each kind that the package has."""
    kinds: list[Any] = [aiohttp.ClientError]
    for kind in kinds:  # grows
        kinds += [each for each in kind.__subclasses__() if each not in kinds]
    errors = [kind.__new__(kind) for kind in kinds]
    for error in errors:
        error.message, error.status, error.__cause__ = "No.", 400, OSError(1, "No.")
    return errors


@pytest.mark.parametrize("error", errors_of_aiohttp(), ids=lambda error: type(error).__name__)
def test_every_error_of_the_client_is_ours(error: aiohttp.ClientError) -> None:
    ours = as_our_error(error, "http://host")
    assert isinstance(ours, BackendError) and "http://host" in ours.what and "--endpoint" in ours.next_step
    lost = isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError)
    assert is_connection_lost(error) == (lost and not isinstance(error, TimeoutError))
    if lost:
        assert ("in time" if isinstance(error, TimeoutError) else "connection") in ours.what


def test_a_body_that_cannot_be_parsed_is_text() -> None:
    for body in (b"[" * 100_000, b"\xff", b"{"):
        assert "HTTP 500: " in as_our_error(StatusError(500, body), "http://host").what


# --- silence ------------------------------------------------------------------------------------------------

SOON = SilenceLimits(check_s=0.01, health_s=30, longest_s=1800)


@pytest.mark.parametrize("script", [[SILENCE], [EVENTS, SILENCE], [EVENTS, TEXT, SILENCE]])
@in_a_loop
async def test_a_silent_server_that_is_not_alive_is_given_up(script: list[Step]) -> None:
    async with serving(*script, health=SICK) as server:
        heard = await ask(server, HELLO, limits=SOON)
        assert isinstance(heard.error, BackendError) and "stopped answering" in heard.error.what
        assert heard.text == ("I see" if TEXT in script else "")
        assert server.looks >= 2 and len(server.posts) == 1
        await server.left.wait()


@in_a_loop
async def test_a_server_that_does_not_even_say_how_it_is_is_given_up() -> None:
    async with serving(EVENTS, TEXT, SILENCE, health=b"") as server:
        heard = await ask(server, HELLO, limits=SilenceLimits(check_s=0.01, health_s=2))
        assert isinstance(heard.error, BackendError) and "stopped answering" in heard.error.what
        await server.left.wait()


@pytest.mark.parametrize("script", [[], [EVENTS], [EVENTS, TEXT]], ids=["no header", "headers", "some text"])
@in_a_loop
async def test_a_silent_server_that_is_alive_is_waited_for(script: list[Step]) -> None:
    rest = GOOD.removeprefix(b"".join(step for step in script if isinstance(step, bytes)))
    limits = SilenceLimits(check_s=0.01, health_s=30, longest_s=0)
    async with serving(*script, LOOKED, rest, health=HEALTHY) as server:
        heard = await ask(server, HELLO, limits=limits)
        assert (heard.text, heard.error) == ("I see", None)
        assert server.looks >= LOOKS


@in_a_loop
async def test_one_bad_moment_is_no_death() -> None:
    async with serving(EVENTS, LOOKED, GOOD.removeprefix(EVENTS), health=HEALTHY) as server:
        server.healths = [SICK, HEALTHY, SICK, HEALTHY]
        heard = await ask(server, HELLO, limits=SOON)
        assert (heard.text, heard.error) == ("I see", None)


@in_a_loop
async def test_a_server_without_health_has_a_longest_silence() -> None:
    async with serving(EVENTS, SILENCE) as server:
        heard = await ask(server, HELLO, limits=SilenceLimits(check_s=0.01, longest_s=0.1))
        assert isinstance(heard.error, BackendError) and "in time" in heard.error.what
        await server.left.wait()


@in_a_loop
async def test_a_server_that_says_something_now_and_then_is_not_asked_how_it_is() -> None:
    limits = SilenceLimits(check_s=3600)
    async with serving(EVENTS, TEXT, GOOD.removeprefix(EVENTS), health=SICK) as server:
        heard = await ask(server, HELLO, limits=limits)
        assert (heard.text, heard.error, server.looks) == ("I seeI see", None, 0)


# --- no end -------------------------------------------------------------------------------------------------


@in_a_loop
async def test_a_refusal_without_end_is_ended() -> None:
    async with serving(ENDLESS_REFUSAL, times=2) as server:
        heard = await ask(server, HELLO)
        assert isinstance(heard.error, BackendError) and "too long" in heard.error.what
        await server.left.wait()


@pytest.mark.parametrize("script", [ENDLESS_TEXT, ENDLESS_LINE])
@in_a_loop
async def test_an_answer_without_end_is_ended(script: str) -> None:
    async with serving(script) as server:
        heard = await ask(server, HELLO, Options(max_new_tokens=4))
        assert isinstance(heard.error, BackendError) and "beyond the longest answer" in heard.error.what
        assert set(heard.text.split("I see")) <= {""} and len(heard.text) < 1000
        await server.left.wait()


# --- forms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"message": "No.", "type": "x", "code": 401, "param": None, "object": "error"},
        {"error": {"message": "No.", "code": 401}},
        {"error": {"detail": "No.", "code": "401"}},
        {"error": "No.", "code": 500},
        {"detail": "No."},
        "No.",
    ],
    ids=repr,
)
def test_what_the_server_said_is_found_in_every_form(body: object) -> None:
    error = refusal(401, body)
    assert error.what == "The model server refused (HTTP 401: No)."
    assert "INTERNVL_API_KEY" in error.next_step
