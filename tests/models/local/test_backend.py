"""The embedded miniature behind `local`: what a conversation costs, and that it can be stopped."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import DynamicCache

from internvl_demo.answering.stream import Answer, answer
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.prompt import prompt_text, system_text
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import BackendError, ContextError
from internvl_demo.models.base import Usage
from internvl_demo.models.local.backend import LocalBackend
from internvl_demo.nano.world.scenes import draw_scene
from internvl_demo.photos.decode import photo_of
from internvl_demo.photos.photo import Photo


@pytest.fixture(scope="module")
def photo() -> Photo:
    return photo_of(draw_scene(2_000_000_010, size_wh=(640, 480)).image)


def ask(backend: LocalBackend, conversation: Conversation, **options: Any) -> Answer:
    async def last() -> Answer:
        async for said in answer(backend, conversation, Options(**options)):
            kept = said
        return kept

    return asyncio.run(last())


def usage(said: Answer) -> Usage:
    assert said.usage is not None
    return said.usage


def tokens(backend: LocalBackend, conversation: Conversation) -> int:
    text = prompt_text(conversation, backend.tokens_per_tile)
    return len(backend.tokenizer(text, add_special_tokens=False)["input_ids"])


def test_a_conversation_that_does_not_fit_is_refused_with_its_size(nano: LocalBackend, photo: Photo) -> None:
    many = tuple(Attachment(photo, 40) for _ in range(12))
    with pytest.raises(ContextError, match=r"takes 10\d\d\d tokens, the model reads 8192.*resolution mode"):
        ask(nano, Conversation().ask("What?", many))


def test_a_model_that_fails_says_so_and_answers_the_next_question(
    nano: LocalBackend, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("shapes do not match")

    conversation = Conversation().ask("What?", (Attachment(photo, 1),))
    with monkeypatch.context() as patch:
        patch.setattr(nano, "_encode", broken)
        with pytest.raises(
            BackendError, match=r"failed.*Ask again.*raised RuntimeError: shapes do not match"
        ):
            ask(nano, conversation)
    assert ask(nano, conversation).text


def test_the_prompt_read_is_the_official_one(nano: LocalBackend, photo: Photo) -> None:
    conversation = Conversation().ask("One?", (Attachment(photo, 12), Attachment(photo, 1)))
    assert usage(ask(nano, conversation, max_new_tokens=4)).prompt_tokens == tokens(nano, conversation)


def test_single_steps_say_what_transformers_says(nano: LocalBackend) -> None:
    """The lean way through the decoder and the library's: the same logits, and the same cache behind them."""
    decoder, config = nano.model.model.language_model, nano.model.config.text_config
    assert nano._steps is not None
    lean, whole = DynamicCache(config=config), DynamicCache(config=config)
    with torch.inference_mode():
        for cache in (lean, whole):
            decoder(input_ids=torch.arange(20, 90)[None], past_key_values=cache, use_cache=True)
        for token in (5, 700, 99, 5):
            hidden = decoder(
                input_ids=torch.tensor([[token]]), past_key_values=whole, use_cache=True
            ).last_hidden_state
            wanted = nano.model.lm_head(hidden[:, -1])[0]
            assert torch.allclose(nano._steps.read(token, lean), wanted, atol=1e-3)
    for mine, theirs in zip(lean.layers, whole.layers, strict=True):
        assert torch.allclose(mine.keys, theirs.keys, atol=1e-3)
        assert torch.allclose(mine.values, theirs.values, atol=1e-3)


def test_turn_2_encodes_no_image_and_reads_only_what_is_new(nano: LocalBackend, photo: Photo) -> None:
    first = Conversation().ask("What is in the picture?", (Attachment(photo, 12),))
    said = ask(nano, first)
    assert usage(said).encoded_views == 13
    second = first.with_answer(said.raw).ask("How many cats are there?")
    cost = usage(ask(nano, second))
    assert cost.encoded_views == 0
    assert cost.prompt_tokens == tokens(nano, second)
    read_before = tokens(nano, first.with_answer(said.raw)) - len(
        "x"
    )  # all but <|im_end|>, at which the model stopped
    assert cost.cached_tokens == read_before
    assert cost.prompt_tokens - cost.cached_tokens < 30


