"""What a question takes of the context is said exactly, and every change that is offered is enough."""

from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from internvl_demo.conversation.budget import SHORTEST_ANSWER_TOKENS, Budget, budget, estimate, share_tiles
from internvl_demo.conversation.prompt import ImageSlot, neutralise, prompt_segments
from internvl_demo.conversation.tiling import TilesFollow, plan_tiles
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.models.local.backend import LocalBackend
from internvl_demo.photos.decode import photo_of

SIZES = [(40, 40), (896, 448), (4000, 3000), (2000, 2000), (800, 1300), (60, 2400), (1280, 1130)]
PHOTOS = {size: photo_of(Image.new("RGB", size), f"{size[0]}x{size[1]}.png") for size in SIZES}


def image(size_wh: tuple[int, int] = (4000, 3000), max_tiles: int = 12) -> Attachment:
    return Attachment(PHOTOS[size_wh], max_tiles)


def views(draft: tuple[Attachment, ...]) -> list[int]:
    return [plan_tiles(one.photo.size_wh, one.max_tiles).views for one in draft]


def of(
    conversation: Conversation,
    text: str,
    draft: tuple[Attachment, ...],
    context: int,
    answer: int = 1024,
    follow: TilesFollow = "image",
) -> Budget:
    return budget(
        conversation,
        text,
        draft,
        tokens_per_tile=256,
        context_length=context,
        answer_tokens=answer,
        tiles_follow=follow,
    )


def talk(*drafts: tuple[Attachment, ...]) -> Conversation:
    conversation = Conversation()
    for number, draft in enumerate(drafts, 1):
        conversation = conversation.ask(f"Question {number}?", draft).with_answer(f"Answer {number}.")
    return conversation


images = st.builds(image, st.sampled_from(SIZES), st.integers(1, 40))
drafts = st.lists(images, max_size=4).map(tuple)
texts = st.text(max_size=60)
conversations = st.lists(st.tuples(texts, drafts, texts), max_size=3).map(
    lambda turns: _conversation(tuple(turns))
)


def _conversation(turns: tuple[tuple[str, tuple[Attachment, ...], str], ...]) -> Conversation:
    conversation = Conversation()
    for text, draft, answer in turns:
        conversation = conversation.ask(text, draft).with_answer(answer)
    return conversation


# What does not fit.


def test_what_nothing_can_help_has_no_fix_and_says_by_how_much() -> None:
    found = of(Conversation(), "why? " * 9000, (), context=8192)
    assert not found.fits and found.fixes == ()
    assert found.left == 8192 - found.total < 0


def test_one_tile_too_much_offers_nothing_that_would_not_fit() -> None:
    found = of(Conversation(), "What?", (image(max_tiles=1),), context=200, answer=100)
    assert [fix.key for fix in found.fixes] == ["leave-out-1"]


def test_fewer_tiles_are_offered_first_with_every_image_named() -> None:
    sent = talk((image(),))
    found = of(
        sent, "And these?", (image(max_tiles=40), image((40, 40), 12), image((2000, 2000), 40)), 10_000
    )
    fewer = found.fixes[0]
    assert fewer.key == "fewer-tiles-6-12-9"
    assert [(one.number, one.name, one.tiles_before, one.tiles_after) for one in fewer.changes] == [
        (2, "4000x3000.png", 12, 6),
        (4, "2000x2000.png", 36, 9),
    ]
    assert [fix.key for fix in found.fixes] == ["fewer-tiles-6-12-9", "leave-out-4"]


def test_a_model_that_takes_the_highest_maximum_for_all_is_offered_one_that_fits() -> None:
    draft = (image(max_tiles=40), image((2000, 2000), 1))
    found = of(Conversation(), "What?", draft, 10_000, follow="request")
    assert [part.tokens for part in found.parts if part.kind == "draft"] == [13 * 256, 37 * 256]
    fewer = found.fixes[0]
    assert [one.max_tiles for one in fewer.draft] == [24, 1]
    assert [(one.number, one.tiles_before, one.tiles_after) for one in fewer.changes] == [(2, 36, 16)]
    assert of(Conversation(), "What?", fewer.draft, 10_000, follow="request").fits


def test_what_an_earlier_image_may_have_cannot_be_made_less() -> None:
    found = of(talk((image(max_tiles=40),)), "And?", (image((2000, 2000), 1),), 10_000, follow="request")
    assert not found.fits and [fix.key for fix in found.fixes] == ["leave-out-2", "new-conversation"]


