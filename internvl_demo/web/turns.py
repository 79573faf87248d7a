"""What can be done with the turns of a conversation: a session -> plain data for the script `static/turns`.

The script puts it under each message: edit a question, copy an answer, go through its versions or see them side
by side, take the last turn back. The values are people's and models' words, set as text.

    {"turns": [{"question": "the question's id", "text": "Where is it?", "answer": "There.",
                "versions": [{"id": ..., "text": "There.", "note": "first token 0.12 s"}], "chosen": 0}],
     "running": False, "words": {"edit": "Edit", ...}}

What a person does comes back as events of the widget: `edit` with {"question", "text"}, `select` with
{"version"}, and `undo`.
"""

from typing import Any

from internvl_demo.answering.jobs import recalled
from internvl_demo.conversation.turns import Conversation
from internvl_demo.models.base import ModelInfo
from internvl_demo.store.records import Question
from internvl_demo.web.session import Session, receipt
from internvl_demo.web.strings import TABLE, Words

_PREFIX = "turns_"

NOTHING: dict[str, Any] = {"turns": [], "running": False, "words": {}}
"""Before the first question."""


def turns(session: Session, running: bool, info: ModelInfo, words: Words) -> dict[str, Any]:
    """The whole value; see the module's opening. While an answer comes there is nothing to do with any turn."""
    own = {key.removeprefix(_PREFIX): words(key) for key in TABLE if key.startswith(_PREFIX)}
    if running or session.record is None:
        return {"turns": [], "running": running, "words": own}
    asked = session.record.questions
    last = len(asked) - 1
    shown = []
    for place, (question, said) in enumerate(zip(asked, session.answers, strict=True)):
        versions = _versions(session.conversation, place, question, info, words) if place == last else []
        chosen = next((n for n, version in enumerate(versions) if version["id"] == question.chosen), 0)
        answer = said.text if said else None
        shown.append(
            {
                "question": question.id,
                "text": question.text,
                "answer": answer,
                "versions": versions,
                "chosen": chosen,
            }
        )
    return {"turns": shown, "running": False, "words": own}


def _versions(
    conversation: Conversation, place: int, question: Question, info: ModelInfo, words: Words
) -> list[dict[str, str]]:
    """The versions of an answer among which one can choose; nothing when there is one only."""
    there = [version for version in question.versions if version.answers]
    if len(there) < 2:
        return []
    found = []
    for version in there:
        said = recalled(conversation, place, version)
        assert said is not None
        found.append({"id": version.id, "text": said.text, "note": receipt(said, (), info, words)})
    return found