def test_a_new_image_in_turn_2_costs_that_image_alone(nano: LocalBackend, photo: Photo) -> None:
    first = Conversation().ask("What is in the picture?", (Attachment(photo, 12),))
    said = ask(nano, first)
    other = photo_of(Image.new("RGB", (448, 448), "white"))
    second = first.with_answer(said.raw).ask("And here?", (Attachment(other, 1),))
    assert usage(ask(nano, second)).encoded_views == 1


def test_a_retry_encodes_nothing_and_answers_the_same(nano: LocalBackend, photo: Photo) -> None:
    first = Conversation().ask("What is in the picture?", (Attachment(photo, 12),))
    said = ask(nano, first)
    again = ask(nano, first.with_answer(said.raw).retry())
    assert usage(again).encoded_views == 0
    assert again.raw == said.raw


def test_another_mode_for_the_image_is_not_served_from_the_cache(nano: LocalBackend, photo: Photo) -> None:
    first = Conversation().ask("What?", (Attachment(photo, 12),))
    ask(nano, first)
    changed = Conversation(id=first.id).ask("What?", (Attachment(photo, 1),))
    assert usage(ask(nano, changed)).encoded_views == 1
    assert ask(nano, changed).raw == ask(nano, Conversation(changed.turns)).raw


def test_the_cache_changes_no_answer(nano: LocalBackend, photo: Photo) -> None:
    first = Conversation().ask("What is in the picture?", (Attachment(photo, 6),))
    second = first.with_answer(ask(nano, first).raw).ask("Where is everything?")
    from_cache = ask(nano, second)
    afresh = ask(nano, Conversation(second.turns))
    assert usage(from_cache).cached_tokens > 400
    assert usage(afresh).cached_tokens == 0
    assert from_cache.raw == afresh.raw


def test_two_conversations_at_once_do_not_mix(nano: LocalBackend, photo: Photo) -> None:
    questions = ("What is in the picture?", "Who are you?")

    async def both() -> list[str]:
        async def one(question: str) -> str:
            async for said in answer(nano, Conversation().ask(question, (Attachment(photo, 1),))):
                last = said
            return last.raw

        return list(await asyncio.gather(*map(one, questions)))

    alone = [ask(nano, Conversation().ask(question, (Attachment(photo, 1),))).raw for question in questions]
    assert asyncio.run(both()) == alone


