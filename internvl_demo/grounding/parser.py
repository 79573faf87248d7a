r"""Parse a streamed answer into text, phrases and boxes, each as early as it can be known. Incremental, no I/O.

InternVL 1.5 grounds a phrase as `<ref>label</ref><box>[[x1, y1, x2, y2], ...]</box>`, with coordinates
normalised to 0-1000 of the whole image. Models also write this badly, and people ask them to. So text is data
here: nothing is evaluated, nothing recurses, every buffer has a limit, and time is linear.

There are two layers. The lexer finds the six tags `<ref> </ref> <box> </box> <quad> </quad>` in any case, with a
few spaces inside; it holds back only the one beginning of a tag that may end a piece. The grammar knows
three places: plain text, inside `<ref>`, inside `<box>`. It treats bad text like this:

    numbers           floats are rounded, clamped to 0..1000, corners ordered; decimal digits only
    bad list          a wrong count, any other word, no area: dropped, counted, never shown
    brackets          round or square, one level or more; none at all is fine if `</box>` follows
    `<quad>`          read like `<box>`; its eight numbers are a wrong count
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

from internvl_demo.photos.coordinates import SCALE

LABEL_CHARS = 500
"""The longest phrase. A referring sentence has some 20 words; more is a `<ref>` that was never closed."""

LIST_CHARS = 400
"""The longest inside of one list, runs of spaces counted once. Four numbers need 20 characters."""

GAP_CHARS = 80
"""The most marks between a phrase and its box, runs of spaces counted once."""

MAX_BOXES = 500
"""Boxes shown per answer. Crowded pictures have some hundred objects; a model that writes more is looping."""

ZERO_WIDTH_SPACE = "\u200b"
"""Stands where two visible texts would otherwise join to a tag."""

_SPACES = r"\s{0,8}"
_TAG = rf"<{_SPACES}(?:/{_SPACES})?(?:ref|box|quad){_SPACES}>"
_TAG_START = (
    rf"<{_SPACES}(?:/{_SPACES})?"
    rf"(?:r(?:e(?:f{_SPACES})?)?|b(?:o(?:x{_SPACES})?)?|q(?:u(?:a(?:d{_SPACES})?)?)?)?"
)
_TAG_START_CHARS = 30
"""The longest match of `_TAG_START`: `<`, `/`, `quad` and three times eight spaces."""

_LEXEME = re.compile(rf"(?P<tag>{_TAG})|(?P<start>{_TAG_START})\Z|(?P<text><?[^<]+|<)", re.IGNORECASE)
_ENDS_LIKE_TAG = re.compile(rf"{_TAG_START}\Z", re.IGNORECASE)
_JOINS_TO_TAG = re.compile(rf"(?:{_TAG}|{_TAG_START})\Z", re.IGNORECASE)
_PARTIAL_TAG = re.compile(r"<(?:\s*/|\w\w)")
"""What a held start must look like to be certainly a partial tag: `</` or two letters."""

_SPACE = re.compile(r"\s+")
_NO_WORD = re.compile(
    r"(?:</?[a-z]{1,10}\s?/?>|(?<!\w)[0-9]{1,3}[.)](?!\w)|[^\w]|_)*+",
    re.IGNORECASE,
)
"""What leaves a phrase and its box together: an HTML tag, a number of a list, marks and spaces."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,12}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})")
_OPENING, _CLOSING = "[(", "])"
_SEPARATORS = ",;\uff0c"
"""What may stand around lists; U+FF0C is the Chinese comma."""
_COORDINATE_CHARS = frozenset(_OPENING + _CLOSING + _SEPARATORS + "0123456789+-.")
"""What may follow a list inside `<box>`, besides spaces; anything else says that `</box>` was forgotten."""


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
        self._place: Literal["text", "ref", "box"] = "text"
        self._phrase = ""
        self._label = ""
        self._gap = ""  # what stands behind the label
        self._lists = _Lists()
        self._boxes = 0
        self._left_out = False
        self._shown_end = ""

    def feed(self, piece: str) -> list[Event]:
        """Read the next piece of the answer; return the events that it completes."""
        for kind, text in self._lex(piece):
            if kind == "tag":
                self._read_tag(text)
            else:
                self._read_text(text)
        return self._take_events()

    def finish(self) -> list[Event]:
        """End the answer; return the events still pending. What is unfinished is shown or dropped."""
        if self._place == "ref":
            self._show(Text(self._phrase))
        elif self._place == "box":
            self.dropped += self._lists.unfinished
        elif not _PARTIAL_TAG.match(self._held):
            self._show(Text(self._held))
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
                yield "text", match.group()

    def _read_text(self, text: str) -> None:
        if self._place == "box":
            text = self._read_lists(text)
        if self._place == "ref":
            self._phrase += text
            if len(self._phrase) > LABEL_CHARS:
                self._show(Text(self._phrase))
                self._phrase, self._place = "", "text"
        elif text:
            self._read_gap(text)
            self._show(Text(text))

    def _read_gap(self, text: str) -> None:
        """Keep what stands between a phrase and its box; forget the phrase once that is too much."""
        if self._label:
            self._gap = _SPACE.sub(" ", self._gap + text)
            if len(self._gap) > GAP_CHARS:
                self._label = ""

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
        opens_box = tag in ("<box>", "<quad>")
        if self._place == "ref":
            self._end_phrase(closed=opens_box or tag == "</ref>")
        elif self._place == "box":
            self._end_box()
        self._left_out = True
        self._place = "ref" if tag == "<ref>" else "box" if opens_box else "text"
        if tag == "<ref>":
            self._label = ""
        elif opens_box:
            self._label = self._label if _NO_WORD.fullmatch(self._gap) else ""
            self._gap = ""
            self._lists = _Lists()

    def _end_phrase(self, *, closed: bool) -> None:
        self._label, self._gap = " ".join(self._phrase.split()) if closed else "", ""
        self._show(Phrase(self._phrase) if self._label else Text(self._phrase))
        self._phrase = ""

    def _end_box(self) -> None:
        bare = self._lists.bare
        if bare is not None:
            self._judge(bare)
        else:
            self.dropped += self._lists.unfinished

    def _judge(self, text: str) -> None:
        """Turn the inside of a complete list into a box event, or count it as dropped."""
        box_1000 = _box_of(text)
        if box_1000 is None or self._boxes >= MAX_BOXES:
            self.dropped += 1
        else:
            self._boxes += 1
            self._events.append(Box(self._label, box_1000))

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


