"""Whatever people do with pictures, in whatever order: who sees which, and which files are there."""

import tempfile
from dataclasses import dataclass
from hashlib import sha256
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

from internvl_demo.conversation.turns import Attachment
from internvl_demo.errors import PhotoError
from internvl_demo.photos import limits
from internvl_demo.photos.cache import DECODED
from internvl_demo.photos.decode import clean_file
from internvl_demo.store.faults import GoneError
from tests.support.pictures import FILES, picture, saved
from tests.support.stores import DAY, HOUR, Clock, files, open_at

CONTENTS = [FILES["jpeg"], FILES["png"], FILES["gif"], saved(picture(), "JPEG", comment=b"SECRET")]
OWNERS = st.sampled_from(["me", "you"])
PICK = st.integers(0, 99)


@dataclass
class Shelved:
    """A photo as the test believes it to be."""

    owner: str
    content: int
    name: str
    waits_until: float


class AnyPhotoDeeds(RuleBasedStateMachine):
    """The store's photos beside dictionaries."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock, self.count = Clock(), 0
        self.photos: dict[str, Shelved] = {}
        self.conversations: dict[str, tuple[str, list[list[str]], float]] = {}
        """Id -> owner, the photos of each question, when it was touched."""
        self.store = open_at(Path(self.folder.name), self.clock)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    def named(self) -> set[str]:
        return {
            id_ for _, questions, _ in self.conversations.values() for photos in questions for id_ in photos
        }

    def tidy(self, owner: str | None) -> None:
        """What nothing keeps is gone, of that owner or of all."""
        named = self.named()
        for photo_id, photo in list(self.photos.items()):
            unwanted = photo_id not in named and photo.waits_until <= self.clock.now
            if unwanted and (owner or photo.owner) == photo.owner:
                del self.photos[photo_id]

    @rule(owner=OWNERS, content=st.integers(0, len(CONTENTS) - 1), name=st.sampled_from(["a", "b"]))
    def add(self, owner: str, content: int, name: str) -> None:
        known = {(p.owner, p.content, p.name): id_ for id_, p in self.photos.items()}
        waiting = [p for p in self.photos.values() if p.owner == owner and p.waits_until > self.clock.now]
        if len(waiting) >= 4:
            with pytest.raises(PhotoError, match="not sent yet"):
                self.store.add_photo(owner, CONTENTS[content], name)
            return
        photo = self.store.add_photo(owner, CONTENTS[content], name)
        assert photo.id == known.get((owner, content, name), photo.id)
        self.photos[photo.id] = Shelved(owner, content, name, self.clock.now + DAY)

    @precondition(lambda self: self.photos)
    @rule(owner=OWNERS, pick=PICK)
    def look(self, owner: str, pick: int) -> None:
        photo_id, photo = list(self.photos.items())[pick % len(self.photos)]
        if photo.owner != owner:
            with pytest.raises(GoneError):
                self.store.photo(owner, photo_id)
        elif self.store.photo(owner, photo_id).image.size:
            assert self.store.photo_file(photo_id)[0].exists()

    @precondition(lambda self: self.photos)
    @rule(owner=OWNERS, pick=PICK)
    def wait(self, owner: str, pick: int) -> None:
        photo_id, photo = list(self.photos.items())[pick % len(self.photos)]
        self.store.wait(owner, [photo_id])
        if photo.owner == owner:
            photo.waits_until = self.clock.now + DAY

    @precondition(lambda self: self.photos)
    @rule(owner=OWNERS, pick=PICK)
    def remove(self, owner: str, pick: int) -> None:
        photo_id, photo = list(self.photos.items())[pick % len(self.photos)]
        if photo.owner != owner:
            with pytest.raises(GoneError):
                self.store.remove_photo(owner, photo_id)
            return
        self.store.remove_photo(owner, photo_id)
        photo.waits_until = 0
        self.tidy(owner)

    @rule(owner=OWNERS, picks=st.lists(PICK, max_size=3), again=PICK)
    def ask(self, owner: str, picks: list[int], again: int) -> None:
        ids = [list(self.photos)[pick % len(self.photos)] for pick in picks] if self.photos else []
        mine = [id_ for id_, (whose, _, _) in self.conversations.items() if whose == owner]
        conversation_id = [None, *mine][again % (len(mine) + 1)]
        images = tuple(
            Attachment(self.store.photo(self.photos[id_].owner, id_), number)
            for number, id_ in enumerate(ids, 1)
        )
        self.count += 1
        version = f"v{self.count}"
        if any(self.photos[id_].owner != owner for id_ in ids):
            with pytest.raises(GoneError):
                self.store.ask(owner, conversation_id, "?", images, version_id=version, model="model")
            return
        record = self.store.ask(owner, conversation_id, "?", images, version_id=version, model="model")
        self.store.finish(version, "complete", "Yes.")
        _, questions, _ = self.conversations.get(record.id, (owner, [], 0.0))
        self.conversations[record.id] = (owner, [*questions, ids], self.clock.now)
        for id_ in ids:
            self.photos[id_].waits_until = 0
        self.tidy(owner)

    @precondition(lambda self: self.conversations)
    @rule(pick=PICK)
    def undo(self, pick: int) -> None:
        id_, (owner, questions, _) = list(self.conversations.items())[pick % len(self.conversations)]
        self.store.undo(owner, id_)
        for photo_id in questions[-1]:
            self.photos[photo_id].waits_until = self.clock.now + DAY
        if questions[:-1]:
            self.conversations[id_] = (owner, questions[:-1], self.clock.now)
        else:
            del self.conversations[id_]
        self.tidy(owner)

    @precondition(lambda self: self.conversations)
    @rule(pick=PICK)
    def delete(self, pick: int) -> None:
        id_, (owner, _, _) = list(self.conversations.items())[pick % len(self.conversations)]
        self.store.delete(owner, id_)
        del self.conversations[id_]
        self.tidy(owner)

    @rule(hours=st.sampled_from([0.5, 25, 24 * 20]), restart=st.booleans())
    def time_passes(self, hours: float, restart: bool) -> None:
        self.clock.now += hours * HOUR
        if restart:
            self.store.close()
            self.store = open_at(Path(self.folder.name), self.clock)
        else:
            self.store.sweep()
        for id_, (_, _, touched) in list(self.conversations.items()):
            if touched < self.clock.now - 30 * DAY:
                del self.conversations[id_]
        self.tidy(None)

    @precondition(lambda self: hasattr(self, "store"))
    @invariant()
    def there_is_what_should_be(self) -> None:
        contents = {photo.content for photo in self.photos.values()}
        digests = {sha256(clean_file(CONTENTS[content]).data).hexdigest() for content in contents}
        assert {name.partition(".")[0] for name in files(Path(self.folder.name))} == digests
        for photo_id, photo in self.photos.items():
            assert self.store.photo(photo.owner, photo_id).name == photo.name
        with self.store._db.transaction() as db:
            assert db.execute("SELECT count(*) FROM photos").fetchone()[0] == len(self.photos)
        assert DECODED.held_bytes <= limits.DECODED_BYTES


def test_whatever_people_do_with_photos_the_store_and_the_values_say_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "UNSENT_PICTURES", 4)
    often = settings(max_examples=50, stateful_step_count=25)
    run_state_machine_as_test(AnyPhotoDeeds, settings=often)
