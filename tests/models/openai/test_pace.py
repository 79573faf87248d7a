"""Reading by pace: many tokens in one piece, the first at once, and Stop at once in any moment. One task watches."""

import asyncio

import pytest

from internvl_demo.conversation.options import Options
from internvl_demo.errors import BackendError
from internvl_demo.models.base import Usage
from internvl_demo.models.openai.backend import ServerBackend
from internvl_demo.models.openai.watchdog import SilenceLimits
from tests.support.scripted_server import (
    COUNTED,
    DONE,
    EVENTS,
    GREEDY,
    HELLO,
    RESET,
    SICK,
    SILENCE,
    STOP,
    TEXT,
    WAIT,
    Scripted,
    Step,
    backend_of,
    chunk,
    delta,
    event,
    in_a_loop,
    serving,
)

HOUR_S = 3600.0
END = [STOP, COUNTED, DONE]


async def everybody_left(server: Scripted) -> None:
    """Returns when no connection is open any more."""
    while server.writers:
        await asyncio.sleep(0.001)


# --- stop -------------------------------------------------------------------------------------------------


@in_a_loop
async def test_stop_during_the_pause_frees_the_server_at_once() -> None:
    async with serving(EVENTS, TEXT, SILENCE) as server, backend_of(server) as backend:
        backend.pace_s = lambda: HOUR_S
        pieces = backend.stream(HELLO, GREEDY)
        assert await anext(pieces) == "I see"
        waiting = asyncio.ensure_future(anext(pieces))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        waiting.cancel()
        await server.left.wait()
        with pytest.raises(asyncio.CancelledError):
            await waiting


@in_a_loop
async def test_stop_between_two_reads_frees_the_server_at_once() -> None:
    async with serving(EVENTS, TEXT, SILENCE) as server, backend_of(server) as backend:
        backend.pace_s = lambda: HOUR_S
        pieces = backend.stream(HELLO, GREEDY)
        assert await anext(pieces) == "I see"
        await pieces.aclose()
        await server.left.wait()


@in_a_loop
async def test_stop_in_any_moment_leaves_no_connection_open() -> None:
    async def read(backend: ServerBackend) -> None:
        async for _ in backend.stream(HELLO, GREEDY):
            pass

    tasks = asyncio.all_tasks()
    async with serving(EVENTS, TEXT, TEXT, SILENCE) as server:
        for steps in range(150):
            async with backend_of(server) as backend:
                server.begin(EVENTS, TEXT, TEXT, SILENCE)
                reading = asyncio.ensure_future(read(backend))
                for _ in range(steps):
                    await asyncio.sleep(0)
                reading.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await reading
                await everybody_left(server)
                assert asyncio.all_tasks() == tasks, "nobody watches any more"


# --- pace -------------------------------------------------------------------------------------------------


@in_a_loop
async def test_tokens_of_a_pause_come_as_one_piece() -> None:
    async with (
        serving(EVENTS, TEXT, WAIT, *[TEXT] * 5, *END) as server,
        backend_of(server) as backend,
    ):
        backend.pace_s = lambda: 0.5
        pieces = backend.stream(HELLO, GREEDY)
        assert await anext(pieces) == "I see"
        server.go.set()
        assert [piece async for piece in pieces] == ["I see" * 5, Usage(123, 21, 64)]


@pytest.mark.parametrize("end", [RESET, b"", b"no chunk\r\n"], ids=["reset", "hung up", "broken"])
@in_a_loop
async def test_text_of_a_pause_comes_before_the_loss(end: Step) -> None:
    async with serving(EVENTS, TEXT, WAIT, TEXT, TEXT, end) as server, backend_of(server) as backend:
        backend.pace_s = lambda: 0.3
        pieces = backend.stream(HELLO, GREEDY)
        assert await anext(pieces) == "I see"
        server.go.set()
        assert await anext(pieces) == "I see" * 2
        with pytest.raises(BackendError):
            await anext(pieces)


