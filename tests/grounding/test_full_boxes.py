"""A box on a crop or a marked copy is also on the picture that it was made from."""

from PIL import Image

from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.grounding.attribution import PinnedBox, full_boxes
from internvl_demo.grounding.parser import Box
from internvl_demo.photos.decode import photo_of
from internvl_demo.photos.photo import Photo
from internvl_demo.photos.regions import Origin


def plain(size_wh: tuple[int, int] = (64, 48), colour: str = "teal", name: str = "cat.png") -> Photo:
    return photo_of(Image.new("RGB", size_wh, colour), name)


WHOLE = plain((640, 480), "teal", "whole.png")
PIECE = Origin(WHOLE.id, (320, 120, 640, 360), "crop")
DETAIL = Attachment(plain((320, 240), "navy"), 1, PIECE)


def pinned(image: int, *box_1000: int, certain: bool = True) -> PinnedBox:
    return PinnedBox(Box("cat", box_1000), image, certain)  # type: ignore[arg-type]


def asked(*images: Attachment) -> Conversation:
    return Conversation().ask("Where?", images)


def test_a_crop_whose_image_is_not_in_the_conversation_adds_no_box() -> None:
    boxes = [pinned(1, 0, 0, 1000, 1000)]
    assert full_boxes(boxes, asked(DETAIL)) == boxes
    assert full_boxes([], asked(DETAIL)) == []


def test_boxes_on_images_of_their_own_stay_alone() -> None:
    boxes = [pinned(1, 1, 2, 3, 4), pinned(2, 1, 2, 3, 4)]
    assert full_boxes(boxes, asked(Attachment(WHOLE, 1), Attachment(plain(), 12))) == boxes


def test_a_box_on_a_crop_is_also_on_its_image_after_all_that_were_there() -> None:
    conversation = Conversation().ask("What?", (Attachment(plain(), 1), Attachment(WHOLE, 1)))
    conversation = conversation.with_answer("A wall.").ask("And here?", (DETAIL,))
    boxes = [pinned(3, 0, 0, 500, 500, certain=False), pinned(2, 1, 2, 3, 4)]
    assert full_boxes(boxes, conversation) == [*boxes, pinned(2, 500, 250, 750, 500, certain=False)]


def test_a_box_on_a_marked_copy_is_the_same_on_its_image() -> None:
    mark = Attachment(plain((640, 480), "red"), 1, Origin(WHOLE.id, None, "mark"))
    boxes = [pinned(2, 10, 20, 30, 40)]
    assert full_boxes(boxes, asked(Attachment(WHOLE, 1), mark)) == [*boxes, pinned(1, 10, 20, 30, 40)]


def test_a_crop_of_a_crop_leads_to_both() -> None:
    finer = Attachment(plain((32, 24), "red"), 1, Origin(DETAIL.photo.id, (160, 0, 320, 240), "crop"))
    found = full_boxes([pinned(3, 0, 0, 1000, 500)], asked(Attachment(WHOLE, 1), DETAIL, finer))
    assert found[1:] == [pinned(2, 500, 0, 1000, 500), pinned(1, 750, 250, 1000, 500)]


def test_of_an_image_sent_twice_the_last_before_the_crop_is_meant() -> None:
    whole = Attachment(WHOLE, 1)
    boxes = [pinned(3, 0, 0, 1000, 1000)]
    assert full_boxes(boxes, asked(whole, whole, DETAIL, whole))[1].image == 2
    assert full_boxes([pinned(1, 0, 0, 9, 9)], asked(DETAIL, whole, whole))[1].image == 2


def test_crops_that_claim_to_be_of_each_other_end() -> None:
    one, other = plain((32, 24), "red"), plain((32, 24), "blue")
    circle = asked(
        Attachment(one, 1, Origin(other.id, (0, 0, 32, 24), "crop")),
        Attachment(other, 1, Origin(one.id, None, "mark")),
        Attachment(WHOLE, 1, Origin(WHOLE.id, None, "mark")),
    )
    assert [box.image for box in full_boxes([pinned(1, 1, 2, 3, 4)], circle)] == [1, 2]
    assert [box.image for box in full_boxes([pinned(3, 1, 2, 3, 4)], circle)] == [3]
