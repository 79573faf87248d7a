"""Whatever people do, the store and `turns`' values say the same."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.store import rows
from internvl_demo.store.faults import BusyError
from tests.support.stores import BLUE, DAY, HOUR, RED, Clock, asked, files, kept, open_at


def edited(conversation: Conversation, index: int, text: str) -> Conversation:
    """Turn `index` in other words, unanswered; its images stay, what followed it is gone."""
    turn = replace(conversation.turns[index], text=text, answer=None)
    return replace(conversation, turns=(*conversation.turns[:index], turn))


def without_last(conversation: Conversation) -> Conversation:
    return replace(conversation, turns=conversation.turns[:-1])


TEXTS = st.text(max_size=8)
OWNERS = st.sampled_from(["me", "you"])
PICK = st.integers(0, 99)
IMAGES = st.lists(
    st.builds(Attachment, st.sampled_from([RED, BLUE, replace(RED, name="x")]), st.integers(1, 40)),
    max_size=2,
).map(tuple)


class Model:
    """A conversation as the test believes it to be."""

    def __init__(self, owner: str, conversation: Conversation):
        self.owner, self.conversation = owner, conversation
        self.versions: list[dict[str, str]] = []
        """Of each turn: version id -> raw text, those with something in them."""
        self.running: str | None = None
        self.title = ""
        self.touched = 0.0


class AnyDeeds(RuleBasedStateMachine):
    """The store beside `turns`' values and dictionaries."""

    @initialize()
    def begin_with_a_conversation(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock, self.count = Clock(), 0
        self.models: dict[str, Model] = {}
        self.store = open_at(Path(self.folder.name), self.clock)
        self.ask_first("me", "Who?", (Attachment(RED, 1),))
        for raw in ("A cat.", "Two cats."):
            self.ask_and_be_answered(0, "And here?", raw, (Attachment(BLUE, 12),))

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    def one(self, pick: int) -> tuple[str, Model]:
        return list(self.models.items())[pick % len(self.models)]  # in order: ids are random

    def changeable(self, pick: int, deed: Callable[[str, Model], object]) -> tuple[str, Model] | None:
        """One that can be changed; one that cannot has refused the deed."""
        conversation_id, model = self.one(pick)
        if model.running:
            with pytest.raises(BusyError):
                deed(conversation_id, model)
            return None
        deed(conversation_id, model)
        model.touched = self.clock.now
        return conversation_id, model

    @rule(owner=OWNERS, text=TEXTS, images=IMAGES)
    def ask_first(self, owner: str, text: str, images: tuple[Attachment, ...]) -> None:
        images = kept(self.store, owner, images)
        conversation_id = asked(self.store, owner, None, text, images)
        assert conversation_id not in self.models
        model = Model(owner, Conversation(id=conversation_id).ask(text, images))
        model.versions, model.touched = [{}], self.clock.now
        self.models[conversation_id] = model

    @precondition(lambda self: self.models)
    @rule(pick=PICK, text=TEXTS, images=IMAGES)
    def ask(self, pick: int, text: str, images: tuple[Attachment, ...]) -> None:
        images = kept(self.store, self.one(pick)[1].owner, images)
        if done := self.changeable(
            pick, lambda id_, model: asked(self.store, model.owner, id_, text, images)
        ):
            model = done[1]
            model.conversation = model.conversation.ask(text, images)
            model.versions = [*model.versions[: len(model.conversation.turns) - 1], {}]

    @precondition(lambda self: self.models)
    @rule(pick=PICK, text=TEXTS, raw=TEXTS, images=IMAGES)
    def ask_and_be_answered(self, pick: int, text: str, raw: str, images: tuple[Attachment, ...]) -> None:
        _, model = self.one(pick)
        if model.running:
            return
        self.ask(pick, text, images)
        self.begin(pick)
        self.store.finish(model.running, "complete", raw)
        self.ended(model, raw, whole=True)

    @precondition(lambda self: self.models)
    @rule(pick=PICK, turn=PICK, text=TEXTS)
    def edit(self, pick: int, turn: int, text: str) -> None:
        conversation_id, model = self.one(pick)
        if not model.conversation.turns:
            return
        index = turn % len(model.conversation.turns)
        question = self.store.record(model.owner, conversation_id).questions[index].id
        self.count += 1
        version = f"v{self.count}"

        def edit(id_: str, model: Model) -> None:
            self.store.edit(model.owner, id_, question, text, version_id=version, model="model")

        if self.changeable(pick, edit):
            model.running = version
            model.conversation = edited(model.conversation, index, text)
            model.versions = [*model.versions[:index], {}]

    @precondition(lambda self: self.models)
    @rule(pick=PICK)
    def undo(self, pick: int) -> None:
        if done := self.changeable(pick, lambda id_, model: self.store.undo(model.owner, id_)):
            conversation_id, model = done
            model.conversation, model.versions = without_last(model.conversation), model.versions[:-1]
            if not model.conversation.turns:
                del self.models[conversation_id]

    @precondition(lambda self: self.models)
    @rule(pick=PICK)
    def begin(self, pick: int) -> None:
        _, model = self.one(pick)
        if not model.conversation.turns:
            return
        self.count += 1
        version = f"v{self.count}"
        if self.changeable(pick, lambda id_, model: self.store.begin(model.owner, id_, version, "model")):
            model.running = version

    @precondition(lambda self: self.models)
    @rule(pick=PICK, raw=TEXTS)
    def write_then_restart(self, pick: int, raw: str) -> None:
        _, model = self.one(pick)
        if model.running:
            self.store.write_many([(model.running, raw, None, 1.0)])
        self.store.close()
        self.store = open_at(Path(self.folder.name), self.clock)
        for each in self.models.values():
            if each.running:
                each.touched = self.clock.now
                self.ended(each, raw if each is model else "")

    @precondition(lambda self: any(model.running for model in self.models.values()))
    @rule(pick=PICK, raw=TEXTS, state=st.sampled_from(["complete", "stopped", "broken"]))
    def finish(self, pick: int, raw: str, state: str) -> None:
        running = [model for model in self.models.values() if model.running]
        model = running[pick % len(running)]
        self.store.finish(model.running, state, raw)
        model.touched = self.clock.now
        self.ended(model, raw, whole=state == "complete")

    def ended(self, model: Model, raw: str, *, whole: bool = False) -> None:
        if raw or whole:
            model.versions[-1][model.running] = raw
            model.conversation = model.conversation.answered(raw)
        model.running = None

    @precondition(lambda self: self.models)
    @rule(pick=PICK, version=PICK)
    def choose(self, pick: int, version: int) -> None:
        _, model = self.one(pick)
        if not (model.versions and model.versions[-1]):
            return
        version_id, raw = list(model.versions[-1].items())[version % len(model.versions[-1])]
        if self.changeable(pick, lambda id_, model: self.store.choose(model.owner, id_, version_id)):
            model.conversation = model.conversation.answered(raw)

    @precondition(lambda self: self.models)
    @rule(pick=PICK, title=st.sampled_from(["", "Cats", "Dogs"]))
    def rename(self, pick: int, title: str) -> None:
        conversation_id, model = self.one(pick)
        self.store.rename(model.owner, conversation_id, title)
        model.title, model.touched = title, self.clock.now

    @precondition(lambda self: self.models)
    @rule(pick=PICK)
    def delete(self, pick: int) -> None:
        conversation_id, model = self.one(pick)
        self.store.delete(model.owner, conversation_id)
        del self.models[conversation_id]

    @rule(hours=st.sampled_from([0.5, 2, 24 * 20]))
    def time_passes(self, hours: float) -> None:
        self.clock.now += hours * HOUR
        self.store.sweep()
        for conversation_id, model in list(self.models.items()):
            if not model.running and model.touched < self.clock.now - 30 * DAY:
                del self.models[conversation_id]

    @precondition(lambda self: hasattr(self, "store"))
    @invariant()
    def the_store_says_what_the_values_say(self) -> None:
        for owner in ("me", "you"):
            listed = {entry.id for entry in self.store.entries(owner)}
            assert listed == {id_ for id_, model in self.models.items() if model.owner == owner}
        for conversation_id, model in self.models.items():
            with self.store._db.transaction() as db:  # as `record` reads, without touching
                record = rows.record(db, self.store._files, model.owner, conversation_id)
            assert self.store.conversation(record) == model.conversation
            assert (record.running.id if record.running else None) == model.running
            kept = [
                {v.id: v.raw for v in q.versions if v.answers and v.state != "running"}
                for q in record.questions
            ]
            assert kept == model.versions
            assert not model.title or record.title == model.title

    @precondition(lambda self: hasattr(self, "store"))
    @invariant()
    def every_photo_has_its_file_and_no_file_is_left(self) -> None:
        folder = Path(self.folder.name)
        named = [image.photo for model in self.models.values() for image in model.conversation.images]
        assert all(photo.image.size == photo.size_wh for photo in named)
        with self.store._db.transaction() as db:
            rows_of_files = {row["digest"] for row in db.execute("SELECT digest FROM photos")}
        assert {name.partition(".")[0] for name in files(folder)} == rows_of_files


def test_whatever_people_do_the_store_and_the_values_say_the_same() -> None:
    often = settings(max_examples=60, stateful_step_count=20)
    run_state_machine_as_test(AnyDeeds, settings=often)
