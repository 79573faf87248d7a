"""What the viewer shows: a session -> plain data for the scripts in `static/viewer`.

Every image of the conversation with the ways it is and could be cut into tiles; for every turn the boxes
of its answer, and which phrase of its text each belongs to; the viewer's texts in the person's language.
Names, labels and phrases are whatever people and models wrote: the scripts set them as text. Nothing here
is markup, and nothing here draws.

    {"images": [{"caption": "Image-1", "name": "a.png", "url": ..., "size_wh": [640, 480], "note": "1 tile",
                 "plans": [{"name": "Low · 1 tile", "sent": True, "grid": [1, 1], "thumbnail": False, "text": ...}]}],
     "answers": [{"boxes": [{"label": "the cat", "image": 1, "box_1000": [10, 20, 300, 400],
                             "colour": "#009e73", "line": "dashed", "certain": True}],
                  "phrases": [{"text": "thecat", "nth": 0, "boxes": [0]}]}],
     "words": {"zoom_in": "Zoom in", ...}}
"""

import re
from binascii import crc_hqx
from collections.abc import Callable
from typing import Any

from internvl_demo.answering.stream import Answer
from internvl_demo.conversation.tiling import MODES, plan_tiles
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.grounding.attribution import Pinned, full_boxes
from internvl_demo.grounding.overlay import colour_of
from internvl_demo.grounding.parser import Box, Phrase
from internvl_demo.models.base import ModelInfo
from internvl_demo.photos.decode import Photo
from internvl_demo.web.session import Session, plan_of, tiles_text, tokens_text
from internvl_demo.web.strings import TABLE, Words

NOTHING: dict[str, Any] = {"images": [], "answers": [], "words": {}}
"""The viewer before the first image."""

LINES = ("solid", "dashed", "dotted")
"""Line styles, as CSS calls them: with six colours alone two labels of an answer often share one."""

_PREFIX = "viewer_"
_MARKS = re.compile(r"[\s*_`~\\]+")
"""What may be missing from a phrase once Markdown is rendered; `static/viewer/phrases.js` leaves out the same."""


def viewer(session: Session, info: ModelInfo, url_of: Callable[[Photo], str], words: Words) -> dict[str, Any]:
    """The whole value of the viewer; see the module's opening. Answers are one for each turn."""
    images = session.conversation.images
    return {
        "images": [_image(image, number, info, url_of, words) for number, image in enumerate(images, 1)],
        "answers": [_answer(said, session.conversation) for said in session.answers],
        "words": {**_own_words(words), "guess": words("receipt_guess")},
    }


def phrases(said: Answer) -> list[dict[str, Any]]:
    """The answer's phrases that have boxes, for finding them in the rendered text.

    `text` is without spaces and Markdown's marks, `nth` says how many times it stands in the visible text
    before, and `boxes` are places in `said.pinned`.
    """
    found: list[dict[str, Any]] = []
    before, box = "", 0
    for event in said.events:
        if isinstance(event, Box):
            if event.label and found:  # then a phrase stands before it, with nothing but spaces in between
                found[-1]["boxes"].append(box)
            box += 1
            continue
        text = _MARKS.sub("", event.text)
        if isinstance(event, Phrase):
            found.append({"text": text, "nth": before.count(text), "boxes": []})
        before += text
    return [phrase for phrase in found if phrase["text"] and phrase["boxes"]]


def _own_words(words: Words) -> dict[str, str]:
    """The viewer's texts, their {values} left open: the scripts fill them in."""
    own = [key for key in TABLE if key.startswith(_PREFIX)]
    return {key.removeprefix(_PREFIX): TABLE[key][words.column] for key in own}


def _image(
    image: Attachment, number: int, info: ModelInfo, url_of: Callable[[Photo], str], words: Words
) -> dict[str, Any]:
    return {
        "caption": f"Image-{number}",
        "name": image.photo.name,
        "url": url_of(image.photo),
        "size_wh": list(image.photo.size_wh),
        "note": tiles_text(plan_of(image), words),
        "plans": [_plan(image, most, info, words) for most in sorted({*MODES.values(), image.max_tiles})],
    }


def _plan(image: Attachment, most: int, info: ModelInfo, words: Words) -> dict[str, Any]:
    """How the image is cut with at most `most` tiles; `sent`: it is what the model got."""
    plan = plan_tiles(image.photo.size_wh, most)
    name = next((words(f"mode_{mode}") for mode, tiles in MODES.items() if tiles == most), "")
    (width, height), (wide, high) = plan.size_wh, plan.canvas_wh
    cost = f"{tiles_text(plan, words)}, {tokens_text(plan, info, words)}"
    return {
        "name": name or words("viewer_up_to", count=most),
        "sent": most == image.max_tiles,
        "grid": list(plan.grid),
        "thumbnail": plan.thumbnail,
        "text": f"{width} × {height} px → {wide} × {high} px → {cost}",
    }


def _answer(said: Answer | None, conversation: Conversation) -> dict[str, Any]:
    """An answer's boxes and phrases; none of either while there is no image that a box could be on.

    A box on a crop or a marked copy is there again on the full image, behind all others.
    """
    if said is None or not said.pinned:
        return {"boxes": [], "phrases": []}
    boxes, again = list(said.pinned), dict[int, list[int]]()
    for place, pinned in enumerate(said.pinned):
        repeats = full_boxes([pinned], conversation)[1:]
        again[place] = list(range(len(boxes), len(boxes) + len(repeats)))
        boxes += repeats
    found = phrases(said)
    for phrase in found:
        phrase["boxes"] += [repeat for place in list(phrase["boxes"]) for repeat in again[place]]
    return {"boxes": [_box(pinned) for pinned in boxes], "phrases": found}


def _box(pinned: Pinned) -> dict[str, Any]:
    return {
        "label": pinned.box.label,
        "image": pinned.image,
        "box_1000": list(pinned.box.box_1000),
        "colour": colour_of(pinned.box.label),
        "line": _line_of(pinned.box.label),
        "certain": pinned.certain,
    }


def _line_of(label: str) -> str:
    """The label's line style: the same in every run, and independent of its colour."""
    name = " ".join(label.casefold().split())
    return LINES[crc_hqx(name.encode("utf-8", "replace"), 0) % len(LINES)]
