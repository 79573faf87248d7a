"""Know the family: for each checkpoint its template, its stops, its labels, its sizes. One table; nothing else does.

    find("mini-2b")                       -> Profile, by a short name, a hub id or the end of one; or None
    profile_of(config, "mini", template)  -> Profile, by config.json, or by the chat template beside it
    profile_named("internvl3.5-8b")       -> Profile, for `--profile`

table      one row a checkpoint
templates  what stands around the parts of a conversation
languages  the language models: sizes, and what their vocabularies add
shape      layers and widths -> parameters, bytes, tokens
detect     config.json or a chat template -> which of them it is

In: names and JSON. Out: frozen values. No torch, no network, no files.
"""

import re
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.template import Template
from internvl_demo.errors import SetupError
from internvl_demo.models.profiles.languages import Vocabulary, shape_with
from internvl_demo.models.profiles.shape import Shape
from internvl_demo.models.profiles.table import ROWS, Row
from internvl_demo.models.profiles.templates import THINKING_SYSTEM, V1_SYSTEMS

OWNER = "OpenGVLab"

_NAME_CHARS = 200
"""How much of a name is looked at, from its end: the hub's have 96 characters at most."""

OWN_VOCABULARY = {"internlm2-chat": "internlm2", "phi3-chat": "phi3", "internvl2_5": "qwen", "Hermes-2": "yi"}
"""Template -> the vocabulary that its file is named without."""

_SUFFIXES = re.compile(r"-(?:awq|hf|instruct|flash|int8|mpo)$")


@dataclass(frozen=True)
class Profile:
    """What the demo knows of a checkpoint.

    name: as on the hub, without its owner. shorts: what people may type for it.
    template: with the vocabulary's first token and its end. stop_ids: of tokens that end an answer, () where the
    vocabulary's are not known. tiles: the most tiles that an image may have. thinking: the system prompt with which
    it thinks first; None where it does not. language: the architecture of its language model, as in config.json.
    awq: whether it is published in 4 bits, too. vocabulary: the name of its tokenizer's family.
    """

    name: str
    template: Template
    shape: Shape = field(default_factory=Shape)
    shorts: tuple[str, ...] = ()
    stop_ids: tuple[int, ...] = ()
    tiles: int = 40
    thinking: str | None = None
    language: str = ""
    awq: bool = False
    vocabulary: str = ""

    def system_of(self, options: Options) -> str | None:
        """Return the system prompt that takes the place of the model's own; None: that stays.

        Where the model is to think, the one with which it does, and a person's own after it.
        """
        thinking = self.thinking if options.thinking else None
        return "\n\n".join(filter(None, (thinking, options.system))) or None

    @property
    def hub_id(self) -> str:
        """Where the hub has it."""
        return f"{OWNER}/{self.name}"

    @property
    def template_stem(self) -> str:
        """Name of its template's files in `assets/templates`, without `.json` and `.jinja`.

        There is one for each template, vocabulary and system prompt of the family; a model with a system prompt of its
        own has that of its template, as the page always brings the system prompt.
        """
        v1 = self.template.system in V1_SYSTEMS
        own = OWN_VOCABULARY.get(self.template.name) == self.vocabulary
        vocabulary = "" if own else self.vocabulary
        return "-".join(filter(None, (self.template.name.lower(), vocabulary, "v1" if v1 else "")))


def completed(template: Template, vocabulary: Vocabulary) -> tuple[Template, tuple[int, ...]]:
    """Return a template with what the vocabulary adds, and the ids of its ends where they are known."""
    ends = tuple(dict.fromkeys((*template.ends, *filter(None, [vocabulary.end]))))
    whole = replace(template, start=vocabulary.start, ends=ends)
    return whole, tuple(vocabulary.ids[end] for end in ends if end in vocabulary.ids)


def plain_name(name: str) -> str:
    """Return a name so that ways of writing it are equal: `OpenGVLab/InternVL3_5-8B` is `internvl3-5-8b`."""
    last = name.strip().rstrip("/\\").replace("\\", "/").rpartition("/")[2]
    return re.sub(r"[._\s]", "-", last.lower())


def find(name: str) -> Profile | None:
    """Return the checkpoint of that short name, hub id or folder name; None where the table has none.

    Other forms of one checkpoint (`-AWQ`, `-HF`, `-Instruct`) are found as that checkpoint.
    """
    plain = plain_name(name[-_NAME_CHARS:])
    while plain not in _by_name():
        shorter = _SUFFIXES.sub("", plain)
        if shorter == plain:
            return None
        plain = shorter
    return _by_name()[plain]


def profile_named(name: str) -> Profile:
    """Return the checkpoint of that name, for `--profile`. Raises SetupError with names that are near."""
    if found := find(name):
        return found
    near = get_close_matches(plain_name(name), _by_name(), 3, 0.5)
    shorts = [_by_name()[one].shorts[0] for one in near] or ["mini-2b", "26b", "internvl3.5-8b"]
    raise SetupError(
        "There is no checkpoint of the name {name} among those that are known.",
        "Name one of the family, such as {names}.",
        name=name,
        names=", ".join(dict.fromkeys(shorts)),
    )


def hub_id_of(name: str) -> str:
    """Return the hub id that a person means: of a short name its checkpoint's, anything else as it is.

    Another form of a checkpoint (`InternVL3-1B-hf`) is its owner's under that name.
    """
    if "/" in name or not find(name):
        return name
    found = _by_name().get(plain_name(name))
    return found.hub_id if found else f"{OWNER}/{name}"


@cache
def profiles() -> tuple[Profile, ...]:
    """Return all of the table, in its order."""
    return tuple(map(_profile, ROWS))


@cache
def _by_name() -> dict[str, Profile]:
    return {plain_name(name): each for each in profiles() for name in (each.name, *each.shorts)}


def _profile(row: Row) -> Profile:
    template, stop_ids = completed(row.template, row.language.vocabulary)
    return Profile(
        row.name,
        template,
        shape_with(row.language, row.vision),
        row.shorts,
        stop_ids,
        row.tiles,
        THINKING_SYSTEM if row.thinks else None,
        row.language.architecture,
        row.awq,
        row.language.vocabulary.name,
    )


V1_5_PROFILE = next(each for each in profiles() if "26b" in each.shorts)
"""InternVL 1.5's: what is meant where nothing is said."""


def served_profile(model: str) -> Profile:
    """Return the profile of a model that a server offers under this name.

    One whose name says nothing is taken for an InternVL 1.5 of another vocabulary: no ids of tokens are sent.
    """
    return find(model) or replace(V1_5_PROFILE, name=model, shorts=(), stop_ids=())
