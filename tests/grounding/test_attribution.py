"""Which image a box means. The rule's order is the order of the tests; every guess says that it is one."""

import pytest
from PIL import Image

from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.grounding.attribution import Pinned, images_named
from internvl_demo.grounding.parser import Event, GroundingParser, parse
from internvl_demo.photos.decode import photo_of
from tests.support.grounding_texts import pin

A_BOX = "<ref>cat</ref><box>[[1,2,3,4]]</box>"


def asked(*turns: tuple[str, int]) -> Conversation:
    """Turns as (question, how many images it sends)."""
    conversation = Conversation()
    photo = photo_of(Image.new("RGB", (8, 8)))
    for text, images in turns:
        conversation = conversation.ask(text, (Attachment(photo, 12),) * images).answered("Yes.")
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


def test_a_name_after_the_box_does_not_move_it() -> None:
    assert pins(f"{A_BOX} is in Image-2", ("Where?", 2)) == [(1, False)]


def test_a_digit_after_the_box_does_not_lengthen_the_name_before() -> None:
    a_box = "<box>[[1,2,3,4]]</box>"
    assert pins(f"Image-1{a_box}2{a_box}", ("Where?", 12)) == [(1, True), (1, True)]


def test_an_image_that_does_not_exist_is_not_named() -> None:
    assert pins(f"Image-9: {A_BOX}", ("Where?", 1)) == [(1, True)]
    assert pins(f"Image-0 Image-2 Image-9: {A_BOX}", ("Where?", 2)) == [(2, True)]


def test_the_only_image_is_meant_whatever_is_asked() -> None:
    assert pins(A_BOX, ("Hello", 0), ("See image 7?", 1), ("And the cat?", 0)) == [(1, True)]


def test_the_only_image_named_in_the_question_is_meant() -> None:
    assert pins(A_BOX, ("These", 3), ("Where is it in image 2?", 0)) == [(2, True)]
    assert pins(A_BOX, ("These", 3), ("图2里的猫在哪里? 图2!", 0)) == [(2, True)]


def test_two_images_named_in_the_question_decide_nothing() -> None:
    assert pins(A_BOX, ("Compare images 2 and 3", 3)) == [(1, False)]
    assert pins(A_BOX, ("Compare image 2 with image 3", 3)) == [(1, False)]


def test_an_earlier_question_decides_nothing() -> None:
    assert pins(A_BOX, ("Where is it in image 2?", 2), ("And the dog?", 0)) == [(1, False)]


def test_the_only_image_sent_last_is_meant() -> None:
    assert pins(A_BOX, ("These", 2), ("And this", 1), ("Where?", 0)) == [(3, True)]


def test_the_first_of_several_sent_last_is_a_guess() -> None:
    assert pins(A_BOX, ("This", 1), ("And these", 2), ("Where?", 0)) == [(2, False)]


def test_a_guess_becomes_certain_once_the_answer_names_an_image() -> None:
    assert pins(f"{A_BOX} Image-2: {A_BOX}", ("Where?", 2)) == [(1, False), (2, True)]


def test_pins_of_a_stream_never_change() -> None:
    answer, conversation = f"{A_BOX} Image-2: {A_BOX} Image-1<box>[[5,6,7,8]]</box>2", asked(("Where?", 12))
    parser, events = GroundingParser(), list[Event]()
    before: list[Pinned] = []
    for char in answer:
        events += parser.feed(char)
        now = pin(events, conversation)
        assert now[: len(before)] == before
        before = now
    assert [pinned.image for pinned in before] == [1, 2, 1]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Image-2", [2]),
        ("image 2", [2]),
        ("IMAGE2.", [2]),
        ("**Image-2**:", [2]),
        ("image #2", [2]),
        ("图2", [2]),
        ("图片 2中", [2]),
        ("图像-2", [2]),
        ("Image-1 and Image-3", [1, 3]),
        ("images 1, 2 and 3", [1, 2, 3]),
        ("image 2, 3 cats", [2]),
        ("image 2. 3 cats", [2]),
        ("images", []),
        ("image 24", []),
        ("image 2.5", []),
        ("image 2x larger", []),
        ("image 2000", []),
        ("subimage 2", []),
        ("2 images", []),
        ("Figure 2", []),
        ("image -2", [2]),
        ("image 0002", []),
        ("image " + "9" * 5000, []),
    ],
)
def test_what_names_an_image(text: str, numbers: list[int]) -> None:
    assert images_named(text, 4) == numbers
