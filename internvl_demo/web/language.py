"""Say everything in the reader's language: the texts of the page, and what errors say.

    words = words_for("zh-CN,zh;q=0.9")
    words("context_free", count="730")                    -> " · 剩余 730"
    words.problem(PhotoError("The file is empty.", ...))  -> {"what": "文件是空的。", "next_step": ...}

The texts are in `locale/en.json` and `locale/zh.json`, by key; the page reads the same files. An error is raised in
English: `locale/errors.zh.json` gives the Chinese of its templates. A sentence that is not there, and what stands
inside of one (a file's name, a server's words), is shown as it is. Commands and logs speak English.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from internvl_demo.errors import DemoError, Sentence, fill
from internvl_demo.models.base import Health

LANGUAGES = ("en", "zh")

_LOCALE = Path(__file__).parent / "locale"


@cache
def table(name: str) -> dict[str, str]:
    """Return the texts of one file of `locale`: "en", "zh" or "errors.zh"."""
    texts: dict[str, str] = json.loads((_LOCALE / f"{name}.json").read_text("utf-8"))
    return texts


class Words:
    """The texts in one language."""

    def __init__(self, language: str = "en"):
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """Return the text of a key, with its {values} filled in."""
        return table(self.language)[key].format(**values)

    def sentence(self, sentence: str) -> str:
        """Return what an error says, which is English, in this language."""
        return _in_chinese(sentence) if self.language == "zh" else str(sentence)

    def problem(self, error: DemoError) -> dict[str, str]:
        """Return an error as {"what", "next_step"}, and "details" where there are any."""
        return {name: self.sentence(text) for name, text in error.as_dict().items()}

    def localise(self, conversation: dict[str, Any]) -> dict[str, Any]:
        """Return a conversation's data with the failures of its answers in this language."""
        for question in conversation["questions"]:
            for answer in question["answers"]:
                if failure := answer["failure"]:
                    answer["failure"] = {name: self.sentence(text) for name, text in failure.items()}
        return conversation


def health_data(health: Health, words: Words) -> dict[str, Any]:
    """Return how a model is: {"kind"}, "per_cent" where it is known, and unless it is ready the parts of an error."""
    loaded = {} if health.per_cent is None else {"per_cent": health.per_cent}
    problem = words.problem(health.problem) if health.problem else {}
    return {"kind": health.kind, **loaded, **problem}


def error_data(error: DemoError, headers: Mapping[str, str]) -> dict[str, Any]:
    """Return what a request is answered when it fails: the error in the reader's language.

    A page that can change its language says `Prefer: languages`; it gets the others, too.
    """
    data: dict[str, Any] = words_for(headers.get("accept-language")).problem(error)
    if headers.get("prefer") == "languages":
        data["also"] = {language: Words(language).problem(error) for language in LANGUAGES}
    return data


def words_for(accept_language: str | None) -> Words:
    """Return the texts for an Accept-Language header: Chinese if that comes first, else English."""
    first = (accept_language or "").split(",", 1)[0].strip().lower()
    return Words("zh" if first.startswith("zh") else "en")


def _in_chinese(sentence: str) -> str:
    """Translate a sentence of ours; of what stands inside of it only sentences of ours are translated."""
    chinese = table("errors.zh")
    if not isinstance(sentence, Sentence):
        return chinese.get(sentence, sentence)  # kept without what it was made of
    values = {
        name: _in_chinese(value) if isinstance(value, Sentence) else value
        for name, value in sentence.values.items()
    }
    return fill(chinese.get(sentence.template, sentence.template), values)
