"""Whatever people do, the store says what a tree of questions says: one path is shown, and no branch is lost."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
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

from internvl_demo.conversation.turns import Attachment, Conversation, Turn
from internvl_demo.store import rows
from internvl_demo.store.faults import BusyError, HiddenError
from internvl_demo.store.records import Coming, Record
from internvl_demo.store.rows import well_formed
from tests.support.stores import BLUE, DAY, HOUR, RED, Clock, asked, files, kept, open_at

TEXTS = st.text(max_size=8)
OWNERS = st.sampled_from(["me", "you"])
PICK = st.integers(0, 99)
IMAGES = st.lists(
    st.builds(Attachment, st.sampled_from([RED, BLUE, replace(RED, name="x")]), st.integers(1, 40)),
    max_size=2,
).map(tuple)


@dataclass(eq=False)
class Node:
    """A question as the test believes it to be, and the questions that follow it; of these one is shown."""

    text: str = ""
    images: tuple[Attachment, ...] = ()
    before: "Node | None" = None
    versions: dict[str, str] = field(default_factory=dict)
    """Version id -> raw text, those with something in them."""
    chosen: str | None = None
    followers: list["Node"] = field(default_factory=list)
    shown: "Node | None" = None
    id: str = ""
    """As the store calls it; learnt when it is read."""

    def follow(self, text: str, images: tuple[Attachment, ...]) -> "Node":
        """Another question behind this one, which is shown."""
        self.shown = Node(text, images, self)
        self.followers.append(self.shown)
        return self.shown

    def remove(self) -> None:
        """Away with a question that nothing follows; its neighbour is shown."""
        assert self.before and not self.followers
        siblings = self.before.followers
        at = siblings.index(self)
        siblings.remove(self)
        self.before.shown = siblings[max(at - 1, 0)] if siblings else None

    def all(self) -> list["Node"]:
        """Every question that follows, in any branch."""
        return [node for each in self.followers for node in (each, *each.all())]


class Model:
    """A conversation as the test believes it to be: `root` is no question, but what the first ones follow."""

    def __init__(self, owner: str, conversation_id: str):
        self.owner, self.id = owner, conversation_id
        self.root = Node()
        self.running: str | None = None
        self.title = ""
        self.touched = 0.0

    @property
    def path(self) -> list[Node]:
        nodes, at = list[Node](), self.root.shown
        while at:
            nodes.append(at)
            at = at.shown
        return nodes

    @property
    def conversation(self) -> Conversation:
        """What the model is told."""
        turns = [
            Turn(each.text, each.images, each.versions[each.chosen] if each.chosen else None)
            for each in self.path
        ]
        return Conversation(tuple(turns), self.id)

    def ask(self, text: str, images: tuple[Attachment, ...]) -> None:
        """A question behind the last one, or in the place of one that is unanswered."""
        last = self.path[-1] if self.path else self.root
        if last.before and last.chosen is None:
            last.remove()
            last = last.before
        last.follow(text, images)


class AnyDeeds(RuleBasedStateMachine):
    """The store beside trees and dictionaries."""

    @initialize()
    def begin_with_a_conversation(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock, self.count = Clock(), 0
        self.models: dict[str, Model] = {}
        self.store = open_at(Path(self.folder.name), self.clock)
        self.ask_first("me", "Who?", (Attachment(RED, 1),))
        for raw in ("A cat.", "Two cats."):
            self.ask_and_be_answered(0, "And here?", raw, (Attachment(BLUE, 12),))
        for text in ("And there?", "Or there?"):
            self.the_path_is_the_trees()
            self.edit(0, 1, text)
            self.finish(0, "Three cats.", "complete")

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

    def read(self, conversation_id: str, model: Model) -> Record:
        """As `record` reads, without touching; new questions are called as the store calls them."""
        with self.store._db.transaction() as db:
            record = rows.record(db, self.store._files, model.owner, conversation_id)
        for node, question in zip(model.path, record.questions, strict=True):
            node.id = node.id or question.id
        return record

    @rule(owner=OWNERS, text=TEXTS, images=IMAGES)
    def ask_first(self, owner: str, text: str, images: tuple[Attachment, ...]) -> None:
        images = kept(self.store, owner, images)
        conversation_id = asked(self.store, owner, None, text, images)
        assert conversation_id not in self.models
        model = self.models[conversation_id] = Model(owner, conversation_id)
        model.ask(text, images)
        model.touched = self.clock.now

    @precondition(lambda self: self.models)
    @rule(pick=PICK, text=TEXTS, images=IMAGES)
    def ask(self, pick: int, text: str, images: tuple[Attachment, ...]) -> None:
        images = kept(self.store, self.one(pick)[1].owner, images)
        if done := self.changeable(
            pick, lambda id_, model: asked(self.store, model.owner, id_, text, images)
        ):
            done[1].ask(text, images)

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
        _, model = self.one(pick)
        node = model.path[turn % len(model.path)]
        question = node.id
        self.count += 1
        version = f"v{self.count}"

        def edit(id_: str, model: Model) -> None:
            self.store.edit(model.owner, id_, question, text, version_id=version, model="model")

        if self.changeable(pick, edit):
            assert node.before
            model.running = version
            node.before.follow(text, node.images)

    @precondition(lambda self: self.models)
    @rule(pick=PICK, which=PICK, text=TEXTS)
    def edit_what_is_not_shown(self, pick: int, which: int, text: str) -> None:
        _, model = self.one(pick)
        hidden = [node for node in model.root.all() if node not in model.path]
        if not hidden or model.running:
            return
        question = hidden[which % len(hidden)].id
        with pytest.raises(HiddenError):
            self.store.edit(model.owner, model.id, question, text, version_id="never", model="model")

    @precondition(lambda self: self.models)
    @rule(pick=PICK, which=PICK)
    def step(self, pick: int, which: int) -> None:
        _, model = self.one(pick)
        nodes = model.root.all()
        node = nodes[which % len(nodes)]
        if self.changeable(pick, lambda id_, model: self.store.choose(model.owner, id_, node.id)):
            while node.before:
                node.before.shown = node
                node = node.before

    @precondition(lambda self: self.models)
    @rule(pick=PICK)
    def undo(self, pick: int) -> None:
        if done := self.changeable(pick, lambda id_, model: self.store.undo(model.owner, id_)):
            conversation_id, model = done
            model.path[-1].remove()
            if not model.path:
                del self.models[conversation_id]

    @precondition(lambda self: self.models)
    @rule(pick=PICK)
    def begin(self, pick: int) -> None:
        _, model = self.one(pick)
        self.count += 1
        version = f"v{self.count}"
        if self.changeable(pick, lambda id_, model: self.store.begin(model.owner, id_, version, "model")):
            model.running = version

    @precondition(lambda self: self.models)
    @rule(pick=PICK, raw=TEXTS)
    def write_then_restart(self, pick: int, raw: str) -> None:
        _, model = self.one(pick)
        if model.running:
            self.store.write_many([Coming(model.running, raw, None, 1.0)])
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
            last = model.path[-1]
            last.versions[model.running] = raw
            last.chosen = model.running
        model.running = None

    @precondition(lambda self: self.models)
    @rule(pick=PICK, version=PICK)
    def choose(self, pick: int, version: int) -> None:
        _, model = self.one(pick)
        versions = list(model.path[-1].versions)
        if not versions:
            return
        version_id = versions[version % len(versions)]
        if self.changeable(pick, lambda id_, model: self.store.choose(model.owner, id_, version_id)):
            model.path[-1].chosen = version_id

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
    def the_path_is_the_trees(self) -> None:
        for owner in ("me", "you"):
            listed = {entry.id: entry.title for entry in self.store.entries(owner)}
            mine = {id_: model for id_, model in self.models.items() if model.owner == owner}
            assert listed.keys() == mine.keys()
            assert all(listed[id_] == model.title for id_, model in mine.items() if model.title)
        for conversation_id, model in self.models.items():
            record = self.read(conversation_id, model)
            assert self.store.conversation(record) == model.conversation
            for node, question in zip(model.path, record.questions, strict=True):
                assert node.id == question.id, "a question keeps its id"
                assert node.before
                assert question.siblings == tuple(each.id for each in node.before.followers)
            assert (record.running.id if record.running else None) == model.running
            assert not model.title or record.title == model.title

    @precondition(lambda self: hasattr(self, "store"))
    @invariant()
    def no_branch_is_lost(self) -> None:
        for conversation_id, model in self.models.items():
            self.read(conversation_id, model)
        with self.store._db.transaction() as db:
            questions = {row["id"]: row for row in db.execute("SELECT * FROM questions")}
            versions = db.execute("SELECT * FROM versions").fetchall()
            images = db.execute("SELECT * FROM images ORDER BY number").fetchall()
        nodes = [node for model in self.models.values() for node in model.root.all()]
        assert {node.id for node in nodes} == set(questions)
        for node in nodes:
            row = questions[node.id]
            assert (row["text"], row["chosen"]) == (well_formed(node.text), node.chosen)
            said = [each for each in versions if each["question"] == node.id and each["state"] != "running"]
            kept = {each["id"]: each["raw"] for each in said if each["raw"] or each["state"] == "complete"}
            assert kept == node.versions
            sent = [(each["photo"], each["max_tiles"]) for each in images if each["question"] == node.id]
            assert sent == [(image.photo.id, image.max_tiles) for image in node.images]

    @precondition(lambda self: hasattr(self, "store"))
    @invariant()
    def every_photo_has_its_file_and_no_file_is_left(self) -> None:
        folder = Path(self.folder.name)
        nodes = [node for model in self.models.values() for node in model.root.all()]
        named = [image.photo for node in nodes for image in node.images]
        assert all(photo.image.size == photo.size_wh for photo in named)
        with self.store._db.transaction() as db:
            rows_of_files = {row["digest"] for row in db.execute("SELECT digest FROM photos")}
        assert {name.partition(".")[0] for name in files(folder)} == rows_of_files


def test_whatever_people_do_a_path_is_shown_and_no_branch_is_lost() -> None:
    often = settings(max_examples=60, stateful_step_count=20)
    run_state_machine_as_test(AnyDeeds, settings=often)
