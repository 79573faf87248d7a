"""Shape conversations, answers and pictures as the HTTP interface tells them.

    photo_data(photo)             -> {"id": ..., "name": "a.png", "size_wh": [640, 480], "url": "api/photos/...", ...}
    View(info_of, host).conversation(...)  -> {"id": ..., "title": ..., "questions": [...], "running": None}
    AnswerEvents(...)             -> an answer's growth as events: new text, boxes, Markdown blocks

Names, questions and texts are people's and models' words: they leave here as JSON, and the page sets them as text.
The only markup is the HTML of `markup`, whose tags are ours. Nothing here waits, reads files or knows who asks.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from internvl_demo.answering.stream import Answer, AnswerBuilder, Growth
from internvl_demo.conversation.options import (
    MAX_SYSTEM_CHARS,
    NAMES,
    THINKING_TEMPERATURE,
    Options,
    differences,
    limits,
)
from internvl_demo.conversation.prompt import system_prompt
from internvl_demo.conversation.tiling import MAX_TILES, plan_tiles
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import DemoError
from internvl_demo.grounding.attribution import PinnedBox, full_boxes
from internvl_demo.grounding.overlay import colour_of, line_of
from internvl_demo.grounding.parser import Event, Phrase, Text
from internvl_demo.models.base import ModelInfo, Thinking, Timing
from internvl_demo.models.profiles import V1_5_PROFILE, Profile
from internvl_demo.photos.photo import Photo
from internvl_demo.photos.regions import Origin
from internvl_demo.store.records import Question, Record, Version
from internvl_demo.web.markup import AnswerRenderer, Block

Json = dict[str, Any]

CACHED_CHARS = 16 * 1024 * 1024
"""Characters of ended answers, text and HTML, that are held ready for the next look at their conversation."""


@lru_cache(maxsize=4096)
def grids_of(size_wh: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Return the tile grid (columns, rows) of a picture of that size at most 1, 2 ... 40 tiles."""
    return tuple(plan_tiles(size_wh, most).grid for most in range(1, MAX_TILES + 1))


def photo_data(photo: Photo, origin: Origin | None = None) -> Json:
    """Return a stored photo as the interface tells it; `url` is relative to the page."""
    return {
        "id": photo.id,
        "name": photo.name,
        "size_wh": list(photo.size_wh),
        "url": f"api/photos/{photo.id}",
        "grids": [list(grid) for grid in grids_of(photo.size_wh)],
        "origin": _origin(origin),
    }


def image_data(image: Attachment, number: int | None = None) -> Json:
    """Return an image of a question: its photo, its mode (1..40), and its number in the conversation."""
    numbered = {} if number is None else {"number": number}
    return {**photo_data(image.photo, image.origin), **numbered, "mode": image.max_tiles}


def problem_data(error: DemoError) -> Json:
    """Return an error as {"what", "next_step"}, and "details" where there are any."""
    return {**error.as_dict()}


def receipt_data(
    given: Answer, images: Sequence[tuple[int, Attachment]], info: ModelInfo, options: Json
) -> Json:
    """Return what an answer cost and what is to be said of it.

    images: those of its question, numbered, as the model read them. options: those that were not as the host set them.
    """
    usage = given.usage
    speed = given.timing.tokens_per_s(usage.completion_tokens) if usage else None
    return {
        "ttft_s": given.timing.ttft_s,
        "total_s": given.timing.total_s,
        "thought_s": given.timing.thought_s,
        "tokens_per_s": speed,
        "usage": vars(usage) if usage else None,
        "dropped_boxes": given.dropped_boxes,
        "guess": any(not pinned.certain for pinned in given.pinned),
        "length": bool(usage and usage.finish_reason == "length"),
        "broken_off": given.broken_off,
        "images": [_cost(image, number, info) for number, image in images],
        "options": options,
    }


