"""A TIFF file -> the one picture of it that people mean, as files that Pillow reads right; or a refusal by name.

A TIFF is a chain of pages, each a directory of tags; what Pillow makes of a page depends on some forty of them. Here
the main page is chosen and gets a new directory behind the file's end, with the tags of pixels only: no broken
description, place or thumbnail can disturb it. The pixels stay where they are.

    a scan of 4000 x 3000 pixels behind a page of 160 x 120
    -> TiffPicture(size_wh=(4000, 3000), orientation=1, files=(b"II*...",), numbers=None, pages=1)

Pages that call themselves reduced copies or masks are skipped, and so is a first page that is a small copy of a later
one. What a camera's raw file shows without its maker's recipe is no photo: these (DNG, CR2, NEF, ARW) are refused.

Some kinds of sample values Pillow takes for others without a word: signed ones, 12 bits, planes of 16 bits. For these
`numbers` says what they are, and the file presents the bytes of its rows as grey values; `photos.numbers` reads them.

Not here: pixels, and limits of size.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from internvl_demo.errors import PhotoError
from internvl_demo.photos.numbers import BITS, Kind, Numbers, Order

MOST_PAGES = 1000
"""Pages that are looked at."""

MOST_TAGS = 1000
"""Entries of a directory that are looked at; real ones have some twenty."""

MOST_ENTRY_BYTES = 4 * 1024 * 1024
"""The values of one entry; more hold no places of pixels, and are left out."""

THUMBNAIL_PART = 3
"""A first page is a thumbnail of a later one of the same shape that is at least so many times as wide."""

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_STRIPS, _ORIENTATION, _SAMPLES, _STRIP_BYTES, _PLANES, _PREDICTOR = 273, 274, 277, 279, 284, 317
_ROWS, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 278, 322, 323, 324, 325
_EXTRA, _FORMAT, _JPEG = 338, 339, 513
_NEW_KIND, _OLD_KIND, _INNER_PAGES, _DNG_VERSION, _NO_DATA = 254, 255, 330, 50706, 42113
_PIXEL_TAGS = frozenset(
    {
        _WIDTH,
        _HEIGHT,
        _BITS,
        _COMPRESSION,
        _PHOTOMETRIC,
        266,
        _STRIPS,
        _ORIENTATION,
        _SAMPLES,
        278,
        _STRIP_BYTES,
    }
    | {_PLANES, 292, 293, _PREDICTOR, 320, _TILE_WIDTH, 323, _TILES, _TILE_BYTES, _EXTRA, _FORMAT, 347}
    | {*range(512, 522), 529, 530, 532, 34675}
)
"""Size, values, compression, palette, places of pixels, JPEG tables, YCbCr, and the colour profile."""

_BYTES_OF = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
"""Field type -> bytes of one value."""
_LETTER = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
"""The types that are whole numbers, in the letters of `struct`."""
_LONG = 4

_GREY, _RGB = (0, 1), 2
_RAW_SENSOR = (32803, 34892)
"""Photometric values of a camera's sensor: its mosaic of colours, and linear raw."""
_RAW_CODECS = (32767, 34713, 65000, 65535)
"""Compressions of cameras only: Sony's, Nikon's, Kodak's, Pentax's."""
_LOSSLESS = (1, 5, 8, 32773, 32946)
"""Compressions that give the bytes back as they were: none, LZW, deflate, PackBits, deflate's old number."""
_KINDS: dict[int, Kind] = {1: "u", 2: "i", 3: "f", 4: "u"}
"""SampleFormat; 4 says nothing."""
_GREYS_OF_PILLOW = {
    (*each, order) for each in (("u", 16), ("i", 16), ("i", 32), ("f", 32)) for order in "<>"
} | {("u", 32, "<")}
"""Greys that Pillow unpacks right, if not always what they mean."""


@dataclass(frozen=True)
class TiffPicture:
    """The main page of a file.

    size_wh: as stored, before it is turned. files: one for Pillow, or one for each plane. numbers: how to read the
    values, with the orientation that the page has then, 1 to 8; None: Pillow does both. pages: those that are
    pictures of their own. is_cut: pixels are missing at the end, where Pillow would read the new directory for them.
    """

    size_wh: tuple[int, int]
    files: tuple[bytes, ...]
    numbers: Numbers | None
    orientation: int
    pages: int
    is_cut: bool


