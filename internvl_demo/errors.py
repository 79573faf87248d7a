"""Define what can go wrong, each error with the next step for the person who reads it.

Every error that may reach a person is a `DemoError`: one sentence that says what happened and, in
`next_step`, one that says what to do about it. What only whoever runs the demo can use (addresses, settings, what
another program said) is in `details`, which the page folds away. Text of foreign exceptions, of people and of
servers is data: it may stand inside a sentence, never decide its form.

    raise PhotoError("{name} is larger than {limit} MB.", "Choose a smaller one.", name=name, limit=32)
    raise BackendError("The model does not answer.", "Try again.", "See the log of {host}.", host=host)

All of it is English text, for logs, the command line and programs; sentences keep their template and values,
so that a page can show them in another language.
"""

import re
from collections.abc import Mapping
from typing import Any

Value = str | int
"""What may stand in a sentence: text or a number, which is data; a `Sentence` is words of ours."""

_PLACE = re.compile(r"\{(\w+)\}")


class Sentence(str):
    """English words: a template with its values filled in, each once, whatever stands in them.

    Sentence("{name} is empty.", name="a{b}.png") == "a{b}.png is empty."

    A placeholder without a value stays as it is.
    """

    template: str
    values: Mapping[str, Value]

    def __new__(cls, template: str, /, **values: Value) -> "Sentence":
        """Return the filled template, which keeps the template and its values."""
        sentence = super().__new__(cls, fill(template, values))
        sentence.template = str(template)
        sentence.values = {name: values[name] for name in _PLACE.findall(template) if name in values}
        return sentence

    def __reduce__(self) -> tuple[Any, ...]:
        return Sentence.of_data, (self.data(),)

    def data(self) -> list[Any]:
        """Return what JSON can hold: the template, and the values by name."""
        values = self.values.items()
        return [
            self.template,
            {name: value.data() if isinstance(value, Sentence) else value for name, value in values},
        ]

    @staticmethod
    def of_data(data: object) -> "Sentence":
        """Return the sentence whose `data` this is; a string as it is, and "" for anything else."""
        match data:
            case [str(template), dict(values)]:
                found = {str(name): _value(value) for name, value in values.items()}
                return Sentence(template, **found)
        return Sentence("{said}", said=data if isinstance(data, str) else "")


def fill(template: str, values: Mapping[str, Value]) -> str:
    """Fill a template with its values. Unlike `str.format`, a template cannot look into them."""
    return _PLACE.sub(lambda place: str(values.get(place[1], place[0])), template)


def _value(data: object) -> Value:
    return data if isinstance(data, (str, int)) else Sentence.of_data(data)


class DemoError(Exception):
    """An error with a reader.

    what: what happened, one sentence.
    next_step: what the person can do now, one sentence.
    details: what whoever runs the demo needs to know besides; "" where that is nothing. No secret stands in it.
    values: what stands in any of them.
    """

    def __init__(self, what: str, next_step: str, details: str = "", /, **values: Value):
        self.what, self.next_step = _sentence(what, values), _sentence(next_step, values)
        self.details = _sentence(details, values)
        super().__init__(" ".join(self.parts))

    def as_dict(self) -> dict[str, Sentence]:
        """Return {"what", "next_step"}, and "details" where there are any."""
        told = {"what": self.what, "next_step": self.next_step}
        return {**told, "details": self.details} if self.details else told

    @property
    def parts(self) -> tuple[Sentence, ...]:
        """What happened, what to do, and the details where there are any."""
        return tuple(self.as_dict().values())


def _sentence(text: str, values: Mapping[str, Value]) -> Sentence:
    return text if isinstance(text, Sentence) else Sentence(text, **values)


class PhotoError(DemoError):
    """The file cannot be used as a picture."""


class ModeError(DemoError):
    """The resolution mode is not `low`, `standard`, `high` or a number from 1 to 40, or more than a model reads."""


class ContextError(DemoError):
    """The conversation does not fit into the model's context."""


class BackendError(DemoError):
    """The model cannot answer: it is missing, unreachable, or refused the request."""


class CheckpointError(BackendError):
    """The directory or hub id does not hold an InternVL checkpoint that can be loaded."""


class SetupError(DemoError):
    """Something on this machine is missing: a font, a file, a setting."""
