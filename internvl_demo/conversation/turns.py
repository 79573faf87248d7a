"""Turns and conversations: frozen values; every change gives a new one.

A turn keeps what the person wrote, the photos they sent with it, each with its own resolution mode,
and the *raw* answer with its grounding tags. Boxes, exports and the next prompt are derived from the
raw answer. Image numbers run over the whole conversation: `Image-1` is the first photo ever sent.

    Conversation().ask("How many cats?", (Attachment(photo, 12),)).answered("There are 2 cats.")
"""

import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from internvl_demo.photos.photo import Photo
    from internvl_demo.photos.regions import Origin


@dataclass(frozen=True)
class Attachment:
    """A photo as sent in a turn: at most `max_tiles` tiles (1..40); if it was made from another, from which."""

    photo: "Photo"
    max_tiles: int
    origin: "Origin | None" = None


@dataclass(frozen=True)
class Turn:
    """One question, with its images, and the raw answer once there is one."""

    text: str
    images: tuple[Attachment, ...] = ()
    answer: str | None = None


@dataclass(frozen=True)
class Conversation:
    """Turns in order. Only the last may lack its answer. `id` names it to caches and balancers."""

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

    def ask(self, text: str, images: tuple[Attachment, ...] = ()) -> "Conversation":
        """A new question. A last question left unanswered gives way to it."""
        kept = self.turns[:-1] if self.waiting else self.turns
        return replace(self, turns=(*kept, Turn(text, images)))

    def answered(self, raw: str) -> "Conversation":
        """The last turn's answer is `raw`, tags included."""
        if not self.turns:
            raise ValueError("there is no question to answer")
        return replace(self, turns=(*self.turns[:-1], replace(self.turns[-1], answer=raw)))

    def retry(self) -> "Conversation":
        """The last question again, unanswered."""
        if not self.turns:
            raise ValueError("there is no question to ask again")
        return replace(self, turns=(*self.turns[:-1], replace(self.turns[-1], answer=None)))

    def undo(self) -> "Conversation":
        """Without the last turn."""
        return replace(self, turns=self.turns[:-1])

    def edit(self, index: int, text: str) -> "Conversation":
        """Turn `index` asked in other words, its images kept; what followed it is gone."""
        edited = replace(self.turns[index], text=text, answer=None)
        return replace(self, turns=(*self.turns[:index], edited))
