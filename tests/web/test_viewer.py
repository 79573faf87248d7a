"""What the viewer is told: phrases, looks and plans, as plain data."""

import pytest

from internvl_demo.answering.stream import Answer, Timing
from internvl_demo.conversation.tiling import plan_tiles
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.grounding.attribution import pin
from internvl_demo.grounding.parser import parse
from internvl_demo.models.base import ModelInfo
from internvl_demo.photos.decode import photo_of
from internvl_demo.web.session import Session
from internvl_demo.web.strings import Words
from internvl_demo.web.viewer import phrases, viewer
from tests.support.pictures import picture as drawing

CAT = "<ref>the cat</ref><box>[[100, 200, 300, 400]]</box>"
DOGS = "<ref>two dogs</ref><box>[[500, 100, 600, 300], [700, 100, 800, 300]]</box>"


def said(raw: str, images: int = 1) -> Answer:
    photos = tuple(Attachment(photo_of(drawing()), 1) for _ in range(images))
    parsed = parse(raw)
    pinned = tuple(pin(parsed.events, Conversation().ask("?", photos)))
    return Answer(raw, parsed.events, pinned, parsed.dropped, Timing(0.1, 0.2))


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("nothing", []),
        ("<ref>no box</ref>", []),
        ("<box>[[1, 2, 3, 4]]</box>", []),
        (f"the cat, {CAT}", [{"text": "thecat", "nth": 1, "boxes": [0]}]),
        (f"{DOGS} {CAT}", [{"text": "twodogs", "nth": 0, "boxes": [0, 1]}, {"text": "thecat", "nth": 0, "boxes": [2]}]),
        ("<ref>a **big** dog</ref><box>[[1, 2, 3, 4]]</box>", [{"text": "abigdog", "nth": 0, "boxes": [0]}]),
        (f"<ref>the cat</ref> is not {CAT}", [{"text": "thecat", "nth": 1, "boxes": [0]}]),
        ("<ref>**</ref><box>[[1, 2, 3, 4]]</box>", []),
    ],
)  # fmt: skip
def test_phrases_are_those_with_boxes_and_know_where_they_stand(raw: str, found: list[object]) -> None:
    assert phrases(said(raw)) == found


def test_a_label_always_looks_the_same_whatever_else_is_there() -> None:
    def looks(raw: str) -> dict[str, tuple[str, str]]:
        session = Session(Conversation().ask("?", (Attachment(photo_of(drawing()), 1),)), (said(raw),))
        value = viewer(session, ModelInfo("x", 64, 8192), lambda photo: photo.id, Words())
        boxes = value["answers"][0]["boxes"]
        return {box["label"]: (box["colour"], box["line"]) for box in boxes}

    both = looks(f"{DOGS} {CAT}")
    assert looks(CAT)["the cat"] == both["the cat"]
    assert looks(f"{CAT} {DOGS}") == both


def test_every_mode_and_the_one_sent_are_planned() -> None:
    image = Attachment(photo_of(drawing(block_px=400)), 24)
    session = Session(Conversation().ask("?", (image,)), (None,))
    value = viewer(session, ModelInfo("x", 256, 8192), lambda photo: photo.id, Words())
    plans = value["images"][0]["plans"]
    expected = [plan_tiles((1200, 800), most) for most in (1, 12, 24, 40)]
    assert [tuple(plan["grid"]) for plan in plans] == [plan.grid for plan in expected]
    assert [plan["sent"] for plan in plans] == [False, False, True, False]
    for shown, plan in zip(plans, expected, strict=True):
        assert f"{plan.visual_tokens(256):,} visual tokens" in shown["text"]
    assert value["answers"] == [{"boxes": [], "phrases": []}]