def options_data(host: Options, fixed: Collection[str], profile: Profile = V1_5_PROFILE) -> Json:
    """Return of each option what it is where nobody chose, its limits, and whether the host has fixed it.

    profile: the model's; of one that cannot think there is no such option.
    """
    usual = {**vars(host), "system": system_prompt(host.system, profile.template)}
    bounds: Json = {name: {"least": least, "most": most} for name, (least, most) in limits(host).items()}
    bounds["system"] = {"most_chars": MAX_SYSTEM_CHARS}
    bounds["thinking"] = {"temperature": host.temperature if "temperature" in fixed else THINKING_TEMPERATURE}
    names = [name for name in NAMES if name != "thinking" or profile.thinking]
    return {name: {"default": usual[name], **bounds[name], "fixed": name in fixed} for name in names}


def numbered_images(conversation: Conversation, index: int) -> list[tuple[int, Attachment]]:
    """Return the images of turn `index` with their numbers, which run over the whole conversation."""
    before = sum(len(turn.images) for turn in conversation.turns[:index])
    return list(enumerate(conversation.turns[index].images, before + 1))


class Prose:
    """Text that grows, and its Markdown blocks. boxes_of: the boxes of phrase k, as indices."""

    def __init__(self, boxes_of: Callable[[int], Sequence[int]] = lambda _: ()):
        self._renderer = AnswerRenderer(boxes_of)
        self._text: list[str] = []
        self.all_blocks: list[Block] = []
        """The blocks that stand, in order."""

    def feed(self, events: Sequence[Event]) -> str:
        """Take new events; return their visible text."""
        self._renderer.feed(events)
        text = "".join(event.text for event in events if isinstance(event, (Text, Phrase)))
        self._text.append(text)
        return text

    def blocks(self, *, final: bool = False) -> list[Block]:
        """Return the Markdown blocks that are new or changed since the last call."""
        fresh = self._renderer.blocks(final)
        for block in fresh:
            del self.all_blocks[block.index :]
            self.all_blocks.append(block)
        return fresh

    def data(self) -> Json:
        """Return text and blocks so far; `length`: how much of the text the blocks cover."""
        blocks = self.all_blocks
        return {
            "text": "".join(self._text),
            "blocks": [block.html for block in blocks],
            "length": blocks[-1].length if blocks else 0,
        }


class AnswerEvents:
    """Turns the parts of one answer into what is told of them, boxes numbered in the order of their coming.

    conversation: with the answer's question as its last turn. In `thinking` nothing is a phrase or a box.
    """

    def __init__(self, conversation: Conversation):
        self._conversation = conversation
        self._places: list[list[int]] = []
        self.answer, self.thinking = Prose(self._places.__getitem__), Prose()
        self.boxes: list[Json] = []
        self._phrase = ""  # the last; a box with another label belongs to words that are no phrase

    def add(self, parts: Iterable[Growth]) -> tuple[str, list[Json], str]:
        """Take new parts; return the new visible text, the new boxes, and the new thinking."""
        first = len(self.boxes)
        events: list[Event] = []
        thoughts: list[Event] = []
        for part in parts:
            if isinstance(part, Thinking):
                thoughts.append(Text(part.text))
            elif isinstance(part, PinnedBox):
                named = part.box.label == self._phrase
                events.append(part.box if named else replace(part.box, label=""))
                self._places.append(self._add_box(part))
            else:
                events.append(part)
                if isinstance(part, Phrase):
                    self._phrase = " ".join(part.text.split())
        return self.answer.feed(events), self.boxes[first:], self.thinking.feed(thoughts)

    def _add_box(self, pinned: PinnedBox) -> list[int]:
        """Add a box, and its repeats on the pictures that its image was made from; return their indices."""
        first = len(self.boxes)
        repeats = full_boxes([pinned], self._conversation)[1:]
        self.boxes.append(self._box(pinned))
        self.boxes += [{**self._box(again), "repeats": first} for again in repeats]
        return list(range(first, len(self.boxes)))

    def _box(self, pinned: PinnedBox) -> Json:
        return {
            "label": pinned.box.label,
            "image": pinned.image,
            "photo": self._conversation.images[pinned.image - 1].photo.id,
            "box_1000": list(pinned.box.box_1000),
            "certain": pinned.certain,
            "colour": colour_of(pinned.box.label),
            "line": line_of(pinned.box.label),
        }


