"""List the kinds of objects that the miniature knows: a glyph, an English and a Chinese name.

The list is `assets/nano/vocabulary.json`: `[{"char": "🐱", "en": "cat", "zh": "猫", "counter": "只"}, ...]`,
drawn with the glyphs of Noto Color Emoji; `counter` is the Chinese measure word, and `colours` the glyphs
of a kind that comes in several. This module also knows how English counts them.
"""

import json
from dataclasses import dataclass
from functools import lru_cache

from internvl_demo.settings import asset

NANO_DIR = asset("nano")

_IRREGULAR = {
    "fish": "fish",
    "dice": "dice",
    "cactus": "cacti",
    "leaf": "leaves",
}

COLOURS_ZH = {
    "red": "红色",
    "orange": "橙色",
    "yellow": "黄色",
    "green": "绿色",
    "blue": "蓝色",
    "purple": "紫色",
}


@dataclass(frozen=True)
class Kind:
    """One kind of object. `colours` are (colour, glyph) of a kind that comes in several."""

    char: str
    en: str
    zh: str
    counter: str = "个"
    colours: tuple[tuple[str, str], ...] = ()

    @property
    def plural(self) -> str:
        """English plural: cat -> cats, bus -> buses, strawberry -> strawberries."""
        if self.en in _IRREGULAR:
            return _IRREGULAR[self.en]
        if self.en.endswith(("s", "x", "ch", "sh")):
            return self.en + "es"
        if self.en.endswith("y") and self.en[-2] not in "aeiou":
            return self.en[:-1] + "ies"
        return self.en + "s"

    @property
    def with_article(self) -> str:
        """English name with its article: cat -> a cat, apple -> an apple."""
        return ("an " if self.en[0] in "aeiou" else "a ") + self.en

    def counted(self, count: int) -> str:
        """Return an English count: 1 -> a cat, 3 -> 3 cats."""
        return self.with_article if count == 1 else f"{count} {self.plural}"

    def counted_zh(self, count: int) -> str:
        """Return a Chinese count: 1 -> 1只猫, 3 -> 3只猫."""
        return f"{count}{self.counter}{self.zh}"


SIGN = Kind("", "sign", "牌子", "块")
"""Not a glyph: a board with print on it."""


@lru_cache
def kinds() -> tuple[Kind, ...]:
    """Return all kinds that have a glyph, in the file's order."""
    rows = json.loads((NANO_DIR / "vocabulary.json").read_text("utf-8"))
    return tuple(
        Kind(
            row["char"],
            row["en"],
            row["zh"],
            row.get("counter", "个"),
            tuple(row.get("colours", {}).items()),
        )
        for row in rows
    )


@lru_cache
def looks() -> dict[tuple[str, str], int]:
    """Return everything that a patch may show, as (English name, colour or "") -> number; 0 is nothing.

    A heart may be red or blue: two looks of one kind. The last are no objects: a bar or slice of a chart,
    and print too small to be read.
    """
    names = [(kind.en, colour) for kind in kinds() for colour in ([name for name, _ in kind.colours] or [""])]
    names += [(SIGN.en, ""), ("bar", ""), ("print", "")]
    return {name: number for number, name in enumerate(names, start=1)}
