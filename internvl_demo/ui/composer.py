"""What waits to be sent: the pictures of the tray, and the context bar. Values of the page in, values of the page out.

The store has a picture from the moment it was added, and the tray's value names each, so that a restart of the app
loses none. Whatever the browser says of a draft is checked.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from internvl_demo.budget import Budget, Fix, budget, estimate
from internvl_demo.chat import Conversation, Origin
from internvl_demo.errors import DemoError, Sentence
from internvl_demo.photo import Photo, open_photo
from internvl_demo.regions import derived
from internvl_demo.remote import fetch_photo
from internvl_demo.store import Store
from internvl_demo.store.faults import GoneError
from internvl_demo.tiling import MAX_TILES
from internvl_demo.ui.context_bar import context_bar
from internvl_demo.ui.draft import Chip, Draft, acted, added, attachments
from internvl_demo.ui.handlers import Desk, aside
from internvl_demo.ui.strings import Words
from internvl_demo.ui.tray import tray

TABS = 256
"""Tabs whose drafts are held: their photos are decoded, some 36 MB for one of 12 megapixels."""


class Shown(NamedTuple):
    """What the page shows of the composer: the tray's and the bar's values."""

    tray: dict[str, Any]
    bar: dict[str, Any]


@dataclass(frozen=True)
class Waiting:
    """What would be sent now, and to which conversation.

    most: tiles for pictures without a mode of their own. answer_tokens: room kept for the answer.
    """

    text: str
    draft: Draft
    most: int
    answer_tokens: int
    conversation: Conversation
    problem: DemoError | None = None
    """What was wrong with a picture that could not be added, until the person has been told on sending."""

    def budget(self, desk: Desk) -> Budget:
        """What it takes of the model's context."""
        return budget(
            self.conversation,
            self.text,
            attachments(self.draft, self.most),
            tokens_per_tile=desk.info.tokens_per_tile,
            context_length=desk.info.context_length,
            answer_tokens=self.answer_tokens,
            count_text=desk.count_text or estimate,
        )


def draft_of(value: object, store: Store) -> Draft:
    """The pictures that a browser says are in its tray. What is no longer kept, or never was, is left out."""
    chips = value.get("chips") if isinstance(value, dict) else None
    draft: list[Chip] = []
    for told in chips if isinstance(chips, list) else []:
        if not isinstance(told, dict):
            continue
        most = told.get("max_tiles")
        try:
            photo = store.photo(str(told.get("id")), str(told.get("name") or ""))
        except GoneError:
            continue
        own = most if type(most) is int and 1 <= most <= MAX_TILES else None
        draft.append(Chip(photo, own, _origin(told.get("origin"))))
    return tuple(draft)


def _problem_of(value: object) -> DemoError | None:
    """What `Composer.fetched` says went wrong, by way of the browser."""
    match value:
        case {"problem": [what, next_step]}:
            return DemoError(Sentence.of_data(what), Sentence.of_data(next_step))
    return None


class Drafts:
    """What each tab has waiting. Held here, so that changes that cross on their way do not undo each other; what the
    browser says of it counts when the app has been started again meanwhile."""

    def __init__(self, store: Store):
        self._store = store
        self._kept: OrderedDict[str, tuple[Draft, DemoError | None]] = OrderedDict()

    def of(self, tab: str, value: object) -> tuple[Draft, DemoError | None]:
        """The tab's draft, and what was wrong with a picture; `value` is what its tray shows."""
        if tab not in self._kept:
            self.put(tab, draft_of(value, self._store))
        return self._kept[tab]

    def put(self, tab: str, draft: Draft, problem: DemoError | None = None) -> None:
        """Another draft for the tab."""
        self._kept[tab] = (draft, problem)
        self._kept.move_to_end(tab)
        while len(self._kept) > TABS:
            self._kept.popitem(last=False)


