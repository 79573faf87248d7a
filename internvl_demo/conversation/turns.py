"""Represent turns and conversations as frozen values; every change returns a new one.

A turn keeps what the person wrote, the photos they sent with it, each with its own resolution mode,
and the *raw* answer with its grounding tags. Boxes, exports and the next prompt are derived from the
raw answer. Image numbers run over the whole conversation: `Image-1` is the first photo ever sent.

    Conversation().ask("How many cats?", (Attachment(photo, 12),)).with_answer("There are 2 cats.")
"""

import unicodedata
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from internvl_demo.conversation.tiling import TilesFollow, most_tiles

if TYPE_CHECKING:
    from internvl_demo.photos.photo import Photo
    from internvl_demo.photos.regions import Origin

_UNSEEN = ("Zs", "Zl", "Zp", "Cc", "Cf")
"""Unicode's categories of spaces, ends of lines, and characters that nobody sees."""


def is_blank(text: str) -> bool:
    """Return whether there is nothing to see in a question."""
    return all(unicodedata.category(character) in _UNSEEN for character in text)


@dataclass(frozen=True)
class Attachment:
    """A photo as sent in a turn, with at most `max_tiles` tiles (1..40); `origin`: the photo that it was made from."""

    photo: "Photo"
    max_tiles: int
    origin: "Origin | None" = None

    def at_most(self, tiles: int) -> "Attachment":
        """Return the photo with no more tiles than a model reads."""
        return self if self.max_tiles <= tiles else replace(self, max_tiles=tiles)


@dataclass(frozen=True)
class Turn:
    """One question, with its images, and the raw answer once there is one."""

    text: str
    images: tuple[Attachment, ...] = ()
    answer: str | None = None


@dataclass(frozen=True)
class Conversation:
    """A conversation's turns in order. Only the last may lack its answer. `id` names it to caches and balancers."""

    turns: tuple[Turn, ...] = ()
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def images(self) -> tuple[Attachment, ...]:
        """All images in order: `Image-1` is the first."""
        return tuple(image for turn in self.turns for image in turn.images)

    @property
    def waiting(self) -> bool:
        """Whether the last turn still lacks its answer."""
        return bool(self.turns) and self.turns[-1].answer is None

    def as_read(self, follow: TilesFollow) -> "Conversation":
        """Return the conversation with the most tiles that its images get in one request to a model that follows so."""
        most = iter(most_tiles([image.max_tiles for image in self.images], follow))
        turns = (
            replace(turn, images=tuple(replace(image, max_tiles=next(most)) for image in turn.images))
            for turn in self.turns
        )
        return replace(self, turns=tuple(turns))

    def ask(self, text: str, images: tuple[Attachment, ...] = ()) -> "Conversation":
        """Return the conversation with a new question, which replaces a last question left unanswered."""
        kept = self.turns[:-1] if self.waiting else self.turns
        return replace(self, turns=(*kept, Turn(text, images)))

    def with_answer(self, raw: str) -> "Conversation":
        """Return the conversation with `raw`, tags included, as the last turn's answer."""
        if not self.turns:
            raise ValueError("there is no question to answer")
        return replace(self, turns=(*self.turns[:-1], replace(self.turns[-1], answer=raw)))

    def at_most(self, tiles: int) -> "Conversation":
        """Return the conversation whose images have no more tiles than a model reads of one."""
        turns = (
            replace(turn, images=tuple(image.at_most(tiles) for image in turn.images)) for turn in self.turns
        )
        return replace(self, turns=tuple(turns))

    def retry(self) -> "Conversation":
        """Return the conversation with its last question unanswered."""
        if not self.turns:
            raise ValueError("there is no question to ask again")
        return replace(self, turns=(*self.turns[:-1], replace(self.turns[-1], answer=None)))
