"""What the store gives out: frozen values, light ones. Photos say where their pixels are, and hold none.

    Entry      a conversation's line in a list
    Record     the conversation itself: questions in order
    Question   what was asked, its images, the versions of its answer, which of them is chosen, its siblings
    Version    one answer: its raw text with tags, how it ended, what it cost

The conversation goes on from the chosen version of each answer; a question without one is unanswered. A
version is chosen when it ends, if there is anything in it; until then the earlier one stays.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Attachment
from internvl_demo.models.base import Usage

State = Literal["running", "complete", "stopped", "broken"]
"""Being written; ended by the model; ended by a person; ended by an error or with the app."""


class Coming(NamedTuple):
    """What has come of a version that is running: its id, its text so far, its times (see `Version`)."""

    id: str
    raw: str
    ttft_s: float | None
    total_s: float
    thinking: str = ""
    thought_s: float | None = None


class Failure(NamedTuple):
    """Why a version is broken: the parts of a DemoError."""

    what: str
    next_step: str
    details: str = ""


INTERRUPTED = Failure("The demo ended while it was answering.", "Retry for the whole answer.")
"""Why a version is broken that was running when the app ended."""


@dataclass(frozen=True)
class Version:
    """One answer. `started_at` is in seconds since 1970, `ttft_s` and `total_s` count from there. `options`: how it
    was asked for; None where that was not kept. `thinking`: what the model wrote for itself before, for `thought_s`
    seconds: people see it, and no model is ever sent it."""

    id: str
    raw: str
    state: State
    model: str
    started_at: float
    ttft_s: float | None = None
    total_s: float = 0.0
    usage: Usage | None = None
    failure: Failure | None = None
    options: Options | None = None
    thinking: str = ""
    thought_s: float | None = None

    @property
    def answers(self) -> bool:
        """Whether there is an answer in it: an empty one is one if the model ended it, or thought before."""
        return bool(self.raw or self.thinking) or self.state == "complete"


@dataclass(frozen=True)
class Question:
    """A question. `versions` are in the order of their coming, `chosen` is the id of one or None.

    siblings: the ids of the versions of the question itself, in the order of making; it is one of them.
    """

    id: str
    text: str
    images: tuple[Attachment, ...]
    versions: tuple[Version, ...] = ()
    chosen: str | None = None
    siblings: tuple[str, ...] = ()

    @property
    def answer(self) -> str | None:
        """The chosen version's raw text."""
        return next((version.raw for version in self.versions if version.id == self.chosen), None)

    @property
    def asked(self) -> Version | None:
        """The chosen version, or the last one where none is chosen."""
        asked = [version for version in self.versions if version.id == self.chosen] or self.versions[-1:]
        return asked[0] if asked else None


@dataclass(frozen=True)
class Entry:
    """A conversation in a list. Times are in seconds since 1970."""

    id: str
    title: str
    created_at: float
    updated_at: float


@dataclass(frozen=True)
class Record:
    """A conversation as it is kept, of its branches the one that is shown (`store.branches`)."""

    id: str
    title: str
    created_at: float
    updated_at: float
    questions: tuple[Question, ...]

    @property
    def running(self) -> Version | None:
        """The version that is being written now; its id is the id of its job."""
        return next(
            (v for question in self.questions for v in question.versions if v.state == "running"), None
        )