@dataclass(frozen=True)
class _Entry:
    """One entry of a directory: its type, how many values, and where they are."""

    kind: int
    count: int
    data: memoryview


class _Layout:
    """How a file writes numbers: its byte order, and whether it is a BigTIFF."""

    def __init__(self, data: bytes):
        self.order: Order = "<" if data[:2] == b"II" else ">"
        self.big = data[2:4] in (b"\x2b\0", b"\0\x2b")
        self.place, self.place_bytes = ("Q", 8) if self.big else ("I", 4)
        self.count, self.count_bytes = ("Q", 8) if self.big else ("H", 2)
        self.first_at = self.place_bytes
        self.entry_bytes = 4 + 2 * self.place_bytes

    def unpack(self, letters: str, data: bytes | memoryview, at: int) -> tuple[int, ...]:
        return struct.unpack_from(self.order + letters, data, at)

    def pack(self, letters: str, *values: int) -> bytes:
        return struct.pack(self.order + letters, *values)

    def longs(self, *values: int) -> _Entry:
        return _Entry(_LONG, len(values), memoryview(self.pack(f"{len(values)}I", *values)))


class _Page:
    """One directory, as far as it can be read."""

    def __init__(self, data: bytes, layout: _Layout, at: int):
        self.layout = layout
        self.entries: dict[int, _Entry] = {}
        view = memoryview(data)
        (count,) = layout.unpack(layout.count, data, at)
        first, size = at + layout.count_bytes, layout.entry_bytes
        for place in range(first, first + min(count, MOST_TAGS) * size, size):
            if place + size > len(data):
                break
            tag, kind, values = layout.unpack(f"HH{layout.place}", data, place)
            length, start = _BYTES_OF.get(kind, 0) * values, place + size - layout.place_bytes
            if length > layout.place_bytes:
                (start,) = layout.unpack(layout.place, data, start)
            if 0 < length <= min(MOST_ENTRY_BYTES, len(data) - start):
                self.entries.setdefault(tag, _Entry(kind, values, view[start : start + length]))
        end = first + count * size
        self.next_at = 0
        if end + layout.place_bytes <= len(data):
            (self.next_at,) = layout.unpack(layout.place, data, end)

    def all(self, tag: int) -> tuple[int, ...]:
        """Return the whole numbers of a tag; none where it is missing or something else."""
        entry = self.entries.get(tag)
        if entry is None or entry.kind not in _LETTER:
            return ()
        return self.layout.unpack(f"{entry.count}{_LETTER[entry.kind]}", entry.data, 0)

    def one(self, tag: int, otherwise: int) -> int:
        found = self.all(tag)
        return found[0] if found else otherwise

    @property
    def size_wh(self) -> tuple[int, int]:
        return self.one(_WIDTH, 0), self.one(_HEIGHT, 0)

    @property
    def is_picture(self) -> bool:
        return min(self.size_wh) > 0 and not self.entries.keys().isdisjoint({_STRIPS, _TILES, _JPEG})

    @property
    def is_copy(self) -> bool:
        """Whether it says that it is a smaller copy of another page, or a mask."""
        return bool(self.one(_NEW_KIND, 0) & 0b101) or self.one(_OLD_KIND, 1) == 2

    @property
    def is_raw(self) -> bool:
        return (
            _DNG_VERSION in self.entries
            or self.one(_PHOTOMETRIC, 0) in _RAW_SENSOR
            or self.one(_COMPRESSION, 1) in _RAW_CODECS
        )


def is_tiff(data: bytes) -> bool:
    """Whether the file begins as a TIFF or a BigTIFF does."""
    return data[:4] in (b"II*\0", b"MM\0*", b"II\x2b\0", b"MM\0\x2b")


def read_tiff(data: bytes) -> TiffPicture:
    """Choose the main page, and say how it is read.

    Raises PhotoError for a raw camera file and for values that are not read here, and ValueError or struct.error
    where there is no page.
    """
    layout = _Layout(data)
    pages = list(_pages(data, layout))
    if data[8:10] == b"CR" or any(page.is_raw for page in pages):
        raise raw_camera_file()
    pictures = [page for page in pages if page.is_picture]
    if not pictures:
        raise ValueError("a TIFF without a picture")
    whole = [page for page in pictures if not page.is_copy] or [max(pictures, key=lambda page: page.size_wh)]
    main = next((page for page in whole if _is_thumbnail(whole[0], page)), whole[0])
    numbers = _numbers(main)
    is_cut = _is_cut(main, len(data))
    files = tuple(_file(data, layout, entries) for entries in _directories(main, numbers))
    orientation = main.one(_ORIENTATION, 1) if numbers else 1
    return TiffPicture(main.size_wh, files, numbers, orientation, len(whole) - whole.index(main), is_cut)


