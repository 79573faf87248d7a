"""What the store's tests share: a clock to turn, a store at a place, two photos, and asking without an answer."""

from collections.abc import Callable, Iterable
from hashlib import sha256
from itertools import count
from pathlib import Path

from PIL import Image

from internvl_demo.conversation.turns import Attachment
from internvl_demo.photos.decode import photo_of, pixels_of
from internvl_demo.photos.photo import Photo
from internvl_demo.store import Store

HOUR, DAY = 3600.0, 24 * 3600.0
RED = photo_of(Image.new("RGB", (9, 7), "red"), "red.png")
BLUE = photo_of(Image.new("RGB", (7, 9), "blue"), "blue.png")

_numbers = count(1)


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


def open_at(folder: Path, clock: Callable[[], float]) -> Store:
    return Store(folder / "data", 30, clock=clock, patience_s=0.1)


def kept(store: Store, owner: str, images: Iterable[Attachment]) -> tuple[Attachment, ...]:
    """The same images, added to the store."""
    added = [(store.add_photo(owner, image.photo, origin=image.origin), image) for image in images]
    return tuple(store.attachment(owner, photo.id, image.max_tiles) for photo, image in added)


def asked(
    store: Store, owner: str, conversation_id: str | None, text: str, images: Iterable[Attachment] = ()
) -> str:
    """A question that nobody answers; gives the conversation's id. The images need not be in the store yet."""
    version = f"unanswered {next(_numbers)}"
    record = store.ask(
        owner, conversation_id, text, kept(store, owner, images), version_id=version, model="model"
    )
    store.finish(version, "stopped", "")
    return record.id


def answered(store: Store, owner: str, conversation_id: str, raw: str, version_id: str = "v1") -> None:
    store.begin(owner, conversation_id, version_id, "model")
    store.finish(version_id, "complete", raw)


def shown(images: Iterable[Attachment]) -> list[tuple[str, str, int]]:
    """What images show, what they are called, and with how many tiles; ids in a store are random."""
    return [(shown_id(image.photo), image.photo.name, image.max_tiles) for image in images]


def shown_id(photo: Photo) -> str:
    """The id that a photo's pixels have in memory."""
    return photo_of(photo.image).id


def files(folder: Path) -> set[str]:
    """The names of the photos' files."""
    return {path.name for path in (folder / "data" / "photos").iterdir()}


def photo_ids(folder: Path) -> set[str]:
    """What the photos' files show; those that are complete."""
    paths = [path for path in (folder / "data" / "photos").iterdir() if path.suffix != ".new"]
    assert all(path.stem == sha256(path.read_bytes()).hexdigest() for path in paths)
    return {photo_of(pixels_of(path.read_bytes())).id for path in paths}
