"""The verbs on conversations: each one transaction, each for one owner.

    owner, conversation, what is new -> the store -> Record -> Conversation for the model

An owner is whatever a browser calls itself by: opaque, unguessable, kept as a hash only. What belongs to
somebody else is answered like what does not exist. The rules of asking, editing and undoing are those of
`conversation.turns`, on rows; a test holds both side by side.

Time to live: a conversation that nobody opened or changed for `keep_days` goes, unless it is just being
answered; then photos that no conversation names, if they were added more than an hour ago and do not wait to be
sent. The database itself refuses to give up a photo that is named.
"""

import json
import sqlite3
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import asdict, astuple, replace
from math import prod
from pathlib import Path

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Attachment, Conversation, Turn
from internvl_demo.models.base import Usage
from internvl_demo.photos.photo import Photo
from internvl_demo.store import rows
from internvl_demo.store.database import Database
from internvl_demo.store.faults import BusyError, GoneError, StoreError, plainly
from internvl_demo.store.photos import Kept, PhotoFiles
from internvl_demo.store.records import Entry, Failure, Record, State
from internvl_demo.store.rows import check_owner, hashed, last_question, well_formed

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S

CACHED_PIXELS = 50_000_000
"""Decoded photos that are held ready, newest first: 150 MB, four phone photos."""

_RELOAD = "Reload the page to see the conversation as it is."


