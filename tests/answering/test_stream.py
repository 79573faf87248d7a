"""One generation as snapshots: each complete, errors raised and never told, closing stops the model."""

import asyncio
import json
from contextlib import aclosing

import pytest
from PIL import Image

from internvl_demo.answering.stream import Answer, Timing, answer, report
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import BackendError
from internvl_demo.grounding.parser import Text
from internvl_demo.photos.decode import photo_of
from tests.support.scripted_model import ScriptedModel

PHOTO = photo_of(Image.new("RGB", (400, 200)))
ASKED = Conversation().ask("Where is the cat?", (Attachment(PHOTO, 12), Attachment(PHOTO, 1)))


def snapshots(model: ScriptedModel) -> list[Answer]:
    async def all_of_them() -> list[Answer]:
        return [said async for said in answer(model, ASKED)]

    return asyncio.run(all_of_them())


def test_an_error_is_raised_after_what_had_come() -> None:
    model = ScriptedModel(["Half ", BackendError("It broke.", "Try again.")])
    seen: list[Answer] = []

    async def collect() -> None:
        async for said in answer(model, ASKED):
            seen.append(said)

    with pytest.raises(BackendError, match="It broke"):
        asyncio.run(collect())
    assert [said.text for said in seen] == ["Half "]


def test_closing_stops_the_model() -> None:
    model = ScriptedModel(["One ", lambda: False])

    async def first_only() -> None:
        async with aclosing(answer(model, ASKED)) as said:
            await anext(said)

    asyncio.run(first_only())
    assert model.stopped == 1


def test_the_last_snapshot_has_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("internvl_demo.answering.stream.SNAPSHOT_S", 0.0)
    text = "Image-2: <ref>the cat</ref><box>[[100, 200, 300, 400]]</box>."
    said = snapshots(ScriptedModel(list(text)))
    assert all(one.usage is None for one in said[:-1])
    assert said[-1].raw == text
    assert said[-1].text == "Image-2: the cat."
    assert said[-1].usage is not None
    first_box = next(index for index, one in enumerate(said) if one.pinned)
    assert first_box < len(said) - 5, "the box is there before the answer has ended"


def test_snapshots_are_few_and_the_last_is_whole() -> None:
    said = snapshots(ScriptedModel(list("word " * 200)))
    assert len(said) < 50
    assert said[-1].text == "word " * 200


def test_a_report_is_plain_data_in_pixels_and_thousandths() -> None:
    (*_, said) = snapshots(ScriptedModel(["Image-2: <ref>cat</ref><box>[[100, 200, 300, 400]]</box>"]))
    result = json.loads(json.dumps(report(ASKED, said)))
    assert result["boxes"] == [
        {"label": "cat", "image": 2, "box_1000": [100, 200, 300, 400], "xyxy_px": [40, 40, 120, 80]}
    ]
    assert result["tiles"] == [2, 1]
    assert result["text"] == "Image-2: cat"


@pytest.mark.parametrize(
    ("timing", "tokens", "speed"),
    [
        (Timing(None, 2.0), 10, None),
        (Timing(1.0, 1.0), 10, None),
        (Timing(1.0, 3.0), 1, None),
        (Timing(1.0, 3.0), 21, 10.0),
    ],
)
def test_speed_is_counted_after_the_first_token(timing: Timing, tokens: int, speed: float | None) -> None:
    assert timing.tokens_per_s(tokens) == speed


def test_without_text_there_is_an_empty_answer_and_no_first_token() -> None:
    (said,) = snapshots(ScriptedModel([]))
    assert (said.raw, said.events, said.timing.ttft_s) == ("", (), None)
    assert Text not in {type(event) for event in said.events}
