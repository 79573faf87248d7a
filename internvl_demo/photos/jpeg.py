"""JPEG files by their segments: what is only picture, and whether the coded pixels are all there. Decodes nothing.

    data -> segments: (marker, body, coded pixels behind it), to the end marker or to where it stops being a JPEG

`cleaned_jpeg` keeps the frame, tables and scans, a JFIF header without its thumbnail, and Adobe's note on the colour
transform; the camera's turn and the colour profile, if they are given, each in the one segment that it may add.

A file whose end is missing may still hold all of its pixels. The decoder does not tell: it fills what is missing
with grey. So `endings` continues the coded pixels in ways that no encoder would: if the picture is whole, the decoder
needs none of that and shows the same each time; if not, the first block that is missing differs.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

MOST_SEGMENTS = 10_000
"""Segments of a file that is looked into: hundreds in real ones; more would only take time."""

MOST_PROFILE_BYTES = 65_000
"""The largest colour profile that one segment can hold, near enough."""

BEGINNING, END = b"\xff\xd8", b"\xff\xd9"

_MARKER = re.compile(rb"\xff++([^\x00\xd0-\xd7\xff])")
"""A marker, with fill bytes before it."""
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""Where a scan ends: in it, 0xFF00 is a byte of data and D0 to D7 only separate its parts. Without a repetition,
so that a search in a file full of 0xFF takes linear time."""
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
"""What stands between the parts of a scan; these are numbered from 0 to 7 again and again."""
_END, _SCAN, _JFIF, _ADOBE, _EXIF, _PROFILE, _COMMENT = 0xD9, 0xDA, 0xE0, 0xEE, 0xE1, 0xE2, 0xFE
_PROGRESSIVE = 0xC2
_FRAMES = frozenset({0xC0, 0xC1, _PROGRESSIVE})
_KEPT = frozenset({*_FRAMES, 0xC4, 0xDB, 0xDD, _SCAN})
_APPLICATION = range(0xE0, 0xF0)
_JFIF_BYTES, _ADOBE_BYTES = 14, 12
"""What is longer holds more than it should; a JFIF header a thumbnail."""
_COEFFICIENTS = 64

_FILLER = bytes(random.Random(0).randrange(1, 255) for _ in range(400))
"""What no encoder writes behind a picture, and long enough for a block that is missing; no 0xFF, which begins a
marker, and none in its complement."""


@dataclass(frozen=True)
class Segment:
    """A marker, what belongs to it, and for a scan its coded pixels, which stand from `at` to `end` of the file."""

    marker: int
    body: bytes
    at: int
    end: int


def segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments in order; the last one has the end marker, unless something else came before."""
    at = len(BEGINNING)
    for _ in range(MOST_SEGMENTS):
        found = _MARKER.match(data, at)
        if found is None:
            return
        marker, at = found[1][0], found.end()
        if marker == _END:
            yield Segment(_END, b"", at, at)
            return
        after = at + int.from_bytes(data[at : at + 2])
        if not at + 2 <= after <= len(data):
            return
        body, at = data[at + 2 : after], after
        if marker == _SCAN:
            following = _AFTER_SCAN.search(data, at)
            at = following.start() if following else len(data)
        yield Segment(marker, body, after, at)


def cleaned_jpeg(data: bytes, orientation: int = 1, profile: bytes | None = None) -> bytes | None:
    """Return the file with the same coded pixels and nothing else, but for the turn and the colour profile given.

    None if a part of it is not known, or the end marker is missing.
    """
    head, parts, ended = [BEGINNING], list[bytes](), False
    for segment in segments(data):
        ended = segment.marker == _END
        if ended:
            break
        kept = _kept(segment.marker, segment.body)
        if kept is None:
            return None
        in_head = segment.marker == _JFIF and not parts
        (head if in_head else parts).extend((kept, data[segment.at : segment.end]))
    if not ended:
        return None
    if orientation != 1:
        head.append(_orientation_segment(orientation))
    if profile is not None and len(profile) <= MOST_PROFILE_BYTES:
        head.append(_segment(_PROFILE, b"ICC_PROFILE\0\1\1" + profile))
    return b"".join((*head, *parts, END))


def closed(data: bytes) -> bytes | None:
    """Return a file that lost its end marker with one; None if it has one, or scans are missing altogether."""
    found = list(segments(data))
    if not found or found[-1].marker != _SCAN or found[-1].end != len(data) or not _is_exact(found):
        return None
    return data.rstrip(b"\xff") + END


def endings(data: bytes) -> list[bytes]:
    """Return the file with its last coded pixels continued in two ways: a whole picture looks the same in both."""
    scans = [segment for segment in segments(data) if segment.marker == _SCAN]
    if not scans:
        return []
    start, end = scans[-1].at, scans[-1].end
    parts = sum(1 for _ in _RESTART.finditer(data, start, end))
    marks = [bytes((0xFF, 0xD0 + (parts + number) % 8)) for number in range(8)]
    fillers = [_FILLER, bytes(255 - byte for byte in _FILLER)]
    return [
        data[:end] + filler + b"".join(mark + filler for mark in marks) + data[end:] for filler in fillers
    ]


def _is_exact(found: list[Segment]) -> bool:
    """Whether the scans that are there bring every coefficient of every component to its last bit."""
    frame = next((segment for segment in found if segment.marker in _FRAMES), None)
    if frame is None or len(frame.body) < 6:
        return False
    components = {frame.body[at] for at in range(6, len(frame.body) - 2, 3)}
    exact: set[tuple[int, int]] = set()
    for scan in (segment.body for segment in found if segment.marker == _SCAN):
        count = scan[0] if scan else 0
        if len(scan) != 4 + 2 * count:
            return False
        first, last, bits = scan[-3:]
        if frame.marker != _PROGRESSIVE:
            first, last, bits = 0, _COEFFICIENTS - 1, 0
        if bits & 15 == 0:
            exact |= {
                (scan[1 + 2 * place], each) for place in range(count) for each in range(first, last + 1)
            }
    return all((component, each) in exact for component in components for each in range(_COEFFICIENTS))


def _kept(marker: int, body: bytes) -> bytes | None:
    """Return what is kept of a segment, maybe nothing; None for one that is not known here."""
    if marker in _KEPT:
        return _segment(marker, body)
    if marker == _JFIF and body.startswith(b"JFIF\0") and len(body) >= _JFIF_BYTES:
        return _segment(_JFIF, body[: _JFIF_BYTES - 2] + b"\0\0")  # a thumbnail of 0 x 0
    if marker == _ADOBE and body.startswith(b"Adobe") and len(body) >= _ADOBE_BYTES:
        return _segment(_ADOBE, body[:_ADOBE_BYTES])
    return b"" if marker in _APPLICATION or marker == _COMMENT else None


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2) + body


def _orientation_segment(orientation: int) -> bytes:
    """Build an EXIF segment with one entry: tag 0x0112, one number of 16 bits."""
    entry = (0x0112).to_bytes(2) + (3).to_bytes(2) + (1).to_bytes(4) + orientation.to_bytes(2) + b"\0\0"
    tiff = b"MM\0\x2a" + (8).to_bytes(4) + (1).to_bytes(2) + entry + (0).to_bytes(4)
    return _segment(_EXIF, b"Exif\0\0" + tiff)
