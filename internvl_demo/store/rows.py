"""Rows -> records, and the few questions that several verbs ask of the tables. No transactions here."""

import json
import sqlite3
from dataclasses import fields
from hashlib import sha256
from typing import Any

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Attachment
from internvl_demo.errors import DemoError, Sentence
from internvl_demo.models.base import Usage
from internvl_demo.photos.photo import Photo
from internvl_demo.photos.regions import Origin
from internvl_demo.store.branches import Step, path, question_row
from internvl_demo.store.faults import GoneError
from internvl_demo.store.files import FromFile, PhotoFiles, StoredFile
from internvl_demo.store.records import Entry, Failure, Question, Record, Version

MAX_TITLE_CHARS = 80
"""The longest name of a conversation."""

_ENTRY = (
    "SELECT id, title, created_at, updated_at, (SELECT text FROM questions q WHERE"
    " q.conversation = conversations.id AND q.parent IS NULL AND q.shown) AS first FROM conversations"
)


def entries(db: sqlite3.Connection, owner: str) -> list[Entry]:
    """Return the owner's conversations, the one changed last first."""
    newest = f"{_ENTRY} WHERE owner = ? ORDER BY updated_at DESC, rowid DESC"
    return [Entry(**_head(row)) for row in db.execute(newest, (hashed(owner),))]


def record(db: sqlite3.Connection, files: PhotoFiles, owner: str, conversation_id: str) -> Record:
    """Read the conversation, if it is the owner's; its photos are light. Raises GoneError."""
    mine = f"{_ENTRY} WHERE id = ? AND owner = ?"
    row = db.execute(mine, (conversation_id, hashed(owner))).fetchone()
    if row is None:
        raise conversation_gone()
    questions = tuple(_question(db, files, conversation_id, step) for step in path(db, conversation_id))
    return Record(**_head(row), questions=questions)


def stored(row: sqlite3.Row) -> StoredFile:
    """Name the file of a photo's row."""
    return StoredFile(row["mime"], bool(row["original"]), row["digest"])


def attachment(row: sqlite3.Row, files: PhotoFiles, max_tiles: int) -> Attachment:
    """Make the light photo of a photo's row, as sent with at most so many tiles."""
    source = FromFile(files, stored(row))
    photo = Photo(row["id"], row["name"], (row["width"], row["height"]), source)
    return Attachment(photo, max_tiles, _origin(row["origin"]))


def check_owner(db: sqlite3.Connection, owner: str, conversation_id: str) -> None:
    """Raise GoneError when there is no such conversation of the owner's."""
    mine = "SELECT 1 FROM conversations WHERE id = ? AND owner = ?"
    if db.execute(mine, (conversation_id, hashed(owner))).fetchone() is None:
        raise conversation_gone()


def is_running(db: sqlite3.Connection, conversation_id: str) -> bool:
    """Whether a version of an answer is just being written."""
    running = (
        "SELECT 1 FROM versions v JOIN questions q ON q.id = v.question"
        " WHERE q.conversation = ? AND v.state = 'running'"
    )
    return db.execute(running, (conversation_id,)).fetchone() is not None


def conversation_gone() -> GoneError:
    """For a conversation that there is not, or not for this owner."""
    return GoneError("The conversation is no longer here.", "Begin a new one.")


def hashed(owner: str) -> str:
    """Hash what is kept of an owner: whoever reads the file cannot pass for them. Raises ValueError for nobody."""
    if not owner:
        raise ValueError("a conversation needs an owner")
    return sha256(owner.encode("utf-8", "replace")).hexdigest()


def well_formed(text: str) -> str:
    """Text that UTF-8 can hold: a browser may send half a surrogate pair."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def title_of(text: str) -> str:
    """Return the first line with anything in it, on one line of at most 80 characters; may be ""."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    line = next(filter(None, lines), "")
    return line if len(line) <= MAX_TITLE_CHARS else line[: MAX_TITLE_CHARS - 1].rstrip() + "…"


def _head(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "title": row["title"] or title_of(row["first"] or ""),
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def _question(db: sqlite3.Connection, files: PhotoFiles, conversation_id: str, step: Step) -> Question:
    row = question_row(db, conversation_id, step.id)
    assert row is not None
    images = db.execute(
        "SELECT p.*, i.max_tiles FROM images i JOIN photos p ON p.id = i.photo"
        " WHERE i.question = ? ORDER BY i.number",
        (row["id"],),
    )
    versions = db.execute("SELECT * FROM versions WHERE question = ? ORDER BY number", (row["id"],))
    return Question(
        row["id"],
        row["text"],
        tuple(attachment(image, files, image["max_tiles"]) for image in images),
        tuple(_version(each) for each in versions),
        row["chosen"],
        step.siblings,
    )


def _version(row: sqlite3.Row) -> Version:
    names = ("id", "raw", "state", "model", "started_at", "ttft_s", "total_s", "thinking", "thought_s")
    return Version(
        **{name: row[name] for name in names},
        usage=_usage(row["usage"]),
        failure=_failure(row) if row["what"] else None,
        options=_options(row["options"]),
    )


def failure_json(failure: Failure) -> str:
    """Return what a page needs to say it in another language."""
    error = DemoError(*failure)
    return json.dumps([part.data() for part in error.parts])


def _failure(row: sqlite3.Row) -> Failure:
    """Read why an answer broke off; an old row has no details, and one that the app's end broke off the words only."""
    if not row["failure"]:
        return Failure(row["what"], row["next_step"] or "")
    return Failure(*map(Sentence.of_data, json.loads(row["failure"])))


def _origin(text: str | None) -> Origin | None:
    if not text:
        return None
    photo_id, xyxy_px, kind = json.loads(text)
    return Origin(photo_id, tuple(xyxy_px) if xyxy_px else None, kind)


def _usage(text: str | None) -> Usage | None:
    return Usage(**_known(Usage, text)) if text else None


def _options(text: str | None) -> Options | None:
    return Options(**_known(Options, text)) if text else None


def _known(kind: type[Usage] | type[Options], text: str) -> dict[str, Any]:
    """Return what is known here of what was written, perhaps by another version of the demo."""
    written, known = json.loads(text), {field.name for field in fields(kind)}
    return {name: value for name, value in written.items() if name in known}
