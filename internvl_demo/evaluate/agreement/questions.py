"""Make the questions whose answers are boxes: about drawn pictures whose truth is known, or about a person's own.

    drawn(4)                            two drawn pictures, each asked for one thing and for all
    of_folder(Path("photos"), "...")    every picture of the folder, asked the same

Drawn pictures are asked about in the words with which InternVL was trained to write boxes.
"""

from dataclasses import dataclass
from pathlib import Path

from internvl_demo.errors import SetupError
from internvl_demo.nano.world.pictures import EXAM_SEEDS
from internvl_demo.nano.world.scenes import draw_scene
from internvl_demo.photos.coordinates import Box4
from internvl_demo.photos.decode import open_photo, photo_of
from internvl_demo.photos.photo import Photo

ONE = (
    "Please provide the bounding box coordinate of the region this sentence describes: <ref>the {name}</ref>"
)
ALL = "Please identify and label all objects in the following image."

_SEEDS = EXAM_SEEDS * 2
_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"),
    *(".tif", ".tiff", ".heic", ".heif", ".avif"),
)


@dataclass(frozen=True)
class Question:
    """A question about one picture. truth_1000: where the things are that it asks for; None where nobody knows."""

    picture: str
    photo: Photo
    text: str
    truth_1000: tuple[Box4, ...] | None = None


def drawn(count: int) -> list[Question]:
    """Return so many questions about drawn pictures, the same on every machine, in turn for one thing and for all."""
    found: list[Question] = []
    seed = _SEEDS
    while len(found) < count:
        seed += 1
        picture = draw_scene(seed)
        single = [kind for kind, number in picture.counts.items() if number == 1]
        if not single:
            continue
        photo, name = photo_of(picture.image), f"drawn {seed - _SEEDS}"
        (thing,) = picture.of(single[0])
        found += [
            Question(name, photo, ONE.format(name=thing.kind.en), (picture.box_1000(thing),)),
            Question(name, photo, ALL, tuple(map(picture.box_1000, picture.things))),
        ]
    return found[:count]


def of_folder(folder: Path, text: str) -> list[Question]:
    """Return a question about each picture of a folder, by name. Raises SetupError without any, and PhotoError."""
    if not folder.is_dir():
        raise SetupError(f"There is no folder {folder}.", "Name one that holds pictures with --pictures.")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    if not files:
        raise SetupError(f"{folder} holds no pictures.", f"Put some there: {', '.join(_SUFFIXES)}.")
    return [Question(path.name, open_photo(path), text) for path in files]
