"""Texts for the grounding parser: broken ones with the reason of each, good ones, and floods."""

from collections.abc import Iterable
from typing import NamedTuple

from internvl_demo.conversation.turns import Conversation
from internvl_demo.grounding.attribution import Attribution, PinnedBox
from internvl_demo.grounding.lists import LIST_CHARS
from internvl_demo.grounding.parser import Box, Event


class Case(NamedTuple):
    """A text, why it is hard, and what must become of it."""

    reason: str
    text: str
    visible: str
    boxes: list[Box]
    dropped: int


def box(label: str, *box_1000: int) -> Box:
    x1, y1, x2, y2 = box_1000
    return Box(label, (x1, y1, x2, y2))


def pin(events: Iterable[Event], conversation: Conversation, *, ended: bool = True) -> list[PinnedBox]:
    """Return the boxes of an answer on their images, as they are pinned while it comes; without those still held."""
    attribution = Attribution(conversation)
    parts = [part for event in events for part in attribution.add(event)]
    if ended:
        parts += attribution.finish()
    return [part for part in parts if isinstance(part, PinnedBox)]


CAT = box("cat", 1, 2, 3, 4)
DOG = box("dog", 5, 6, 7, 8)
NOBODY = box("", 1, 2, 3, 4)
BOMB = "[[__import__('os').system('x'),1,2,3]]"