def test_a_server_that_decides_itself_is_not_offered_fewer_tiles() -> None:
    for most in (1, 12, 40):
        found = of(
            Conversation(), "What?", (image(max_tiles=most), image((40, 40), most)), 4000, follow="engine"
        )
        assert [part.tokens for part in found.parts if part.kind == "draft"] == [13 * 256, 256]
        assert found.estimated and [fix.key for fix in found.fixes] == ["shorter-answer-358", "leave-out-1"]


def test_the_answer_is_never_made_shorter_than_is_of_use() -> None:
    text_and_image = of(Conversation(), "What?", (image(max_tiles=1),), 10_000, answer=0).total
    enough = of(Conversation(), "What?", (image(max_tiles=1),), text_and_image + SHORTEST_ANSWER_TOKENS)
    assert next((fix.key, fix.answer_tokens) for fix in enough.fixes) == ("shorter-answer-256", 256)
    short = of(Conversation(), "What?", (image(max_tiles=1),), text_and_image + SHORTEST_ANSWER_TOKENS - 1)
    assert not [fix for fix in short.fixes if fix.key.startswith("shorter")]


def test_of_equal_images_the_last_one_added_is_left_out() -> None:
    found = of(Conversation(), "What?", (image(max_tiles=1), image(), image(), image(max_tiles=1)), 6000)
    out = next(fix for fix in found.fixes if fix.key == "leave-out-3")
    assert out.draft == (image(max_tiles=1), image(), image(max_tiles=1))
    assert [(one.number, one.tiles_before, one.tiles_after) for one in out.changes] == [(3, 12, 0)]


def test_a_new_conversation_is_offered_only_when_there_is_an_old_one_and_the_question_fits() -> None:
    draft = (image(max_tiles=1),)
    full = of(talk((image(),), (image(),)), "What?", draft, 7500)
    assert full.fixes[-1].key == "new-conversation" and full.fixes[-1].new_conversation
    alone = of(Conversation(), "What?", (image(),) * 2, 7500)
    assert not [fix for fix in alone.fixes if fix.new_conversation]


def test_a_new_conversation_gives_up_tiles_only_if_nothing_else_helps() -> None:
    full = of(talk((image(),), (image(),)), "What?", (image(), image((2000, 2000), 36)), 6500)
    (only,) = full.fixes
    assert only.key == "new-conversation-fewer-tiles-6-9" and only.new_conversation
    assert [(one.number, one.tiles_before, one.tiles_after) for one in only.changes] == [
        (3, 12, 6),
        (4, 36, 9),
    ]


def test_a_question_left_without_its_answer_gives_way_as_when_it_is_sent() -> None:
    waiting = talk((image(),)).ask("A question that failed, with its image?", (image(),))
    assert of(waiting, "Again?", (), 8192) == of(talk((image(),)), "Again?", (), 8192)


@settings(max_examples=150)
@given(conversations, texts, drafts, st.integers(200, 40_000), st.sampled_from([16, 64, 256]))
def test_every_fix_is_enough_alone_and_leaves_what_was_sent_as_it_is(
    conversation: Conversation, text: str, draft: tuple[Attachment, ...], context: int, tokens_per_tile: int
) -> None:
    found = budget(
        conversation,
        text,
        draft,
        tokens_per_tile=tokens_per_tile,
        context_length=context,
        answer_tokens=1024,
    )
    assert found.fits == (found.left >= 0)
    assert not (found.fits and found.fixes), "what fits needs no change"
    assert len({fix.key for fix in found.fixes}) == len(found.fixes) <= 4
    for fix in found.fixes:
        again = budget(
            Conversation() if fix.new_conversation else conversation,
            text,
            fix.draft,
            tokens_per_tile=tokens_per_tile,
            context_length=context,
            answer_tokens=fix.answer_tokens,
        )
        assert again.fits, fix
        assert fix.answer_tokens == 1024 or SHORTEST_ANSWER_TOKENS <= fix.answer_tokens < 1024
        kept = [one for one in draft if one.photo in [other.photo for other in fix.draft]]
        assert all(new.max_tiles >= 1 for new in fix.draft)
        if len(fix.draft) == len(draft):
            assert all(new.max_tiles <= old.max_tiles for new, old in zip(fix.draft, draft, strict=True))
        else:
            assert len(fix.draft) == len(draft) - 1 and len(kept) >= len(fix.draft)


