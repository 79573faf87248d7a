"""A model that reads few tiles of an image is given no more: what is kept, counted and told is what it reads."""

from dataclasses import replace
from pathlib import Path

import pytest

from internvl_demo.answering.queue import AnswerQueue
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import ModeError
from internvl_demo.models.profiles import V1_5_PROFILE, find
from internvl_demo.web.models import PageModel
from tests.support.chat import CAT, INFO, chat, run
from tests.support.scripted_model import ScriptedModel

ONE_TILE = find("v1-2") or V1_5_PROFILE


def one_tile() -> ScriptedModel:
    return ScriptedModel(profile=ONE_TILE)


def test_an_image_gets_no_more_tiles_than_the_model_reads(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, model=one_tile()) as demo:
            started = await demo.ask(images=2)
            await demo.last(started.conversation)
            assert [image.max_tiles for image in demo.model.asked[0].images] == [1, 1]
            told = await demo.service.conversation("me", started.conversation)
            (question,) = told["questions"]
            assert [image["mode"] for image in question["images"]] == [1, 1]
            assert [image["tiles"] for image in question["answers"][0]["receipt"]["images"]] == [1, 1]
            once = await demo.service.ask_once(
                "me", Conversation().ask("Who?", (Attachment(CAT, 40),)), Options()
            )
            assert once["tiles"] == [1] and demo.model.asked[1].images[0].max_tiles == 1

    run(test)


def test_the_context_is_counted_with_what_the_model_reads(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, model=one_tile()) as demo:
            most, least = [
                await demo.service.budget("me", None, "Who?", [Attachment(CAT, tiles)], Options())
                for tiles in (40, 1)
            ]
            assert most == least

    run(test)


def test_images_in_more_tiles_are_refused_before_anything_changes(tmp_path: Path) -> None:
    async def test() -> None:
        other = PageModel("one", one_tile(), replace(INFO, name="one", profile=ONE_TILE), AnswerQueue(1, 1))
        async with chat(tmp_path, others=[other]) as demo:
            started = await demo.ask()
            await demo.last(started.conversation)
            before, here = demo.record(started.conversation), started.conversation
            with pytest.raises(ModeError, match="more tiles than one reads: 1 at most"):
                await demo.service.retry("me", here, model_id="one")
            with pytest.raises(ModeError):
                await demo.service.edit("me", here, started.question, "What?", model_id="one")
            with pytest.raises(ModeError):
                await demo.service.ask("me", here, "And now?", [], model_id="one")
            assert demo.record(here) == before
            new = await demo.service.ask("me", None, "And now?", [], model_id="one")
            assert (await demo.last(new.conversation)).text == "Hello."

    run(test)


def test_nothing_is_refused_where_the_server_cuts_by_itself(tmp_path: Path) -> None:
    async def test() -> None:
        info = replace(INFO, name="one", profile=ONE_TILE, tiles_follow="engine")
        other = PageModel("one", one_tile(), info, AnswerQueue(1, 1))
        async with chat(tmp_path, others=[other]) as demo:
            started = await demo.ask()
            await demo.last(started.conversation)
            await demo.service.ask("me", started.conversation, "And now?", [], model_id="one")
            assert (await demo.last(started.conversation)).text == "Hello."

    run(test)
