"""Conversations are values: what people do with them gives new ones."""

from contextlib import suppress
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from internvl_demo.conversation.turns import Attachment, Conversation, Turn
from internvl_demo.photos.decode import photo_of

CAT = Attachment(photo_of(Image.new("RGB", (8, 6), "orange"), "cat.png"), 12)
DOG = Attachment(photo_of(Image.new("RGB", (6, 8), "brown"), "dog.png"), 1)

TWO_TURNS = (
    Conversation(id="c")
    .ask("Who is it?", (CAT,))
    .with_answer("A cat.")
    .ask("And here?", (DOG,))
    .with_answer("Dog")
)


# What is not possible


def test_nothing_can_be_answered_or_asked_again_before_a_question() -> None:
    with pytest.raises(ValueError, match="no question"):
        Conversation().with_answer("Hello!")
    with pytest.raises(ValueError, match="no question"):
        Conversation().retry()


def test_nothing_is_changed_in_place() -> None:
    for value, name in [
        (TWO_TURNS, "turns"),
        (TWO_TURNS, "id"),
        (TWO_TURNS.turns[0], "answer"),
        (CAT, "max_tiles"),
    ]:
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, None)


# What people do


def test_a_new_conversation_is_empty_and_waits_for_nothing() -> None:
    empty = Conversation()
    assert (empty.turns, empty.images, empty.waiting) == ((), (), False)


def test_a_question_waits_until_it_is_answered() -> None:
    asked = Conversation().ask("Who is it?", (CAT,))
    assert asked.waiting and asked.turns == (Turn("Who is it?", (CAT,), None),)
    answered = asked.with_answer("A cat.")
    assert not answered.waiting and answered.turns == (Turn("Who is it?", (CAT,), "A cat."),)


def test_an_empty_answer_is_an_answer() -> None:
    assert not Conversation().ask("Say nothing.").with_answer("").waiting


def test_a_question_left_unanswered_gives_way_to_the_next() -> None:
    conversation = TWO_TURNS.ask("Wat?", (CAT,)).ask("What?")
    assert conversation.turns == (*TWO_TURNS.turns, Turn("What?"))


def test_an_answer_keeps_its_tags_and_spaces() -> None:
    raw = " <ref>the cat</ref><box>[[1, 2, 3, 4]]</box> \n"
    assert Conversation().ask("Where?").with_answer(raw).turns[-1].answer == raw


def test_a_better_answer_replaces_the_last() -> None:
    assert TWO_TURNS.with_answer("A dog.").turns == (TWO_TURNS.turns[0], Turn("And here?", (DOG,), "A dog."))


def test_retry_asks_the_last_question_again_with_its_images() -> None:
    again = TWO_TURNS.retry()
    assert again.waiting and again.turns == (TWO_TURNS.turns[0], Turn("And here?", (DOG,)))
    assert again.retry() == again


def test_images_are_counted_over_the_whole_conversation() -> None:
    both_twice = TWO_TURNS.ask("All?", (DOG, CAT))
    assert both_twice.images == (CAT, DOG, DOG, CAT)
    assert TWO_TURNS.ask("No image.").images == (CAT, DOG)


# What a conversation is


def test_a_conversation_keeps_its_id_and_two_have_different_ones() -> None:
    steps = [
        TWO_TURNS.ask("?"),
        TWO_TURNS.retry(),
        TWO_TURNS.with_answer("!"),
    ]
    assert {step.id for step in steps} == {"c"}
    assert Conversation().id != Conversation().id


def test_conversations_are_compared_by_what_is_in_them() -> None:
    one, other = (Conversation(id="c").ask("Who?", (CAT,)) for _ in range(2))
    assert one == other and hash(one) == hash(other)
    assert one != Conversation(id="c").ask("Who?", (DOG,))


deeds = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.text(max_size=5), st.sampled_from([(), (CAT,), (CAT, DOG)])),
        st.tuples(st.just("with_answer"), st.text(max_size=5)),
        st.tuples(st.just("retry")),
    ),
    max_size=12,
)


@given(deeds)
def test_whatever_people_do_only_the_last_turn_may_lack_its_answer(deeds: list[tuple[object, ...]]) -> None:
    conversation = Conversation(id="c")
    for name, *arguments in deeds:
        before, kept = conversation, conversation.turns
        with suppress(ValueError, IndexError):
            conversation = getattr(conversation, str(name))(*arguments)
        assert before.turns is kept
        assert all(turn.answer is not None for turn in conversation.turns[:-1])
        assert conversation.waiting == any(turn.answer is None for turn in conversation.turns)
