"""A server that misbehaves, seen from the service: a clear notice, nothing lost, and the next question works."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from internvl_demo.answering.queue import AnswerQueue
from internvl_demo.conversation.options import Options
from internvl_demo.models.openai.watchdog import SilenceLimits
from tests.support.chat import CAT, Chat, Seen, chat, text_is, until
from tests.support.scripted_server import (
    CRASH,
    DONE,
    ENDLESS_LINE,
    ENDLESS_TEXT,
    EVENTS,
    GOOD,
    HEALTHY,
    RESET,
    SICK,
    SILENCE,
    STOP,
    TEXT,
    Scripted,
    Step,
    backend_of,
    chunk,
    delta,
    event,
    flat,
    in_a_loop,
    listing,
    serving,
    whole,
)

QUESTION = "And where is the cat?"
SOON = SilenceLimits(check_s=0.01, health_s=30)

TOKEN = event(delta("猫"))
HALF_A_LETTER = event(b'{"choices": [{"index": 0, "delta": {"content": "\xe7\x8c"}}]}')


@dataclass(frozen=True)
class Case:
    """What the server does; how its `/health` and its listing are meanwhile; what the notice says."""

    script: list[Step]
    what: str
    next_step: str
    health: bytes = HEALTHY
    models: bytes = b""


CASES = {
    "dies in the middle of a token": Case(
        [EVENTS, TEXT, chunk(TOKEN)[:-9], RESET], "connection", "INTERNVL_ENDPOINT"
    ),
    "hangs up in the middle of a token": Case(
        [EVENTS, TEXT, chunk(TOKEN[:-9])], "connection", "INTERNVL_ENDPOINT"
    ),
    "dies before its first token": Case([EVENTS, RESET], "connection", "INTERNVL_ENDPOINT"),
    "stalls in the middle": Case([EVENTS, TEXT, SILENCE], "stopped answering", "runs again", SICK),
    "stalls at once": Case([SILENCE], "stopped answering", "runs again", SICK),
    "sends half a letter": Case([EVENTS, TEXT, chunk(HALF_A_LETTER), STOP, DONE], "not an answer", "proxy"),
    "is cut within a letter": Case(
        [EVENTS, TEXT, chunk(HALF_A_LETTER[:-7])], "connection", "INTERNVL_ENDPOINT"
    ),
    "500": Case([flat(500, "An internal server error occurred.")], "HTTP 500", "log"),
    "500 without words": Case([whole(500, "text/plain", b"Internal Server Error")], "HTTP 500", "log"),
    "500 in the middle": Case([EVENTS, TEXT, chunk(event({"error": CRASH})), DONE], "HTTP 500", "log"),
    "401": Case([flat(401, "Unauthorized.")], "Unauthorized", "INTERNVL_API_KEY"),
    "broken JSON": Case([EVENTS, chunk(event(b'{"choices": [')), DONE], "not an answer", "proxy"),
    "broken JSON in the middle": Case(
        [EVENTS, TEXT, chunk(event(b'{"choices": [')), DONE], "not an answer", "proxy"
    ),
    "an endless answer": Case([ENDLESS_TEXT], "beyond the longest answer", "log"),
    "an endless line": Case([ENDLESS_LINE], "beyond the longest answer", "log"),
    "503 while it starts": Case([flat(503, "Starting.")], "HTTP 503", "Wait", SICK, flat(503, "Starting.")),
    "503 for a listing": Case([flat(503, "Starting.")], "HTTP 503", "Wait", SICK, listing()),
}


@asynccontextmanager
async def chat_before(server: Scripted, folder: Path) -> AsyncIterator[Chat]:
    options = Options(max_new_tokens=4)
    async with (
        backend_of(server, limits=SOON) as backend,
        chat(folder, model=backend, queue=AnswerQueue(1, 0), options=options) as demo,
    ):
        yield demo


def turns(demo: Chat, conversation: str) -> list[tuple[str, str | None]]:
    """What is stored: questions and answers."""
    return [(question.text, question.answer) for question in demo.record(conversation).questions]


async def ended(demo: Chat, conversation: str) -> Seen:
    """How the last answer ended, once it is stored."""
    await until(lambda: demo.service.jobs.running(conversation) is None)
    return await demo.last(conversation)


@pytest.mark.parametrize("name", CASES)
@in_a_loop
async def test_a_clear_notice_and_nothing_lost(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    async with serving() as server, chat_before(server, tmp_path) as demo:
        conversation = (await demo.ask("Hello?", images=0)).conversation
        await ended(demo, conversation)
        good_models, server.models = server.models, case.models or server.models
        server.health = case.health
        server.begin(*case.script)
        if case.models:  # it has just been started
            await server.die()
            await server.come()

        await demo.ask(QUESTION, conversation=conversation)
        failed = await ended(demo, conversation)
        assert failed.state == "broken" and case.what in failed.end["what"]
        assert case.next_step in failed.end["next_step"]
        assert bool(failed.text) == (TEXT in case.script or ENDLESS_TEXT in case.script)
        assert set(failed.text.split("I see")) <= {""}
        assert turns(demo, conversation) == [("Hello?", "I see"), (QUESTION, failed.text or None)]
        assert len(demo.record(conversation).questions[-1].images) == 1
        if not failed.text:  # the page takes it back into the composer
            taken = await demo.service.undo("me", conversation)
            assert (taken.text, len(taken.images)) == (QUESTION, 1)
            assert turns(demo, conversation) == [("Hello?", "I see")]

        server.models, server.health = good_models, HEALTHY
        server.begin(GOOD)
        if failed.text:
            await demo.service.retry("me", conversation)
        else:
            await demo.ask(QUESTION, conversation=conversation)
        answered = await ended(demo, conversation)
        assert (answered.state, answered.end) == ("complete", {})
        assert turns(demo, conversation) == [("Hello?", "I see"), (QUESTION, "I see")]
        assert demo.service.queue.running == 0


@in_a_loop
async def test_a_server_that_is_away_loses_nobody_anything(tmp_path: Path) -> None:
    async with serving() as server, chat_before(server, tmp_path) as demo:
        conversation = (await demo.ask("Hello?", images=0)).conversation
        await ended(demo, conversation)
        server.begin(EVENTS, TEXT, SILENCE)
        await demo.ask(QUESTION, conversation=conversation)
        await demo.seen(conversation, text_is("I see"))
        await server.die()
        broken = await ended(demo, conversation)
        assert broken.end["what"].startswith("The connection") and broken.text == "I see"
        stored = turns(demo, conversation)
        for _ in range(2):
            await demo.service.retry("me", conversation)
            still = await ended(demo, conversation)
            assert "INTERNVL_ENDPOINT" in still.end["next_step"]
            assert turns(demo, conversation) == stored, "what came stays while the server is away"
        await server.come()
        server.begin(GOOD)
        await demo.service.retry("me", conversation)
        assert (await ended(demo, conversation)).state == "complete"
        await demo.ask(QUESTION, conversation=conversation)
        assert (await ended(demo, conversation)).state == "complete"
        assert len(turns(demo, conversation)) == 3


@in_a_loop
async def test_another_question_may_follow_a_broken_answer(tmp_path: Path) -> None:
    async with serving(EVENTS, TEXT, RESET) as server, chat_before(server, tmp_path) as demo:
        conversation = (await demo.ask(QUESTION)).conversation
        await ended(demo, conversation)
        await demo.ask("Else?", conversation=conversation, images=0)
        after = await ended(demo, conversation)
        assert after.state == "complete" and server
        assert turns(demo, conversation) == [(QUESTION, "I see"), ("Else?", "I see")]
        answers = [question["answers"][-1] for question in after.conversation["questions"]]
        assert [answer["receipt"]["broken_off"] for answer in answers] == [True, False]


@in_a_loop
async def test_an_idle_connection_that_was_closed_is_nobodys_business(tmp_path: Path) -> None:
    async with serving() as server, chat_before(server, tmp_path) as demo:
        conversation = (await demo.ask("Hello?", images=0)).conversation
        await ended(demo, conversation)
        await server.die()
        await server.come()
        await demo.ask(QUESTION, conversation=conversation)
        after = await ended(demo, conversation)
        assert (after.state, after.text) == ("complete", "I see")


@in_a_loop
async def test_a_damaged_picture_never_reaches_the_model(tmp_path: Path) -> None:
    async with serving() as server, chat_before(server, tmp_path) as demo:
        photo = demo.store.add_photo("me", CAT, "cat.png")
        for path in (tmp_path / "data" / "photos").iterdir():
            path.write_bytes(b"")
        before = len(server.posts)
        started = await demo.service.ask("me", None, "Who?", [(photo.id, 1)])
        failed = await ended(demo, started.conversation)
        assert failed.state == "broken" and "picture" in failed.end["what"]
        assert len(server.posts) == before
