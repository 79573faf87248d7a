"""An answer that has its end is whole, whatever becomes of its connection afterwards."""

import pytest

from internvl_demo.models.base import Usage
from internvl_demo.models.openai.watchdog import SilenceLimits
from tests.support.scripted_server import (
    EVENTS,
    HELLO,
    RESET,
    SICK,
    SILENCE,
    STOP,
    TEXT,
    Step,
    ask,
    chunk,
    event,
    in_a_loop,
    serving,
)

MOMENT = SilenceLimits(check_s=0.01, health_s=1, cost_s=0.2)
COST = {"usage": {"prompt_tokens": 123, "completion_tokens": 21}}


@pytest.mark.parametrize(
    "after",
    [
        [RESET],
        [],
        [SILENCE],
        [chunk(b": still here\n\n"), SILENCE],
        [chunk(event({"error": {"message": "out of memory"}})), RESET],
    ],
    ids=["reset", "closed", "silence", "keep-alive", "error"],
)
@in_a_loop
async def test_nothing_of_the_connection_breaks_an_ended_answer(after: list[Step]) -> None:
    async with serving(EVENTS, TEXT, STOP, *after, health=SICK) as server:
        heard = await ask(server, HELLO, limits=MOMENT)
    assert (heard.text, heard.error) == ("I see", None)
    assert heard.usages == [Usage(0, 0, finish_reason="stop")]


@pytest.mark.parametrize("choices", [{}, {"choices": None}, {"choices": []}], ids=["none", "null", "empty"])
@in_a_loop
async def test_the_cost_comes_behind_the_end(choices: dict[str, object]) -> None:
    async with serving(EVENTS, TEXT, STOP, chunk(event({**COST, **choices})), RESET) as server:
        heard = await ask(server, HELLO, limits=MOMENT)
    assert (heard.text, heard.error) == ("I see", None)
    assert heard.usages == [Usage(123, 21, finish_reason="stop")]


@in_a_loop
async def test_without_an_end_a_lost_connection_is_told() -> None:
    async with serving(EVENTS, TEXT, RESET) as server:
        heard = await ask(server, HELLO, limits=MOMENT)
    assert heard.text == "I see" and heard.error