@in_a_loop
async def test_text_that_nobody_has_asked_for_comes_before_the_loss() -> None:
    async with serving(EVENTS, TEXT, WAIT, TEXT, RESET) as server, backend_of(server) as backend:
        pieces = backend.stream(HELLO, GREEDY)
        assert await anext(pieces) == "I see"
        server.go.set()
        await asyncio.sleep(0.2)  # whoever reads is busy
        assert await anext(pieces) == "I see"
        with pytest.raises(BackendError):
            await anext(pieces)


@in_a_loop
async def test_the_first_text_never_waits() -> None:
    nothing_yet = chunk(event(delta("")))
    async with serving(EVENTS, nothing_yet, WAIT, TEXT, SILENCE) as server, backend_of(server) as backend:
        backend.pace_s = lambda: HOUR_S
        pieces = backend.stream(HELLO, GREEDY)
        first = asyncio.ensure_future(anext(pieces))
        await asyncio.sleep(0.1)  # nothing yet has been read
        server.go.set()
        assert await first == "I see"
        await pieces.aclose()


@in_a_loop
async def test_the_pace_may_change_during_an_answer() -> None:
    asked: list[float] = []

    def pace_s() -> float:
        asked.append(0.01 if len(asked) % 2 else 0.0)
        return asked[-1]

    texts = [step for _ in range(5) for step in (TEXT, WAIT)]
    async with serving(EVENTS, *texts, *END) as server, backend_of(server) as backend:
        backend.pace_s = pace_s
        pieces = []
        async for piece in backend.stream(HELLO, GREEDY):
            pieces.append(piece)
            server.go.set()
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == "I see" * 5
    assert isinstance(pieces[-1], Usage) and len(asked) >= 1


@in_a_loop
async def test_the_end_waits_for_no_pause() -> None:
    async with serving(EVENTS, TEXT + STOP + COUNTED + DONE) as server, backend_of(server) as backend:
        backend.pace_s = lambda: HOUR_S
        assert [piece async for piece in backend.stream(HELLO, GREEDY)] == ["I see", Usage(123, 21, 64)]


@in_a_loop
async def test_events_of_one_read_are_one_piece() -> None:
    async with serving(EVENTS + TEXT * 3 + STOP + DONE) as server, backend_of(server) as backend:
        assert [piece async for piece in backend.stream(HELLO, GREEDY)] == ["I see" * 3, Usage(0, 0)]


# --- one watchdog ------------------------------------------------------------------------------------------


@in_a_loop
async def test_a_pause_is_no_silence_of_the_server() -> None:
    limits = SilenceLimits(check_s=0.01)
    async with (
        serving(EVENTS, TEXT, SILENCE, health=SICK) as server,
        backend_of(server, limits=limits) as backend,
    ):
        backend.pace_s = lambda: HOUR_S
        pieces = backend.stream(HELLO, GREEDY)
        assert await anext(pieces) == "I see"
        await asyncio.sleep(0.1)
        looks = server.looks  # before the text came
        await asyncio.sleep(0.2)  # whoever reads is busy
        waiting = asyncio.ensure_future(anext(pieces))
        await asyncio.sleep(0.2)  # the backend pauses
        assert server.looks == looks and not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])


@in_a_loop
async def test_a_token_costs_no_task() -> None:
    made: list[str] = []
    loop = asyncio.get_running_loop()

    def factory(loop: asyncio.AbstractEventLoop, task: object, **more: object) -> asyncio.Task[object]:
        made.append(str(task))
        return asyncio.Task(task, loop=loop, **more)  # type: ignore[arg-type]

    counts = []
    for tokens in (1, 500):
        steps = [step for _ in range(tokens) for step in (TEXT, TEXT)]
        async with serving(EVENTS, *steps, *END) as server, backend_of(server) as backend:
            loop.set_task_factory(factory)
            made.clear()
            async for _ in backend.stream(HELLO, Options(max_new_tokens=2000)):
                await asyncio.sleep(0)
            counts.append(len(made))
            loop.set_task_factory(None)
    assert counts[0] == counts[1]
