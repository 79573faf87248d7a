"""The commands of the page: what is asked again is asked as before, and what cannot be asked changes nothing."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import ContextError, DemoError, PhotoError
from internvl_demo.models.base import Piece
from internvl_demo.photos.limits import MESSAGE_PICTURES
from internvl_demo.store.faults import GoneError
from tests.support.chat import CAT, chat, never, run, text_is
from tests.support.scripted_model import ScriptedModel


@dataclass
class Recording(ScriptedModel):
    """A model that remembers how it was asked."""

    options: list[Options] = field(default_factory=list)

    async def stream(self, conversation: Conversation, options: Options) -> AsyncGenerator[Piece, None]:
        self.options.append(options)
        async for piece in super().stream(conversation, options):
            yield piece


def test_what_cannot_be_asked_changes_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path) as demo:
            long, many = "word " * 6000, [("no such photo", 12)] * (MESSAGE_PICTURES + 1)
            for text, images in ((" ", []), ("a" * 70_000, []), (long, []), ("Who?", many)):
                with pytest.raises(DemoError):
                    await demo.service.ask("me", None, text, images)
            with pytest.raises(GoneError):
                await demo.service.ask("me", None, "Who?", [("no such photo", 12)])
            assert await demo.service.entries("me") == [] and demo.model.asked == []

    run(test)


def test_retry_and_edit_keep_the_shorter_answer(tmp_path: Path) -> None:
    async def test() -> None:
        model = Recording(["Hello."])
        async with chat(tmp_path, model=model) as demo:
            started = await demo.ask("Which?", options=Options(max_new_tokens=300))
            await demo.last(started.conversation)
            await demo.service.retry("me", started.conversation)
            await demo.last(started.conversation)
            edited = await demo.service.edit("me", started.conversation, started.question, "Which one?")
            await demo.last(started.conversation)
            assert [options.max_new_tokens for options in model.options] == [300, 300, 300]
            seen, turn = await demo.service.inspect("me", started.conversation, edited.answer)
            assert turn == 1 and "300" in seen.python

    run(test)


def test_an_edit_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path) as demo:
            started = await demo.ask("Which?")
            await demo.last(started.conversation)
            with pytest.raises(ContextError, match="too many"):
                await demo.service.edit("me", started.conversation, started.question, "word " * 12_000)
            (question,) = demo.record(started.conversation).questions
            assert (question.text, question.answer) == ("Which?", "Hello.")

    run(test)


def test_a_sent_picture_goes_with_its_conversation(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path) as demo:
            photo = demo.store.add_photo("me", CAT, "cat.png")
            started = await demo.service.ask("me", None, "What?", [(photo.id, 12)])
            await demo.last(started.conversation)
            await demo.service.delete("me", started.conversation)
            with pytest.raises(GoneError):
                await demo.service.pictures.file(photo.id, "me")

    run(test)


def test_a_damaged_picture_ends_its_answer_alone(tmp_path: Path) -> None:
    async def test() -> None:
        model = ScriptedModel([PhotoError("A picture is damaged.", "Send it again.")])
        async with chat(tmp_path, model=model) as demo:
            started = await demo.ask()
            ended = await demo.last(started.conversation)
            assert ended.end["what"] == "A picture is damaged."
            model.script = ["Well."]
            other = await demo.ask("And this?")
            await demo.seen(other.conversation, text_is("Well."))

    run(test)


def test_a_second_tab_sees_what_the_first_does(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, ["One.", never]) as demo:
            conversation = (await demo.ask("First?")).conversation
            second = asyncio.create_task(
                demo.seen(conversation, lambda seen: seen.conversation.get("title") == "A name")
            )
            await demo.seen(conversation, text_is("One."))
            await demo.service.rename("me", conversation, "A name")
            assert (await second).text == "One."
            await demo.service.stop("me", conversation)

    run(test)
