"""Find a font that can draw a text: Pillow's own for Latin letters, a font of the system for what it lacks.

    font_for("cat")    -> OWN        the same drawing on every machine
    font_for("一只猫")  -> "NotoSansCJK-Regular.ttc", or the first of `SYSTEM` that is installed and has these letters
    font_for("🐱")     -> OWN        where no font has it; `substitute` then says what is drawn instead

Where fonts lie is Pillow's knowledge: it looks through the folders of Linux, macOS and Windows for a file's name.
Nothing is downloaded. Arabic and Hebrew need letters to be joined and lines to run from right to left; where Pillow
cannot do that (it was built without Raqm), their letters count as missing.
"""

import unicodedata
from functools import lru_cache

from PIL import ImageFont, features

OWN = ""
"""Pillow's own font."""

SYSTEM = (
    *(
        "NotoSansCJK-Regular.ttc",
        "NotoSansCJKsc-Regular.otf",
        "NotoSansSC-Regular.otf",
        "NotoSansSC-Regular.ttf",
    ),
    *("SourceHanSansSC-Regular.otf", "SourceHanSansCN-Regular.otf", "wqy-microhei.ttc", "wqy-zenhei.ttc"),
    *("DroidSansFallbackFull.ttf", "DroidSansFallback.ttf", "uming.ttc", "ukai.ttc"),
    *("PingFang.ttc", "Hiragino Sans GB.ttc", "STHeiti Light.ttc", "Arial Unicode.ttf"),
    *("msyh.ttc", "msyh.ttf", "simhei.ttf", "simsun.ttc", "YuGothM.ttc", "malgun.ttf"),
    *(
        "DejaVuSans.ttf",
        "NotoSansArabic-Regular.ttf",
        "NotoNaskhArabic-Regular.ttf",
        "NotoSansHebrew-Regular.ttf",
    ),
    *(
        "NotoSansDevanagari-Regular.ttf",
        "NotoSansThai-Regular.ttf",
        "GeezaPro.ttc",
        "segoeui.ttf",
        "arial.ttf",
    ),
    *("NotoEmoji-Regular.ttf", "Symbola.ttf", "Symbola_hint.ttf", "seguiemj.ttf"),
)
"""Fonts that systems bring, by their files' names: Chinese, Japanese and Korean first, then others."""

_UNKNOWN = "\U0010fffd"  # a private character, in no font: it looks like whatever the font lacks
_RIGHT_TO_LEFT = ("R", "AL")


def font_for(text: str) -> str:
    """Return the first font that has every character of a text, or else the first that has the most of them."""
    wanted = [char for char in dict.fromkeys(text) if substitute(OWN, char) == "?" != char]
    if not wanted:
        return OWN
    fonts = (OWN, *_installed())
    return max(fonts, key=lambda name: sum(substitute(name, char) != "?" for char in wanted))


@lru_cache(maxsize=4096)
def substitute(name: str, char: str) -> str:
    """Return the character, or what a font can draw in its place: `e` for an accent that it lacks, else `?`."""
    if _has(name, char):
        return char
    base = "".join(part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part))
    return base if base != char and all(_has(name, part) for part in base) else "?"


@lru_cache(maxsize=64)
def font(name: str, size_px: int) -> ImageFont.FreeTypeFont:
    """Return a font in a size. Raises OSError if it is not installed or has no such size."""
    found = ImageFont.truetype(name, size_px) if name else ImageFont.load_default(size_px)
    if not isinstance(found, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType")
    return found


@lru_cache(maxsize=1)
def _installed() -> tuple[str, ...]:
    return tuple(name for name in SYSTEM if _is_installed(name))


def _is_installed(name: str) -> bool:
    try:
        font(name, 24)
    except OSError:
        return False
    return True


def _has(name: str, char: str) -> bool:
    if unicodedata.bidirectional(char) in _RIGHT_TO_LEFT and not features.check("raqm"):
        return False
    mask, unknown = (font(name, 24).getmask(text) for text in (char, _UNKNOWN))
    return char.isspace() or (mask.size, bytes(mask)) != (unknown.size, bytes(unknown))