def raw_camera_file() -> PhotoError:
    """For what a camera's sensor saw."""
    return PhotoError(
        "The file is a camera's raw file, which has to be developed first.",
        "Export it as JPEG from your photo program, and send that.",
    )


def unreadable_values() -> PhotoError:
    """For a TIFF whose pixels are of a kind that would come out wrong."""
    return PhotoError(
        "The TIFF file stores its pixels in a way that is not read here.",
        "Save it as PNG, or as TIFF with 8 or 16 bits for each colour.",
    )


def _pages(data: bytes, layout: _Layout) -> Iterator[_Page]:
    """Yield each page once, its inner pages behind it."""
    waiting = [*layout.unpack(layout.place, data, layout.first_at)]
    seen: set[int] = set()
    while waiting and len(seen) < MOST_PAGES:
        at = waiting.pop()
        if at in seen or not 0 < at <= len(data) - layout.count_bytes:
            continue
        seen.add(at)
        page = _Page(data, layout, at)
        yield page
        waiting += [page.next_at, *reversed(page.all(_INNER_PAGES)[:MOST_PAGES])]


def _is_cut(page: _Page, file_bytes: int) -> bool:
    """Whether places of pixels are missing, or end behind the file: by their size, or as is said of compressed ones."""
    tiled, separate, (width, height) = _TILES in page.entries, page.one(_PLANES, 1) == 2, page.size_wh
    places = page.all(_TILES if tiled else _STRIPS)
    across = page.one(_TILE_WIDTH, 0) if tiled else width
    rows = page.one(_TILE_HEIGHT, 0) if tiled else min(page.one(_ROWS, height) or height, height)
    if not places or not across or not rows:
        return _JPEG not in page.entries
    down = ceil(height / rows)
    if len(places) < ceil(width / across) * down * (page.one(_SAMPLES, 1) if separate else 1):
        return True
    if page.one(_COMPRESSION, 1) != 1:
        counts = page.all(_TILE_BYTES if tiled else _STRIP_BYTES)
        return any(place + count > file_bytes for place, count in zip(places, counts, strict=False))
    bits = page.all(_BITS) or (1,)
    pixel_bits = bits[0] if separate else sum(bits) if len(bits) > 1 else bits[0] * page.one(_SAMPLES, 1)
    row_bytes = ceil(across * pixel_bits / 8)
    left = (rows if tiled else min(rows, height - number % down * rows) for number in range(len(places)))
    return any(place + row_bytes * each > file_bytes for place, each in zip(places, left, strict=True))


def _is_thumbnail(small: _Page, large: _Page) -> bool:
    """Whether a page is much smaller than another of the same shape, to a pixel of its own."""
    (width, height), (full_width, full_height) = small.size_wh, large.size_wh
    if full_width < THUMBNAIL_PART * width or full_height < THUMBNAIL_PART * height:
        return False
    return abs(width * full_height - height * full_width) <= max(full_width, full_height)


def _numbers(page: _Page) -> Numbers | None:
    """Return how the values are to be read, None where Pillow does. Raises PhotoError for what neither can."""
    photometric, samples, extra = page.one(_PHOTOMETRIC, 0), page.one(_SAMPLES, 1), page.all(_EXTRA)
    bits, kinds = (
        set(page.all(_BITS)[:samples] or (1,)),
        {_KINDS.get(each, "") for each in page.all(_FORMAT) or (1,)},
    )
    separate = page.one(_PLANES, 1) == 2 and samples > 1
    if kinds == {"u"} and not (separate and max(bits) > 8) and _reads(photometric, samples, bits, extra):
        return None
    colours = 3 if photometric == _RGB else 1
    kind = _KINDS.get(page.one(_FORMAT, 1), "u")
    known = photometric in (*_GREY, _RGB) and len(kinds) == len(bits) == 1 and bits <= BITS[kind]
    if not known or "" in kinds or not colours <= samples <= 16:
        raise unreadable_values()
    (depth,) = bits
    in_row = 1 if separate else samples
    packed = (
        in_row > 1
        or (kind, depth, page.layout.order) not in _GREYS_OF_PILLOW
        or page.one(_FILL_ORDER, 1) != 1
    )
    whole_tiles = page.one(_TILE_WIDTH, 8) * in_row * depth % 8 == 0
    as_bytes = page.one(_PREDICTOR, 1) == 1 and page.one(_COMPRESSION, 1) in _LOSSLESS and whole_tiles
    if packed and not as_bytes:
        raise unreadable_values()
    alpha = extra[0] if samples > colours and extra and extra[0] in (1, 2) else 0
    no_data = _no_data(page)
    return Numbers(kind, depth, page.layout.order, packed, in_row, colours, alpha, photometric == 0, no_data)


