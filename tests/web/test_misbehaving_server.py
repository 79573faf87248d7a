"""A server that misbehaves, seen from the service: a clear notice, nothing lost, and the next question works."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from internvl_demo.answering.queue import AnswerQueue
from internvl_demo.conversation.options import Options
from internvl_demo.errors import DemoError
from internvl_demo.models.openai.watchdog import SilenceLimits
from tests.support.chat import CAT, Chat, Seen, chat, text_is, until
from tests.support.plain_words import assert_for_people
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
    """What the server does; how its `/health` and its listing are meanwhile; what the notice says, to whom."""

    script: list[Step]
    what: str
    next_step: str
    details: str
    health: bytes = HEALTHY
    models: bytes = b""


LOST = ("connection", "fails again", "INTERNVL_ENDPOINT")
STALLED = ("stopped answering", "runs again", "/health")
NO_ANSWER = ("not an answer", "fails again", "proxy")
CRASHED = ("failed", "fails again", "HTTP 500")
ENDLESS = ("beyond the longest answer", "fails again", "log")
STARTING = ("at this moment", "Wait", "HTTP 503")
CASES = {
    "dies in the middle of a token": Case([EVENTS, TEXT, chunk(TOKEN)[:-9], RESET], *LOST),
    "hangs up in the middle of a token": Case([EVENTS, TEXT, chunk(TOKEN[:-9])], *LOST),
    "dies before its first token": Case([EVENTS, RESET], *LOST),
    "stalls in the middle": Case([EVENTS, TEXT, SILENCE], *STALLED, SICK),
    "stalls at once": Case([SILENCE], *STALLED, SICK),
    "sends half a letter": Case([EVENTS, TEXT, chunk(HALF_A_LETTER), STOP, DONE], *NO_ANSWER),
    "is cut within a letter": Case([EVENTS, TEXT, chunk(HALF_A_LETTER[:-7])], *LOST),
    "500": Case([flat(500, "An internal server error occurred.")], *CRASHED),
    "500 without words": Case([whole(500, "text/plain", b"Internal Server Error")], *CRASHED),
    "500 in the middle": Case([EVENTS, TEXT, chunk(event({"error": CRASH})), DONE], *CRASHED),
    "401": Case([flat(401, "Unauthorized.")], "does not take", "Tell whoever", "INTERNVL_API_KEY"),
    "broken JSON": Case([EVENTS, chunk(event(b'{"choices": [')), DONE], *NO_ANSWER),
    "broken JSON in the middle": Case([EVENTS, TEXT, chunk(event(b'{"choices": [')), DONE], *NO_ANSWER),
    "an endless answer": Case([ENDLESS_TEXT], *ENDLESS),
    "an endless line": Case([ENDLESS_LINE], *ENDLESS),
    "503 while it starts": Case([flat(503, "Starting.")], *STARTING, SICK, flat(503, "Starting.")),
    "503 for a listing": Case([flat(503, "Starting.")], *STARTING, SICK, listing()),
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
        assert case.next_step in failed.end["next_step"] and case.details in failed.end["details"]
        assert_for_people(DemoError(failed.end["what"], failed.end["next_step"]), case.details)
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
        assert demo.service.models.first.queue.running == 0


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
            assert "INTERNVL_ENDPOINT" in still.end["details"]
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