class _Lists:
    """Collect what stands inside one `<box>`: characters in, insides of complete lists out. Keep one list at most."""

    def __init__(self) -> None:
        self._chars: list[str] = []  # of the innermost list so far, or of what stands around the lists
        self._blank = True  # only spaces and separators in it
        self._nested = 0  # brackets open in a list that is bad already, because it held something before them
        self._depth = 0
        self._opened = False  # the last bracket outside a bad list was an opening one
        self._found = 0

    def refuses(self, char: str) -> bool:
        """Return whether the character must belong to the text behind the box: `</box>` is missing."""
        over = self.overfull or (self._found > 0 and self._depth == 0)
        return over and char not in _COORDINATE_CHARS and not char.isspace()

    def take(self, char: str) -> str | None:
        """Take one character; return the inside of the list that it closes, if it closes one."""
        if char in _OPENING and self._blank:
            self._depth += 1
            self._renew(opened=True)
        elif char in _CLOSING and not self._nested:
            return self._close()
        else:
            self._nested += (char in _OPENING) - (char in _CLOSING)
            self._keep(char)
        return None

    @property
    def overfull(self) -> bool:
        """Whether the list is longer than any good one; its further characters are not kept."""
        return len(self._chars) >= LIST_CHARS and not self._blank

    @property
    def behind(self) -> str:
        """The characters that followed the last list and belong to the text behind the box."""
        return "" if self.overfull else "".join(self._chars)

    @property
    def bare(self) -> str | None:
        """The characters outside any bracket, or None if there are none."""
        return None if self._blank or self._depth else "".join(self._chars)

    @property
    def unfinished(self) -> bool:
        """Whether a list has begun and not ended, or none ever began."""
        return self._opened or not self._blank or not self._found

    def _close(self) -> str | None:
        whole = None
        if self._opened or not self._blank:
            self._found += 1
            whole = "".join(self._chars)
        self._depth = max(0, self._depth - 1)
        self._renew(opened=False)
        return whole

    def _renew(self, *, opened: bool) -> None:
        self._chars, self._blank, self._nested, self._opened = [], True, 0, opened

    def _keep(self, char: str) -> None:
        after_space = bool(self._chars) and self._chars[-1].isspace()
        if len(self._chars) < LIST_CHARS and not (char.isspace() and after_space):
            self._chars.append(char)
        self._blank = self._blank and (char.isspace() or char in _SEPARATORS)


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


def _box_of(text: str) -> tuple[int, int, int, int] | None:
    """Return the inside of a list (`10, 20, 300.4, 400`) as normalised 0-1000 xyxy; None if it is not a box."""
    if len(text) >= LIST_CHARS:
        return None
    numbers = [part.strip() for part in text.replace("\uff0c", ",").strip(" \t\r\n,").split(",")]
    if len(numbers) != 4 or not all(_NUMBER.fullmatch(number) for number in numbers):
        return None
    x1, y1, x2, y2 = (min(SCALE, max(0, int(float(number) + 0.5))) for number in numbers)
    if x1 == x2 or y1 == y2:
        return None
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)
