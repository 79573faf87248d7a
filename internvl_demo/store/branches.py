"""The branches of a conversation: its questions are a tree, and one path through it is shown.

    "One?" -+- "Two?" --- "Three?"      made first, second and third
            +- "Deux?"                  an edit of "Two?", made last and shown
    path    -> "One?", "Deux?"          "Deux?" with both siblings

Questions that follow the same one are siblings, and of siblings one is shown: the shown ones from the first on are
the path, which people see and the model is told. A branch that is left remembers which of its own branches was shown.

A path always ends where nothing follows, so that whatever is done to a last question is done to no other branch.
What followed a question was said to the chosen version of its answer; it cannot be chosen anew until that is undone.

No transactions here, no owners.
"""

import sqlite3
from collections import defaultdict
from typing import NamedTuple

from internvl_demo.store.faults import GoneError, HiddenError

RELOAD = "Reload the page to see the conversation as it is."

_HIDE = "UPDATE questions SET shown = 0 WHERE conversation = ? AND parent IS ? AND shown"


class Step(NamedTuple):
    """A question of the path. `siblings`: its versions, itself included, in the order of making."""

    id: str
    siblings: tuple[str, ...]


def path(db: sqlite3.Connection, conversation_id: str) -> list[Step]:
    """Return the questions that are shown, in order."""
    made = "SELECT id, parent, shown FROM questions WHERE conversation = ? ORDER BY number"
    siblings: dict[str | None, list[str]] = defaultdict(list)
    shown: list[tuple[str, str | None]] = []
    for question, parent, is_shown in db.execute(made, (conversation_id,)):  # each after the one it follows
        siblings[parent].append(question)
        if is_shown and parent == (shown[-1][0] if shown else None):
            shown.append((question, parent))
    return [Step(question, tuple(siblings[parent])) for question, parent in shown]


def last_question(db: sqlite3.Connection, conversation_id: str) -> sqlite3.Row | None:
    """Return the row of the last question that is shown."""
    shown = path(db, conversation_id)
    return question_row(db, conversation_id, shown[-1].id) if shown else None


def question_row(db: sqlite3.Connection, conversation_id: str, question_id: str) -> sqlite3.Row | None:
    """Return the row of a question of the conversation, shown or not."""
    named = "SELECT * FROM questions WHERE id = ? AND conversation = ?"
    row: sqlite3.Row | None = db.execute(named, (question_id, conversation_id)).fetchone()
    return row


def check_shown(db: sqlite3.Connection, conversation_id: str, question_id: str) -> None:
    """Check that a question is on the path. Raises GoneError when it is nowhere, HiddenError when it is elsewhere."""
    if question_row(db, conversation_id, question_id) is None:
        raise GoneError("That question is no longer in the conversation.", RELOAD)
    if question_id not in (step.id for step in path(db, conversation_id)):
        raise HiddenError(
            "That question is in a branch of the conversation that is not shown.",
            "Go to that branch first, then edit the question.",
        )


def hide(db: sqlite3.Connection, conversation_id: str, parent: str | None) -> None:
    """Show none of the questions that follow `parent`, or of the first ones (None), until another is shown."""
    db.execute(_HIDE, (conversation_id, parent))


def show(db: sqlite3.Connection, conversation_id: str, question_id: str) -> bool:
    """Show the branch that a question is in; return False when it is not in the conversation."""
    row = question_row(db, conversation_id, question_id)
    found = row is not None
    while row is not None:
        if not row["shown"]:
            hide(db, conversation_id, row["parent"])
            db.execute("UPDATE questions SET shown = 1 WHERE id = ?", (row["id"],))
        row = question_row(db, conversation_id, row["parent"]) if row["parent"] else None
    return found


def remove_last(db: sqlite3.Connection, conversation_id: str) -> None:
    """Delete the last question that is shown. Its neighbour is shown then: the sibling before it, or behind it."""
    last = path(db, conversation_id)[-1]
    db.execute("DELETE FROM questions WHERE id = ?", (last.id,))
    at = last.siblings.index(last.id)
    others = last.siblings[:at] + last.siblings[at + 1 :]
    if others:
        show(db, conversation_id, others[max(at - 1, 0)])
