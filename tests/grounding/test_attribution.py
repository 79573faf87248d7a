"""Which image a box means. The rule's order is the order of the tests; every guess says that it is one."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.grounding.attribution import HELD_CHARS, Attribution, Part, PinnedBox
from internvl_demo.grounding.parser import Box, Event, GroundingParser, Phrase, Text, merge_texts, parse
from internvl_demo.photos.decode import photo_of
from tests.support.grounding_texts import pin

A_BOX = "<ref>cat</ref><box>[[1,2,3,4]]</box>"
A_DOG = "<ref>dog</ref><box>[[5,6,7,8]]</box>"


def asked(*turns: tuple[str, int]) -> Conversation:
    """Turns as (question, how many images it sends)."""
    conversation = Conversation()
    photo = photo_of(Image.new("RGB", (8, 8)))
    for text, images in turns:
        conversation = conversation.ask(text, (Attachment(photo, 12),) * images).with_answer("Yes.")
    return conversation.retry()


def pins(answer: str, *turns: tuple[str, int]) -> list[tuple[int, bool]]:
    return [(pinned.image, pinned.certain) for pinned in pin(parse(answer).events, asked(*turns))]


def test_without_an_image_there_is_no_pin() -> None:
    assert pins(A_BOX, ("Where is the cat?", 0)) == []
    assert pin(parse(A_BOX).events, Conversation()) == []


def test_the_image_named_before_the_box_wins_over_all() -> None:
    assert pins(f"In Image-2: {A_BOX}", ("In image 1, where?", 3)) == [(2, True)]
    assert pins(f"Image-1, then Image-3: {A_BOX}", ("Where?", 3)) == [(3, True)]


def test_the_image_named_in_the_phrase_wins_over_the_text_before() -> None:
    answer = "Image-1: <ref>the cat in Image-2</ref><box>[[1,2,3,4],[5,6,7,8]]</box>"
    assert pins(answer, ("Where?", 2)) == [(2, True), (2, True)]


def test_a_name_holds_until_the_next() -> None:
    assert pins(f"Image-2: {A_BOX} and {A_BOX} Image-1: {A_BOX}", ("Where?", 2)) == [
        (2, True),
        (2, True),
        (1, True),
    ]


@pytest.mark.parametrize(
    "behind",
    [
        " in the second image.",
        " in the second image",
        " is in Image-2",
        " can be seen in the second picture, on the left.",
        " sits on a sofa in the 2nd photo.",
        " (Image-2)",
        " (in the second image) and nothing else.",
        ", in the second image.",
        " - Image-2\n",
        " | Image-2 |\n",
        " is large and is shown in the last picture.",
        " from picture #2!",
        " of image 2 and much more",
        " in the **second** image.",
        "在第二张图里。",
        "在第2张的左边",
        "，在第二张图中。",
        "（第二张图）",
        "位于图二中，很大。",
        "是最后一张照片里的。",
        " in the second image and <ref>more</ref>",
    ],
)
def test_the_name_in_the_box_s_own_clause_is_its_image(behind: str) -> None:
    assert pins(A_BOX + behind, ("Where?", 2)) == [(2, True)]
    assert pins(A_BOX + behind, ("Where is it in image 1?", 2)) == [(2, True)]
    assert pins(f"Image-1 shows a dog. A {A_BOX}{behind}", ("Where?", 2)) == [(2, True)]


@pytest.mark.parametrize(
    "behind",
    [
        ". In the second image there is none.",
        "\nIn the second image there is none.",
        "。第二张图里没有。",
        " is larger than the one in the second image.",
        " looks like the cat in Image-2.",
        " is not in the second image.",
        " is here, and the dog is in the second image.",
        " and in the second image there is none.",
        "，而在第二张图中没有猫。",
        "比第二张图里的大。",
        "不在第二张图里。",
        " and another in both images.",
        f" {'and more ' * 9} in the second image.",
        " in the second cat",
        " in 2nd place",
    ],
)
def test_a_name_elsewhere_is_not_the_box_s_image(behind: str) -> None:
    assert pins(A_BOX + behind, ("Where?", 2)) == [(1, False)]
    assert pins(A_BOX + behind, ("Where is it in image 1?", 2)) == [(1, True)]


def test_a_name_before_the_next_box_is_the_next_box_s() -> None:
    for between in (
        " Image-2: ",
        " In Image-2: ",
        " in the second image**: ",
        " and in the second image a ",
        ", in the second image ",
        "，第二张图里有",
        "\nImage-2 ",
    ):
        assert pins(A_BOX + between + A_DOG, ("In image 1, where?", 2)) == [(1, True), (2, True)], between


def test_two_boxes_of_a_sentence_each_have_their_image() -> None:
    answer = f"The {A_BOX} is in the first image and the {A_DOG} is in the second."
    assert pins(answer, ("Where?", 2)) == [(1, True), (2, True)]
    assert pins(f"{A_BOX}在第一张图里，{A_DOG}在第二张里。", ("在哪？", 2)) == [(1, True), (2, True)]


def test_all_boxes_of_a_list_have_the_image_named_behind_it() -> None:
    answer = "<ref>cats</ref><box>[[1,2,3,4],[5,6,7,8]]</box> in the second image."
    assert pins(answer, ("Where?", 2)) == [(2, True), (2, True)]


def test_a_digit_after_the_box_does_not_lengthen_the_name_before() -> None:
    a_box = "<box>[[1,2,3,4]]</box>"
    assert pins(f"Image-1{a_box}2{a_box}", ("Where?", 12)) == [(1, True), (1, True)]


def test_an_image_that_does_not_exist_is_not_named() -> None:
    assert pins(f"Image-9: {A_BOX}", ("Where?", 1)) == [(1, True)]
    assert pins(f"Image-0 Image-2 Image-9: {A_BOX}", ("Where?", 2)) == [(2, True)]


def test_the_only_image_is_meant_whatever_is_asked() -> None:
    assert pins(A_BOX, ("Hello", 0), ("See image 7?", 1), ("And the cat?", 0)) == [(1, True)]


@pytest.mark.parametrize(
    "question",
    [
        "Where is it in image 2?",
        "图2里的猫在哪里? 图2!",
        "第二张图里的猫在哪里？",
        "第２幅里的猫呢",
        "the cat in the second picture",
        "2nd photo: where is the cat?",
        "第二張照片中的貓",
    ],
)
def test_the_only_image_named_in_the_question_is_meant(question: str) -> None:
    assert pins(A_BOX, ("These", 3), (question, 0)) == [(2, True)]
    assert pins(A_BOX, (question, 3)) == [(2, True)]


@pytest.mark.parametrize(
    "question",
    [
        "Compare images 2 and 3",
        "Compare image 2 with image 3",
        "Is the cat in the second image the one in the third?",
        "Compare the second image with the third image",
        "第二张和第三张里的猫",
        "图2和图3",
        "In image 2, not in the last photo",
    ],
)
def test_of_two_images_in_the_question_the_first_is_a_guess(question: str) -> None:
    assert pins(A_BOX, (question, 3)) == [(2, False)]


def test_a_question_about_both_images_decides_nothing() -> None:
    assert pins(A_BOX, ("This", 1), ("Compare both images", 1)) == [(1, False)]
    assert pins(A_BOX, ("这", 1), ("这两张图里的猫在哪", 1)) == [(1, False)]


def test_an_answer_about_both_images_makes_a_pin_a_guess() -> None:
    assert pins(f"Both images show a {A_BOX}.", ("In the second image, where?", 2)) == [(2, False)]
    assert pins(f"Images 2 and 3 show a {A_BOX}.", ("Where?", 3)) == [(2, False)]


def test_an_earlier_question_decides_nothing() -> None:
    assert pins(A_BOX, ("Where is it in image 2?", 2), ("And the dog?", 0)) == [(1, False)]


def test_an_ordinal_counts_the_pictures_of_its_own_message() -> None:
    assert pins(A_BOX, ("These", 2), ("Where is it in the second image?", 2)) == [(4, True)]
    assert pins(f"In the first picture: {A_BOX}", ("These", 2), ("Where?", 2)) == [(3, True)]
    assert pins(A_BOX, ("These", 2), ("第一张图里的猫", 2)) == [(3, True)]


def test_a_number_counts_the_whole_conversation() -> None:
    assert pins(A_BOX, ("These", 2), ("Where is it in Image-2?", 2)) == [(2, True)]
    assert pins(A_BOX, ("These", 2), ("图二里的猫在哪", 2)) == [(2, True)]


def test_an_ordinal_beyond_its_own_message_counts_the_whole_conversation() -> None:
    assert pins(A_BOX, ("These", 2), ("Where is it in the third image?", 2)) == [(3, True)]
    assert pins(A_BOX, ("This", 1), ("And in the first image?", 1)) == [(1, True)]


def test_an_ordinal_that_may_mean_two_images_is_a_guess() -> None:
    assert pins(A_BOX, ("These", 2), ("And these", 2), ("Where is it in the second?", 0)) == [(3, False)]
    assert pins(A_BOX, ("These", 2), ("And these", 2), ("In the second image?", 0)) == [(2, False)]


def test_the_last_picture_is_the_last_that_was_sent() -> None:
    for question in ("Where is it in the last photo?", "最后一张图里的猫在哪", "倒数第一张"):
        assert pins(A_BOX, ("These", 2), ("And these", 2), (question, 0)) == [(4, True)]


def test_the_only_image_sent_last_is_meant() -> None:
    assert pins(A_BOX, ("These", 2), ("And this", 1), ("Where?", 0)) == [(3, True)]


def test_the_first_of_several_sent_last_is_a_guess() -> None:
    assert pins(A_BOX, ("This", 1), ("And these", 2), ("Where?", 0)) == [(2, False)]


def test_a_guess_becomes_certain_once_the_answer_names_an_image() -> None:
    assert pins(f"{A_BOX} Image-2: {A_BOX}", ("Where?", 2)) == [(1, False), (2, True)]


def test_pins_of_a_stream_never_change() -> None:
    answer = f"{A_BOX} Image-2: {A_BOX}, {A_DOG} in the third image. Image-1<box>[[5,6,7,8]]</box>2"
    conversation = asked(("Where?", 12))
    parser, events = GroundingParser(), list[Event]()
    before: list[PinnedBox] = []
    for char in answer:
        events += parser.feed(char)
        now = pin(events, conversation, ended=False)
        assert now[: len(before)] == before
        before = now
    assert [pinned.image for pinned in before] == [1, 2, 3, 1]


def test_a_box_named_right_before_is_not_held() -> None:
    conversation = asked(("Where?", 2))
    for answer in (f"Image-2: {A_BOX}", f"There is a <ref>cat in the second image</ref>{A_BOX[14:]}"):
        assert len(pin(parse(answer).events, conversation, ended=False)) == 1
    assert pin(parse(f"In the second image, a {A_BOX}").events, conversation, ended=False) == []


def test_with_one_image_no_box_is_held() -> None:
    assert len(pin(parse(A_BOX).events, asked(("Where?", 1)), ended=False)) == 1


@pytest.mark.parametrize(
    "behind",
    [
        ".",
        ". ",
        "。",
        "\n",
        ": ",
        f" {'word ' * 99}",
        "a" * HELD_CHARS,
        "<ref>dog</ref>",
        " <box>[[1,2,3,4]]",
    ],
)
def test_a_box_is_held_for_a_sentence_at_most(behind: str) -> None:
    waits = behind == "."  # may be a number's
    assert len(pin(parse(A_BOX + behind).events, asked(("Where?", 2)), ended=False)) == (not waits)


TEXTS = st.lists(
    st.sampled_from(
        [
            A_BOX,
            A_DOG,
            "Image-1",
            "in the second image",
            "第二张图",
            "在",
            " ",
            ".",
            ": ",
            "\n",
            ", ",
            "and",
            "a" * 70,
        ]
    )
    | st.text(max_size=2),
    max_size=12,
).map("".join)


def shown(pieces: list[str], conversation: Conversation) -> list[Part]:
    """Return what is shown of an answer that comes in pieces, neighbouring texts merged."""
    parser, attribution = GroundingParser(), Attribution(conversation)
    events = [event for piece in pieces for event in parser.feed(piece)] + parser.finish()
    parts = [part for event in events for part in attribution.add(event)] + attribution.finish()
    pinned = iter([part for part in parts if isinstance(part, PinnedBox)])
    merged = merge_texts(part.box if isinstance(part, PinnedBox) else part for part in parts)
    return [next(pinned) if isinstance(event, Box) else event for event in merged]


@given(TEXTS, st.lists(st.integers(0, 300), max_size=6))
def test_no_way_of_cutting_changes_what_is_shown(text: str, places: list[int]) -> None:
    conversation = asked(("Where?", 2))
    cuts = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    whole = shown([text], conversation)
    assert shown([text[start:end] for start, end in pairwise(cuts)], conversation) == whole
    assert shown(list(text), conversation) == whole


@given(TEXTS)
def test_holding_a_box_loses_nothing(text: str) -> None:
    parts, events = shown([text], asked(("Where?", 2))), parse(text).events
    assert [part.box for part in parts if isinstance(part, PinnedBox)] == [
        e for e in events if isinstance(e, Box)
    ]
    texts, whole = ([one.text for one in some if isinstance(one, Text | Phrase)] for some in (parts, events))
    assert "".join(texts) == "".join(whole)