BAD = [
    # what is no number
    Case("code must not run", f"<ref>cat</ref><box>{BOMB}</box>", "cat", [], 1),
    Case("code around numbers", "<box>exec([1,2,3,4])</box>", "", [], 1),
    Case("code inside a list", "<box>[[f(1,2,3,4),5,6,7]]</box>", "", [], 1),
    Case("a comprehension", "<box>[[9**9**9 for _ in range(9)]]</box>", "", [], 1),
    Case("NaN", "<ref>cat</ref><box>[[NaN,2,3,4]]</box>", "cat", [], 1),
    Case("infinity", "<box>[[1,2,inf,-Infinity]]</box>", "", [], 1),
    Case("a float that overflows", "<box>[[1,2,1e999,4]]</box>", "", [], 1),
    Case("an exponent", "<box>[[1,2,3e2,400]]</box>", "", [], 1),
    Case("hexadecimal", "<box>[[0x1,2,3,4]]</box>", "", [], 1),
    Case("Python's underscores", "<box>[[1,2,1_000,4]]</box>", "", [], 1),
    Case("digits of another script", "<box>[[\u0661,2,3,4]]</box>", "", [], 1),
    Case("letters as in the training prompt", "<box>[[x1, y1, x2, y2]]</box>", "", [], 1),
    Case("null", "<ref>cat</ref><box>null</box>", "cat", [], 1),
    Case("strings", '<box>[["1","2","3","4"]]</box>', "", [], 1),
    Case("keys", '<box>[{"x1":1,"y1":2,"x2":3,"y2":4}]</box>', "", [], 1),
    Case("percent", "<box>[[1%,2%,3%,4%]]</box>", "", [], 1),
    Case("two signs", "<box>[[--1,2,3,4]]</box>", "", [], 1),
    Case("two dots", "<box>[[1.2.3,2,3,4]]</box>", "", [], 1),
    Case("more digits than any number has", f"<box>[[{'1' * 13},2,3,4]]</box>", "", [], 1),
    Case("spaces for commas", "<box>[[1 2 3 4]]</box>", "", [], 1),
    # wrong counts and sizes
    Case("three numbers", "<ref>cat</ref><box>[[1,2,3]]</box>", "cat", [], 1),
    Case("five numbers", "<box>[[1,2,3,4,5]]</box>", "", [], 1),
    Case("a number missing", "<box>[[1,,3,4]]</box>", "", [], 1),
    Case("no number", "<box>[[]]</box>", "", [], 1),
    Case("no list", "<box></box>", "", [], 1),
    Case("only commas", "<box>,,,</box>", "", [], 1),
    Case("two corners as pairs", "<box>(1,2),(3,4)</box>", "", [], 2),
    Case("no area", "<box>[[5,5,5,5]]</box>", "", [], 1),
    Case("no width after rounding", "<box>[[5.1,1,5.2,9]]</box>", "", [], 1),
    Case("no height after clamping", "<box>[[1,1001,5,2000]]</box>", "", [], 1),
    Case("one bad of three", "<box>[[1,2,3,4],[1,2],[5,6,7,8]]</box>", "", [NOBODY, box("", 5, 6, 7, 8)], 1),
    # brackets
    Case("list in a list of numbers", "<box>[[1,2,[5,6,7,8]]]</box>", "", [], 1),
    Case("one bracket too many", "<ref>cat</ref><box>[[1,2,3,4]]]]</box>.", "cat.", [CAT], 0),
    Case("outer bracket not closed", "<ref>cat</ref><box>[[1,2,3,4]</box>.", "cat.", [CAT], 0),
    Case("inner bracket not closed", "<ref>cat</ref><box>[[1,2,3,4</box>.", "cat.", [], 1),
    Case("closing brackets only", "<box>]]]]</box>", "", [], 1),
    Case("opening brackets only", "<box>[[[[</box>", "", [], 1),
    Case("deep brackets", f"<box>{'[' * 99}1,2,3,4{']' * 99}</box>", "", [NOBODY], 0),
    Case("mixed brackets", "<box>[(1,2,3,4]]</box>", "", [NOBODY], 0),
    Case("numbers behind the list", "<box>[[1,2,3,4]], 5, 6</box>.", ".", [NOBODY], 1),
    # tags missing, repeated, nested, strayed
    Case("box not closed, text follows", "<box>[[1,2,3,4]] is a cat.", " is a cat.", [NOBODY], 0),
    Case("box not closed, a bracket too many", "<box>[[1,2,3,4]]] is a cat.", " is a cat.", [NOBODY], 0),
    Case("box not closed, number follows", "<box>[[1,2,3,4]] 3 cats", " 3 cats", [NOBODY], 0),
    Case("box not closed, ref follows", "<box>[[1,2,3,4]]<ref>dog</ref>", "dog", [NOBODY], 0),
    Case("box in a box", "<box><box>[[1,2,3,4]]</box></box>", "", [NOBODY], 1),
    Case("ref in a box", "<box>[[1,2,<ref>cat</ref>3,4]]</box>", "cat3,4]]", [], 1),
    Case("ref in a ref", "<ref>cat <ref>dog</ref><box>[[5,6,7,8]]</box>", "cat dog", [DOG], 0),
    Case("ref twice closed", "<ref>cat</ref></ref><box>[[1,2,3,4]]</box>", "cat", [CAT], 0),
    Case("ref not closed before its box", "<ref>cat<box>[[1,2,3,4]]</box>", "cat", [CAT], 0),
    Case("ref never closed", "a <ref>cat is here", "a cat is here", [], 0),
    Case("ref closed by the wrong tag", "<ref>cat</box><box>[[1,2,3,4]]</box>", "cat", [NOBODY], 0),
    Case("ref closed as a quad", "<ref>cat</quad> x</ref>", "cat x", [], 0),
    Case("empty ref", "<ref></ref><box>[[1,2,3,4]]</box>", "", [NOBODY], 0),
    Case("ref of spaces", "<ref> \n</ref><box>[[1,2,3,4]]</box>", " \n", [NOBODY], 0),
    Case("stray closing tags", "a</ref>b</box>c</quad>d", "abcd", [], 0),
    Case("stray opening quad", "a <quad>[[1,2,3,4,5,6,7,8]]</quad> b", "a  b", [], 1),
    Case("text between phrase and box", "<ref>cat</ref> and <box>[[1,2,3,4]]</box>", "cat and ", [NOBODY], 0),
    Case(
        "a sentence between phrase and box",
        "<ref>cat</ref>. It is <box>[[1,2,3,4]]</box>",
        "cat. It is ",
        [NOBODY],
        0,
    ),
    Case("a Chinese word between them", "<ref>cat</ref>在<box>[[1,2,3,4]]</box>", "cat在", [NOBODY], 0),
    Case("a number between them", "<ref>cat</ref> 7 <box>[[1,2,3,4]]</box>", "cat 7 ", [NOBODY], 0),
    Case(
        "a word between two boxes",
        "<ref>cat</ref><box>[[1,2,3,4]]</box> or <box>[[1,2,3,4]]</box>",
        "cat or ",
        [CAT, NOBODY],
        0,
    ),
    Case(
        "marks without end between them",
        f"<ref>cat</ref>{'*' * 81}<box>[[1,2,3,4]]</box>",
        "cat" + "*" * 81,
        [NOBODY],
        0,
    ),
    # the answer ends in the middle
    Case("ends after a box tag", "<ref>cat</ref><box>", "cat", [], 1),
    Case("ends in a list", "<ref>cat</ref><box>[[1,2,3,4", "cat", [], 1),
    Case("ends before the next list", "<ref>cat</ref><box>[[1,2,3,4],", "cat", [CAT], 0),
    Case("ends in the second list", "<ref>cat</ref><box>[[1,2,3,4],[5,6", "cat", [CAT], 1),
    Case("ends in a bare list", "<box>1,2,3,4", "", [], 1),
    Case("ends in an opening tag", "a cat <bo", "a cat ", [], 0),
    Case("ends before a tag's end", "a cat <ref", "a cat ", [], 0),
    Case("ends in a closing tag", "a cat </", "a cat ", [], 0),
    Case("ends in a spaced closing tag", "a cat < /re", "a cat ", [], 0),
    Case("ends in a ref's closing tag", "<ref>cat</r", "cat", [], 0),
    Case("ends in a ref's last tag's sign", "<ref>cat<", "cat", [], 0),
    Case("ends in a box's closing tag", "<ref>cat</ref><box>[[1,2,3,4]]<", "cat", [CAT], 0),
    Case("ends in a sign", "x <", "x <", [], 0),
    Case("ends in a comparison", "x <r", "x <r", [], 0),
    Case("ends in a spaced comparison", "a < ref", "a < ref", [], 0),
    # no tag at all
    Case("signs", "a < b, c<d, <, <<, <<<>", "a < b, c<d, <, <<, <<<>", [], 0),
    Case("HTML", "<b>x</b> <br> <boxes>", "<b>x</b> <br> <boxes>", [], 0),
    Case("a longer word", "<reference> <box1> <refs>", "<reference> <box1> <refs>", [], 0),
    Case("attributes", '<ref id="1">', '<ref id="1">', [], 0),
    Case("more spaces than a tag has", f"<{' ' * 9}box>", f"<{' ' * 9}box>", [], 0),
    Case("brackets in text", "see [[1,2,3,4]]", "see [[1,2,3,4]]", [], 0),
    # texts that join to a tag once something is left out
    Case("a tag around a tag", "<bo<ref></ref>x>", "<bo\u200bx>", [], 0),
    Case("a tag around its end", "<box<box>[[1,2,3,4]]</box>>", "<box\u200b>", [NOBODY], 0),
    Case("a tag from a sign and a phrase", "<<ref>box</ref>>", "<\u200bbox>", [], 0),
    Case("a tag around a tag around a tag", "<r<b<ref></ref>ox></ref>ef>", "<r<b\u200box>ef>", [], 0),
    Case("a closing tag from pieces", "<</box>/</box>ref>", "<\u200b/ref>", [], 0),
    # too much
    Case(
        "a phrase beyond the limit", f"<ref>{'a' * 501}</ref><box>[[1,2,3,4]]</box>", "a" * 501, [NOBODY], 0
    ),
    Case("a list beyond the limit", f"<box>[[{'1' * 999},2,3,4],[1,2,3,4]]</box>.", ".", [NOBODY], 1),
    Case("a list beyond the limit of zeros", f"<box>[[{'0,' * 300}1,2,3,4]]</box>.", ".", [], 1),
    Case("a good list up to the limit", f"<box>[[{',' * (LIST_CHARS - 7)}1,2,3,4567]]</box>", "", [], 1),
    Case("prose after an unclosed box", f"<box>{'a' * 400}b", "b", [], 1),
    Case("null characters", "\0<ref>\0cat</ref><box>[[1,2,3,4\0]]</box>", "\0\0cat", [], 1),
]

