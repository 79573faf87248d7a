"""The pictures that wait in the composer, and what a person does with them: frozen values in, frozen values out.

    draft = (Chip(photo), Chip(other, 40))          # the first as many tiles as for all, the second up to 40
    draft = acted(draft, {"do": "move", "id": other.id, "at": 1, "to": 0})
    Conversation().ask("Where?", attachments(draft, 12))

What is done comes from a browser, which may show an older draft than the one here: whatever does not fit
changes nothing. Not here: how it looks (`tray`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from internvl_demo.conversation.tiling import MAX_TILES
from internvl_demo.conversation.turns import Attachment
from internvl_demo.photos.decode import Photo
from internvl_demo.photos.regions import Origin


@dataclass(frozen=True)
class Chip:
    """A picture that is not sent yet: at most `max_tiles` tiles (1..40), or None for as many as for all; and from
    which it was made, if it was."""

    photo: Photo
    max_tiles: int | None = None
    origin: Origin | None = None


Draft = tuple[Chip, ...]
"""In the order in which they are sent and numbered."""


def attachments(draft: Draft, most: int) -> tuple[Attachment, ...]:
    """As they are sent; `most` tiles for those without a mode of their own."""
    return tuple(Attachment(chip.photo, chip.max_tiles or most, chip.origin) for chip in draft)


def added(draft: Draft, photos: Iterable[Photo]) -> Draft:
    """With more pictures at the end; one that waits already under the same name is not taken twice."""
    waiting = dict.fromkeys(chip.photo for chip in draft)
    fresh = [photo for photo in dict.fromkeys(photos) if photo not in waiting]
    return (*draft, *(Chip(photo) for photo in fresh))


def joined(back: Draft, draft: Draft) -> Draft:
    """With what comes back before it; what waits already under the same name is not there twice."""
    waiting = {chip.photo for chip in back}
    return (*back, *(chip for chip in draft if chip.photo not in waiting))


def exchanged(draft: Draft, old: Draft, new: Draft) -> Draft:
    """The new one, if it is still the old one."""
    return new if draft == old else draft


def acted(draft: Draft, deed: Mapping[str, Any]) -> Draft:
    """The draft after what a person did: {"do": "remove" | "move" | "mode", "id", "at", "to", "max_tiles"}.

    `id` is the photo's and `at` its place, from 0, as the person saw it; `to` the place that it moves to.
    """
    at = _place(draft, deed.get("id"), deed.get("at"))
    if at is None:
        return draft
    others, do = (*draft[:at], *draft[at + 1 :]), deed.get("do")
    if do == "remove":
        return others
    if do == "move" and _is_number(to := deed.get("to"), 0, len(others)):
        return (*others[:to], draft[at], *others[to:])
    if do == "mode" and ((most := deed.get("max_tiles")) is None or _is_number(most, 1, MAX_TILES)):
        return (*draft[:at], replace(draft[at], max_tiles=most), *draft[at + 1 :])
    return draft


def _place(draft: Draft, photo_id: Any, at: Any) -> int | None:
    """Where the photo is now: where it was seen, or else the only place where it is."""
    places = [place for place, chip in enumerate(draft) if chip.photo.id == photo_id]
    if _is_number(at, 0, len(draft) - 1) and at in places:
        return int(at)
    return places[0] if len(places) == 1 else None


def _is_number(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most
