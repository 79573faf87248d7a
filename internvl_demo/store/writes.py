"""Statements that change conversations, several of which make one verb. No transactions here, no owners."""

import json
import sqlite3
import uuid
from collections.abc import Iterable
from dataclasses import asdict

from internvl_demo.conversation.options import Options
from internvl_demo.models.base import Usage
from internvl_demo.store import branches
from internvl_demo.store.branches import RELOAD, last_question
from internvl_demo.store.faults import GoneError
from internvl_demo.store.records import INTERRUPTED, Coming, Failure, State
from internvl_demo.store.rows import failure_json, well_formed

_BEGUN = "(raw <> '' OR thinking <> '')"
"""Whether anything has come of a version."""

_WRITE = (
    "UPDATE versions SET raw = :raw, ttft_s = :ttft_s, total_s = :total_s, thinking = :thinking,"
    " thought_s = :thought_s WHERE id = :id AND state = 'running'"
)


def _values(version: Coming) -> dict[str, object]:
    texts = {"raw": well_formed(version.raw), "thinking": well_formed(version.thinking)}
    return {**version._asdict(), **texts}


def interrupt(db: sqlite3.Connection, now: float) -> None:
    """End the answers that were being written when the app ended; until `now` their conversations were in use."""
    db.execute(
        "UPDATE conversations SET touched_at = ? WHERE id IN (SELECT q.conversation FROM versions v"
        " JOIN questions q ON q.id = v.question WHERE v.state = 'running')",
        (now,),
    )
    db.execute(
        "UPDATE questions SET chosen = (SELECT id FROM versions WHERE question = questions.id AND state ="
        f" 'running') WHERE id IN (SELECT question FROM versions WHERE state = 'running' AND {_BEGUN})"
    )
    db.execute(
        "UPDATE versions SET state = 'broken', what = ?, next_step = ? WHERE state = 'running'",
        INTERRUPTED[:2],
    )


def insert_question(db: sqlite3.Connection, conversation_id: str, text: str) -> str:
    """Write a question behind the last one, in the place of one that is unanswered; returns its id."""
    last = last_question(db, conversation_id)
    if last and last["chosen"] is None:
        db.execute("DELETE FROM questions WHERE id = ?", (last["id"],))
        return _insert_question(db, conversation_id, last["parent"], text)
    return _insert_question(db, conversation_id, last["id"] if last else None, text)


def insert_sibling(db: sqlite3.Connection, conversation_id: str, question_id: str, text: str) -> None:
    """Write a question in other words beside it, with its images, unanswered and shown.

    Raises GoneError; HiddenError when that question is not shown.
    """
    branches.check_shown(db, conversation_id, question_id)
    (parent,) = db.execute("SELECT parent FROM questions WHERE id = ?", (question_id,)).fetchone()
    fresh = _insert_question(db, conversation_id, parent, text)
    images = "INSERT INTO images SELECT ?, number, photo, max_tiles FROM images WHERE question = ?"
    db.execute(images, (fresh, question_id))


def _insert_question(db: sqlite3.Connection, conversation_id: str, parent: str | None, text: str) -> str:
    """Write a question that follows `parent`, and show it; returns its id."""
    branches.hide(db, conversation_id, parent)
    question_id = uuid.uuid4().hex
    db.execute(
        "INSERT INTO questions (id, conversation, number, text, parent, shown)"
        " SELECT ?, ?, coalesce(max(number), 0) + 1, ?, ?, 1 FROM questions WHERE conversation = ?",
        (question_id, conversation_id, well_formed(text), parent, conversation_id),
    )
    return question_id


def choose_version(db: sqlite3.Connection, conversation_id: str, version_id: str) -> None:
    """Choose a version of the last answer. Raises GoneError when it is none with anything in it."""
    last = last_question(db, conversation_id)
    changed = db.execute(
        "UPDATE questions SET chosen = :version WHERE id = :question AND EXISTS (SELECT 1 FROM versions"
        f" WHERE id = :version AND question = :question AND ({_BEGUN} OR state = 'complete'))",
        {"version": version_id, "question": last["id"] if last else ""},
    )
    if changed.rowcount == 1:
        return
    there = (
        "SELECT 1 FROM versions v JOIN questions q ON q.id = v.question WHERE v.id = ? AND conversation = ?"
    )
    if db.execute(there, (version_id, conversation_id)).fetchone():
        raise GoneError("That is not a version of the last answer.", RELOAD)
    raise GoneError("That version is no longer in the conversation.", RELOAD)


def insert_version(
    db: sqlite3.Connection,
    conversation_id: str,
    version_id: str,
    model: str,
    options: Options | None,
    now: float,
) -> None:
    """Write a version of the last answer, empty and running, in the place of those with nothing in them.

    Raises GoneError when there is no question.
    """
    last = last_question(db, conversation_id)
    if last is None:
        raise GoneError("There is no question to answer.", "Ask one first.")
    question = last["id"]
    db.execute(
        f"DELETE FROM versions WHERE question = ? AND NOT {_BEGUN} AND state <> 'complete'", (question,)
    )
    most = "SELECT coalesce(max(number), 0) FROM versions WHERE question = ?"
    (number,) = db.execute(most, (question,)).fetchone()
    db.execute(
        "INSERT INTO versions (id, question, number, raw, state, model, started_at, total_s, options)"
        " VALUES (?, ?, ?, '', 'running', ?, ?, 0, ?)",
        (version_id, question, number + 1, model, now, json.dumps(asdict(options)) if options else None),
    )


def write_versions(db: sqlite3.Connection, versions: Iterable[Coming]) -> None:
    """Write what has come of running versions."""
    db.executemany(_WRITE, [_values(each) for each in versions])


def end_version(
    db: sqlite3.Connection,
    state: State,
    end: Coming,
    usage: Usage | None,
    failure: Failure | None,
    now: float,
) -> None:
    """Write the end of a running version, and choose it if there is an answer in it."""
    what, next_step = (failure.what, failure.next_step) if failure else (None, None)
    cost = json.dumps(asdict(usage)) if usage else None
    said = failure_json(failure) if failure else None
    if db.execute(_WRITE, _values(end)).rowcount == 0:
        return  # the conversation was deleted meanwhile
    db.execute(
        "UPDATE versions SET state = ?, usage = ?, what = ?, next_step = ?, failure = ? WHERE id = ?",
        (state, cost, what, next_step, said, end.id),
    )
    (question,) = db.execute("SELECT question FROM versions WHERE id = ?", (end.id,)).fetchone()
    if end.raw or end.thinking or state == "complete":
        db.execute("UPDATE questions SET chosen = ? WHERE id = ?", (end.id, question))
    db.execute(
        "UPDATE conversations SET updated_at = ?, touched_at = ?"
        " WHERE id = (SELECT conversation FROM questions WHERE id = ?)",
        (now, now, question),
    )
