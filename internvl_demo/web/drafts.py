"""What each tab has waiting to be sent: held here, and changed here only.

    drafts.change(tab, value, lambda draft: added(draft, photos))     # value: what the tab's tray shows

A change is a quick function of the draft as it is then, whatever it was when the change was asked for: a picture that
was long in coming does not bring back what was sent meanwhile. What the browser says of a draft counts when the app
has been started again, or the page loaded again, meanwhile; all of it is checked.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace

from internvl_demo.conversation.tiling import MAX_TILES
from internvl_demo.errors import DemoError, PhotoError
from internvl_demo.photos.regions import Origin
from internvl_demo.store import Store
from internvl_demo.store.faults import GoneError, StoreError
from internvl_demo.web.draft import Chip, Draft

TABS = 256
"""Tabs whose drafts are held: their photos are decoded, some 36 MB for one of 12 megapixels."""

MAX_CHIPS = 16
"""Pictures that may wait in one tab. The model was made for a handful; each takes memory here until it is sent."""


@dataclass(frozen=True)
class _Held:
    """A tab's draft; what was wrong with a picture, until it is told; how often something was sent, and the files
    that went with it the last time."""

    draft: Draft = ()
    problem: DemoError | None = None
    sendings: int = 0
    files: frozenset[str] = frozenset()


class Drafts:
    """The drafts of all tabs, for many threads."""

    def __init__(self, store: Store):
        self._store = store
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._lock = threading.RLock()

    def of(self, tab: str, value: object) -> tuple[Draft, DemoError | None]:
        """The tab's draft, and what was wrong with a picture; `value` is what its tray shows."""
        if tab not in self._held:
            draft, problem = draft_of(value, self._store)
            with self._lock:
                self._held.setdefault(tab, _capped(_Held(draft, problem)))
        with self._lock:
            held = self._held.get(tab, _Held())
        self._keep(held.draft)
        return held.draft, held.problem

    def change(
        self, tab: str, value: object, by: Callable[[Draft], Draft], problem: DemoError | None = None
    ) -> Draft:
        """The tab's draft after a change; `problem`: what was wrong with it."""
        self.of(tab, value)
        with self._lock:
            held = self._held.get(tab, _Held())
            held = _capped(replace(held, draft=by(held.draft), problem=problem))
            self._put(tab, held)
        self._keep(held.draft)
        return held.draft

    def sendings(self, tab: str) -> int:
        """How often something was sent from the tab."""
        with self._lock:
            return self._held.get(tab, _Held()).sendings

    def sent_since(self, tab: str, sendings: int) -> Collection[str]:
        """The files that went with the last question, if that was sent after so many others."""
        with self._lock:
            held = self._held.get(tab, _Held())
        return held.files if held.sendings > sendings else ()

    def send(self, tab: str, chips: Draft, files: Collection[str]) -> None:
        """Those chips are sent, and files that were not chips yet."""
        gone = {chip.photo for chip in chips}
        with self._lock:
            held = self._held.get(tab, _Held())
            left = tuple(chip for chip in held.draft if chip.photo not in gone)
            self._put(tab, _Held(left, None, held.sendings + 1, frozenset(files)))

    def _put(self, tab: str, held: _Held) -> None:
        self._held[tab] = held
        self._held.move_to_end(tab)
        while len(self._held) > TABS:
            self._held.popitem(last=False)

    def _keep(self, draft: Draft) -> None:
        if not draft:
            return
        with suppress(StoreError):  # a full disk does not hinder writing a question
            self._store.wait([chip.photo.id for chip in draft])


def draft_of(value: object, store: Store) -> tuple[Draft, DemoError | None]:
    """The pictures that a browser says are in its tray, and what is said of those that are no longer kept."""
    chips = value.get("chips") if isinstance(value, dict) else None
    told = [chip for chip in chips if isinstance(chip, dict)] if isinstance(chips, list) else []
    draft: list[Chip] = []
    gone: list[str] = []
    for chip in told[:MAX_CHIPS]:
        most, name = chip.get("max_tiles"), str(chip.get("name") or "")
        try:
            photo = store.photo(str(chip.get("id")), name)
        except (GoneError, PhotoError):
            gone.append(name)
            continue
        own = most if type(most) is int and 1 <= most <= MAX_TILES else None
        draft.append(Chip(photo, own, _origin(chip.get("origin"))))
    return tuple(draft), _gone(gone) if gone else None


def room_in(draft: Draft) -> int:
    """How many more pictures may wait."""
    return max(MAX_CHIPS - len(draft), 0)


def too_many() -> DemoError:
    """A picture more than may wait."""
    return DemoError(
        "A message takes {most} pictures at most; what came after them was left out.",
        "Send these first, or remove some.",
        most=MAX_CHIPS,
    )


def _capped(held: _Held) -> _Held:
    if len(held.draft) <= MAX_CHIPS:
        return held
    return replace(held, draft=held.draft[:MAX_CHIPS], problem=held.problem or too_many())


def _gone(names: list[str]) -> DemoError:
    if len(names) == 1 and names[0]:
        return DemoError("{name} is no longer kept here.", "Add it again.", name=names[0])
    return DemoError(
        "{count} pictures of the message are no longer kept here.", "Add them again.", count=len(names)
    )


def _origin(told: object) -> Origin | None:
    """What a browser says a picture was made from; it may only matter for what it shows."""
    if not (isinstance(told, list) and len(told) == 3 and isinstance(told[0], str)):
        return None
    photo_id, xyxy_px, kind = told
    if kind == "mark":
        return Origin(photo_id, None, "mark")
    whole = isinstance(xyxy_px, list) and len(xyxy_px) == 4 and all(type(side) is int for side in xyxy_px)
    if kind == "crop" and whole and 0 <= xyxy_px[0] < xyxy_px[2] and 0 <= xyxy_px[1] < xyxy_px[3]:
        return Origin(photo_id, (xyxy_px[0], xyxy_px[1], xyxy_px[2], xyxy_px[3]), "crop")
    return None