GOOD = [
    Case("official, one object", "<ref>cat</ref><box>[[1, 2, 3, 4]]</box>", "cat", [CAT], 0),
    Case(
        "official, several objects in a list",
        "<ref>dog</ref><box>[[278, 24, 354, 100], [515, 10, 611, 106], [0, 0, 1000, 999]]</box>",
        "dog",
        [box("dog", 278, 24, 354, 100), box("dog", 515, 10, 611, 106), box("dog", 0, 0, 1000, 999)],
        0,
    ),
    Case(
        "official, one object in each line",
        "Sure:\n```\n<ref>cat</ref><box>[[1, 2, 3, 4]]</box>\n<ref>dog</ref><box>[[5, 6, 7, 8]]</box>\n```",
        "Sure:\n```\ncat\ndog\n```",
        [CAT, DOG],
        0,
    ),
    Case(
        "spaces between tokens", " <ref> cat </ref> <box> [[ 1, 2 , 3, 4 ]] </box> .", "  cat   .", [CAT], 0
    ),
    Case("one list without the outer bracket", "<ref>cat</ref><box>[1,2,3,4]</box>", "cat", [CAT], 0),
    Case(
        "lists without the outer bracket",
        "<box>[1,2,3,4], [5,6,7,8]</box>",
        "",
        [NOBODY, box("", 5, 6, 7, 8)],
        0,
    ),
    Case("round brackets", "<ref>cat</ref><box>((1,2,3,4))</box>", "cat", [CAT], 0),
    Case("no brackets", "<ref>cat</ref><box>1, 2, 3, 4</box>", "cat", [CAT], 0),
    Case("a comma at the end", "<ref>cat</ref><box>[[1,2,3,4,],]</box>", "cat", [CAT], 0),
    Case(
        "Chinese commas",
        "<ref>猫</ref><box>[[1\uff0c2\uff0c3\uff0c4]]</box>",
        "猫",
        [box("猫", 1, 2, 3, 4)],
        0,
    ),
    Case(
        "several boxes for a phrase",
        "<ref>cat</ref><box>[[1,2,3,4]]</box>\n<box>[[1,2,3,4]]</box>",
        "cat\n",
        [CAT, CAT],
        0,
    ),
    Case("floats", "<box>[[0.5, 1.4999, 3., 4.5]]</box>", "", [box("", 1, 1, 3, 5)], 0),
    Case("beyond the image", "<box>[[-5, -0.1, 1000.4, 900]]</box>", "", [box("", 0, 0, 1000, 900)], 0),
    Case("corners swapped", "<ref>cat</ref><box>[[3, 4, 1, 2]]</box>", "cat", [CAT], 0),
    Case("odd case and spaces", "< REF>cat</ Ref ><\nBox\t>[[1,2,3,4]]</BOX>", "cat", [CAT], 0),
    Case("spaces without end", f"<ref>cat</ref><box>[[1,{' ' * 999}2,\n\n3,4]]</box>", "cat", [CAT], 0),
    Case(
        "a label's spaces",
        "a<ref> red \n cat </ref><box>[[1,2,3,4]]</box>",
        "a red \n cat ",
        [box("red cat", 1, 2, 3, 4)],
        0,
    ),
    Case("a phrase without a box", "the <ref>cat</ref>", "the cat", [], 0),
    Case("nothing", "", "", [], 0),
]