@pytest.mark.parametrize("max_tiles", [1, 40])
def test_stop_ends_the_work_within_a_chunk(
    nano: LocalBackend, max_tiles: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed while it reads a large picture, or after the first text, the next question is not kept waiting."""
    wide = photo_of(Image.effect_noise((2240, 1792), 60).convert("RGB"))
    conversation = Conversation().ask("Where is everything?", (Attachment(wide, max_tiles),))
    begun, chunks = asyncio.Event(), list[str]()

    def counted(name: str, work: Callable[..., object]) -> Callable[..., object]:
        def count(*args: object, **kwargs: object) -> object:
            chunks.append(name)
            loop.call_soon_threadsafe(begun.set)
            return work(*args, **kwargs)

        return count

    monkeypatch.setattr(nano.model, "get_image_features", counted("views", nano.model.get_image_features))
    monkeypatch.setattr(nano, "_step", counted("step", nano._step))

    async def stopped() -> list[str]:
        nonlocal loop
        loop = asyncio.get_running_loop()
        pieces = nano.stream(conversation, Options())
        waiting = asyncio.ensure_future(anext(pieces))
        if max_tiles == 1:
            await waiting
        else:
            await begun.wait()
            waiting.cancel()
            await asyncio.wait([waiting])
        await pieces.aclose()
        before = len(chunks)
        await asyncio.to_thread(nano._thread.submit(lambda: None).result)
        return chunks[before:]

    loop: asyncio.AbstractEventLoop
    assert len(asyncio.run(stopped())) <= 1
    assert "step" in chunks if max_tiles == 1 else 0 < len(chunks) < 41 // 4


def test_sampling_with_a_seed_repeats_itself(nano: LocalBackend, photo: Photo) -> None:
    async def sampled(seed: int) -> str:
        options = Options(max_new_tokens=24, temperature=1.5, top_p=0.95, seed=seed)
        return "".join(
            [
                piece
                async for piece in nano.stream(Conversation().ask("Well?", (Attachment(photo, 1),)), options)
                if isinstance(piece, str)
            ]
        )

    assert asyncio.run(sampled(3)) == asyncio.run(sampled(3))


@pytest.mark.parametrize("finish", ["stop", "length"])
def test_what_it_thinks_is_no_part_of_its_answer(
    nano: LocalBackend, monkeypatch: pytest.MonkeyPatch, finish: str
) -> None:
    """The miniature cannot think: its tokens are given to it, and a model's profile that can."""
    ids = nano._ids("<think>two cats</think>\na cat")
    chosen = iter([*ids, min(nano.stop_ids)] if finish == "stop" else ids)
    monkeypatch.setattr("internvl_demo.models.local.backend.chooser", lambda *_: lambda _: next(chosen))
    monkeypatch.setattr(nano, "profile", replace(nano.profile, thinking="Think first."))
    first = Conversation().ask("Who?")
    said = ask(nano, first, max_new_tokens=len(ids) + (finish == "stop"), thinking=True, system="Be brief.")
    assert (said.thinking, said.raw, usage(said).finish_reason) == ("two cats", "a cat", finish)
    prompt = prompt_text(first, 64, "Think first.\n\nBe brief.")
    assert usage(said).prompt_tokens == len(nano._ids(prompt))
    monkeypatch.undo()
    second = first.with_answer(said.raw).ask("And now?")
    assert (
        ask(nano, second, max_new_tokens=8).raw == ask(nano, Conversation(second.turns), max_new_tokens=8).raw
    )


def test_chinese_is_never_cut_in_the_middle_of_a_character(nano: LocalBackend) -> None:
    async def pieces() -> list[str]:
        said = nano.stream(Conversation().ask("你好"), Options())
        return [piece async for piece in said if isinstance(piece, str)]

    said = asyncio.run(pieces())
    assert "�" not in "".join(said)
    assert "我" in "".join(said)


def test_a_system_prompt_is_read_in_the_place_of_the_models_own(nano: LocalBackend, photo: Photo) -> None:
    conversation = Conversation().ask("What is this?", (Attachment(photo, 1),))
    own = usage(ask(nano, conversation, max_new_tokens=1))
    short = usage(ask(nano, conversation, max_new_tokens=1, system="a"))
    expected = len(nano._ids(system_text("a"))) - len(nano._ids(system_text()))
    assert short.prompt_tokens - own.prompt_tokens == expected < 0
    assert short.encoded_views == 1, "all that follows another system prompt is read anew"
    again = usage(ask(nano, conversation, max_new_tokens=1, system="a"))
    assert again.encoded_views == 0 and again.cached_tokens == again.prompt_tokens - 1


def test_a_penalty_changes_what_the_miniature_says(nano: LocalBackend, photo: Photo) -> None:
    conversation = Conversation().ask("What is in the picture?", (Attachment(photo, 1),))
    plain = ask(nano, conversation, max_new_tokens=40)
    penalised = ask(nano, conversation, max_new_tokens=40, repetition_penalty=50.0)
    assert penalised.raw != plain.raw
    assert ask(nano, conversation, max_new_tokens=40, repetition_penalty=1.0).raw == plain.raw
