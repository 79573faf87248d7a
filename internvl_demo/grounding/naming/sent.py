"""Count the images of a conversation as people do: from its beginning, in the last message, from the end.

    Sent(count=5, own=2).ordinal(2)   -> (5,)      the second of the two that came with the question
    Sent(count=5, own=2).number(2)    -> (2,)      Image-2
    Sent(count=5, own=2).from_last(1) -> (5,)

Every method returns the numbers of images that exist: one where it is certain, several where it is not, none.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

Images = tuple[int, ...]


@dataclass(frozen=True)
class Sent:
    """How many images there are: in all, with the question, with the last earlier message unless it was the first."""

    count: int
    own: int = 0
    before: int = 0

    def number(self, number: int) -> Images:
        """Return the image with this number in the conversation."""
        return (number,) if 1 <= number <= self.count else ()

    def ordinal(self, place: int) -> Images:
        """Return the image at a place, from 1: in the question's own message, or else in the conversation."""
        least = max(2, place)
        if self.own >= least:
            return self.number(self.count - self.own + place)
        if not self.own and self.before >= least:
            return self.number(place) + self.number(self.count - self.before + place)
        return self.number(place)

    def from_last(self, place: int) -> Images:
        """Return the image at a place from the end; 1 is the last."""
        return self.number(self.count + 1 - place)

    def first(self, some: int) -> Images:
        """Return the first images."""
        return tuple(image for place in range(1, min(some, self.count) + 1) for image in self.ordinal(place))

    def last(self, some: int) -> Images:
        """Return the last images."""
        return tuple(range(max(1, self.count + 1 - some), self.count + 1))

    def all(self) -> Images:
        """Return the images of the question's own message if there are several, or else all."""
        return self.last(self.own if self.own > 1 else self.count)

    def former(self) -> Images:
        """Return the first of a pair, or the image before the only one that came with the question."""
        return self.number(self.count - 1) if self._is_pair or self.own == 1 else ()

    def latter(self) -> Images:
        """Return the second of a pair."""
        return self.number(self.count) if self._is_pair else ()

    @property
    def _is_pair(self) -> bool:
        return self.own == 2 or (self.own == 0 and self.count == 2)


@dataclass(frozen=True)
class Row:
    """A way of naming images: a pattern, and the images that a match of it means.

    short: it names an image only where another was named before.
    """

    pattern: re.Pattern[str]
    images: Callable[[re.Match[str], Sent], Images]
    short: bool = False
