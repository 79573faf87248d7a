"""What the store's tests share: a clock to turn, a store at a place, two photos."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from PIL import Image

from internvl_demo.photos.decode import photo_of
from internvl_demo.store import Store

HOUR, DAY = 3600.0, 24 * 3600.0
RED = photo_of(Image.new("RGB", (9, 7), "red"), "red.png")
BLUE = photo_of(Image.new("RGB", (7, 9), "blue"), "blue.png")


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


def open_at(folder: Path, clock: Callable[[], float]) -> Store:
    return Store(folder / "data", 30, clock=clock, patience_s=0.1)


def answered(store: Store, owner: str, conversation_id: str, raw: str, version_id: str = "v1") -> None:
    store.begin(owner, conversation_id, version_id, "model")
    store.finish(version_id, "complete", raw)


def files(folder: Path) -> set[str]:
    """The names of the photos' files."""
    return {path.name for path in (folder / "data" / "photos").iterdir()}


def photo_ids(folder: Path) -> set[str]:
    """What the photos' files show; those that are complete."""
    paths = [path for path in (folder / "data" / "photos").iterdir() if path.suffix != ".new"]
    assert all(path.stem == sha256(path.read_bytes()).hexdigest() for path in paths)
    return {photo_of(Image.open(path)).id for path in paths}
