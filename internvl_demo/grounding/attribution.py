"""Decide which image each box means: an answer's events and its conversation -> boxes pinned to images.

The model writes coordinates without saying of which picture; with several pictures something has to
decide, and a person must see where it is a guess. The first rule that applies wins:

    1. the last image named by number before the box, in the answer or the box's own phrase
    2. the conversation's only image
    3. the images named by number in the question, if exactly one
    4. the only image of the last turn that sent any
    5. the first image of the last turn that sent any: a guess, `certain=False`

Only numbers of images that exist count. `Image-2`, `image 2`, `images 1 and 2`, `图2`, `图片2` and
`图像-2` name images, counted from 1 over the whole conversation as in the prompt. A box is pinned by the text
before it alone, so pins that a stream has produced never change. This module neither parses tags nor draws.

It also maps a box on a crop or a marked copy to the photo that the copy was made from (`full_boxes`).

    "In Image-2: <ref>cat</ref><box>[[10, 20, 300, 400]]</box>", to a conversation with two images
    -> [Pinned(box=Box(label='cat', box_1000=(10, 20, 300, 400)), image=2, certain=True)]
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.grounding.parser import Box, Event
from internvl_demo.photos.regions import to_full

_NUMBER = r"[0-9]{1,3}(?![0-9A-Za-z]|\.[0-9])"
_MENTION = re.compile(
    rf"(?<![0-9A-Za-z])images\s{{0,3}}(?P<several>{_NUMBER}(?:\s{{0,3}}(?:,|and|&|,\s?and)\s{{0,3}}{_NUMBER})*)"
    rf"|(?:(?<![0-9A-Za-z])image|图片|图像|图)(?:\s{{0,3}}[-_#\u2010-\u2013])?\s{{0,3}}(?P<one>{_NUMBER})",
    re.IGNORECASE,
)
"""Two forms: a list after the plural, one number after the singular (`image 2, 3 cats` names one)."""


@dataclass(frozen=True)
class Pinned:
    """A box on image number `image`, counted from 1 over the whole conversation; `certain` is false for a guess."""

    box: Box
    image: int
    certain: bool


class Attribution:
    """Decide, box by box while one answer comes in, which image of the conversation each box means.

    conversation: its last turn is the question that is being answered.
    """

    def __init__(self, conversation: Conversation):
        self._count = len(conversation.images)
        self._image, self._certain = _default_image(conversation) if self._count else (0, False)
        self._texts: list[str] = []

    def add(self, event: Event) -> Pinned | None:
        """Take the next event of the answer; return it pinned to its image if it is a box and there is an image."""
        if not isinstance(event, Box):
            if self._count:
                self._texts.append(event.text)
            return None
        if not self._count:
            return None
        if named := images_named("".join(self._texts), self._count):
            self._image, self._certain = named[-1], True
        self._texts = []
        return Pinned(event, self._image, self._certain)


def images_named(text: str, count: int) -> list[int]:
    """Return the numbers of the images that a text names, in order with repeats, out of `count` images."""
    mentions = (match["several"] or match["one"] for match in _MENTION.finditer(text))
    numbers = (int(number) for mention in mentions for number in re.findall(r"[0-9]+", mention))
    return [number for number in numbers if 1 <= number <= count]


def full_boxes(pinned: Sequence[Pinned], conversation: Conversation) -> list[Pinned]:
    """Return the boxes, followed by a copy of each box on a crop or marked copy, mapped to the original photo.

    The original is found by its id: the last one sent before the crop, else the first one after it; without
    one in the conversation nothing is added. A crop of a crop is mapped to both. To learn which box a repeat
    belongs to, pass a single box: `full_boxes([one], conversation)[1:]` are that box's repeats.
    """
    return [*pinned, *(repeat for one in pinned for repeat in _repeats_of(one, conversation.images))]


def _repeats_of(pinned: Pinned, images: Sequence[Attachment]) -> list[Pinned]:
    """Return the box mapped to the picture that its image was made from, to that picture's own origin, and so on."""
    found: list[Pinned] = []
    been = {pinned.image}
    while (origin := images[pinned.image - 1].origin) is not None:
        number = _number_of(origin.photo_id, pinned.image, images)
        if number is None or number in been:
            break
        box = pinned.box
        if origin.xyxy_px is not None:
            full_wh = images[number - 1].photo.size_wh
            box = Box(box.label, to_full(box.box_1000, origin.xyxy_px, full_wh))
        pinned = Pinned(box, number, pinned.certain)
        been.add(number)
        found.append(pinned)
    return found


def _number_of(photo_id: str, below: int, images: Sequence[Attachment]) -> int | None:
    """Return the number of the image with this photo: the last one before `below`, else the first one after."""
    numbers = [number for number, image in enumerate(images, 1) if image.photo.id == photo_id]
    before = [number for number in numbers if number < below]
    return before[-1] if before else next((number for number in numbers if number > below), None)


def _default_image(conversation: Conversation) -> tuple[int, bool]:
    """Return the image that a box means when the answer names none, and whether that is certain."""
    count = len(conversation.images)
    asked = set(images_named(conversation.turns[-1].text, count))
    if count == 1 or len(asked) == 1:
        return (asked or {1}).pop(), True
    before = 0
    first, sent = 1, 0
    for turn in conversation.turns:
        if turn.images:
            first, sent = before + 1, len(turn.images)
        before += len(turn.images)
    return first, sent == 1
