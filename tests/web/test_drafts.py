"""What waits in a tab: nothing that was sent comes back, nothing is lost silently, nobody waits for somebody else."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from internvl_demo.web.composer import Composer, edit_too_long
from internvl_demo.web.draft import Chip, added, attachments, joined
from internvl_demo.web.drafts import MAX_CHIPS, Drafts
from internvl_demo.web.handlers import Desk, Person, View
from internvl_demo.web.streams import Streams
from internvl_demo.web.strings import Words
from PIL import Image

from internvl_demo.answering.queue import AnswerQueue
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.models.base import ModelInfo, Piece
from internvl_demo.photos.decode import Photo, photo_of
from internvl_demo.store import Store
from tests.support.scripted_model import ScriptedModel
from tests.support.scripted_server import in_a_loop
from tests.support.stores import BLUE, HOUR, RED, Clock, open_at
from tests.support.uploads import png

ME, WORDS = Person("me", "tab"), Words()
EMPTY: dict[str, object] = {"chips": []}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    store = open_at(tmp_path, clock)
    yield store
    store.close()


class Recording(ScriptedModel):
    """Also remembers how it was asked."""

    async def stream(self, conversation: Conversation, options: Options) -> AsyncGenerator[Piece, None]:
        self.__dict__.setdefault("options", []).append(options)
        async with aclosing(super().stream(conversation, options)) as pieces:
            async for piece in pieces:
                yield piece


def desk_of(store: Store, model: ScriptedModel | None = None) -> Desk:
    info = ModelInfo("scripted", tokens_per_tile=64, context_length=8192)
    return Desk(model or ScriptedModel(), info, Options(), AnswerQueue(1, 1), store)


def composer_of(store: Store) -> Composer:
    return Composer(desk_of(store), lambda photo: photo.id)


def value_of(*photos: Photo) -> dict[str, object]:
    """As a browser says what is in its tray."""
    return {"chips": [{"id": photo.id, "name": photo.name, "max_tiles": None} for photo in photos]}


def file(folder: Path, name: str, colour: str = "teal") -> str:
    path = folder / name
    path.write_bytes(png(colour=colour))
    return str(path)


# What goes wrong.


def test_what_was_sent_while_a_picture_was_read_does_not_come_back(tmp_path: Path, store: Store) -> None:
    composer = composer_of(store)
    drafts = composer.drafts
    draft = drafts.change("tab", EMPTY, lambda draft: added(draft, [RED]))
    files = [file(tmp_path, "sent.png"), file(tmp_path, "later.png", "gold")]
    by, problem = composer.taken("tab", files, draft, drafts.sendings("tab"))
    drafts.send("tab", draft, files[:1])
    assert problem is None
    assert [chip.photo.name for chip in drafts.change("tab", EMPTY, by)] == ["later.png"]


def test_a_picture_that_was_sent_once_can_be_added_again(tmp_path: Path, store: Store) -> None:
    composer = composer_of(store)
    path = file(tmp_path, "again.png")
    composer.drafts.send("tab", (), [path])
    by, _ = composer.taken("tab", [path], (), composer.drafts.sendings("tab"))
    assert [chip.photo.name for chip in composer.drafts.change("tab", EMPTY, by)] == ["again.png"]


def test_what_is_added_while_a_question_goes_out_stays(store: Store) -> None:
    drafts = Drafts(store)
    sent = drafts.change("tab", EMPTY, lambda draft: added(draft, [RED]))
    drafts.change("tab", EMPTY, lambda draft: added(draft, [BLUE]))
    drafts.send("tab", sent, [])
    assert drafts.of("tab", EMPTY) == ((Chip(BLUE),), None)


def test_no_more_pictures_wait_than_may_and_that_is_said(tmp_path: Path, store: Store) -> None:
    composer = composer_of(store)
    many = [photo_of(Image.new("RGB", (9, 7), (n, 0, 0)), f"{n}.png") for n in range(MAX_CHIPS + 3)]
    draft = composer.drafts.change("tab", EMPTY, lambda draft: added(draft, many))
    assert [chip.photo.name for chip in draft] == [photo.name for photo in many[:MAX_CHIPS]]
    _, problem = composer.drafts.of("tab", EMPTY)
    assert problem and f"{MAX_CHIPS} pictures at most" in problem.what
    _, problem = composer.taken("tab", [file(tmp_path, "one.png"), file(tmp_path, "two.png")], draft[1:], 0)
    assert problem and f"{MAX_CHIPS} pictures at most" in problem.what


@pytest.mark.parametrize(("hours", "kept"), [(23, True), (25, False)])
def test_a_picture_that_waits_is_kept_for_a_day_and_its_loss_is_said(
    store: Store, clock: Clock, hours: int, kept: bool
) -> None:
    store.add_photo(RED)
    Drafts(store).of("tab", value_of(RED))
    clock.now += hours * HOUR
    store.sweep()
    draft, problem = Drafts(store).of("after a reload", value_of(RED))
    assert bool(draft) is kept
    assert (problem is None) is kept
    if problem:
        assert "red.png is no longer kept here" in problem.what and problem.next_step


def test_a_picture_that_was_sent_goes_with_its_conversation(store: Store, clock: Clock) -> None:
    drafts = Drafts(store)
    draft = drafts.change("tab", EMPTY, lambda draft: added(draft, [RED]))
    store.add_photo(RED)
    drafts.of("tab", EMPTY)
    conversation = store.ask("me", None, "What?", attachments(draft, 12))
    clock.now += 2 * HOUR
    store.delete("me", conversation)
    assert Drafts(store).of("new", value_of(RED))[0] == ()


def test_a_damaged_picture_is_told_and_the_others_wait_on(tmp_path: Path, store: Store) -> None:
    for photo in (RED, BLUE):
        store.add_photo(photo)
    store.close()
    for path in (tmp_path / "data" / "photos").iterdir():
        if photo_of(Image.open(path)).id == RED.id:
            path.write_bytes(b"nothing")
    again = open_at(tmp_path, Clock())
    try:
        draft, problem = Drafts(again).of("tab", value_of(RED, BLUE))
        assert draft == (Chip(BLUE),) and problem and "red.png" in problem.what
    finally:
        again.close()


def test_what_comes_back_stands_first_and_nothing_twice() -> None:
    assert joined((Chip(RED, 4),), (Chip(BLUE), Chip(RED))) == (Chip(RED, 4), Chip(BLUE))


@in_a_loop
async def test_one_tabs_picture_does_not_hold_up_anothers(store: Store) -> None:
    composer = composer_of(store)
    async with composer.in_turn("slow"):
        async with asyncio.timeout(1), composer.in_turn("other"):
            assert composer.in_turn("slow").locked()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), composer.in_turn("slow"):
                pass


# Another answer is asked for as the first was.


async def last_of(views: AsyncGenerator[View, None]) -> View:
    *_, last = [view async for view in views]
    return last


@in_a_loop
async def test_retry_edit_and_the_inspector_keep_to_the_shorter_answer(store: Store) -> None:
    model = Recording(["Hello."])
    desk = desk_of(store, model)
    view = await last_of(desk.ask("Which?", (), ME, "", WORDS, Options(max_new_tokens=300)))
    assert view.session.record
    shown, question = view.session.record.id, view.session.record.questions[0].id
    await last_of(desk.retry(ME, shown, WORDS))
    edited = await last_of(desk.edit(ME, shown, question, "Which one?", WORDS))
    assert [options.max_new_tokens for options in model.__dict__["options"]] == [300, 300, 300]
    seen = desk.prompt(edited.session, 1, lambda photo: photo.id, WORDS)
    assert seen and "300" in seen["scripts"][1]["text"]
    await desk.jobs.close()


@in_a_loop
async def test_an_edit_that_does_not_fit_is_told_before_anything_is_changed(store: Store) -> None:
    desk = desk_of(store)
    view = await last_of(desk.ask("Which?", (), ME, "", WORDS))
    assert view.session.record
    question = view.session.record.questions[0].id
    assert edit_too_long(view.session, question, "Which one?", desk, WORDS) is None
    problem = edit_too_long(view.session, question, "word " * 20_000, desk, WORDS)
    assert problem and "too many" in problem["what"] and "Nothing was changed" in problem["next_step"]
    assert edit_too_long(view.session, "another's", "word " * 20_000, desk, WORDS) is None
    await desk.jobs.close()


# One stream for each tab.


@in_a_loop
async def test_the_stream_that_was_begun_last_is_the_only_one() -> None:
    streams, closed = Streams(), list[str]()

    async def views(name: str) -> AsyncGenerator[str, None]:
        try:
            yield name
            await asyncio.Event().wait()
        finally:
            closed.append(name)

    async def shown(name: str, tab: str, seen: list[str]) -> None:
        async with aclosing(streams.showing(tab, views(name))) as updates:
            async for view in updates:
                seen.append(view)

    seen: list[str] = []
    tasks = [asyncio.create_task(shown(name, "tab", seen)) for name in ("a", "b", "c")]
    other = asyncio.create_task(shown("d", "another tab", seen))
    await asyncio.wait(tasks[:2], timeout=5)
    async with asyncio.timeout(5):
        while not {"c", "d"} <= set(seen):
            await asyncio.sleep(0)
    assert closed == ["a", "b"] and not tasks[2].done() and not other.done()
    await streams.end("tab")
    assert closed == ["a", "b", "c"] and streams.begun("tab") and not streams.begun("a third")
    await streams.end("another tab")
    await asyncio.wait([*tasks, other], timeout=5)
