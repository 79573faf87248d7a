"""Tell from a line of LMDeploy's log what the server is doing. Pure; lines are untrusted text.

These lines mark the stages:

    "Fetching 13 files:  46%|####      | 6/13"                       downloading, 46
    "Loading:  25%|##        | 12/48"                                loading, 25
    "[TM][INFO] Object cache budget: 24712.45 MB from free ..."      caching
    "INFO:     Uvicorn running on http://127.0.0.1:23333"            opening
"""

import re
from collections.abc import Iterable
from enum import StrEnum

REASON_CHARS = 200
"""How much of the log goes into a message."""

FALLBACK = "Fallback to pytorch engine"
"""What LMDeploy 0.18 says before it serves with its slow engine, without a prefix cache for this model."""


class Stage(StrEnum):
    """What the server is doing. The first six come in this order."""

    STARTING = "starting"
    DOWNLOADING = "downloading"
    LOADING = "loading"
    CACHING = "caching"
    OPENING = "opening"
    READY = "ready"
    WAITING = "waiting"
    """It ended; it will be started again."""
    FAILED = "failed"
    """It ended for good."""
    ENDED = "ended"
    """With the app."""


_PERCENT = r".*?(\d{1,3})%\|"
_SIGNS = (
    (Stage.DOWNLOADING, re.compile(rf"^(?:Fetching \d+ files|Downloading\b[^:]*):{_PERCENT}")),
    (Stage.LOADING, re.compile(rf"^Loading\b[^:]*:{_PERCENT}")),
    (Stage.CACHING, re.compile(r"Object cache budget|Warm-up lengths|Warm-up finished()")),
    (Stage.OPENING, re.compile(r"Application startup complete|Uvicorn running on|HINT: +Please open()")),
)
_BLAME = re.compile(r"error|exception|out of memory|check failed|aborted|killed|fatal|usage:|too old", re.I)
_PREFIX = re.compile(r"^[\d-]+ [\d:,]+ - lmdeploy - [A-Z]+ - \S+ - ")
"""Of LMDeploy's Python half: when, how grave, where in its source."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def stage_of(line: str) -> tuple[Stage, int | None] | None:
    """Return the stage that a line of the log announces, with its progress in percent if it names one."""
    for stage, sign in _SIGNS:
        if match := sign.search(line):
            return stage, min(100, int(match[1])) if match[1] else None
    return None


def plain_line(raw: bytes) -> str:
    """Return bytes of a log as one printable line."""
    text = _COLOUR.sub("", raw.decode("utf-8", "replace"))
    return "".join(character if character.isprintable() else " " for character in text).strip()


def reason_in(lines: Iterable[str]) -> str:
    """Return the most telling of the last lines before an end: the last that speaks of an error, else the last."""
    messages = [_PREFIX.sub("", line) for line in lines if line and stage_of(line) is None]
    blamed = [line for line in messages if _BLAME.search(line)]
    return (blamed or messages or [""])[-1][:REASON_CHARS].rstrip(" .")
