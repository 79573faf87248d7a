"""Read from the settings which models there are, and where each of them is.

    --model mini-2b --model miniature --endpoint fast=http://gpu:23333
        Place("fast", "endpoint", "http://gpu:23333"), Place("mini-2b", "model", "mini-2b"), Place("miniature", ...)

The first is what answers where nobody chose. In: settings. Out: frozen values. Nothing is opened here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from internvl_demo.errors import SetupError
from internvl_demo.settings import NANO_CHECKPOINT, Settings

MINIATURE = "miniature"
_UNNAMED = "server"
_NAMED = re.compile(r"([A-Za-z0-9][\w.-]{0,39})=(.+)", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """Where a model is. id: its name on the page. where: an address, a model's name or a directory.

    model: its name at a server, where the host said it. key: the server's API key.
    """

    id: str
    kind: Literal["serve", "endpoint", "model", "checkpoint"]
    where: str
    model: str | None = None
    key: str | None = None

    @property
    def title(self) -> str:
        """What people call it, where the host gave it a name; else "", and its own name is used."""
        return self.id if self.kind == "endpoint" and self.id != _UNNAMED else ""

    @property
    def is_miniature(self) -> bool:
        """Whether it is the model that comes with the repository."""
        return self.kind == "checkpoint" and self.where == str(NANO_CHECKPOINT)

    @property
    def by_server(self) -> bool:
        """Whether a server answers, which can answer several at once."""
        return self.kind in ("serve", "endpoint")


def places_of(settings: Settings) -> list[Place]:
    """Return the models that the settings name, the first first. Raises SetupError where two have one name."""
    found: dict[str, Place] = {}
    for place in _places(settings):
        if place.id in found:
            raise SetupError(
                f"Two models have the name {place.id}.",
                "Name servers apart, such as --endpoint fast=http://..., and each model once.",
            )
        found[place.id] = place
    return list(found.values())


def _places(settings: Settings) -> Iterator[Place]:
    if settings.serve:
        yield Place(_last(settings.serve), "serve", settings.serve)
    one = len(settings.endpoint) == 1 and not _NAMED.fullmatch(settings.endpoint[0])
    there = settings.model if one and len(settings.model) == 1 else ()
    keys = _keys(settings, one)
    for endpoint in settings.endpoint:
        named = _NAMED.fullmatch(endpoint)
        name, where = (named[1], named[2]) if named else (_UNNAMED, endpoint)
        yield Place(name, "endpoint", where, there[0] if there else None, keys.get(name))
    for model in () if there else settings.model:
        if model == MINIATURE:
            yield Place(MINIATURE, "checkpoint", str(NANO_CHECKPOINT))
        else:
            yield Place(_last(model), "model", model)
    if not (settings.serve or settings.endpoint or settings.model):
        bundled = settings.checkpoint == str(NANO_CHECKPOINT)
        yield Place(MINIATURE if bundled else _last(settings.checkpoint), "checkpoint", settings.checkpoint)


def _keys(settings: Settings, one: bool) -> dict[str, str]:
    """Return the API keys of the servers by name. Raises SetupError where it is not said whose a key is."""
    if not settings.api_key:
        return {}
    if one:
        return {_UNNAMED: settings.api_key}
    pairs = [_NAMED.fullmatch(word) for word in settings.api_key.split()]
    keys = {pair[1]: pair[2] for pair in pairs if pair}
    names = {named[1] for named in map(_NAMED.fullmatch, settings.endpoint) if named}
    if len(keys) < len(pairs) or not keys.keys() <= names:
        raise SetupError(
            "It is not said whose API key that is: a key goes to no server but its own.",
            "Name it as the endpoint is named: INTERNVL_API_KEY='fast=KEY other=KEY'.",
        )
    return keys


def _last(name: str) -> str:
    """Return the last part of a path or a hub id, as a name on the page."""
    return PurePath(name.rstrip("/\\")).name or "model"
