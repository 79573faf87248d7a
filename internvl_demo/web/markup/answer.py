"""Turn the events of one answer into blocks of safe HTML as they come, each block once.

    answer = AnswerRenderer()
    answer.feed([Text("A **"), Text("b**.\n\nNext")])
    answer.blocks()              -> [Block(index=0, html="<p>A <strong>b</strong>.</p>", length=10)]
    answer.feed([Text(" one.")])
    answer.blocks(final=True)    -> [Block(index=1, html="<p>Next one.</p>", length=19)]

A block is complete when another one follows; it is written once and left alone. The last one stays open: it is
written again as it grows, but only if it holds something to draw, for the page shows the rest as plain text.
However an answer is cut into events and calls, the blocks in the end are the same: the promise that tests
hold this file to. It is kept by asking the parser only about text whose meaning later text cannot change.

Time is linear in the length of an answer: an open block is parsed again only when it has grown by an eighth, and
what does not end within `BLOCK_CHARS` is shown as plain paragraphs.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from internvl_demo.grounding.parser import Box, Event, Phrase, Text
from internvl_demo.web.markup.markdown import TopBlock, render, render_open, render_plain, split
from internvl_demo.web.markup.marks import CLOSE, OPEN, clean, length_utf16, mark

BLOCK_CHARS = 8_000
"""The longest block that is read as Markdown: the worst takes 0.15 s. A full answer has some 5,000 characters."""
LEAST_GROWTH = 16
"""New characters that an open block waits for."""
MOST_WORK = 10
"""How often each character may be parsed, on average, so that a mark is drawn as soon as it comes."""
QUICK_CHARS = 2_000
"""A box redraws an open block of this length at once; in a longer one it waits for the next growth."""

_TO_DRAW = re.compile(
    rf"[`*_~\[\]<>&$\\|#{OPEN}]|(?:^|\n)[ \t]*(?:[-+=]|\d{{1,9}}[.)])|(?:^|\n)(?:[ ]{{4}}|\t)", re.ASCII
)
"""Finds what Markdown may change; without it a block looks like its text."""
_NEXT_BLOCK = re.compile(r"\n[ \t]*\n(?=[^\s\-+*>\d]|\*\*)|\n(?=#{1,6} )", re.ASCII)
"""Finds where outside a fence a block certainly ends."""
_LETTER = r"(?:[^\W_]|[^\x00-\x7f])"
_DECIDED = re.compile(
    rf"""[ \t>]*+(?>(?:(?:[-+*]|\d{{1,9}}[.)])[ \t]+[ \t>]*+)*)   # quotes and list items; then a paragraph begins:
        (?:[^\s\#>\-+*_=~`|:$\\\d]|\#{{1,6}}[^\#$\\]|-{{1,3}}{_LETTER}|[+*_]{{1,3}}[^\s+*_$\\]|~~{_LETTER}
        |`{{1,2}}[^`\s$\\]|\|[ \t]*[^\s|:$\\-]|\$[^$\s\\]|\\[^\[\]\s$\\be]
        |\d+(?:[^\d.)$\\]|[.)][^\s$\\]))""",
    re.ASCII | re.VERBOSE,
)
"""Matches the beginning of a line whose kind is certain, whatever follows in it."""
_MAY_END_FORMULA = re.compile(r"\$\$|\\\]|\\end\{")


@dataclass(frozen=True)
class Block:
    """A top-level block of an answer as HTML.

    `length`: how much of the visible text blocks 0 to `index` cover, in UTF-16 code units, as browsers count.
    """

    index: int
    html: str
    length: int


def _itself(box: int) -> Sequence[int]:
    return (box,)


class AnswerRenderer:
    """The blocks of one answer.

    `indices` is asked once for each box, in order of coming, for the indices that the page knows it by (its own and
    those of its repeats on other images; none if it is not shown).
    """

    def __init__(self, indices: Callable[[int], Sequence[int]] = _itself) -> None:
        self._indices = indices
        self._boxes = 0
        self._phrases = 0
        self._spans: dict[int, list[int]] = {}
        self._pieces: list[str] = []
        self._return = ""  # a carriage return that may be half a line end
        self._open = ""  # the marked text from the first block on that may change
        self._before = 0  # the length in UTF-16 of what stands before
        self._closed = 0
        self._last: Block | None = None
        self._parsed = 0  # how much of `_open` was parsed last
        self._seen = 0  # how much of it was searched for reasons to parse it
        self._to_draw = False
        self._box_came = False
        self._is_cut = False  # whether what was drawn ends before its text does
        self._fed = 0  # characters that came
        self._work = 0  # characters that were parsed
        self._fence = ""  # what ends the code that the open block is

    def feed(self, events: Iterable[Event]) -> None:
        """Take the next events of the answer."""
        for event in events:
            if isinstance(event, Text):
                self._add(clean(event.text))
            elif isinstance(event, Phrase):
                self._add(mark(self._phrases, clean(event.text)))
                self._phrases += 1
            else:
                self._take_box(event)

    def blocks(self, final: bool = False) -> list[Block]:
        """Return the blocks that are new or changed since the last call; all the rest with `final`."""
        if final:
            self._pieces.append(self._return.replace("\r", "\n"))
            self._return = ""
        if self._pieces:
            self._open += "".join(self._pieces)
            self._pieces = []
        end = len(self._open) if final else self._decided()
        return list(self._written(end, final)) if final or self._is_due(end) else []

    def _add(self, text: str) -> None:
        text = self._return + text
        self._fed += len(text)
        self._return = "\r" if text.endswith("\r") else ""
        text = text.removesuffix("\r")
        self._pieces.append(text.replace("\r\n", " \n").replace("\r", "\n") if "\r" in text else text)

    def _take_box(self, box: Box) -> None:
        indices = self._indices(self._boxes)
        self._boxes += 1
        if box.label and self._phrases and indices:
            self._spans.setdefault(self._phrases - 1, []).extend(indices)
            self._box_came = True

    def _decided(self) -> int:
        """Return up to where the open text means what it means, whatever follows; at most `BLOCK_CHARS`."""
        limit = min(len(self._open), BLOCK_CHARS)
        line = self._open.rfind("\n", 0, limit) + 1
        if not _DECIDED.match(self._open, line, limit):
            return line
        formula_end = _MAY_END_FORMULA.search(self._open, line, limit)
        return formula_end.start() if formula_end else limit

    def _is_due(self, end: int) -> bool:
        """Tell whether parsing is worth it."""
        grown = len(self._open) - self._parsed >= max(LEAST_GROWTH, len(self._open) // 8)
        if grown and self._is_overfull():
            return True
        if self._box_came and (grown or end <= QUICK_CHARS) and self._open.find(CLOSE, end) < 0:
            return True
        seen, self._seen = self._seen, max(end, self._seen)
        if end <= seen:
            return self._to_draw and grown and end > self._parsed
        line_end = self._open.startswith("\n", seen - 1) if seen else 0  # it belongs to the mark of a list
        is_new = bool(_TO_DRAW.search(self._open, seen - line_end, end))
        self._to_draw = self._to_draw or is_new
        if self._to_draw and grown:
            return True
        if (is_new or self._is_cut) and not self._fence and self._work + end <= MOST_WORK * self._fed:
            return True
        line = max(0, self._open.rfind("\n", 0, max(0, self._open.rfind("\n", 0, seen))))
        ends = re.compile(rf"\n[ ]{{0,3}}{self._fence}+[ \t]*\n") if self._fence else _NEXT_BLOCK
        return bool(ends.search(self._open, line, end))

    def _written(self, end: int, final: bool) -> Iterator[Block]:
        while self._is_overfull():
            complete, rest = self._parse(self._decided())
            yield from self._close([(block.end, render(block.tokens, self._spans)) for block in complete])
            if not complete:
                window = self._open.rfind("\n", 0, BLOCK_CHARS) + 1 or BLOCK_CHARS
                yield from self._close([(window, render_plain(self._open[:window], self._spans))])
            end = len(self._open) if final else self._decided()
        complete, rest = self._parse(end, is_open=not final)
        if final:
            complete, rest = complete + rest, []
        yield from self._close([(block.end, render(block.tokens, self._spans)) for block in complete])
        self._parsed = self._seen = end - (complete[-1].end if complete else 0)
        self._to_draw = bool(_TO_DRAW.search(self._open, 0, self._parsed))
        self._fence = _closing_fence(rest)
        self._box_came = self._is_cut = False
        if rest and self._to_draw:
            html = "".join(render(block.tokens, self._spans) for block in rest[:-1])
            end_html, self._is_cut = render_open(rest[-1].tokens, self._spans)
            yield from self._changed(Block(self._closed, html + end_html, self._length(self._parsed)))

    def _is_overfull(self) -> bool:
        """Tell whether the open text is longer than a block may be; spaces do not count, for a box may follow them."""
        return len(self._open) > BLOCK_CHARS and not self._open[BLOCK_CHARS:].isspace()

    def _parse(self, end: int, *, is_open: bool = False) -> tuple[list[TopBlock], list[TopBlock]]:
        """Return the blocks that are complete in the open text up to there, and the others."""
        self._work += end
        blocks, undecided = split(self._open[:end], is_open=is_open)
        complete = [block for block in blocks[:-1] if block.end <= undecided]
        return complete, blocks[len(complete) :]

    def _close(self, blocks: list[tuple[int, str]]) -> Iterator[Block]:
        """Give complete blocks, each with its end in the open text, which begins behind them afterwards."""
        start = 0
        for end, html in blocks:
            self._before += length_utf16(self._open[start:end])
            yield from self._changed(Block(self._closed, html, self._before))
            self._closed += 1
            start = end
        self._open = self._open[start:]

    def _changed(self, block: Block) -> Iterator[Block]:
        if block != self._last:
            self._last = block
            yield block

    def _length(self, end: int) -> int:
        return self._before + length_utf16(self._open[:end])


def render_answer(events: Iterable[Event], indices: Callable[[int], Sequence[int]] = _itself) -> list[str]:
    """Return the HTML of each block of a whole answer."""
    answer = AnswerRenderer(indices)
    answer.feed(events)
    return [block.html for block in answer.blocks(final=True)]


def _closing_fence(blocks: list[TopBlock]) -> str:
    """Return what would end the code that the last block is; nothing if it is none, or has ended."""
    token = blocks[-1].tokens[0] if blocks else None
    if not token or token.type != "fence" or not token.map:
        return ""
    lines = token.map[1] - token.map[0]
    return token.markup if token.content.count("\n") >= lines - 1 else ""
