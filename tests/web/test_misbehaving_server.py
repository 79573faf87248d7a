"""A server that misbehaves, seen from the page's desk: a clear notice, nothing lost, and the next question works."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from internvl_demo.answering.queue import Admission
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Attachment
from internvl_demo.models.base import ModelInfo
from internvl_demo.models.openai.watchdog import Patience
from internvl_demo.photos.decode import open_photo
from internvl_demo.store import Store
from internvl_demo.web.handlers import Desk, Person, View
from internvl_demo.web.session import Session
from internvl_demo.web.strings import Words
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
from tests.support.uploads import png

INFO = ModelInfo("scripted", tokens_per_tile=256, context_length=32_768)
WORDS = Words()
Message = tuple[str, tuple[Attachment, ...]]
ME = Person("me", "tab")
SOON = Patience(look_s=0.01, health_s=30)

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


@pytest.fixture
def message(tmp_path: Path) -> Message:
    path = tmp_path / "cat.png"
    path.write_bytes(png())
    return "And where is the cat?", (Attachment(open_photo(path), 1),)


@asynccontextmanager
async def desk_before(server: Scripted) -> AsyncIterator[Desk]:
    with TemporaryDirectory() as folder:
        store = Store(Path(folder), keep_days=1)
        async with backend_of(server, patience=SOON) as backend:
            yield Desk(backend, INFO, Options(max_new_tokens=4), Admission(1, 0), store)
        store.close()


def shown(view: View) -> str:
    """The id of the conversation that the page shows."""
    return view.session.record.id if view.session.record else ""


def kept(session: Session) -> tuple[object, object]:
    """What must not change: the turns, and how their answers look."""
    return session.conversation, [answer and (answer.raw, answer.broken_off) for answer in session.answers]


async def last_of(views: AsyncGenerator[View, None]) -> View:
    """Where it ends; every view on the way is one that may be shown."""
    *_, last = [view async for view in views]
    assert not last.running
    return last


def assert_nothing_is_lost(view: View, before: Session, message: Message, said: str) -> None:
    """Without a word said, the question is back in the composer; else it stands there with what was said."""
    if not said:
        assert kept(view.session) == kept(before)
        assert (view.text, view.images) == message
        return
    turns = view.session.conversation.turns
    assert turns[:-1] == before.conversation.turns and turns[-1].text == message[0]
    assert len(turns[-1].images) == 1 and turns[-1].answer == said
    answer = view.session.answers[-1]
    assert answer and answer.broken_off and answer.text == said


@pytest.mark.parametrize("name", CASES)
@in_a_loop
async def test_a_clear_notice_nothing_lost_and_the_next_question_works(name: str, message: Message) -> None:
    case = CASES[name]
    async with serving() as server, desk_before(server) as desk:
        begun = await last_of(desk.ask("Hello?", (), ME, "", WORDS))
        good_models, server.models = server.models, case.models or server.models
        server.health = case.health
        server.begin(*case.script)
        if case.models:  # it has just been started
            await server.die()
            await server.come()

        failed = await last_of(desk.ask(*message, ME, shown(begun), WORDS))
        assert failed.notice and case.what in failed.notice["what"]
        assert case.next_step in failed.notice["next_step"]
        answer = failed.session.answers[-1]
        said = answer.raw if answer and answer.broken_off else ""
        assert bool(said) == (TEXT in case.script or ENDLESS_TEXT in case.script)
        assert not said or set(said.split("I see")) == {""}
        assert_nothing_is_lost(failed, begun.session, message, said)

        server.models, server.health = good_models, HEALTHY
        server.begin(GOOD)
        again = desk.retry(ME, shown(failed), WORDS) if said else desk.ask(*message, ME, shown(failed), WORDS)
        answered = await last_of(again)
        assert answered.notice is None
        assert [turn.answer for turn in answered.session.conversation.turns] == ["I see", "I see"]
        assert not any(answer and answer.broken_off for answer in answered.session.answers)
        assert desk.gate.running == 0


@in_a_loop
async def test_a_server_that_is_gone_for_a_while_loses_nobody_anything(message: Message) -> None:
    async with serving() as server, desk_before(server) as desk:
        begun = await last_of(desk.ask("Hello?", (), ME, "", WORDS))
        server.begin(EVENTS, TEXT, SILENCE)
        async for view in desk.ask(*message, ME, shown(begun), WORDS):
            if view.session.answers[-1]:
                await server.die()
        assert view.notice and view.notice["what"].startswith("The answer broke off. The connection")
        assert_nothing_is_lost(view, begun.session, message, "I see")
        for _ in range(2):
            still = await last_of(desk.retry(ME, shown(view), WORDS))
            assert still.notice and "INTERNVL_ENDPOINT" in still.notice["next_step"]
            assert kept(still.session) == kept(view.session), "what was said stays while the server is away"
        await server.come()
        server.begin(GOOD)
        back = await last_of(desk.retry(ME, shown(still), WORDS))
        assert back.notice is None and len(back.session.conversation.turns) == 2
        more = await last_of(desk.ask(*message, ME, shown(back), WORDS))
        assert more.notice is None and len(more.session.conversation.turns) == 3


@in_a_loop
async def test_after_a_broken_answer_another_question_may_be_asked_instead(message: Message) -> None:
    async with serving(EVENTS, TEXT, RESET) as server, desk_before(server) as desk:
        failed = await last_of(desk.ask(*message, ME, "", WORDS))
        after = await last_of(desk.ask("Else?", (), ME, shown(failed), WORDS))
        assert after.notice is None
        assert [turn.answer for turn in after.session.conversation.turns] == ["I see", "I see"]
        assert [bool(answer and answer.broken_off) for answer in after.session.answers] == [True, False]


@in_a_loop
async def test_a_connection_that_the_server_closed_while_idle_is_nobodys_business(message: Message) -> None:
    async with serving() as server, desk_before(server) as desk:
        begun = await last_of(desk.ask("Hello?", (), ME, "", WORDS))
        await server.die()
        await server.come()
        after = await last_of(desk.ask(*message, ME, shown(begun), WORDS))
        assert after.notice is None and after.session.conversation.turns[-1].answer == "I see"
