"""What must hold of any input, one function a reader: bytes in, nothing out, or whatever is wrong raised."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TypeVar

from internvl_demo.errors import PhotoError
from internvl_demo.grounding.parser import Box, GroundingParser, merge_texts, parse, visible_text
from internvl_demo.models.openai.completion import CompletionReader
from internvl_demo.photos.decode import clean_file, pixels_of, read_photo
from internvl_demo.web.markup import render_answer
from tests.web.test_markup import Page

Data = TypeVar("Data", bytes, str)

MAX_NEW_TOKENS = 64


def picture(data: bytes) -> None:
    """A file is refused with a reason, or the same picture comes from it, cleaned or not."""
    try:
        photo = read_photo(data)
    except PhotoError as error:
        assert error.what and error.next_step
        return
    file = clean_file(data)
    assert pixels_of(file.data).size == file.size_wh == photo.size_wh
    assert photo.image.mode == "RGB"


def stream(data: bytes) -> None:
    """However a stream is cut, its text is the same, and what is wrong with it is an error and not an exception."""
    whole, cut = CompletionReader(MAX_NEW_TOKENS), CompletionReader(MAX_NEW_TOKENS)
    said = whole.feed(data)
    pieces = "".join(_fed(cut, _cut(data)))
    assert pieces == said
    assert (whole.failure is None) == (cut.failure is None)
    said.encode()


def _fed(reader: CompletionReader, pieces: Iterator[bytes]) -> Iterator[str]:
    for piece in pieces:
        yield reader.feed(piece)
        if reader.done or reader.failure:
            return


def grounding(data: bytes) -> None:
    """However an answer is cut, its events are the same; no box leaves the picture."""
    text = data.decode("utf-8", "replace")
    parsed, parser = parse(text), GroundingParser()
    events = [event for piece in _cut(text) for event in parser.feed(piece)] + list(parser.finish())
    assert tuple(merge_texts(events)) == parsed.events
    assert parser.dropped == parsed.dropped
    for event in parsed.events:
        if isinstance(event, Box):
            x1, y1, x2, y2 = event.box_1000
            assert 0 <= x1 < x2 <= 1000 and 0 <= y1 < y2 <= 1000
    visible_text(parsed.events).encode("utf-8", "surrogatepass")


def markdown(data: bytes) -> None:
    """What is shown of an answer is our own markup, closed and in its place."""
    parsed = parse(data.decode("utf-8", "replace"))
    Page("".join(render_answer(parsed.events)))


def _cut(data: Data) -> Iterator[Data]:
    """Yield the data in pieces whose lengths it says itself."""
    numbers = data.encode("utf-8", "replace") if isinstance(data, str) else data
    places = {sum(numbers[:end]) * (end + 1) % (len(data) + 1) for end in range(min(8, len(numbers)))}
    for start, end in pairwise(sorted({0, *places, len(data)})):
        yield data[start:end]


TARGETS: dict[str, Callable[[bytes], None]] = {
    "picture": picture,
    "stream": stream,
    "grounding": grounding,
    "markdown": markdown,
}
