"""Decide which image each box means: an answer's events and its conversation -> boxes pinned to images.

The model writes coordinates without saying of which picture; with several pictures something has to
decide, and a person must see where it is a guess. The first rule that applies wins:

    1. the image that the box's own clause names behind it: `<box>...</box> in the second image.`
    2. the last image named before the box, in the answer or the box's own phrase
    3. the conversation's only image
    4. the image named in the question
    5. the only image of the last turn that sent any

What names an image, and how pictures are counted, is `naming`'s. Who names several images at once (`both
images`) has not named one. Then, and without any name, a box lies on the first image that may be meant: a guess,
`certain=False`, which never contradicts what question and answer name.

Pins that a stream has produced never change. A box whose image is not named right before it is therefore held
until its sentence ends, another phrase or box comes, or `HELD_CHARS` have come; the text itself flows on. The
other way, to pin at once and to correct the pin later, would show a wrong pin for a moment, and every reader would
have to learn that boxes move. In a conversation with one image nothing is held. This module neither parses tags
nor draws.

It also maps a box on a crop or a marked copy to the photo that the copy was made from (`full_boxes`).

    "In Image-2: <ref>cat</ref><box>[[10, 20, 300, 400]]</box>", to a conversation with two images
    -> Text, Phrase, PinnedBox(box=Box(label='cat', box_1000=(10, 20, 300, 400)), image=2, certain=True)
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.grounding.naming import Mention, mentions
from internvl_demo.grounding.naming.sent import Images, Sent
from internvl_demo.grounding.parser import Box, Event, Phrase, Text
from internvl_demo.photos.regions import to_full


@dataclass(frozen=True)
class PinnedBox:
    """A box on image number `image`, counted from 1 over the whole conversation; `certain` is false for a guess."""

    box: Box
    image: int
    certain: bool


Part = Text | Phrase | PinnedBox
"""What an answer grows by: text, a phrase, or a box on the image that it means."""

HELD_CHARS = 80
"""How much text a box waits for, to learn which image it means: a dozen words."""

_END = re.compile(r"[。！？；\n:：]|[.!?;]\s")
"""Ends the sentence behind a box. What a colon follows is said of what comes next."""

_BREAK = re.compile(
    r"[,，、。！？；;!?\n(（\[【]|\.\s|\b(?:and|but|or|while|whereas)\b|而|但|并|和", re.IGNORECASE
)
"""Begins another part of a sentence, which may be about something else."""

_OPENING = ("(", "（", "[", "【")
_LEADS = re.compile(
    r"(?:\b(?:in|on|from|of|at|inside|within)[\s*]{1,4}(?:(?:the|my|your|our)[\s*]{1,4})?|[在于自从见是])\Z",
    re.IGNORECASE,
)
"""Stands between what is said of a box and its image."""

_COMPARES = re.compile(
    r"\b(?:than|unlike|like|as|versus|vs|compared|differ\w*|similar|same|match\w*|rather|instead|not|no|never|without"
    r"|missing|absent)\b|n['’]t\b|[比不没非无]|[相不]同|一样",
    re.IGNORECASE,
)
"""Says that the image named next is another one than the box's."""

_HEADS = re.compile(r"[\s*_]{0,8}[:：]")

_SAYS_WHERE = re.compile(
    r"(?:\s|\b(?:it|they|both|all|also|which|that|is|are|was|were|be|been|can|located|found|seen|shown|visible"
    r"|situated|present|appears?|sits?|stands?|lies|lie)\b|[也都就它们正出现位]){0,40}",
    re.IGNORECASE,
)
_NO_WORD = re.compile(r"(?:[^\w]|[_里中内上面])*")