class View:
    """Stored conversations as JSON; safe to be used by several threads.

    info_of: returns the model of a name. host: how answers are generated where nobody chose otherwise.
    """

    def __init__(self, info_of: Callable[[str], ModelInfo], host: Options):
        self._info_of, self._host = info_of, host
        self._ended: OrderedDict[str, tuple[int, Json]] = OrderedDict()
        self._chars = 0
        self._lock = threading.Lock()

    def conversation(self, record: Record, conversation: Conversation) -> Json:
        """Return a conversation as it is stored; of a running answer nothing but that it runs."""
        questions = [
            self._question(question, conversation, index) for index, question in enumerate(record.questions)
        ]
        running = record.running
        return {
            "id": record.id,
            "title": record.title,
            "questions": questions,
            "running": running.id if running else None,
        }

    def _question(self, question: Question, conversation: Conversation, index: int) -> Json:
        images = numbered_images(conversation, index)
        return {
            "id": question.id,
            "text": question.text,
            "images": [image_data(image, number) for number, image in images],
            "answers": [self._answer(version, conversation, index) for version in question.versions],
            "chosen": question.chosen,
            "siblings": list(question.siblings),
        }

    def _answer(self, version: Version, conversation: Conversation, index: int) -> Json:
        head = {"id": version.id, "state": version.state, "model": version.model, "place": 0}
        failure = {"failure": problem_data(DemoError(*version.failure)) if version.failure else None}
        if version.state == "running" or not version.answers:
            nothing = {"text": "", "blocks": [], "length": 0, "boxes": [], "thinking": None, "receipt": None}
            return {**head, **nothing, **failure}
        return {**head, **self._body(version, conversation, index), **failure}

    def _body(self, version: Version, conversation: Conversation, index: int) -> Json:
        """Return text, blocks, boxes and receipt of an ended answer, which never change again."""
        if found := self._ended.get(version.id):
            return found[1]
        body = self._read(version, conversation, index)
        said = [body, body["thinking"]] if body["thinking"] else [body]
        chars = sum(len(one["text"]) + sum(map(len, one["blocks"])) for one in said)
        chars += 200 * len(body["boxes"]) + 500
        with self._lock:
            self._chars += chars - self._ended.pop(version.id, (0, body))[0]
            self._ended[version.id] = (chars, body)
            while self._chars > CACHED_CHARS:
                _, (fewer, _) = self._ended.popitem(last=False)
                self._chars -= fewer
        return body

    def _read(self, version: Version, conversation: Conversation, index: int) -> Json:
        asked = Conversation(conversation.turns[: index + 1], conversation.id)
        builder = AnswerBuilder(asked)
        events = AnswerEvents(asked)
        events.add((Thinking(version.thinking), *builder.add(version.raw), *builder.finish()))
        for prose in (events.thinking, events.answer):
            prose.blocks(final=True)
        given = replace(
            builder.answer(),
            timing=Timing(version.ttft_s, version.total_s, version.thought_s),
            usage=version.usage,
            broken_off=version.state == "broken",
        )
        chosen = differences(version.options, self._host) if version.options else {}
        info = self._info_of(version.model)
        images = numbered_images(asked.as_read(info.tiles_follow), index)
        return {**grown(events, version.thought_s), "receipt": receipt_data(given, images, info, chosen)}


def grown(events: AnswerEvents, thought_s: float | None) -> Json:
    """Return an answer's text, blocks and boxes so far, and its thinking, if there is any, with its seconds."""
    thinking = events.thinking.data()
    return {
        **events.answer.data(),
        "boxes": list(events.boxes),
        "thinking": {**thinking, "seconds": thought_s} if thinking["text"] else None,
    }


def _cost(image: Attachment, number: int, info: ModelInfo) -> Json:
    if info.tiles_follow == "engine":
        return {"number": number, "tiles": None, "grid": None, "visual_tokens": None}
    plan = plan_tiles(image.photo.size_wh, image.max_tiles)
    tokens = plan.visual_tokens(info.tokens_per_tile)
    return {"number": number, "tiles": plan.tiles, "grid": list(plan.grid), "visual_tokens": tokens}


def _origin(origin: Origin | None) -> Json | None:
    if origin is None:
        return None
    box = list(origin.xyxy_px) if origin.xyxy_px else None
    return {"photo": origin.photo_id, "xyxy_px": box, "kind": origin.kind}
