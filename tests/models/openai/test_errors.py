"""What becomes of a model server's errors: one of ours, with a next step, on a real socket."""

import re
from typing import Any

import aiohttp
import pytest

from internvl_demo.errors import BackendError, ContextError
from internvl_demo.models.openai.errors import (
    SAID_CHARS,
    StatusError,
    as_our_error,
    is_connection_lost,
    refusal,
    short,
)
from tests.support.plain_words import assert_for_people
from tests.support.scripted_server import (
    CRASH,
    DONE,
    EVENTS,
    GREEDY,
    HELLO,
    NGINX,
    RESET,
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

# name -> what the server does; words of what happened, of what to do next, and of what the host is told besides
Row = tuple[list[Step], str, str, tuple[str, ...]]
BEFORE_THE_STREAM: dict[str, Row] = {
    "too long": ([flat(400, TOO_LONG)], "too long for the model", "lower resolution", ("200092",)),
    "too long, OpenAI's way": (
        [whole(400, "application/json", OPENAI_LONG)],
        "too long",
        "lower resolution",
        ("400: No",),
    ),
    "wrong key": (
        [flat(401, "Unauthorized.")],
        "does not take",
        "Tell whoever",
        ("Unauthorized", "INTERNVL_API_KEY"),
    ),
    "model gone": (
        [flat(404, "The model 'x' does not exist.")],
        "does not take",
        "Tell whoever",
        ("'x'", "INTERNVL_MODEL"),
    ),
    "wrong path": (
        [whole(404, "application/json", b'{"detail": "No"}')],
        "does not take",
        "Tell whoever",
        ("404: No", "INTERNVL_ENDPOINT"),
    ),
    "elsewhere": (
        [b"HTTP/1.1 307 X\r\nlocation: https://me:pw@other/login?token=s3cret\r\ncontent-length: 0\r\n\r\n"],
        "does not take",
        "Tell whoever",
        ("307: https://other/login)", "--endpoint"),
    ),
    "bad picture": (
        [flat(400, "Request preprocessing failed.")],
        "refused the question",
        "photos",
        ("preprocessing",),
    ),
    "large for a proxy": (
        [whole(413, "text/html", NGINX)],
        "too large",
        "smaller photos",
        ("413", "size limit of the proxy"),
    ),
    "asleep": ([flat(503, "Engine is sleeping.")], "at this moment", "Wait", ("503: Engine is sleeping",)),
    "proxy without server": ([whole(502, "text/html", NGINX)], "at this moment", "Wait", ("a web page",)),
    "proxy with a fault": (
        [whole(500, "text/html", NGINX)],
        "failed",
        "fails again",
        ("a web page", "proxy"),
    ),
    "behind LMDeploy's proxy": ([flat(200, "Died.")], "failed", "fails again", ("HTTP 500: Died", "log")),
    "too long behind LMDeploy's proxy": ([PROXIED_LONG], "too long", "lower resolution", ("200092",)),
    "a node lost behind it": ([PROXIED_LOSS], "failed", "fails again", ("Failed to get response",)),
    "busy, nested": (
        [whole(429, "application/json", VLLM_BUSY)],
        "at this moment",
        "Wait",
        ("429: Too many",),
    ),
    "JSON that is no error": (
        [whole(200, "application/json", b"[]")],
        "not an answer",
        "fails again",
        ("not a model server", "proxy"),
    ),
    "JSON cut short": (
        [whole(200, "application/json", b'{"err')],
        "not an answer",
        "fails again",
        ("not a model server", "proxy"),
    ),
    "another site": (
        [whole(200, "text/html", NGINX)],
        "not an answer",
        "fails again",
        ("not a model server", "INTERNVL_ENDPOINT"),
    ),
    "plain text": (
        [whole(500, "text/plain", b"Internal Server Error")],
        "failed",
        "fails again",
        ("Internal Server",),
    ),
    "no words": ([whole(500, "text/plain", b"")], "failed", "fails again", ("no reason",)),
    "hung up": ([], "connection", "fails again", ("without a response", "INTERNVL_ENDPOINT")),
    "reset": ([RESET], "connection", "fails again", ("Connection reset by peer", "INTERNVL_ENDPOINT")),
}
NO_ANSWER = ("not an answer", "fails again", ("is not an answer (", "proxy"))
CRASHED = ("failed", "fails again", ("HTTP 500: An internal server error occurred", "log"))
IN_THE_STREAM: dict[str, Row] = {
    "too long": (
        [chunk(event({"error": LONG_FOR_THE_ENGINE})), DONE],
        "too long",
        "lower resolution",
        ("exceeds the model context length",),
    ),
    "crash": ([chunk(event({"error": CRASH})), DONE], *CRASHED),
    "crash, code in words": ([chunk(event({"error": {**CRASH, "code": "x"}})), DONE], *CRASHED),
    "crash, only text": ([chunk(event({"error": "Died."})), DONE], "failed", "fails again", ("Died",)),
    "flat error as an event": ([chunk(event({**CRASH, "object": "error"})), DONE], *CRASHED),
    "broken JSON": ([chunk(event(b"{nope")), DONE], *NO_ANSWER),
    "broken UTF-8": ([chunk(event(b'{"id": "\xff"}')), DONE], *NO_ANSWER),
    "another shape": ([chunk(event({"choices": 7})), DONE], *NO_ANSWER),
    "line outside of events": ([chunk(b'{"error_code": -10400}\n'), b"0\r\n\r\n"], "broke off", "again", ()),
    "no end": ([b"0\r\n\r\n"], "broke off", "again", ()),
    "aborted": ([chunk(event(delta("", "abort"))), DONE], "gave up", "again", ("abort",)),
    "gave up": ([chunk(event(delta("", "error"))), DONE], "gave up", "again", ("error",)),
    "reset": ([RESET], "connection", "fails again", ("Connection reset by peer", "INTERNVL_ENDPOINT")),
    "half an event": (
        [chunk(b'data: {"id')],
        "connection",
        "fails again",
        ("in the middle of the response", "INTERNVL_ENDPOINT"),
    ),
    "half a character": (
        [chunk(event("猫".encode())[:-4])],
        "connection",
        "fails again",
        ("in the middle", "INTERNVL_ENDPOINT"),
    ),
    "an error with a code of its own": (
        [chunk(event({"error_code": -10402, "text": "No node."})), DONE],
        "failed",
        "again",
        ("No node",),
    ),
    "content of another kind": ([chunk(event(delta(7))), DONE], *NO_ANSWER),
}


def assert_failed(heard: Heard, name: str, what: str, next_step: str, details: tuple[str, ...]) -> None:
    error = heard.error
    assert type(error) is (ContextError if name.startswith("too long") else BackendError)
    assert what in error.what and next_step in error.next_step
    assert all(words in error.details for words in details), error.details
    assert_for_people(error, *details)
    assert not re.search("me:pw|s3cret", str(error))
    assert not heard.usages


@pytest.mark.parametrize("name", BEFORE_THE_STREAM)
@in_a_loop
async def test_every_refusal_is_ours_and_says_what_to_do(name: str) -> None:
    script, *told = BEFORE_THE_STREAM[name]
    async with serving(*script, b"", times=2) as server:
        heard = await ask(server, HELLO)
        assert_failed(heard, name, *told)
        assert heard.text == ""
        assert len(server.posts) == 1 + (name in LOST), "only a lost connection is tried again, and once"


@pytest.mark.parametrize("text", ["", "I see"])
@pytest.mark.parametrize("name", IN_THE_STREAM)
@in_a_loop
async def test_a_failure_in_the_stream_is_raised_after_the_text_before_it(name: str, text: str) -> None:
    script, *told = IN_THE_STREAM[name]
    before: list[Step] = [EVENTS, TEXT, WAIT] if text else [EVENTS]
    async with serving(*before, *script, times=2) as server:
        heard = await ask(server, HELLO)
        assert_failed(heard, name, *told)
        assert heard.text == text
        assert len(server.posts) == 1 + (name in LOST and not text)


@in_a_loop
async def test_a_server_that_is_not_there_is_named_with_its_setting() -> None:
    async with serving() as server:
        pass  # its port is closed from here on
    heard = await ask(server, HELLO)
    assert isinstance(heard.error, BackendError) and server.url in heard.error.details
    assert "--endpoint" in heard.error.details and "INTERNVL_ENDPOINT" in heard.error.details
    assert_for_people(heard.error)
    with pytest.raises(BackendError, match="INTERNVL_ENDPOINT"):
        await describe(server)


@in_a_loop
async def test_what_a_server_says_stays_short_and_on_one_line() -> None:
    async with serving(flat(400, "Bad\x1b[31m\r\n\u2028" + "<b>words</b> " * 1000), b"") as server:
        heard = await ask(server, HELLO)
        assert heard.error and heard.error.details.isprintable()
        assert "[31m <b>words</b> <b>" in heard.error.details
        assert len(heard.error.details) < SAID_CHARS + 90
        assert_for_people(heard.error, "Bad", "<b>")


@in_a_loop
async def test_a_model_that_the_server_lacks_is_answered_with_those_it_has() -> None:
    async with serving(models=listing({"id": "one"}, {"id": "two"})) as server:
        heard = await ask(server, HELLO, model="three")
        assert isinstance(heard.error, BackendError) and "three" in heard.error.details
        assert "INTERNVL_MODEL" in heard.error.details and "one, two" in heard.error.details
        assert_for_people(heard.error, "three", "one, two")
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
    assert isinstance(ours, BackendError) and "http://host" in ours.details and "--endpoint" in ours.details
    assert_for_people(ours)
    lost = isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError)
    assert is_connection_lost(error) == (lost and not isinstance(error, TimeoutError))
    if lost:
        assert ("in time" if isinstance(error, TimeoutError) else "connection") in ours.what


def test_a_body_that_cannot_be_parsed_is_text() -> None:
    for body in (b"[" * 100_000, b"\xff", b"{"):
        assert "HTTP 500: " in as_our_error(StatusError(500, body), "http://host").details


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
    assert error.details.startswith("The model server refused (HTTP 401: No). Set INTERNVL_API_KEY to ")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("no route to http://me:pw@host:1/v1", "no route to http://host:1/v1"),
        ("GET https://host/a?key=s3cret failed", "GET https://host/a failed"),
        ('"https://me@host#s3cret", then ftp://x:y@z', '"https://host then ftp://z'),
        ("http://host/a/b, fine", "http://host/a/b, fine"),
        ("me@host is a mail address; 3 > 2?", "me@host is a mail address; 3 > 2?"),
        ("https://cdn/x?X-Amz-Signature=" + "f" * 500, "https://cdn/x"),
    ],
)
def test_no_secret_of_an_address_is_told(said: str, shown: str) -> None:
    assert short(said) == shown
    assert shown in refusal(500, {"message": said}).details