class Attribution:
    """Decide, while one answer comes in, which image of the conversation each box means.

    conversation: its last turn is the question that is being answered.
    """

    def __init__(self, conversation: Conversation):
        self._sent = _sent(conversation)
        self._images = _meant(conversation, self._sent)
        self._default = self._images[:1]
        self._named = False  # whether an image was named, so that "in the second" may name another
        self._texts: list[str] = []  # since the last box
        self._near = False  # whether the last box was named right before it
        self._held: list[Box] = []
        self._behind = ""

    def add(self, event: Event) -> list[Part]:
        """Take the next event of the answer; return what it completes, boxes on their images."""
        if isinstance(event, Box):
            return self._take(event) if self._images else []
        if self._images:
            self._texts.append(event.text)
        if isinstance(event, Phrase):
            return [*self._release(), event]
        return self._read(event) if self._held else [event]

    def finish(self) -> list[Part]:
        """End the answer; return the boxes that were held."""
        return self._release(ended=True)

    def _take(self, box: Box) -> list[Part]:
        if self._held and not self._behind:
            self._held.append(box)
            return []
        parts = self._release()
        before, self._texts = "".join(self._texts), []
        found = self._mentions(before)
        if found:
            self._images = self._meaning(found[-1])
        if before:
            self._near = bool(found) and not _BREAK.search(before, found[-1].end)
        if self._near or self._sent.count == 1:
            return [*parts, _pinned(box, self._images)]
        self._held, self._behind = [box], ""
        return parts

    def _read(self, event: Text) -> list[Part]:
        """Take text behind a box; let the box go where its sentence ends, or after `HELD_CHARS`."""
        had = len(self._behind)
        behind = self._behind + event.text[:HELD_CHARS]
        match = _END.search(behind, 0, HELD_CHARS)
        if not match and len(behind) < HELD_CHARS:
            self._behind = behind
            return [event]
        end = match.end() if match else HELD_CHARS
        self._behind = behind[:end]
        released = self._release(ended=bool(match and match.group() not in (":", "：")))
        rest = event.text[end - had :]
        return [Text(event.text[: end - had]), *released, *([Text(rest)] if rest else [])]

    def _release(self, *, ended: bool = False) -> list[Part]:
        """Return the boxes that are held; ended: whether the text behind them is a whole sentence."""
        if not self._held:
            return []
        own = self._own_name(ended)
        images = own.images if own else self._images
        held, self._held = self._held, []
        return [_pinned(box, images) for box in held]

    def _own_name(self, ended: bool) -> Mention | None:
        """Return the first mention of a single image that the text behind a box makes of this box."""
        for mention in self._mentions(self._behind):
            lead, rest = self._behind[: mention.start], self._behind[mention.end :]
            if mention.end == HELD_CHARS or _HEADS.match(rest) or len(set(mention.images)) > 1:
                continue  # it may not have ended; it begins something new; it decides nothing
            if _is_said_of_box(lead, alone=ended and bool(_NO_WORD.fullmatch(rest))):
                return mention
        return None

    def _mentions(self, text: str) -> list[Mention]:
        found = mentions(text, self._sent, named_before=self._named)
        self._named = self._named or bool(found)
        return found

    def _meaning(self, mention: Mention) -> Images:
        """Return the images that a mention means; of several, the one that was meant anyway is the best guess."""
        return (*self._default, *mention.images) if self._default[0] in mention.images else mention.images


def full_boxes(pinned: Sequence[PinnedBox], conversation: Conversation) -> list[PinnedBox]:
    """Return the boxes, followed by a copy of each box on a crop or marked copy, mapped to the original photo.

    The original is found by its id: the last one sent before the crop, else the first one after it; without
    one in the conversation nothing is added. A crop of a crop is mapped to both. To learn which box a repeat
    belongs to, pass a single box: `full_boxes([one], conversation)[1:]` are that box's repeats.
    """
    return [*pinned, *(repeat for one in pinned for repeat in _repeats_of(one, conversation.images))]


def _repeats_of(pinned: PinnedBox, images: Sequence[Attachment]) -> list[PinnedBox]:
    """Return the box mapped to the picture that its image was made from, to that picture's own origin, and so on."""
    found: list[PinnedBox] = []
    been = {pinned.image}
    while (origin := images[pinned.image - 1].origin) is not None:
        number = _number_of(origin.photo_id, pinned.image, images)
        if number is None or number in been:
            break
        box = pinned.box
        if origin.xyxy_px is not None:
            full_wh = images[number - 1].photo.size_wh
            box = Box(box.label, to_full(box.box_1000, origin.xyxy_px, full_wh))
        pinned = PinnedBox(box, number, pinned.certain)
        been.add(number)
        found.append(pinned)
    return found


def _number_of(photo_id: str, below: int, images: Sequence[Attachment]) -> int | None:
    """Return the number of the image with this photo: the last one before `below`, else the first one after."""
    numbers = [number for number, image in enumerate(images, 1) if image.photo.id == photo_id]
    before = [number for number in numbers if number < below]
    return before[-1] if before else next((number for number in numbers if number > below), None)


def _pinned(box: Box, images: Images) -> PinnedBox:
    return PinnedBox(box, images[0], len(set(images)) == 1)


def _is_said_of_box(lead: str, *, alone: bool) -> bool:
    """Return whether a name behind a box tells the box's image.

    lead: the text between box and name. alone: whether the sentence ends with the name.
    """
    if _NO_WORD.fullmatch(lead):
        return alone or lead.rstrip().endswith(_OPENING)
    match = _LEADS.search(lead)
    if not match or _COMPARES.search(lead, 0, match.start()):
        return False
    breaks = list(_BREAK.finditer(lead, 0, match.start()))
    if not breaks:
        return True
    bracketed = breaks[-1].group() in _OPENING
    return (alone or bracketed) and bool(_SAYS_WHERE.fullmatch(lead, breaks[-1].end(), match.start()))


def _sent(conversation: Conversation) -> Sent:
    """Return how many images were sent when, up to the question in the last turn."""
    *earlier, own = [len(turn.images) for turn in conversation.turns] or [0]
    sending = [images for images in earlier if images]
    return Sent(len(conversation.images), own, sending[-1] if len(sending) > 1 else 0)


def _meant(conversation: Conversation, sent: Sent) -> Images:
    """Return the images that a box may mean when the answer names none; the first is the best guess."""
    if not sent.count:
        return ()
    named = [image for mention in mentions(conversation.turns[-1].text, sent) for image in mention.images]
    if named:
        return tuple(named)
    before = 0
    last: Images = ()
    for turn in conversation.turns:
        if turn.images:
            last = tuple(range(before + 1, before + len(turn.images) + 1))
        before += len(turn.images)
    return (1,) if sent.count == 1 else last
