r"""Parse a streamed answer into text, phrases and boxes, each as early as it can be known. Incremental, no I/O.

InternVL 1.5 grounds a phrase as `<ref>label</ref><box>[[x1, y1, x2, y2], ...]</box>`, with coordinates
normalised to 0-1000 of the whole image. Models also write this badly, and people ask them to. So text is data
here: nothing is evaluated, nothing recurses, every buffer has a limit, and time is linear.

There are two layers. The lexer finds the tags `<ref> <box> <quad> <point> <points>` and their closing ones in any
case, with a few spaces inside; it holds back only the one beginning of a tag that may end a piece. The grammar
knows four places: plain text, inside `<ref>`, inside `<box>`, inside the attributes of a `<point x="1" ...>`. What
stands in plain text is read once more, for boxes without tags: see `plain` and `json_boxes`. It treats bad text like
this:

    numbers           rounded, clamped to 0..1000, corners ordered; decimal digits only; in which scale: `numbers`
    bad list          a wrong count, any other word, no area: dropped, counted, never shown
    brackets          round or square, one level or more; none at all is fine if `</box>` follows
    `<quad>`          read like `<box>`; its eight numbers are a wrong count
    `<point>`         `[[x, y]]`, `x, y` or `x y`; a box of a fixed size stands for the point
    `<point x= y=>`   as Molmo writes: percent of the image; what it encloses is the phrase, without it `alt`
    unclosed `<box>`  after a complete list text goes on at once; in a broken list after LIST_CHARS
    unclosed `<ref>`  its words become text; at a `<box>` it counts as closed
    stray tags        left out
    label             holds for the next boxes as long as no word stands between: spaces, marks, quotation
                      marks, simple HTML and the bullets of a list do not count, `<ref>cat</ref>**: <box>`
    partial tag at    left out inside `<ref>` and `<box>`; in plain text only if it is certainly a tag:
      the end         `<bo` and `</` go, `x <` and `x <r` stay

Where leaving something out would join two texts to a tag (`<bo`, `<ref></ref>`, `x>`), a zero-width
space is put between them, as in `conversation.prompt`.

The promise, tested for every way to split a text: however it is split into pieces, the events are the same
(up to how plain text is divided), and so is `dropped`. This module knows no pixels and no images.

    >>> parse("A <ref>cat</ref><box>[[10, 20, 300, 400]]</box>.").events
    (Text(text='A '), Phrase(text='cat'), Box(label='cat', box_1000=(10, 20, 300, 400)), Text(text='.'))
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from internvl_demo.grounding.lists import LIST_CHARS, Lists
from internvl_demo.grounding.numbers import Scale, numbers_in, percent_point
from internvl_demo.grounding.plain import Item, PlainText
from internvl_demo.photos.coordinates import Box4

LABEL_CHARS = 500
"""The longest phrase. A referring sentence has some 20 words; more is a `<ref>` that was never closed."""

GAP_CHARS = 80
"""The most marks between a phrase and its box, runs of spaces counted once."""

ATTRIBUTES_CHARS = 4000
"""The longest `<points x1="10.5" y1="20.5" ...>`: some 180 points."""

MAX_BOXES = 500
"""Boxes shown per answer. Crowded pictures have some hundred objects; a model that writes more is looping."""

ZERO_WIDTH_SPACE = "\u200b"
"""Stands where two visible texts would otherwise join to a tag."""

_SPACES = r"\s{0,8}"
_TAG = rf"<{_SPACES}(?:/{_SPACES})?(?:ref|box|quad|points?){_SPACES}>"
_TAG_START = (
    rf"<{_SPACES}(?:/{_SPACES})?"
    rf"(?:r(?:e(?:f{_SPACES})?)?|b(?:o(?:x{_SPACES})?)?|q(?:u(?:a(?:d{_SPACES})?)?)?"
    rf"|p(?:o(?:i(?:n(?:t(?:s{_SPACES}|{_SPACES})?)?)?)?)?)?"
)
_TAG_START_CHARS = 32
"""The longest match of `_TAG_START`: `<`, `/`, `points` and three times eight spaces."""

_POINTS = rf"<points?\s{_SPACES}[a-z]{{1,9}}[0-9]{{0,3}}=[\"']"
_POINTS_START = rf"<points?\s{_SPACES}[a-z]{{1,9}}[0-9]{{0,3}}=?"
_LEXEME = re.compile(
    rf"(?P<tag>{_TAG})|(?P<points>{_POINTS})|(?P<start>{_TAG_START}|{_POINTS_START})\Z|(?P<text><?[^<]+|<)",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"([a-z]{1,9}[0-9]{0,3})=(?:\"([^\"]{0,200})\"|'([^']{0,200})')", re.IGNORECASE)
_ENDS_LIKE_TAG = re.compile(rf"{_TAG_START}\Z", re.IGNORECASE)
_JOINS_TO_TAG = re.compile(rf"(?:{_TAG}|{_TAG_START})\Z", re.IGNORECASE)
_PARTIAL_TAG = re.compile(r"<(?:\s*/|\w\w)")
"""What a held start must look like to be certainly a partial tag: `</` or two letters."""

_SPACE = re.compile(r"\s+")
_NO_WORD = re.compile(
    r"(?>(?:</?[a-z]{1,10}\s?/?>|(?<!\w)[0-9]{1,3}[.)](?!\w)|[^\w]|_)*)",
    re.IGNORECASE,
)
"""What leaves a phrase and its box together: an HTML tag, a number of a list, marks and spaces."""


@dataclass(frozen=True)
class Text:
    """Plain text to show."""

    text: str


@dataclass(frozen=True)
class Phrase:
    """The words inside a `<ref>`, to be shown; its boxes follow, if it has any."""

    text: str


@dataclass(frozen=True)
class Box:
    """A box in normalised 0-1000 coordinates, xyxy, with x1 < x2 and y1 < y2; `label` may be empty."""

    label: str
    box_1000: tuple[int, int, int, int]


Event = Text | Phrase | Box


@dataclass(frozen=True)
class Parsed:
    """A whole answer: what to show, in order, and how many boxes were dropped."""

    events: tuple[Event, ...]
    dropped: int


class GroundingParser:
    """Turn the pieces of one answer into events. `dropped` counts the boxes dropped so far."""

    def __init__(self) -> None:
        self.dropped = 0
        self._events: list[Event] = []
        self._held = ""
        self._place: Literal["text", "ref", "box", "points"] = "text"
        self._phrase = ""
        self._label = ""
        self._gap = ""  # what stands behind the label
        self._lists = Lists()
        self._of_points = False  # whether the lists are of points
        self._attributes = ""
        self._points: list[Box4 | None] = []
        self._alt = ""  # the label of the points, if they enclose none
        self._scale = Scale()
        self._plain = PlainText(self._scale)
        self._boxes = 0
        self._left_out = False
        self._shown_end = ""

    def feed(self, piece: str) -> list[Event]:
        """Read the next piece of the answer; return the events that it completes."""
        for kind, text in self._lex(piece):
            if kind == "tag":
                self._read_tag(text)
            elif kind == "points" and self._place == "text":
                self._show_plain(self._plain.flush())
                self._place, self._attributes = "points", text
            else:
                self._read_text(text)
        return self._take_events()

    def finish(self) -> list[Event]:
        """End the answer; return the events still pending. What is unfinished is shown or dropped."""
        if self._place == "ref":
            self._end_phrase(closed=False)
        elif self._place == "box":
            self.dropped += self._lists.unfinished
        elif self._place == "points":
            self.dropped += 1
        elif not _PARTIAL_TAG.match(self._held):
            self._show_plain(self._plain.read(self._held))
        self._show_plain(self._plain.flush())
        self._held, self._phrase, self._label, self._place = "", "", "", "text"
        return self._take_events()

    def _lex(self, piece: str) -> Iterator[tuple[str, str]]:
        """Yield (`tag`, its normal form such as `</ref>`) and (`text`, text); hold back what may become a tag."""
        text, self._held = self._held + piece, ""
        for match in _LEXEME.finditer(text):
            if match.lastgroup == "tag":
                yield "tag", "".join(match.group().split()).lower()
            elif match.lastgroup == "start":
                self._held = match.group()
            else:
                yield match.lastgroup or "text", match.group()

    def _read_text(self, text: str) -> None:
        if self._place == "points":
            text = self._read_attributes(text)
        if self._place == "box":
            text = self._read_lists(text)
        if self._place == "ref":
            text = self._read_phrase(text)
        if self._place == "text" and text:
            self._read_gap(text)
            self._show_plain(self._plain.read(text))

    def _read_gap(self, text: str) -> None:
        """Keep what stands between a phrase and its box; forget the phrase once that is too much."""
        if self._label:
            self._gap = _SPACE.sub(" ", self._gap + text)
            if len(self._gap) > GAP_CHARS:
                self._label = ""

    def _read_phrase(self, text: str) -> str:
        """Read text inside `<ref>`; return what is too much for a phrase."""
        room = LABEL_CHARS + 1 - len(self._phrase)
        self._phrase += text[:room]
        if len(self._phrase) > LABEL_CHARS:
            self._end_phrase(closed=False)
            self._place = "text"
        return text[room:]

    def _read_attributes(self, text: str) -> str:
        """Read text inside `<points x1=...`; return what belongs behind it, all of it if it is no such tag."""
        before, end, behind = text.partition(">")
        self._attributes += before
        too_long = len(self._attributes) > ATTRIBUTES_CHARS or text.startswith("<")
        if not end and not too_long:
            return ""
        attributes, self._attributes = self._attributes, ""
        self._points, self._alt = ([], "") if too_long else _points_of(attributes)
        if not self._points:
            self._place = "text"
            return attributes + end + behind
        self._left_out = True
        self._place = "ref"
        if attributes.endswith("/"):
            self._end_phrase(closed=True)
            self._place = "text"
        return behind

    def _read_lists(self, text: str) -> str:
        """Read text inside `<box>`; return the part that belongs behind the box because `</box>` is missing."""
        for index, char in enumerate(text):
            if self._lists.refuses(char):
                self.dropped += self._lists.overfull
                self._place = "text"
                return self._lists.behind + text[index:]
            closed = self._lists.take(char)
            if closed is not None:
                self._judge(closed)
        return ""

    def _read_tag(self, tag: str) -> None:
        opens_box = tag in ("<box>", "<quad>", "<point>", "<points>")
        if self._place == "points":
            self._place = "text"
            self._show_plain(self._plain.read(self._attributes))
        if self._place == "ref":
            self._end_phrase(closed=opens_box or tag == "</ref>" or bool(self._points))
        elif self._place == "box":
            self._end_box()
        self._show_plain(self._plain.flush())
        self._left_out = True
        self._place = "ref" if tag == "<ref>" else "box" if opens_box else "text"
        if tag == "<ref>":
            self._label = ""
        elif opens_box:
            self._label = self._label if _NO_WORD.fullmatch(self._gap) else ""
            self._gap = ""
            self._lists, self._of_points = Lists(), tag.startswith("<point")

    def _end_phrase(self, *, closed: bool) -> None:
        phrase = self._phrase if self._phrase.strip() or not closed else self._alt or self._phrase
        self._label, self._gap = " ".join(phrase.split()) if closed else "", ""
        self._show(Phrase(phrase) if self._label else Text(phrase))
        self._plain.saw(phrase, self._label)
        for point in self._points:
            self._add(self._label or self._alt, point)
        self._phrase, self._points, self._alt = "", [], ""

    def _end_box(self) -> None:
        bare = self._lists.bare
        if bare is not None:
            self._judge(bare)
        else:
            self.dropped += self._lists.unfinished

    def _judge(self, text: str) -> None:
        """Turn the inside of a complete list into a box event, or count it as dropped."""
        numbers = numbers_in(text, spaced=self._of_points) if len(text) < LIST_CHARS else None
        box_1000 = self._scale.point(numbers) if self._of_points else self._scale.box(numbers)
        self._add(self._label, box_1000)

    def _add(self, label: str, box_1000: Box4 | None) -> None:
        if box_1000 is None or self._boxes >= MAX_BOXES:
            self.dropped += 1
        else:
            self._boxes += 1
            self._events.append(Box(label, box_1000))

    def _show_plain(self, items: list[Item]) -> None:
        for item in items:
            if isinstance(item, str):
                self._show(Text(item))
                continue
            self._left_out = True
            if item.phrase:
                self._show(Phrase(item.label))
            for box_1000 in item.boxes:
                self._add(item.label, box_1000)

    def _show(self, event: Text | Phrase) -> None:
        if not event.text:
            return
        if self._left_out and self._shown_end and _JOINS_TO_TAG.match(self._shown_end + event.text[0]):
            self._events.append(Text(ZERO_WIDTH_SPACE))
            self._shown_end = ""
        self._events.append(event)
        self._left_out = False
        end = _ENDS_LIKE_TAG.search(event.text[-_TAG_START_CHARS:])
        self._shown_end = end.group() if end else ""

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return merge_texts(events)


def parse(text: str) -> Parsed:
    """Parse a whole raw answer; return its events, with neighbouring texts merged."""
    parser = GroundingParser()
    events = merge_texts([*parser.feed(text), *parser.finish()])
    return Parsed(tuple(events), parser.dropped)


def merge_texts(events: Iterable[Event]) -> list[Event]:
    """Return the events with neighbouring texts merged: the same for every way a stream was split."""
    result: list[Event] = []
    texts: list[str] = []
    for event in events:
        if isinstance(event, Text):
            texts.append(event.text)
            continue
        if texts:
            result.append(Text("".join(texts)))
            texts = []
        result.append(event)
    return [*result, Text("".join(texts))] if texts else result


def visible_text(events: Iterable[Event]) -> str:
    """Return what a person reads: texts and phrases, without tags and coordinates."""
    return "".join(event.text for event in events if not isinstance(event, Box))


def _points_of(attributes: str) -> tuple[list[Box4 | None], str]:
    """Return the points of `<points x1="10.5" y1="20" alt="cats"` as boxes, and what they show."""
    values = {name.lower(): one or other for name, one, other in _ATTRIBUTE.findall(attributes)}
    points = [
        percent_point(x, values.get(f"y{name[1:]}", "")) for name, x in values.items() if name[0] == "x"
    ]
    return points, " ".join(values.get("alt", "").split())