class Store:
    """Conversations and photos in `folder`, which is created.

    clock gives seconds since 1970. Raises StoreError here when the folder cannot be used, and from every
    method when the disk fails it.
    """

    def __init__(
        self, folder: Path, keep_days: int, *, clock: Callable[[], float] = time.time, patience_s: float = 5.0
    ):
        self._folder, self._keep_s, self._clock = folder, keep_days * DAY_S, clock
        self._decoded: OrderedDict[str, Photo] = OrderedDict()
        with plainly(folder, starting=True):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._files = PhotoFiles(folder / "photos")
        self._db = Database(folder, patience_s, clock())
        try:
            self.sweep()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Gives the folder back. No other method may be called afterwards."""
        self._db.close()

    # Photos

    def add_photo(self, photo: Photo) -> None:
        """Keeps a photo for at least an hour, and as long as a conversation names it."""
        now = self._clock()
        with plainly(self._folder):
            kept = self._kept(photo.id)
            if kept and self._files.holds(kept):
                with self._db.transaction() as db:
                    added = "UPDATE photos SET added_at = ? WHERE id = ?"
                    if db.execute(added, (now, photo.id)).rowcount:
                        return
            kept, staged = self._files.stage(photo, now)  # without the lock: a large one takes seconds
            row = (photo.id, *astuple(kept), *photo.size_wh, now, 0.0)
            with self._db.transaction() as db:
                self._files.settle(kept, staged)  # within, so that no sweep comes between the two
                db.execute(
                    "INSERT INTO photos VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
                    " mime = excluded.mime, original = excluded.original, digest = excluded.digest,"
                    " added_at = excluded.added_at",
                    row,
                )

    def wait(self, photo_ids: Collection[str]) -> None:
        """Keeps photos for a day from now, which wait to be sent: as long as a person may be away from a page."""
        with self._db.transaction() as db:
            until = self._clock() + DAY_S
            waits = "UPDATE photos SET waits_until = ? WHERE id = ?"
            db.executemany(waits, [(until, photo_id) for photo_id in photo_ids])

    def photo(self, photo_id: str, name: str = "") -> Photo:
        """The photo of that id, called `name`. Raises GoneError, or PhotoError when its file is damaged."""
        kept = self._kept(photo_id)
        if kept is None:
            raise GoneError("The picture is no longer kept here.", "Send it again.")
        with self._db.alone():
            photo = self._decoded.pop(photo_id, None)
        if photo is None:
            with plainly(self._folder):
                photo = self._files.read(photo_id, kept)
        self._remember(photo)
        return replace(photo, name=name)

    def conversation(self, record: Record) -> Conversation:
        """A record as the model sees it: with its photos, and of each answer the chosen version.

        Raises PhotoError or GoneError when a picture cannot be had.
        """
        turns = []
        for question in record.questions:
            images = [
                Attachment(self.photo(image.photo_id, image.name), image.max_tiles, image.origin)
                for image in question.images
            ]
            turns.append(Turn(question.text, tuple(images), question.answer))
        return Conversation(tuple(turns), record.id)

    # Conversations

    def entries(self, owner: str) -> list[Entry]:
        """The owner's conversations, the one changed last first."""
        with self._db.transaction() as db:
            return rows.entries(db, owner)

    def record(self, owner: str, conversation_id: str) -> Record:
        """The conversation. Raises GoneError."""
        with suppress(StoreError), self._db.transaction() as db:  # a full disk does not hinder reading
            now = self._clock()
            db.execute(
                "UPDATE conversations SET touched_at = ? WHERE id = ? AND owner = ? AND touched_at < ?",
                (now, conversation_id, hashed(owner), now - HOUR_S),
            )
        with self._db.transaction() as db:
            return rows.record(db, owner, conversation_id)

    def record_of(self, owner: str, version_id: str) -> Record:
        """The conversation that a version of an answer belongs to. Raises GoneError."""
        with self._db.transaction() as db:
            row = db.execute(
                "SELECT q.conversation FROM versions v JOIN questions q ON q.id = v.question WHERE v.id = ?",
                (version_id,),
            ).fetchone()
            return rows.record(db, owner, row[0] if row else "")

    def ask(
        self, owner: str, conversation_id: str | None, text: str, images: tuple[Attachment, ...] = ()
    ) -> str:
        """A new question, in a new conversation if none is named; gives the conversation's id.

        A last question left unanswered gives way to it. Raises GoneError, BusyError.
        """
        for image in images:
            self.add_photo(image.photo)
        with self._db.transaction() as db:
            now = self._clock()
            if conversation_id is None:
                conversation_id = Conversation().id
                row = (conversation_id, hashed(owner), None, now, now, now)
                db.execute("INSERT INTO conversations VALUES (?, ?, ?, ?, ?, ?)", row)
            else:
                self._change(db, owner, conversation_id)
            last = last_question(db, conversation_id)
            if last and last["chosen"] is None:
                db.execute("DELETE FROM questions WHERE id = ?", (last["id"],))
            number = last["number"] + 1 if last else 1
            question_id = uuid.uuid4().hex
            question = (question_id, conversation_id, number, well_formed(text))
            db.execute("INSERT INTO questions VALUES (?, ?, ?, ?, NULL)", question)
            db.executemany(
                "INSERT INTO images VALUES (?, ?, ?, ?, ?, ?)",
                [_row(question_id, place, image) for place, image in enumerate(images)],
            )
            sent = [(image.photo.id,) for image in images]  # from now on their conversation keeps them
            db.executemany("UPDATE photos SET waits_until = 0 WHERE id = ?", sent)
        return conversation_id

    def edit(self, owner: str, conversation_id: str, question_id: str, text: str) -> None:
        """That question in other words, unanswered, its images kept; what followed it is gone.

        Raises GoneError, BusyError.
        """
        with self._db.transaction() as db:
            self._change(db, owner, conversation_id)
            at = "SELECT number FROM questions WHERE id = ? AND conversation = ?"
            row = db.execute(at, (question_id, conversation_id)).fetchone()
            if row is None:
                raise GoneError("That question is no longer in the conversation.", _RELOAD)
            after = (conversation_id, row["number"])
            db.execute("DELETE FROM questions WHERE conversation = ? AND number > ?", after)
            db.execute("DELETE FROM versions WHERE question = ?", (question_id,))
            db.execute("UPDATE questions SET text = ? WHERE id = ?", (well_formed(text), question_id))

    def undo(self, owner: str, conversation_id: str) -> None:
        """Without the last question. Raises GoneError, BusyError."""
        with self._db.transaction() as db:
            self._change(db, owner, conversation_id)
            last = last_question(db, conversation_id)
            if last:
                db.execute("DELETE FROM questions WHERE id = ?", (last["id"],))

    def choose(self, owner: str, conversation_id: str, version_id: str) -> None:
        """The conversation goes on from that version of the last answer.

        Not of an earlier one: what followed was said to the version chosen then. Raises GoneError, BusyError.
        """
        with self._db.transaction() as db:
            self._change(db, owner, conversation_id)
            last = last_question(db, conversation_id)
            changed = db.execute(
                "UPDATE questions SET chosen = :version WHERE id = :question AND EXISTS (SELECT 1 FROM versions"
                " WHERE id = :version AND question = :question AND (raw <> '' OR state = 'complete'))",
                {"version": version_id, "question": last["id"] if last else ""},
            )
            if changed.rowcount != 1:
                raise GoneError("That is not a version of the last answer.", _RELOAD)

    def rename(self, owner: str, conversation_id: str, title: str) -> None:
        """Calls it `title`; nothing: after its first question again. Raises GoneError."""
        with self._db.transaction() as db:
            check_owner(db, owner, conversation_id)
            given = (rows.title_of(well_formed(title)) or None, self._clock(), conversation_id)
            db.execute("UPDATE conversations SET title = ?, touched_at = ? WHERE id = ?", given)

    def delete(self, owner: str, conversation_id: str) -> None:
        """Takes the conversation away, and the photos that only it named, new ones within the hour.

        Raises GoneError.
        """
        with self._db.transaction() as db:
            check_owner(db, owner, conversation_id)
            db.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))
        self.sweep()

    # The answer that is being written

    def begin(
        self, owner: str, conversation_id: str, version_id: str, model: str, options: Options | None = None
    ) -> Record:
        """A new version of the last answer, empty and running. Gives the conversation as it is then.

        It takes the place of earlier ones with nothing in them. Raises GoneError, BusyError.
        """
        asked = json.dumps(asdict(options)) if options else None
        with self._db.transaction() as db:
            self._change(db, owner, conversation_id)
            last = last_question(db, conversation_id)
            if last is None:
                raise GoneError("There is no question to answer.", "Ask one first.")
            question = last["id"]
            nothing = "DELETE FROM versions WHERE question = ? AND raw = '' AND state <> 'complete'"
            db.execute(nothing, (question,))
            most = "SELECT coalesce(max(number), 0) FROM versions WHERE question = ?"
            (number,) = db.execute(most, (question,)).fetchone()
            db.execute(
                "INSERT INTO versions (id, question, number, raw, state, model, started_at, total_s, options)"
                " VALUES (?, ?, ?, '', 'running', ?, ?, 0, ?)",
                (version_id, question, number + 1, model, self._clock(), asked),
            )
            return rows.record(db, owner, conversation_id)

    def write(self, version_id: str, raw: str, ttft_s: float | None, total_s: float) -> None:
        """The text of a running version so far; nothing happens to one that is not running (any more)."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE versions SET raw = ?, ttft_s = ?, total_s = ? WHERE id = ? AND state = 'running'",
                (well_formed(raw), ttft_s, total_s, version_id),
            )

    def finish(
        self,
        version_id: str,
        state: State,
        raw: str,
        ttft_s: float | None = None,
        total_s: float = 0.0,
        usage: Usage | None = None,
        failure: Failure | None = None,
    ) -> None:
        """The end of a running version. If there is an answer in it, the conversation goes on from it."""
        what, next_step = failure or (None, None)
        cost = json.dumps(asdict(usage)) if usage else None
        said = rows.failure_json(failure) if failure else None
        with self._db.transaction() as db:
            ended = db.execute(
                "UPDATE versions SET state = ?, raw = ?, ttft_s = ?, total_s = ?, usage = ?, what = ?,"
                " next_step = ?, failure = ? WHERE id = ? AND state = 'running'",
                (state, well_formed(raw), ttft_s, total_s, cost, what, next_step, said, version_id),
            )
            if ended.rowcount == 0:
                return  # the conversation was deleted meanwhile
            (question,) = db.execute("SELECT question FROM versions WHERE id = ?", (version_id,)).fetchone()
            if raw or state == "complete":
                db.execute("UPDATE questions SET chosen = ? WHERE id = ?", (version_id, question))
            now = self._clock()
            db.execute(
                "UPDATE conversations SET updated_at = ?, touched_at = ?"
                " WHERE id = (SELECT conversation FROM questions WHERE id = ?)",
                (now, now, question),
            )

    # Time to live

    def sweep(self) -> None:
        """Removes what its time to live has ended for; see the module's opening."""
        now = self._clock()
        with self._db.alone():
            with self._db.transaction() as db:
                db.execute(
                    "DELETE FROM conversations WHERE touched_at < ? AND id NOT IN (SELECT q.conversation"
                    " FROM versions v JOIN questions q ON q.id = v.question WHERE v.state = 'running')",
                    (now - self._keep_s,),
                )
                db.execute(
                    "DELETE FROM photos WHERE added_at < ? AND waits_until < ?"
                    " AND id NOT IN (SELECT photo FROM images)",
                    (now - HOUR_S, now),
                )
                kept = [rows.kept(row) for row in db.execute("SELECT * FROM photos")]
            with plainly(self._folder):  # files last: a row always has its file
                self._files.remove_others(kept, now - HOUR_S)

    def _change(self, db: sqlite3.Connection, owner: str, conversation_id: str) -> None:
        """The owner is about to change the conversation. Raises GoneError, BusyError."""
        check_owner(db, owner, conversation_id)
        if rows.is_running(db, conversation_id):
            raise BusyError("The last question is still being answered.", "Wait for the answer, or stop it.")
        now = self._clock()
        touch = "UPDATE conversations SET updated_at = ?, touched_at = ? WHERE id = ?"
        db.execute(touch, (now, now, conversation_id))

    def _kept(self, photo_id: str) -> Kept | None:
        with self._db.transaction() as db:
            row = db.execute("SELECT * FROM photos WHERE id = ?", (photo_id,)).fetchone()
        return rows.kept(row) if row else None

    def _remember(self, photo: Photo) -> None:
        with self._db.alone():
            self._decoded[photo.id] = photo
            while sum(prod(each.size_wh) for each in self._decoded.values()) > CACHED_PIXELS:
                self._decoded.popitem(last=False)


def _row(question_id: str, place: int, image: Attachment) -> tuple[str | int | None, ...]:
    """Of the table `images`."""
    origin = json.dumps(astuple(image.origin)) if image.origin else None
    return (question_id, place, image.photo.id, well_formed(image.photo.name), image.max_tiles, origin)
