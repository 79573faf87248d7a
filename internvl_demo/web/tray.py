"""What the tray shows under the composer: a draft -> plain data for the scripts in `static/tray`.

One chip for every picture that waits, with its number, tiles and tokens; the conversation's images, which a
question can name with `@` as well; what is wrong. Names are whatever people called their files: the scripts set
them as text. The tray's own texts go in both languages, as the page's other fixed labels; the browser chooses.

    {"chips": [{"id": ..., "caption": "Image-3", "name": "a.png", "url": ..., "grid": [2, 3], "max_tiles": None,
                "text": "800 × 1300 px → 2 × 3 = 6 tiles + thumbnail, 448 visual tokens"}],
     "before": [{"caption": "Image-1", "name": "cat.png", "url": ...}, ...],
     "most": 12, "total": "", "problem": None, "words": {"en": {"camera": "Camera", ...}, "zh": {...}}}

What a person does there comes back as two events of the widget: `act`, whose data is a deed for `draft.acted`, and
`fetch`, {"do": "fetch", "url": "https://..."}, for `photos.download.fetch_photo`.
"""

from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any

from internvl_demo.conversation.tiling import MODES
from internvl_demo.conversation.turns import Attachment
from internvl_demo.errors import DemoError
from internvl_demo.models.base import ModelInfo
from internvl_demo.photos.decode import Photo
from internvl_demo.web.draft import Draft, attachments
from internvl_demo.web.session import notice, plan_of, preview, spoken
from internvl_demo.web.strings import TABLE, Words

_PREFIX = "tray_"
_SHARED = (*(f"mode_{name}" for name in MODES), "mode_custom", "max_tiles")
"""Texts of the page's that the chips' modes use, too."""


def tray(
    draft: Draft,
    most: int,
    info: ModelInfo,
    url_of: Callable[[Photo], str],
    words: Words,
    *,
    before: Sequence[Attachment] = (),
    problem: DemoError | None = None,
) -> dict[str, Any]:
    """The whole value of the tray; see the module's opening.

    most: tiles for chips without a mode of their own, from the page's choice.
    before: the conversation's images, which are numbered first.
    """
    images = attachments(draft, most)
    first = len(before) + 1
    costs = preview([(image.photo.name, plan_of(image)) for image in images], first, info, words)
    chips = [
        {
            **line,
            "id": chip.photo.id,
            "url": url_of(chip.photo),
            "max_tiles": chip.max_tiles,
            "origin": astuple(chip.origin) if chip.origin else None,
        }
        for line, chip in zip(costs["lines"], draft, strict=True)
    ]
    earlier = [
        {"caption": f"Image-{number}", "name": image.photo.name, "url": url_of(image.photo)}
        for number, image in enumerate(before, 1)
    ]
    return {
        **empty(),
        "chips": chips,
        "before": earlier,
        "most": most,
        "total": costs["total"],
        "problem": spoken(notice(problem), words) if problem else None,
    }


def empty() -> dict[str, Any]:
    """The tray before the first picture."""
    words = {language: _own_words(column) for column, language in enumerate(("en", "zh"))}
    return {"chips": [], "before": [], "most": 1, "total": "", "problem": None, "words": words}


def _own_words(column: int) -> dict[str, str]:
    """The tray's texts in one language, their {values} left open: the scripts fill them in."""
    own = {key.removeprefix(_PREFIX): key for key in TABLE if key.startswith(_PREFIX)}
    return {name: TABLE[key][column] for name, key in (own | {key: key for key in _SHARED}).items()}
