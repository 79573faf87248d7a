"""Find which images a text names: people's and models' words, English and Chinese -> numbers of images.

    mentions("the second photo", Sent(3))    -> [Mention(images=(2,), start=0, end=16)]
    mentions("图一和图三", Sent(3))           -> [Mention(images=(1, 3), start=0, end=5)]
    mentions("the second cat", Sent(3))      -> []

What the words mean:

    numbers    `Image-2`, `picture 2`, `photo #2`, `图二`, `2号图`: the number in the conversation, as in the prompt
               and on the page
    ordinals   `the second image`, `2nd picture`, `第二张`: of the pictures that came with the question, if these are
               at least two and at least so many; else of all. When the question brought none, and the last that
               came before were not the first, either may be meant: both are named
    last       `the last photo`, `最后一张`: of all that were sent so far; so do `second to last` and `倒数第二张`
    former     `the former picture`, `上一张`, `后一张`: of two that came with the question, or of two in all; when
               one came with it, `the previous picture` is the one before that
    several    `both images`, `images 1 to 3`, `the first two photos`, `这两张图`, `the other picture`: all of them

Names that only `and`, `和` or a comma joins are one mention of several. A word that merely looks like a name
names nothing: `image 50 px`, `图书`, `2nd floor`, `第二张桌子`. Numbers of images that do not exist are ignored.

english, chinese   the words
sent               how the images are counted
"""

import re
from dataclasses import dataclass

from internvl_demo.grounding.naming import chinese, english
from internvl_demo.grounding.naming.sent import Sent

_NOUN = re.compile("ima?g|pic|photo|screenshot|[图照相截影画张幅副]", re.IGNORECASE)
"""Stands in every text that names an image; most texts do not, and are not searched further."""

_ROWS = (*english.ROWS, *chinese.ROWS)

_SAME_AS = str.maketrans(
    "０１２３４５６７８９①②③④⑤⑥⑦⑧⑨張圖後兩幾個這裡號隻數餘頭內沒還來顯*`~\u200b",
    "0123456789123456789张图后两几个这里号只数余头内没还来显    ",
)
"""Characters that are read as another: full-width and circled digits, traditional Chinese; marks as spaces."""

_JOINING = re.compile(
    r"\s{0,4}(?:,|，|、|&|/|和|与|跟|及|以及|或|还有)?\s{0,4}(?:(?:and|or)\b)?\s{0,4}(?:(?:in|the)\b\s{0,4}){0,2}",
    re.I,
)


@dataclass(frozen=True)
class Mention:
    """The images that `text[start:end]` names, by their numbers in the conversation: one, or several."""

    images: tuple[int, ...]
    start: int
    end: int


def mentions(text: str, sent: Sent, *, named_before: bool = False) -> list[Mention]:
    """Return what a text names, in its order.

    named_before: whether images were named before the text, so that `in the second` alone may name another.
    """
    text = text.translate(_SAME_AS)
    if not named_before and not _NOUN.search(text):
        return []
    matches = [(match, row) for row in _ROWS for match in row.pattern.finditer(text)]
    matches.sort(key=lambda found: (found[0].start(), -found[0].end()))
    result: list[Mention] = []
    end = 0
    for match, row in matches:
        if match.start() < end or (row.short and not (result or named_before)):
            continue
        start, end = match.start("name" if row.short else 0), match.end()
        if images := row.images(match, sent):
            _append(result, Mention(images, start, end), text)
    return result


def _append(result: list[Mention], mention: Mention, text: str) -> None:
    """Add a mention; one that is joined to the last becomes part of it."""
    last = result[-1] if result else None
    between = text[last.end : mention.start] if last else ""
    if last and between.strip() and _JOINING.fullmatch(between):
        result[-1] = Mention(last.images + mention.images, last.start, mention.end)
    else:
        result.append(mention)


def images_named(text: str, count: int) -> list[int]:
    """Return the numbers of the images that a text names, in order with repeats, out of `count` images."""
    return [image for mention in mentions(text, Sent(count)) for image in mention.images]