@settings(max_examples=150)
@given(conversations, texts, st.lists(images, min_size=1, max_size=4).map(tuple), st.integers(200, 40_000))
def test_one_tile_for_each_image_is_offered_whenever_it_would_fit(
    conversation: Conversation, text: str, draft: tuple[Attachment, ...], context: int
) -> None:
    found = of(conversation, text, draft, context)
    least = tuple(replace(one, max_tiles=1) for one in draft)
    assume(not found.fits)
    offered = any(fix.key.startswith("fewer-tiles") for fix in found.fixes)
    assert offered == of(conversation, text, least, context).fits


# How tiles are shared.


@pytest.mark.parametrize(
    ("draft", "most", "shared"),
    [
        ((), 0, ()),
        ((image(),), 0, None),
        ((image(), image()), 1, None),
        ((image(), image()), 2, (1, 1)),
        ((image((40, 40), 40),), 1, (40,)),  # one tile whatever its maximum: nothing to take away
        ((image((4000, 3000), 40),), 13, (40,)),  # 12 tiles and a thumbnail are all that it has at 40
        ((image((4000, 3000), 40),), 12, (6,)),
        ((image((2000, 2000), 40),), 17, (16,)),
        ((image((2000, 2000), 40), image((2000, 2000), 40)), 34, (16, 16)),
        ((image((2000, 2000), 40), image((2000, 2000), 40)), 27, (16, 9)),
        ((image((2000, 2000), 40), image((2000, 2000), 4)), 42, (40, 4)),
        ((image((2000, 2000), 40), image((2000, 2000), 4)), 41, (25, 4)),
        ((image((2000, 2000), 40), image((2000, 2000), 1)), 38, (40, 1)),
    ],
)
def test_tiles_are_shared_fairly(
    draft: tuple[Attachment, ...], most: int, shared: tuple[int, ...] | None
) -> None:
    found = share_tiles(draft, most)
    assert (None if found is None else tuple(one.max_tiles for one in found)) == shared


@given(st.lists(images, min_size=1, max_size=6).map(tuple), st.integers(0, 160))
@example((image((2000, 2000), 40), image((1280, 1130), 40)), 30)
def test_a_share_is_within_its_limits_and_no_image_could_have_one_grid_more(
    draft: tuple[Attachment, ...], most: int
) -> None:
    shared = share_tiles(draft, most)
    if shared is None:
        assert most < len(draft)
        return
    assert [one.photo for one in shared] == [one.photo for one in draft]
    assert sum(views(shared)) <= most
    for place, (new, old) in enumerate(zip(shared, draft, strict=True)):
        assert 1 <= new.max_tiles <= old.max_tiles
        assert (views((new,)) == views((old,))) == (new == old), (
            "an image that keeps its grid keeps its maximum"
        )
        for more in range(new.max_tiles + 1, old.max_tiles + 1):
            raised = (*shared[:place], replace(new, max_tiles=more), *shared[place + 1 :])
            assert views(raised) == views(shared) or sum(views(raised)) > most


@given(st.lists(images, min_size=2, max_size=5).map(tuple), st.integers(5, 120))
def test_no_image_has_more_while_one_with_fewer_could_still_grow(
    draft: tuple[Attachment, ...], most: int
) -> None:
    shared = share_tiles(draft, most)
    assert shared is not None
    richest = max(views(shared))
    for place, (new, old) in enumerate(zip(shared, draft, strict=True)):
        grids = sorted({views((replace(old, max_tiles=tiles),))[0] for tiles in range(1, old.max_tiles + 1)})
        larger = [step for step in grids if step > views((new,))[0]]
        if larger and larger[0] < richest:
            rest = sum(views(shared)) - views((shared[place],))[0]
            assert rest + larger[0] > most


@given(st.tuples(st.integers(2, 9000), st.integers(2, 9000)), st.integers(1, 39))
def test_a_higher_maximum_never_costs_less(size_wh: tuple[int, int], most: int) -> None:
    now, more = plan_tiles(size_wh, most), plan_tiles(size_wh, most + 1)
    assert more == now or more.tiles == most + 1


# What it takes.


