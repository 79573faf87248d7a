"""What a backend need not say, and what it must."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.models.base import Backend, ModelInfo, Piece, Usage


class Least(Backend):
    """The least that is a backend."""

    async def describe(self) -> ModelInfo:
        return ModelInfo("least", 256, 4096)

    async def stream(self, _conversation: Conversation, _options: Options) -> AsyncGenerator[Piece, None]:
        yield Usage(1, 0)


def test_a_model_without_description_or_stream_is_none() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Backend()  # type: ignore[abstract]


def test_the_defaults_are_those_of_a_model_that_is_simply_there() -> None:
    backend = Least()
    assert backend.count_text("some words") is None
    assert backend.problem() is None
    assert asyncio.run(backend.health()).kind == "ready"
    assert backend.pace_s() == 0.0
    asyncio.run(backend.ready())
    asyncio.run(backend.close())


def test_the_pace_of_one_is_not_that_of_another() -> None:
    one, other = Least(), Least()
    one.pace_s = lambda: 0.1
    assert (one.pace_s(), other.pace_s()) == (0.1, 0.0)
