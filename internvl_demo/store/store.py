"""The verbs on conversations and photos: each one transaction, each for one owner.

    owner, conversation, what is new -> the store -> Record -> Conversation for the model

An owner is whatever a browser calls itself by: opaque, unguessable, kept as a hash only. What belongs to
somebody else is answered like what does not exist. Of a conversation's branches one is shown (`store.branches`);
whatever is asked, edited or undone happens to that one.

Time to live: a conversation that nobody opened or changed for `keep_days` goes, unless it is just being
answered; so does a photo that waited for a day to be sent (`store.photos`). A clock that was set takes nothing away
(`store.clock`). The database itself refuses to give up a photo that is named. What was deleted is overwritten in the
database, and out of its write-ahead log when the verb returns.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from math import inf
from pathlib import Path

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Attachment, Conversation, Turn
from internvl_demo.models.base import Usage
from internvl_demo.photos import limits
from internvl_demo.photos.limits import check_message
from internvl_demo.photos.photo import Photo
from internvl_demo.photos.regions import Origin
from internvl_demo.store import photos, rows, writes
from internvl_demo.store.branches import RELOAD, remove_last, show
from internvl_demo.store.clock import DAY_S, HOUR_S, is_set, look
from internvl_demo.store.database import Database
from internvl_demo.store.faults import BusyError, GoneError, StoreError, plainly
from internvl_demo.store.files import PhotoFiles, StoredFile, stored_file
from internvl_demo.store.records import Coming, Entry, Failure, Question, Record, State
from internvl_demo.store.reserve import Reserve
from internvl_demo.store.rows import check_owner, hashed, well_formed

Check = Callable[[Record], None]
"""Looks at a conversation that is about to be answered, and raises what speaks against it. It runs while the store
is held for this thread alone, so it computes only."""

_LOG = logging.getLogger(__name__)


class Store:
    """Conversations and photos in `folder`, which is created.

    clock gives seconds since 1970. Raises StoreError here when the folder cannot be used, and from every
    method when the disk fails it.
    """

    def __init__(
        self, folder: Path, keep_days: int, *, clock: Callable[[], float] = time.time, patience_s: float = 5.0
    ):
        self._folder, self._keep_s, self._clock = folder, keep_days * DAY_S, clock
        self._seen = clock()
        with plainly(folder, starting=True):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._files = PhotoFiles(folder / "photos")
        self._reserve = Reserve(folder)
        with self._reserve.given_up():
            self._db = Database(folder, patience_s, self._files.size)
            try:
                with self._db.transaction() as db:
                    look(db, self._seen, self._keep_s)
                    writes.interrupt(db, self._seen)
                self._sweep(strays_before=inf)  # nobody else writes files yet
            except BaseException:
                self.close()
                raise
        self._db.starting = False

    def close(self) -> None:
        """Give the folder back, and the memory of decoded photos. No other method may be called afterwards."""
        self._files.forget()
        self._db.close()

    def check(self) -> None:
        """Check that the store works; make its folder of photos again if somebody removed it. Raises StoreError."""
        with plainly(self._folder):
            self._files.make_folder()
        with self._db.transaction() as db:
            db.execute("SELECT 1 FROM clock").fetchone()

    # Photos

    def add_photo(
        self, owner: str, data: bytes | Photo, name: str | None = None, origin: Origin | None = None
    ) -> Photo:
        """Keep a photo, which waits to be sent for a day; the same again is the same photo.

        data: an uploaded file, or a photo made in memory. name: what it is shown by (default: a Photo's own).
        origin: what a crop or a marked copy was made from.
        Raises PhotoError when it cannot be used or too many wait already.
        """
        with self._dated() as (db, now):  # before the work
            photos.check_quota(db, owner, now)
        file, shown = photos.prepared(data, name)
        kept = stored_file(file)
        with plainly(self._folder):
            staged = self._files.stage(file.data, self._clock())  # without the lock: disks are slow
            try:
                with self._dated() as (db, now):
                    photos.check_quota(db, owner, now)
                    photo_id = photos.insert(db, owner, file, kept, shown, origin, now)
                    photo = rows.attachment(photos.row(db, photo_id, owner), self._files, 1).photo
                    self._files.settle(kept, staged)  # within, so that nobody removes it between the two
            finally:
                staged.unlink(missing_ok=True)
        return replace(photo, note=file.note)

    def photo(self, owner: str, photo_id: str) -> Photo:
        """Return the owner's photo, light: no file is read. Raises GoneError."""
        return self.attachment(owner, photo_id, 1).photo

    def attachment(self, owner: str, photo_id: str, max_tiles: int) -> Attachment:
        """Return the owner's photo as it is sent with a question, with its origin. Raises GoneError."""
        with self._db.transaction() as db:
            return rows.attachment(photos.row(db, photo_id, owner), self._files, max_tiles)

    def photo_file(self, photo_id: str, owner: str | None = None) -> tuple[Path, str]:
        """Return a photo's file, to be shown as it is, and its MIME type; whoever knows the id may see it.

        owner: whose it must be, where that is known. Raises GoneError; PhotoError when it is missing or damaged.
        """
        with self._db.transaction() as db:
            file = rows.stored(photos.row(db, photo_id, owner))
        self._files.read(file)
        return self._files.path(file), file.mime

    def wait(self, owner: str, photo_ids: Collection[str]) -> None:
        """Keep photos of the owner's for a day from now: as long as a person may be away from a page."""
        with self._dated() as (db, now):
            photos.wait(db, owner, photo_ids, now + limits.UNSENT_S)

    def remove_photo(self, owner: str, photo_id: str) -> None:
        """Take a photo away that is not to be sent; it stays where a conversation names it. Raises GoneError."""
        with self._removing(owner) as (db, _):
            photos.row(db, photo_id, owner)
            photos.wait(db, owner, [photo_id], 0)

    def conversation(self, record: Record) -> Conversation:
        """Return a record as the model sees it: its photos, light, and of each answer the chosen version."""
        turns = [Turn(question.text, question.images, question.answer) for question in record.questions]
        return Conversation(tuple(turns), record.id)

    # Conversations

    def entries(self, owner: str) -> list[Entry]:
        """Return the owner's conversations, the one changed last first."""
        with self._db.transaction() as db:
            return rows.entries(db, owner)

    def record(self, owner: str, conversation_id: str) -> Record:
        """Return the conversation. Raises GoneError."""
        with suppress(StoreError), self._dated() as (db, now):  # a full disk does not hinder reading
            db.execute(
                "UPDATE conversations SET touched_at = ? WHERE id = ? AND owner = ? AND touched_at < ?",
                (now, conversation_id, hashed(owner), now - HOUR_S),
            )
        with self._db.transaction() as db:
            return rows.record(db, self._files, owner, conversation_id)

    def ask(
        self,
        owner: str,
        conversation_id: str | None,
        text: str,
        images: tuple[Attachment, ...] = (),
        *,
        version_id: str,
        model: str,
        options: Options | None = None,
        check: Check | None = None,
    ) -> Record:
        """Put a question, in a new conversation if none is named, and begin its answer; returns the conversation.

        A last question left unanswered gives way to it. images: photos that the owner added.
        check: see `Check`; what it raises takes everything back.
        Raises GoneError, BusyError, PhotoError when it is too much for one message.
        """
        check_message([image.photo for image in images])
        with self._removing(owner, wipe=False, frees=False) as (db, now):
            if conversation_id is None:
                conversation_id = Conversation().id
                row = (conversation_id, hashed(owner), None, now, now, now)
                db.execute("INSERT INTO conversations VALUES (?, ?, ?, ?, ?, ?)", row)
            else:
                self._change(db, owner, conversation_id, now)
            photos.attach(db, owner, writes.insert_question(db, conversation_id, text), images)
            return self._begun(db, owner, conversation_id, version_id, model, options, check, now)

    def edit(
        self,
        owner: str,
        conversation_id: str,
        question_id: str,
        text: str,
        *,
        version_id: str,
        model: str,
        options: Options | None = None,
        check: Check | None = None,
    ) -> Record:
        """Ask that question in other words, its images kept, beside it: it and what followed it stay, as a branch.

        Otherwise like `ask`. Raises HiddenError, too, when that question is in a branch that is not shown.
        """
        with self._dated() as (db, now):
            self._change(db, owner, conversation_id, now)
            writes.insert_sibling(db, conversation_id, question_id, text)
            return self._begun(db, owner, conversation_id, version_id, model, options, check, now)

    def undo(self, owner: str, conversation_id: str) -> tuple[Question, Record | None]:
        """Take the last question back; its photos wait to be sent again.

        If it has other versions, its neighbour is shown with what followed it: the version made before it, or, of
        the first, the next. Returns it, and the conversation without it; None: that went with its only question.
        Raises GoneError, BusyError.
        """
        with self._removing(owner) as (db, now):
            self._change(db, owner, conversation_id, now)
            before = rows.record(db, self._files, owner, conversation_id)
            if not before.questions:
                raise GoneError("There is no question to take back.", RELOAD)
            last = before.questions[-1]
            photos.wait(db, owner, [image.photo.id for image in last.images], now + limits.UNSENT_S)
            remove_last(db, conversation_id)
            left = rows.record(db, self._files, owner, conversation_id)
            if left.questions:
                return last, left
            db.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))
            return last, None

    def choose(self, owner: str, conversation_id: str, chosen_id: str) -> None:
        """Let the conversation go on from that version of the last answer, or show the branch of that question.

        Not from a version of an earlier answer: what followed was said to the one chosen then.
        Raises GoneError, BusyError.
        """
        with self._dated() as (db, now):
            self._change(db, owner, conversation_id, now)
            if not show(db, conversation_id, chosen_id):
                writes.choose_version(db, conversation_id, chosen_id)

    def rename(self, owner: str, conversation_id: str, title: str) -> None:
        """Call it `title`; nothing: after its first question again. Raises GoneError."""
        with self._dated() as (db, now):
            check_owner(db, owner, conversation_id)
            given = (rows.title_of(well_formed(title)) or None, now, conversation_id)
            db.execute("UPDATE conversations SET title = ?, touched_at = ? WHERE id = ?", given)

    def delete(self, owner: str, conversation_id: str) -> None:
        """Take the conversation away, and the photos that only it named, at once. Raises GoneError."""
        with self._removing(owner) as (db, _):
            check_owner(db, owner, conversation_id)
            db.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))

    # The answer that is being written

    def begin(
        self,
        owner: str,
        conversation_id: str,
        version_id: str,
        model: str,
        options: Options | None = None,
        check: Check | None = None,
    ) -> Record:
        """Begin a new version of the last answer, empty and running; returns the conversation as it is then.

        It takes the place of earlier ones with nothing in them. check: as of `ask`. Raises GoneError, BusyError.
        """
        with self._dated() as (db, now):
            self._change(db, owner, conversation_id, now)
            return self._begun(db, owner, conversation_id, version_id, model, options, check, now)

    def write_many(self, versions: Iterable[Coming]) -> None:
        """Keep what has come of running answers.

        Nothing happens to one that is not running (any more).
        """
        with self._db.transaction() as db:
            writes.write_versions(db, versions)

    def finish(
        self,
        version_id: str,
        state: State,
        raw: str,
        ttft_s: float | None = None,
        total_s: float = 0.0,
        usage: Usage | None = None,
        failure: Failure | None = None,
        thinking: str = "",
        thought_s: float | None = None,
    ) -> None:
        """Keep the end of a running version. If there is an answer in it, the conversation goes on from it."""
        end = Coming(version_id, raw, ttft_s, total_s, thinking, thought_s)
        with self._dated() as (db, now):
            writes.end_version(db, state, end, usage, failure, now)

    # Time to live

    def sweep(self) -> None:
        """Remove what its time to live has ended for; see the module's opening."""
        with self._reserve.given_up():
            self._sweep(strays_before=self._clock() - HOUR_S)

    def _sweep(self, strays_before: float) -> None:
        with self._db.alone():
            with self._dated() as (db, now):
                look(db, now, self._keep_s, self._seen)
                old = db.execute(
                    "DELETE FROM conversations WHERE touched_at < ? AND id NOT IN (SELECT q.conversation"
                    " FROM versions v JOIN questions q ON q.id = v.question WHERE v.state = 'running')",
                    (now - self._keep_s,),
                )
                gone = photos.release(db, now)
                kept = [rows.stored(row) for row in db.execute("SELECT * FROM photos")]
            with plainly(self._folder, starting=self._db.starting):  # files last: a row always has its file
                self._files.remove(gone)
                self._files.remove_strays(kept, strays_before)
        if old.rowcount or gone:
            self._db.checkpoint()

    @contextmanager
    def _dated(self) -> Iterator[tuple[sqlite3.Connection, float]]:
        """Hold a transaction, and say when it is; a clock that was set is seen before anything is dated by it."""
        with self._db.alone():
            now = self._clock()
            if is_set(now - self._seen, self._keep_s):
                with self._db.transaction() as db:  # of its own: it holds whatever becomes of the other
                    look(db, now, self._keep_s, self._seen)
            self._seen = now
            with self._db.transaction() as db:
                yield db, now

    @contextmanager
    def _removing(
        self, owner: str, *, wipe: bool = True, frees: bool = True
    ) -> Iterator[tuple[sqlite3.Connection, float]]:
        """Hold a transaction after which photos go that nothing keeps any longer.

        wipe: what was deleted goes out of the write-ahead log, too. frees: it may use the reserve.
        """
        with self._reserve.given_up() if frees else nullcontext():
            with self._db.alone():
                with self._dated() as (db, now):
                    yield db, now
                    gone = photos.release(db, now, owner)
                self._remove(gone)
            if wipe:
                with suppress(StoreError):  # which is in the log by now; the next one tries again
                    self._db.checkpoint()

    def _remove(self, files: list[StoredFile]) -> None:
        """Remove files that no row names; one that cannot be removed waits for the next sweep."""
        try:
            self._files.remove(files)
        except OSError as error:
            _LOG.warning("%s: %s", self._folder, error)

    def _begun(
        self,
        db: sqlite3.Connection,
        owner: str,
        conversation_id: str,
        version_id: str,
        model: str,
        options: Options | None,
        check: Check | None,
        now: float,
    ) -> Record:
        """Begin an answer inside a transaction, and ask the check."""
        writes.insert_version(db, conversation_id, version_id, model, options, now)
        record = rows.record(db, self._files, owner, conversation_id)
        if check:
            check(record)
        return record

    def _change(self, db: sqlite3.Connection, owner: str, conversation_id: str, now: float) -> None:
        """Touch the conversation, which its owner is about to change. Raises GoneError, BusyError."""
        check_owner(db, owner, conversation_id)
        if rows.is_running(db, conversation_id):
            raise BusyError("The last question is still being answered.", "Wait for the answer, or stop it.")
        touch = "UPDATE conversations SET updated_at = ?, touched_at = ? WHERE id = ?"
        db.execute(touch, (now, now, conversation_id))
