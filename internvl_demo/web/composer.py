"""What waits to be sent: the pictures of the tray, and the context bar. Values of the page in, values of the page out.

The store has a picture from the moment it was added, and the tray's value names each, so that a restart of the app
loses none. What is slow (to read a file, to cut a region out) comes first; then `drafts` changes what is there by then.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from internvl_demo.conversation.budget import Budget, Fix, budget, estimate
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import DemoError, Sentence
from internvl_demo.photos.decode import Photo, open_photo
from internvl_demo.photos.download import fetch_photo
from internvl_demo.photos.regions import derived
from internvl_demo.web.context_bar import context_bar
from internvl_demo.web.draft import Chip, Draft, added, attachments
from internvl_demo.web.drafts import Drafts, draft_of, room_in, too_many
from internvl_demo.web.handlers import Desk, aside
from internvl_demo.web.session import Session
from internvl_demo.web.strings import Words
from internvl_demo.web.tray import tray

Change = tuple[Callable[[Draft], Draft], DemoError | None]
"""What is done to a draft, and what was wrong with it."""


class Shown(NamedTuple):
    """What the page shows of the composer: the tray's and the bar's values."""

    tray: dict[str, Any]
    bar: dict[str, Any]


NOTICEABLE = 0.05
"""Of the context: from here on text without any picture is shown in the bar."""


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


def _problem_of(value: object) -> DemoError | None:
    """What `Composer.fetched` says went wrong, by way of the browser."""
    match value:
        case {"problem": [what, next_step]}:
            return DemoError(Sentence.of_data(what), Sentence.of_data(next_step))
    return None


class Composer:
    """The composer's handlers. `tab` is the tab whose draft is changed."""

    def __init__(self, desk: Desk, url_of: Callable[[Photo], str]):
        self.desk, self.url_of, self.drafts = desk, url_of, Drafts(desk.store)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def in_turn(self, tab: str) -> asyncio.Lock:
        """One event of a tab after the other, so that what it shows last is what holds. Other tabs do not wait."""
        return self._turns.setdefault(tab, asyncio.Lock())

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
        return Shown(value, self.bar(waiting, words))

    def bar(self, waiting: Waiting, words: Words) -> dict[str, Any]:
        """The context bar alone; hidden while there is next to nothing: a few words are no reason to move the page."""
        found = waiting.budget(self.desk)
        pictures = waiting.draft or waiting.conversation.images
        little = found.total - waiting.answer_tokens < found.context_length * NOTICEABLE
        return {} if little and not pictures else context_bar(found, words)

    def taken(self, tab: str, files: list[str], draft: Draft, sendings: int) -> Change:
        """With files that were chosen, pasted or dropped, as many as there is room for; without those that were sent
        since there had been so many `sendings` from the tab."""
        room = room_in(draft)
        problem = too_many() if len(files) > room else None
        photos: dict[str, Photo] = {}
        for path in files[:room]:
            try:
                photos[path] = self._ready(open_photo(path))
            except DemoError as error:
                problem = error

        def with_photos(draft: Draft) -> Draft:
            gone = self.drafts.sent_since(tab, sendings)
            return added(draft, [photo for path, photo in photos.items() if path not in gone])

        return with_photos, problem

    def _ready(self, photo: Photo) -> Photo:
        """Kept, and to be shown without delay."""
        self.desk.store.add_photo(photo)
        self.url_of(photo)
        return photo

    async def fetched(self, url: str) -> dict[str, Any]:
        """The picture at an address, kept in the store: {"id", "name"}, or {"problem": ...}."""
        try:
            photo = await fetch_photo(url)
            await aside(self.desk.store.add_photo, photo)
        except DemoError as error:
            return {"problem": [error.what.data(), error.next_step.data()]}
        return {"id": photo.id, "name": photo.name}

    def with_fetched(self, got: object) -> Change:
        """With what `fetched` gave."""
        if problem := _problem_of(got):
            return (lambda draft: draft), problem
        fresh, problem = draft_of({"chips": [got]}, self.desk.store)
        return (lambda draft: (*draft, *fresh)), problem

    def pointed(self, region: object, conversation: Conversation) -> Change:
        """With a crop or a marked copy of an image of the conversation."""
        try:
            photo, origin = derived(region, [image.photo for image in conversation.images])
            chip = Chip(self._ready(photo), None, origin)
        except DemoError as error:
            return (lambda draft: draft), error
        return (lambda draft: (*draft, chip)), None

    def with_example(self, files: list[str], examples: Collection[str]) -> Change:
        """With an example's pictures in place of other examples', whose ids `examples` are."""
        photos = [self._ready(open_photo(file)) for file in files]

        def with_photos(draft: Draft) -> Draft:
            return added(tuple(chip for chip in draft if chip.photo.id not in examples), photos)

        return with_photos, None

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


def edit_too_long(
    session: Session, question_id: str, text: str, desk: Desk, words: Words
) -> dict[str, str] | None:
    """What to say of a question that does not fit in other words, with the images and the room that it has."""
    asked = session.record.questions if session.record else ()
    for place, (question, turn) in enumerate(zip(asked, session.conversation.turns, strict=True)):
        if question.id == question_id:
            chips = tuple(Chip(image.photo, image.max_tiles, image.origin) for image in turn.images)
            before = replace(session.conversation, turns=session.conversation.turns[:place])
            room = min((question.options or desk.options).max_new_tokens, desk.options.max_new_tokens)
            problem = too_long(Waiting(text.strip(), chips, 1, room, before), desk, words)
            return {**problem, "next_step": words("context_edit_shorter")} if problem else None
    return None
