"""The kinds of objects that the miniature knows: a glyph, an English and a Chinese name.

The list is `assets/nano/vocabulary.json`: `[{"char": "🐱", "en": "cat", "zh": "猫"}, ...]`, drawn with
the glyphs of Noto Color Emoji. This module also knows how English counts them.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

NANO_DIR = Path(__file__).resolve().parents[2] / "assets" / "nano"

_IRREGULAR = {"fish": "fish", "cactus": "cacti"}


@dataclass(frozen=True)
class Kind:
    """One kind of object."""

    char: str
    en: str
    zh: str

    @property
    def plural(self) -> str:
        """cat -> cats, bus -> buses, strawberry -> strawberries."""
        if self.en in _IRREGULAR:
            return _IRREGULAR[self.en]
        if self.en.endswith(("s", "x", "ch", "sh")):
            return self.en + "es"
        if self.en.endswith("y") and self.en[-2] not in "aeiou":
            return self.en[:-1] + "ies"
        return self.en + "s"

    @property
    def with_article(self) -> str:
        """cat -> a cat, apple -> an apple."""
        return ("an " if self.en[0] in "aeiou" else "a ") + self.en

    def counted(self, count: int) -> str:
        """1 -> a cat, 3 -> 3 cats."""
        return self.with_article if count == 1 else f"{count} {self.plural}"


@lru_cache
def kinds() -> tuple[Kind, ...]:
    """All kinds, in the file's order."""
    rows = json.loads((NANO_DIR / "vocabulary.json").read_text("utf-8"))
    return tuple(Kind(row["char"], row["en"], row["zh"]) for row in rows)
