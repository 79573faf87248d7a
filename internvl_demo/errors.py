"""What can go wrong, each with the next step for the person who reads it.

Every error that may reach a person is a `DemoError`: one sentence that says what happened and, in
`next_step`, one that says what to do about it. Text of foreign exceptions, of people and of servers
is data: it may stand inside a sentence, never decide its form.
"""


class DemoError(Exception):
    """An error with a reader.

    what: what happened, one sentence.
    next_step: what the person can do now, one sentence.
    """

    def __init__(self, what: str, next_step: str):
        super().__init__(f"{what} {next_step}")
        self.what = what
        self.next_step = next_step


class PhotoError(DemoError):
    """The file cannot be used as a picture."""


class ModeError(DemoError):
    """The resolution mode is not `low`, `standard`, `high` or a number from 1 to 40."""


class ContextError(DemoError):
    """The conversation does not fit into the model's context."""


class BackendError(DemoError):
    """The model cannot answer: it is missing, unreachable, or refused the request."""


class CheckpointError(BackendError):
    """The directory or hub id does not hold an InternVL checkpoint that can be loaded."""


class SetupError(DemoError):
    """Something on this machine is missing: a font, a file, a setting."""
