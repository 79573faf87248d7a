"""A server that falls silent, or never ends: how long it is waited for, and what people are told."""

import pytest

from internvl_demo.conversation.options import Options
from internvl_demo.errors import BackendError
from internvl_demo.models.openai.watchdog import SilenceLimits
from tests.support.scripted_server import (
    ENDLESS_LINE,
    ENDLESS_REFUSAL,
    ENDLESS_TEXT,
    EVENTS,
    GOOD,
    HEALTHY,
    HELLO,
    LOOKED,
    LOOKS,
    SICK,
    SILENCE,
    TEXT,
    Step,
    ask,
    in_a_loop,
    serving,
)

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
        assert isinstance(heard.error, BackendError) and "too long" in heard.error.details
        await server.left.wait()


@pytest.mark.parametrize("script", [ENDLESS_TEXT, ENDLESS_LINE])
@in_a_loop
async def test_an_answer_without_end_is_ended(script: str) -> None:
    async with serving(script) as server:
        heard = await ask(server, HELLO, Options(max_new_tokens=4))
        assert isinstance(heard.error, BackendError) and "beyond the longest answer" in heard.error.what
        assert set(heard.text.split("I see")) <= {""} and len(heard.text) < 1000
        await server.left.wait()
