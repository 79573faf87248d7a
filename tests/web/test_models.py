"""Several models on one page: each question goes to the one that was chosen, and each answer says whose it is."""

from pathlib import Path
from typing import Any

import pytest

from internvl_demo.answering.queue import AnswerQueue
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.models.base import ModelInfo
from internvl_demo.web.models import ModelChoiceError, PageModel, PageModels
from tests.support.chat import chat, never, run, text_is
from tests.support.scripted_model import ScriptedModel

SMALL = ModelInfo("small one", tokens_per_tile=64, context_length=1500)


def small(script: list[Any] | None = None) -> PageModel:
    return PageModel("small", ScriptedModel(script or ["Small."]), SMALL, AnswerQueue(1, 2))


def test_a_model_that_is_not_there_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, others=[small()]) as demo:
            with pytest.raises(ModelChoiceError, match="no such model"):
                await demo.service.ask("me", None, "Where?", [], None, "<b>huge")
            assert await demo.service.entries("me") == []

    run(test)


def test_a_host_fixes_the_first() -> None:
    first, other = small(), PageModel("other", ScriptedModel(), SMALL, AnswerQueue(1, 2))
    models = PageModels([first, other], fixed=True)
    assert models.by_id(None) is first and models.by_id("small") is first
    with pytest.raises(ModelChoiceError, match="fixed"):
        models.by_id("other")


def test_each_turn_remembers_who_answered(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, ["Large."], others=[small()]) as demo:
            service = demo.service
            started = await service.ask("me", None, "First?", [])
            assert (await demo.last(started.conversation)).text == "Large."
            await service.ask("me", started.conversation, "Second?", [], None, "small")
            assert (await demo.last(started.conversation)).text == "Small."
            told = await service.conversation("me", started.conversation)
            assert [question["answers"][0]["model"] for question in told["questions"]] == [
                service.models.first.info.name,
                "small one",
            ]
            await service.retry("me", started.conversation)
            assert (await demo.last(started.conversation)).text == "Small."
            await service.retry("me", started.conversation, model_id="model")
            assert (await demo.last(started.conversation)).text == "Large."

    run(test)


def test_each_model_has_its_own_context(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, others=[small()]) as demo:
            long = "word " * 1600
            large = await demo.service.budget("me", None, long, [], Options(max_new_tokens=50))
            little = await demo.service.budget("me", None, long, [], Options(max_new_tokens=50), "small")
            assert large.fits and not little.fits

    run(test)


def test_a_busy_model_holds_up_no_other(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, ["One ", never], queue=AnswerQueue(1, 0), others=[small()]) as demo:
            busy = (await demo.service.ask("me", None, "First?", [])).conversation
            await demo.seen(busy, text_is("One "))
            other = (await demo.service.ask("me", None, "Second?", [], None, "small")).conversation
            assert (await demo.last(other)).text == "Small."
            once = await demo.service.ask_once("p", Conversation().ask("Third?"), Options(), "small")
            assert once["text"] == "Small."
            await demo.service.stop("me", busy)

    run(test)