GAPS = (
    "**",
    '" ',
    "”",
    "」",
    ": ",
    "：",
    " (",
    "（",
    "__",
    "`",
    "*_`",
    " - ",
    "\n- ",
    "\n* ",
    "\n  1. ",
    "\n12) ",
    " -> ",
    " → ",
)
GAPS += (
    "~~",
    "|",
    ", ",
    "、",
    "</b>",
    "<br />",
    "</em>: ",
    " \u2014 ",
    ".\n\n",
    "!",
    "\u3000",
    "🐱 ",
    "*" * 80,
)
"""What may stand between a phrase and its box."""

GOOD += [
    Case(
        f"{gap!r} between phrase and box", f"<ref>cat</ref>{gap}<box>[[1,2,3,4]]</box>", f"cat{gap}", [CAT], 0
    )
    for gap in GAPS
]
GOOD += [
    Case("bold around a phrase", "**<ref>cat</ref>**<box>[[1,2,3,4]]</box>", "**cat**", [CAT], 0),
    Case("Chinese quotation marks", "「<ref>cat</ref>」<box>[[1,2,3,4]]</box>", "「cat」", [CAT], 0),
    Case(
        "a list of boxes below a phrase",
        "<ref>cat</ref>:\n1. <box>[[1,2,3,4]]</box>\n2. <box>[[1,2,3,4]]</box>",
        "cat:\n1. \n2. ",
        [CAT, CAT],
        0,
    ),
]

CASES = BAD + GOOD

FLOODS = {
    "text": ("", "a"),
    "signs": ("", "<"),
    "signs and spaces": ("", "< "),
    "tag starts": ("", "<bo"),
    "opening brackets": ("<box>", "["),
    "closing brackets": ("<box>", "]"),
    "digits": ("<box>[[", "1"),
    "spaces in a list": ("<box>[[1,", " "),
    "spaces behind a list": ("<box>[[1,2,3,4]]", " "),
    "words in a list": ("<box>[[", "a "),
    "code": ("<box>", "f("),
    "commas": ("<box>[[", ","),
    "an unclosed phrase": ("<ref>", "a"),
    "phrases": ("", "<ref>a</ref>"),
    "unclosed phrases": ("", "<ref>a"),
    "boxes": ("", "<box>[[1,2,3,4]]</box>"),
    "unclosed boxes": ("", "<box>[[1,2"),
    "lists": ("<box>[", "[1,2,3,4],"),
    "bad lists": ("<box>[", "[1,2],"),
}
"""What a hostile answer begins with and then repeats."""
