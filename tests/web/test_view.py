"""What the interface tells of answers and pictures: boxes with their looks and repeats, and every tile grid."""

import pytest

from internvl_demo.answering.stream import AnswerBuilder
from internvl_demo.conversation.tiling import plan_tiles
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.photos.decode import photo_of
from internvl_demo.photos.regions import Origin
from internvl_demo.web.view import AnswerEvents, grown, image_data
from tests.support.pictures import picture as drawing

CAT = "<ref>the cat</ref><box>[[100, 200, 300, 400]]</box>"
DOGS = "<ref>two dogs</ref><box>[[500, 100, 600, 300], [700, 100, 800, 300]]</box>"


def events_of(raw: str, *origins: Origin | None) -> AnswerEvents:
    """The events of a whole answer about as many pictures."""
    images = tuple(Attachment(photo_of(drawing()), 1, origin) for origin in origins or (None,))
    conversation = Conversation().ask("?", images)
    builder, events = AnswerBuilder(conversation), AnswerEvents(conversation)
    events.add((*builder.add(raw), *builder.finish()))
    events.answer.blocks(final=True)
    return events


@pytest.mark.parametrize(
    ("raw", "spans"),
    [
        ("nothing", []),
        ("<ref>no box</ref>", []),
        ("<box>[[1, 2, 3, 4]]</box>", []),
        (f"the cat, {CAT}", ['data-boxes="0"']),
        (f"{DOGS} {CAT}", ['data-boxes="0,1"', 'data-boxes="2"']),
        (f"<ref>the cat</ref> is not {CAT}", ['data-boxes="0"']),
        ("<ref>no box</ref>, but a cat[[100, 200, 300, 400]]", []),
        ("<ref>the cat</ref>[[100, 200, 300, 400]]", ['data-boxes="0"']),
        (
            '[{"bbox_2d": [1, 2, 30, 40], "label": "a"}, {"bbox_2d": [5, 6, 70, 80], "label": "b"}]',
            ['data-boxes="0"', 'data-boxes="1"'],
        ),
        ('<ref>no box</ref> <point x="5" y="6" alt="a cat">the cat</point>', ['data-boxes="0"']),
    ],
)
def test_phrases_name_their_boxes(raw: str, spans: list[str]) -> None:
    html = "".join(grown(events_of(raw), None)["blocks"])
    assert [f'data-boxes="{part.split(chr(34))[0]}"' for part in html.split('data-boxes="')[1:]] == spans


def test_a_label_always_looks_the_same() -> None:
    def looks(raw: str) -> dict[str, tuple[str, str]]:
        return {box["label"]: (box["colour"], box["line"]) for box in events_of(raw).boxes}

    both = looks(f"{DOGS} {CAT}")
    assert looks(CAT)["the cat"] == both["the cat"] and looks(f"{CAT} {DOGS}") == both


def test_every_mode_has_its_grid() -> None:
    image = Attachment(photo_of(drawing(block_px=400)), 24)
    told = image_data(image, 1)
    assert (told["mode"], told["number"], told["size_wh"]) == (24, 1, [1200, 800])
    for most in (1, 12, 24, 40):
        assert tuple(told["grids"][most - 1]) == plan_tiles((1200, 800), most).grid


def test_growing_in_pieces_is_growing_at_once() -> None:
    raw = f"A list:\n\n- {CAT}\n- **{DOGS}**\n\nThe end."
    conversation = Conversation().ask("?", (Attachment(photo_of(drawing()), 1),))
    builder, events = AnswerBuilder(conversation), AnswerEvents(conversation)
    text, boxes = "", 0
    for letter in raw:
        more, fresh, _ = events.add(builder.add(letter))
        text, boxes = text + more, boxes + len(fresh)
        events.answer.blocks()
    more, _, _ = events.add(builder.finish())
    events.answer.blocks(final=True)
    assert grown(events, None) == grown(events_of(raw), None) and boxes == 3
    assert text + more == grown(events, None)["text"]
