r"""Streamed answer -> text, phrases and boxes, each as early as it can be known. Incremental, no I/O.

InternVL 1.5 grounds a phrase as `<ref>label</ref><box>[[x1, y1, x2, y2], ...]</box>`, in thousandths
of the whole image. Models also write this badly, and people ask them to. So text is data here: nothing
is evaluated, nothing recurses, every buffer has a limit, and time is linear.

Two layers. The lexer finds the six tags `<ref> </ref> <box> </box> <quad> </quad>` in any case, with a
few spaces inside. Only the one beginning of a tag that may end a piece is held back. The grammar knows
three places: plain text, inside `<ref>`, inside `<box>`. What it does with bad text:

    numbers           floats are rounded, clamped to 0..1000, corners ordered; decimal digits only
    bad list          a wrong count, any other word, no area: dropped, counted, never shown
    brackets          round or square, one level or more; none at all is well if `</box>` follows
    `<quad>`          read like `<box>`; its eight numbers are a wrong count
    unclosed `<box>`  after a whole list text goes on at once; in a broken list after LIST_CHARS
    unclosed `<ref>`  its words become text; at a `<box>` it counts as closed
    stray tags        left out
    label             holds for the next boxes as long as only spaces stand between
    cut tag at end    left out inside `<ref>` and `<box>`; in plain text if it can be told from a sign:
                      `<bo` and `</` go, `x <` and `x <r` stay

Where leaving something out would join two texts to a tag (`<bo`, `<ref></ref>`, `x>`), a zero-width
space stands between them, as in `conversation.prompt`.

The promise, tested for every cut: however a text is cut into pieces, the events are the same (up to
how plain text is split), and so is `dropped`. Here no pixels, no images, no drawing.

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
_CUT_TAG = re.compile(r"<(?:\s*/|\w\w)")
"""What a held start must look like to be a cut tag for sure: `</` or two letters."""

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
    """What a `<ref>` held, to show; its boxes follow, if it has any."""

    text: str


@dataclass(frozen=True)
class Box:
    """A box in thousandths of the image, xyxy, with x1 < x2 and y1 < y2; `label` may be empty."""

    label: str
    box_1000: tuple[int, int, int, int]


Event = Text | Phrase | Box


@dataclass(frozen=True)
class Parsed:
    """A whole answer: what to show, in order, and how many boxes were thrown away."""

    events: tuple[Event, ...]
    dropped: int


class GroundingParser:
    """Pieces of one answer in, events out. `dropped` counts the boxes thrown away so far."""

    def __init__(self) -> None:
        self.dropped = 0
        self._events: list[Event] = []
        self._held = ""
        self._place: Literal["text", "ref", "box"] = "text"
        self._phrase = ""
        self._label = ""
        self._lists = _Lists()
        self._boxes = 0
        self._left_out = False
        self._shown_end = ""

    def feed(self, piece: str) -> list[Event]:
        """The next piece of the answer -> the events that it completes."""
        for kind, text in self._lex(piece):
            if kind == "tag":
                self._read_tag(text)
            else:
                self._read_text(text)
        return self._taken()

    def finish(self) -> list[Event]:
        """The end of the answer -> the events still pending. What is unfinished is shown or dropped."""
        if self._place == "ref":
            self._show(Text(self._phrase))
        elif self._place == "box":
            self.dropped += self._lists.unfinished
        elif not _CUT_TAG.match(self._held):
            self._show(Text(self._held))
        self._held, self._phrase, self._label, self._place = "", "", "", "text"
        return self._taken()

    def _lex(self, piece: str) -> Iterator[tuple[str, str]]:
        """(`tag`, normal form such as `</ref>`) and (`text`, text); holds back what may become a tag."""
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
            self._label = self._label if text.isspace() else ""
            self._show(Text(text))

    def _read_lists(self, text: str) -> str:
        """Text inside `<box>` -> what of it stands behind the box after all, because `</box>` is missing."""
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
            self._lists = _Lists()

    def _end_phrase(self, *, closed: bool) -> None:
        self._label = " ".join(self._phrase.split()) if closed else ""
        self._show(Phrase(self._phrase) if self._label else Text(self._phrase))
        self._phrase = ""

    def _end_box(self) -> None:
        bare = self._lists.bare
        if bare is not None:
            self._judge(bare)
        else:
            self.dropped += self._lists.unfinished

    def _judge(self, text: str) -> None:
        """The inside of a whole list -> a box, or one more dropped."""
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

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return joined(events)


class _Lists:
    """What stands inside one `<box>`: characters in, insides of whole lists out. Keeps one list at most."""

    def __init__(self) -> None:
        self._chars: list[str] = []  # of the innermost list so far, or of what stands around the lists
        self._blank = True  # only spaces and separators in it
        self._nested = 0  # brackets open in a list that is bad already, because it held something before them
        self._depth = 0
        self._opened = False  # the last bracket outside a bad list was an opening one
        self._found = 0

    def refuses(self, char: str) -> bool:
        """Whether the character must stand behind the box: `</box>` is missing."""
        over = self.overfull or (self._found > 0 and self._depth == 0)
        return over and char not in _COORDINATE_CHARS and not char.isspace()

    def take(self, char: str) -> str | None:
        """The inside of the list that the character closes, if it closes one."""
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
        """Whether the list is longer than any good one; what follows in it is not kept."""
        return len(self._chars) >= LIST_CHARS and not self._blank

    @property
    def behind(self) -> str:
        """What was taken behind the last list and belongs to the text."""
        return "" if self.overfull else "".join(self._chars)

    @property
    def bare(self) -> str | None:
        """What stands outside any bracket, if there is something."""
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
    """A whole answer, raw -> its events, neighbouring texts as one."""
    parser = GroundingParser()
    events = joined([*parser.feed(text), *parser.finish()])
    return Parsed(tuple(events), parser.dropped)


def joined(events: Iterable[Event]) -> list[Event]:
    """The events with neighbouring texts as one: the same for every way a stream was cut."""
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
    """What a person reads: texts and phrases, without tags and coordinates."""
    return "".join(event.text for event in events if not isinstance(event, Box))


def _box_of(text: str) -> tuple[int, int, int, int] | None:
    """The inside of a list, `10, 20, 300.4, 400` -> thousandths xyxy; None if it is not a box."""
    if len(text) >= LIST_CHARS:
        return None
    numbers = [part.strip() for part in text.replace("\uff0c", ",").strip(" \t\r\n,").split(",")]
    if len(numbers) != 4 or not all(_NUMBER.fullmatch(number) for number in numbers):
        return None
    x1, y1, x2, y2 = (min(SCALE, max(0, int(float(number) + 0.5))) for number in numbers)
    if x1 == x2 or y1 == y2:
        return None
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)
