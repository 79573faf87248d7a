"""What a model thinks is told apart from its answer: shown, kept, with its time, and never sent to any model again."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from internvl_demo.answering.queue import AnswerQueue
from internvl_demo.conversation.options import OptionError, Options
from internvl_demo.conversation.prompt import prompt_text
from internvl_demo.models.base import Thinking, Usage
from internvl_demo.models.openai.backend import ServerBackend
from internvl_demo.models.openai.dialects import DIALECTS, messages_of
from internvl_demo.models.profiles import find
from internvl_demo.store import Store
from internvl_demo.web.models import PageModel, PageModels
from internvl_demo.web.service import ChatService
from tests.support.chat import INFO, Chat, Seen, chat, run, until
from tests.support.scripted_model import Script, ScriptedModel
from tests.support.scripted_server import (
    COUNTED,
    DONE,
    EVENTS,
    STOP,
    chunk,
    delta,
    event,
    in_a_loop,
    listing,
    serving,
)

THINKER = find("internvl3.5-8b")
assert THINKER and THINKER.thinking
SECRET = "Turtles swim"
SCRIPT: Script = [
    Thinking(f"{SECRET}. <ref>No"),
    Thinking(" box</ref><box>[[1, 2, 3, 4]]</box> <img src=x onerror=alert(1)>\n\n"),
    "A <ref>turtle</ref>",
    "<box>[[10, 20, 300, 400]]</box>.",
]
CHINESE: Script = [Thinking("海龟"), Thinking("会游泳。"), "有一只海龟。"]


def thinker(script: Script) -> ScriptedModel:
    assert THINKER
    return ScriptedModel(script, profile=THINKER)


async def last_answer(demo: Chat, conversation: str) -> dict[str, Any]:
    """The last answer as the page is told it, once it has ended."""
    await demo.last(conversation)
    told = await demo.service.conversation("me", conversation)
    answer: dict[str, Any] = told["questions"][-1]["answers"][-1]
    return answer


async def ask_twice(demo: Chat) -> str:
    started = await demo.ask()
    await demo.last(started.conversation)
    await demo.ask("And the other?", conversation=started.conversation)
    await demo.last(started.conversation)
    return started.conversation


@pytest.mark.parametrize(("script", "answer"), [(SCRIPT, "A turtle."), (CHINESE, "有一只海龟。")])
def test_no_model_is_sent_what_one_has_thought(tmp_path: Path, script: Script, answer: str) -> None:
    async def test() -> None:
        async with chat(tmp_path, model=thinker(script)) as demo:
            conversation = await ask_twice(demo)
            second = demo.model.asked[1]
            urls = {image.photo.id: "data:," for image in second.images}
            sent = [json.dumps(messages_of(second, urls, each), ensure_ascii=False) for each in DIALECTS]
            sent += [prompt_text(second, 1), repr(second)]
            seen, _ = await demo.service.inspect("me", conversation, demo.version(conversation).id)
            for told in (*sent, seen.prompt, seen.python):
                assert SECRET not in told and "海龟会" not in told and "<think>" not in told
                assert answer.split()[-1].strip(".") in told

    run(test)


def test_thinking_is_kept_with_its_time_beside_the_answer(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, model=thinker(SCRIPT)) as demo:
            started = await demo.ask()
            answer = await last_answer(demo, started.conversation)
            assert answer["text"] == "A turtle." and [box["label"] for box in answer["boxes"]] == ["turtle"]
            timing = answer["receipt"]
            assert 0 <= timing["ttft_s"] <= timing["ttft_s"] + timing["thought_s"] <= timing["total_s"]
        store = Store(tmp_path / "data", 30)
        record = store.record("me", started.conversation)
        (version,) = record.questions[0].versions
        assert version.raw == "A <ref>turtle</ref><box>[[10, 20, 300, 400]]</box>."
        assert version.thinking == "".join(step.text for step in SCRIPT if isinstance(step, Thinking))
        assert version.thought_s == pytest.approx(timing["thought_s"])
        store.close()

    run(test)


def test_thinking_is_read_again_as_safe_text(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, model=thinker(SCRIPT)) as demo:
            started = await demo.ask()
            answer = await last_answer(demo, started.conversation)
            assert answer["text"] == "A turtle." and len(answer["boxes"]) == 1
            assert answer["thinking"]["text"].startswith(f"{SECRET}. <ref>No box</ref><box>")
            html = "".join(answer["thinking"]["blocks"])
            assert "&lt;img" in html and "<img" not in html and "data-boxes" not in html
            assert answer["thinking"]["seconds"] == answer["receipt"]["thought_s"] >= 0

    run(test)


def test_who_comes_in_the_middle_sees_what_was_thought(tmp_path: Path) -> None:
    gate: list[str] = []

    def gone_on(seen: Seen) -> bool:
        return bool(seen.thinking and seen.thinking["text"].startswith(SECRET))

    async def test() -> None:
        script: Script = [SCRIPT[0], lambda: len(gate) > 0, *SCRIPT[1:]]
        async with chat(tmp_path, model=thinker(script)) as demo:
            started = await demo.ask()
            first = await demo.seen(started.conversation, gone_on)
            assert first.state == "running" and first.text == ""
            late = await demo.seen(started.conversation, gone_on)
            assert late.names == ["conversation"] and late.thinking and late.thinking["seconds"] >= 0
            gate.append("open")
            back = await demo.seen(started.conversation, lambda seen: seen.ended, after=first.number)
            assert back.thinking and back.thinking["text"].endswith("onerror=alert(1)>\n\n")
            assert back.text == "A turtle."

    run(test)


def test_thinking_that_is_stopped_or_cut_is_not_lost(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, model=thinker([Thinking("Well"), lambda: False])) as demo:
            started = await demo.ask()
            await until(lambda: demo.version(started.conversation).thinking == "Well")
            await demo.service.stop("me", started.conversation)
            assert (await last_answer(demo, started.conversation))["thinking"]["text"] == "Well"
            demo.model.script = [Thinking("Hm"), Usage(9, 9, finish_reason="length")]
            await demo.ask("Again?", conversation=started.conversation)
            cut = await last_answer(demo, started.conversation)
            assert (cut["text"], cut["state"], cut["receipt"]["length"]) == ("", "complete", True)
            assert demo.model.asked[1].turns[0].answer == ""
            assert [
                version.thinking for version in demo.record(started.conversation).questions[1].versions
            ] == ["Hm"]

    run(test)


def test_thinking_is_switched_on_by_an_option(tmp_path: Path) -> None:
    async def test() -> None:
        async with chat(tmp_path, model=thinker(SCRIPT)) as demo:
            service = demo.service
            chosen = service.chosen({"thinking": True, "system": "Be brief."})
            assert chosen == Options(temperature=0.6, thinking=True, system="Be brief.")
            assert service.chosen({"thinking": True, "temperature": 0}).temperature == 0
            started = await demo.ask(options=chosen)
            answer = await last_answer(demo, started.conversation)
            assert answer["receipt"]["options"] == {
                "temperature": 0.6,
                "thinking": True,
                "system": "Be brief.",
            }
            look, _ = await service.inspect("me", started.conversation, started.answer)
            assert (
                THINKER and THINKER.thinking and f"{THINKER.thinking}\n\nBe brief.<|im_end|>" in look.prompt
            )
            assert "'thinking': True" in look.python or "thinking=True" in look.python

            plain = await service.budget("me", None, "Who?", [], Options())
            more = await service.budget("me", None, "Who?", [], Options(thinking=True))
            assert more.total > plain.total + 100, "its system prompt takes of the context"

    run(test)


def test_a_model_that_cannot_think_is_not_asked_to(tmp_path: Path) -> None:
    async def test() -> None:
        other = PageModel("other", ScriptedModel(), replace(INFO, name="other"), AnswerQueue(1, 1))
        async with chat(tmp_path, model=thinker(SCRIPT), others=[other]) as demo:
            with pytest.raises(OptionError, match="cannot think"):
                demo.service.chosen({"thinking": True}, "other")
            started = await demo.ask(options=demo.service.chosen({"thinking": True}))
            await demo.last(started.conversation)
            await demo.service.retry("me", started.conversation, model_id="other")
            await demo.last(started.conversation)
            assert other.backend.asked_with == [Options()]  # type: ignore[attr-defined]
            with pytest.raises(OptionError, match="cannot think"):
                await demo.service.retry("me", started.conversation, {"thinking": True}, "other")

    run(test)


def reasoning(text: str, field: str) -> bytes:
    data: dict[str, Any] = delta("")
    data["choices"][0]["delta"][field] = text
    return chunk(event(data))


@pytest.mark.parametrize("way", ["<think>", "reasoning_content", "reasoning"])
def test_servers_think_in_their_ways_and_are_asked_in_ours(tmp_path: Path, way: str) -> None:
    text = [chunk(event(delta(part))) for part in ("<thi", "nk>Tw", "o.</thi", "nk>\n\n", "A cat.")]
    apart = [reasoning("Tw", way), reasoning("o.", way), chunk(event(delta("A cat.")))]
    said = b"".join([EVENTS, *(text if way == "<think>" else apart), STOP, COUNTED, DONE])

    @in_a_loop
    async def test() -> None:
        card = {"id": "InternVL3_5-8B", "owned_by": "lmdeploy"}
        async with serving(said, said, models=listing(card), then=said) as server:
            backend = ServerBackend(server.url)
            store = Store(tmp_path / "data", 30)
            models = PageModels([PageModel("served", backend, await backend.describe(), AnswerQueue(1, 1))])
            demo = Chat(tmp_path, ScriptedModel(), store, ChatService(models, Options(), store))
            conversation = None
            for question in ("Who?", "And now?"):
                options = demo.service.chosen({"thinking": True, "system": "Be brief."})
                started = await demo.ask(question, conversation=conversation, images=0, options=options)
                conversation = started.conversation
                seen = await demo.last(conversation)
                assert (seen.text, seen.thinking and seen.thinking["text"]) == ("A cat.", "Two.")
            assert THINKER and THINKER.thinking
            for post in server.posts:
                assert post["messages"][0]["content"] == f"{THINKER.thinking}\n\nBe brief."
                assert post["temperature"] == 0.6
            assert "Two" not in json.dumps(server.posts[1]["messages"])
            assert server.posts[1]["messages"][2] == {"role": "assistant", "content": "A cat."}
            await demo.service.close()
            await backend.close()
            store.close()

    test()