def _reads(photometric: int, samples: int, bits: set[int], extra: tuple[int, ...]) -> bool:
    """Whether Pillow reads unsigned values right, or says that it cannot."""
    if photometric == _RGB:
        return bits in ({8}, {16})
    if photometric in _GREY:
        return bits <= {1, 2, 4, 8} and (samples == 1 or (photometric == 1 and bits == {8} and extra == (2,)))
    return True


def _no_data(page: _Page) -> float | None:
    """Return the value that stands for nothing measured, as maps have it."""
    entry = page.entries.get(_NO_DATA)
    try:
        return float(bytes(entry.data[:40]).rstrip(b"\0 ")) if entry else None
    except ValueError:
        return None


def _directories(page: _Page, numbers: Numbers | None) -> Iterator[dict[int, _Entry]]:
    """Yield the entries of what Pillow is to read: the page, or one page for each plane that counts."""
    entries = {tag: entry for tag, entry in page.entries.items() if tag in _PIXEL_TAGS}
    if numbers is None:
        if page.one(_PLANES, 1) == 2 and page.one(_SAMPLES, 1) == 1:
            del entries[_PLANES]
        yield {tag: entry for tag, entry in entries.items() if tag != _FORMAT}
        return
    longs, samples = page.layout.longs, page.one(_SAMPLES, 1)
    for tag in (_EXTRA, _PLANES, _ORIENTATION):
        entries.pop(tag, None)
    entries |= {_SAMPLES: longs(1), _PHOTOMETRIC: longs(1)}
    if numbers.packed:
        del entries[_BITS]
        entries.pop(_FORMAT, None)
        for tag in {_WIDTH, _TILE_WIDTH} & entries.keys():
            entries[tag] = longs(ceil(page.one(tag, 0) * numbers.samples * numbers.bits / 8))
        entries[_BITS] = longs(8)
    else:
        entries |= {_BITS: longs(numbers.bits), _FORMAT: longs({"u": 1, "i": 2, "f": 3}[numbers.kind])}
    if numbers.samples == samples:
        yield entries
        return
    for plane in range(numbers.colours + bool(numbers.alpha)):
        places = {tag: _part(entries[tag], plane, samples) for tag in _PLACES & entries.keys()}
        yield {**entries, **places}


_PLACES = {_STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES}


def _part(entry: _Entry, number: int, parts: int) -> _Entry:
    """Return one of so many equal parts of an entry's values."""
    count = entry.count // parts
    size = count * _BYTES_OF[entry.kind]
    return _Entry(entry.kind, count, entry.data[number * size : (number + 1) * size])


def _file(data: bytes, layout: _Layout, entries: dict[int, _Entry]) -> bytes:
    """Return the file with one page, whose directory stands behind its end."""
    at = len(data) + len(data) % 2
    values_at = at + layout.count_bytes + len(entries) * layout.entry_bytes + layout.place_bytes
    directory, values = [layout.pack(layout.count, len(entries))], bytearray()
    for tag, entry in sorted(entries.items()):
        field = bytes(entry.data)
        if len(field) > layout.place_bytes:
            field, values = layout.pack(layout.place, values_at + len(values)), values + field
            values += b"\0" * (len(values) % 2)
        directory.append(layout.pack(f"HH{layout.place}", tag, entry.kind, entry.count))
        directory.append(field.ljust(layout.place_bytes, b"\0"))
    directory.append(layout.pack(layout.place, 0))
    head = data[: layout.first_at] + layout.pack(layout.place, at)
    return b"".join((head, data[len(head) :], b"\0" * (at - len(data)), *directory, values))