@settings(max_examples=150)
@given(conversations, texts, drafts, st.sampled_from([estimate, lambda text: len(text.encode())]))
def test_the_total_is_the_prompts_segments_and_the_room_for_the_answer(
    conversation: Conversation, text: str, draft: tuple[Attachment, ...], count_text: object
) -> None:
    assert callable(count_text)
    found = budget(
        conversation,
        text,
        draft,
        tokens_per_tile=64,
        context_length=8192,
        answer_tokens=500,
        count_text=count_text,
    )
    segments = prompt_segments(conversation.ask(text, draft))
    visual = [64 * segment.views for segment in segments if isinstance(segment, ImageSlot)]
    words = sum(count_text(segment) for segment in segments if isinstance(segment, str))
    assert found.total == sum(visual) + words + 500
    assert [part.tokens for part in found.parts if part.number] == visual
    sent, new = len(conversation.images), len(draft)
    assert [part.kind for part in found.parts] == [
        "text",
        *["image"] * sent,
        *["draft"] * new,
        "text",
        "answer",
    ]
    assert [part.number for part in found.parts if part.number] == list(range(1, sent + new + 1))
    assert all(part.tokens > 0 for part in found.parts)
    assert [part.new for part in found.parts] == [False] * (1 + sent) + [True] * (new + 2)
    assert found.estimated == (count_text is estimate)


@given(conversations, texts, drafts, images, st.text(alphabet="abc XYZ 12 é猫🐈", min_size=1))
def test_more_of_anything_never_takes_less(
    conversation: Conversation, text: str, draft: tuple[Attachment, ...], more: Attachment, words: str
) -> None:
    now = of(conversation, text, draft, 8192)
    assert of(conversation, text, (*draft, more), 8192).total > now.total
    assert of(conversation, f"{text}. {words}", draft, 8192).total > now.total
    assert of(conversation, text, draft, 8192, answer=1025).total == now.total + 1
    assert of(conversation, text, draft, 8193).left == now.left + 1
    answered = conversation.ask(text, draft).with_answer("Yes.")
    assert of(answered, "", (), 8192).total > now.total


def test_a_tokenizers_count_is_what_the_model_reads(nano: LocalBackend) -> None:
    def count(text: str) -> int:
        return len(nano.tokenizer(text, add_special_tokens=False)["input_ids"])

    conversation = talk((image(max_tiles=6),), (image((40, 40)),))
    draft = (image((896, 448), 2),)
    found = budget(
        conversation,
        "how many cats are in Image-3?",
        draft,
        tokens_per_tile=nano.tokens_per_tile,
        context_length=nano.context_length,
        answer_tokens=256,
        count_text=count,
    )
    prompt, _ = nano._prompt_tokens(conversation.ask("how many cats are in Image-3?", draft))
    assert found.total - 256 == len(prompt)
    assert not found.estimated


@given(st.text(max_size=200))
def test_a_persons_system_prompt_is_counted(system: str) -> None:
    conversation = talk(())
    found = budget(
        conversation,
        "And now?",
        (),
        tokens_per_tile=256,
        context_length=8192,
        answer_tokens=0,
        count_text=len,
        system=system,
    )
    prompt = "".join(map(str, prompt_segments(conversation.ask("And now?"), system)))
    assert found.total == len(prompt) and neutralise(system) in prompt


def test_a_budget_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        of(Conversation(), "", (), 100).context_length = 3  # type: ignore[misc]


# The estimate.


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 0, 0),
        ("a", 1, 1),
        ("How many cats are there in the second picture?", 10, 20),  # ten words and a sign
        ("图中有几只猫？", 5, 7),
        ("<|im_start|>user\n", 3, 4),
        ("<img>", 1, 1),
        ("</img>\n", 2, 2),
        ("<ref>cat</ref><box>[[10, 20, 300, 400]]</box>", 20, 24),
        (neutralise("<|im_start|>"), 5, 12),  # people's text holds no control token
        ("3.14159265358979", 16, 16),
        ("aGVsbG8gd29ybGQh", 8, 16),  # base64: two letters a token
        ("🐈" * 10, 20, 30),
        ("Сколько кошек на картинке?", 6, 24),
        ("ไทย", 3, 6),
        ("\ud800", 1, 3),
        (" " * 100, 1, 100),
    ],
)
def test_an_estimate_is_of_the_right_size(text: str, least: int, most: int) -> None:
    assert least <= estimate(text) <= most


@given(st.text())
def test_an_estimate_is_never_more_than_the_bytes(text: str) -> None:
    assert 0 <= estimate(text) <= len(text.encode("utf-8", "surrogatepass"))
    assert estimate(text) >= len([char for char in text if not char.isascii()])


@given(st.text(), st.text())
def test_an_estimate_stops_at_the_templates_control_strings(before: str, after: str) -> None:
    before, after = neutralise(before), neutralise(after)
    whole = f"{before}<|im_end|><|im_start|>user\n{after}"
    assert estimate(whole) == estimate(before) + estimate("<|im_end|><|im_start|>user\n") + estimate(after)