class Composer:
    """The composer's handlers. `tab` is the tab whose draft is changed."""

    def __init__(self, desk: Desk, url_of: Callable[[Photo], str]):
        self.desk, self.url_of, self.drafts = desk, url_of, Drafts(desk.store)

    def shown(self, waiting: Waiting, words: Words) -> Shown:
        """How it looks."""
        images = waiting.conversation.images
        value = tray(
            waiting.draft,
            waiting.most,
            self.desk.info,
            self.url_of,
            words,
            before=images,
            problem=waiting.problem,
        )
        empty = not (waiting.draft or images or waiting.text)
        return Shown(value, {} if empty else context_bar(waiting.budget(self.desk), words))

    def _put(
        self, tab: str, waiting: Waiting, draft: Draft, words: Words, problem: DemoError | None = None
    ) -> Shown:
        self.drafts.put(tab, draft, problem)
        return self.shown(replace(waiting, draft=draft, problem=problem), words)

    def taken(self, waiting: Waiting, files: list[str], words: Words, tab: str) -> Shown:
        """With files that were chosen, pasted or dropped."""
        problem, draft = None, waiting.draft
        for path in files:
            try:
                photo = open_photo(path)
                self.desk.store.add_photo(photo)
                draft = added(draft, [photo])
            except DemoError as error:
                problem = error
        return self._put(tab, waiting, draft, words, problem)

    def acted(self, waiting: Waiting, deed: Mapping[str, Any], words: Words, tab: str) -> Shown:
        """After what a person did to a chip."""
        return self._put(tab, waiting, acted(waiting.draft, deed), words)

    async def fetched(self, url: str) -> dict[str, Any]:
        """The picture at an address, kept in the store: {"id", "name"}, or {"problem": ...}."""
        try:
            photo = await fetch_photo(url)
            await aside(self.desk.store.add_photo, photo)
        except DemoError as error:
            return {"problem": [error.what.data(), error.next_step.data()]}
        return {"id": photo.id, "name": photo.name}

    def with_fetched(self, waiting: Waiting, got: object, words: Words, tab: str) -> Shown:
        """With what `fetched` gave."""
        if problem := _problem_of(got):
            return self._put(tab, waiting, waiting.draft, words, problem)
        fresh = draft_of({"chips": [got]}, self.desk.store)
        return self._put(tab, waiting, (*waiting.draft, *fresh), words)

    def pointed(self, waiting: Waiting, region: object, words: Words, tab: str) -> Shown:
        """With a crop or a marked copy of an image of the conversation."""
        try:
            photo, origin = derived(region, waiting.conversation.images)
            self.desk.store.add_photo(photo)
        except DemoError as error:
            return self._put(tab, waiting, waiting.draft, words, error)
        return self._put(tab, waiting, (*waiting.draft, Chip(photo, None, origin)), words)

    def fix(self, waiting: Waiting, key: str) -> Fix | None:
        """The change of that key; None if it is no longer offered."""
        return next((fix for fix in waiting.budget(self.desk).fixes if fix.key == key), None)


def fixed(waiting: Waiting, fix: Fix) -> Waiting:
    """What would be sent after the change."""
    before = len(waiting.conversation.images)
    out = {change.number - 1 - before for change in fix.changes if change.tiles_after == 0}
    chips = [chip for place, chip in enumerate(waiting.draft) if place not in out]
    return replace(
        waiting,
        draft=tuple(
            chip if image.max_tiles == waiting.most else replace(chip, max_tiles=image.max_tiles)
            for chip, image in zip(chips, fix.draft, strict=True)
        ),
        answer_tokens=fix.answer_tokens,
        conversation=Conversation() if fix.new_conversation else waiting.conversation,
    )


def too_long(waiting: Waiting, desk: Desk, words: Words) -> dict[str, str] | None:
    """What to say of a question that does not fit; the bar offers what to do."""
    problem: dict[str, str] | None = context_bar(waiting.budget(desk), words)["problem"]
    return problem


def _origin(told: object) -> Origin | None:
    """What a browser says a picture was made from; it may only matter for what it shows."""
    if not (isinstance(told, list) and len(told) == 3 and isinstance(told[0], str)):
        return None
    photo_id, xyxy_px, kind = told
    if kind == "mark":
        return Origin(photo_id, None, "mark")
    whole = isinstance(xyxy_px, list) and len(xyxy_px) == 4 and all(type(side) is int for side in xyxy_px)
    if kind == "crop" and whole and 0 <= xyxy_px[0] < xyxy_px[2] and 0 <= xyxy_px[1] < xyxy_px[3]:
        return Origin(photo_id, (xyxy_px[0], xyxy_px[1], xyxy_px[2], xyxy_px[3]), "crop")
    return None
