"""Files that hold one picture and nothing else: how to tell them, and how to make one of a file that holds more.

Plain is what lies on these lists. Everything else may tell more than the picture does (EXIF with a place, a
comment, a colour profile, a thumbnail, a second picture, bytes after the end) or lets it look otherwise
(transparency, a turn), and is not plain, known or not:

    JPEG   frame, tables, scans, a JFIF header without thumbnail, Adobe's note on the colour transform
    PNG    IHDR, PLTE, IDAT, IEND
    WebP   the simple format: one VP8 or VP8L chunk

`cleaned` keeps of a JPEG or PNG only that, without touching the coded pixels, so it takes milliseconds. A camera
that was turned is told in the one segment that it may add: EXIF with the orientation and nothing else.

Not here: whether the pixels can be decoded (`decode` knows by then), and pixels that say something themselves.
"""

import re

MOST_SEGMENTS = 10_000
"""Segments or chunks of a file that is looked into: hundreds in real ones; more would only take time."""

_JPEG_BEGINNING = b"\xff\xd8"
_MARKER = re.compile(rb"\xff++([^\x00\xd0-\xd7\xff])")
"""A JPEG marker, with fill bytes before it."""
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""Where a scan ends: in it, 0xFF00 is a byte of data and D0 to D7 only separate its parts. Without a repetition,
so that a search in a file full of 0xFF takes linear time."""
_END, _SCAN, _JFIF, _ADOBE, _EXIF, _COMMENT = 0xD9, 0xDA, 0xE0, 0xEE, 0xE1, 0xFE
_JPEG_SEGMENTS = frozenset({0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD, _SCAN})
_APPLICATION = range(0xE0, 0xF0)
_JFIF_BYTES, _ADOBE_BYTES = 14, 12
"""What is longer holds more than it should; a JFIF header a thumbnail."""

_PNG_BEGINNING = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_PNG_SHOWN_OTHERWISE = frozenset({b"tRNS", b"acTL", b"fcTL", b"fdAT"})
"""Ancillary chunks without which a PNG shows something else: transparency, and an animation's first picture."""


def mime_of(data: bytes) -> str:
    """Return the MIME type of a file that `cleaned` gave."""
    if data.startswith(_JPEG_BEGINNING):
        return "image/jpeg"
    return "image/png" if data.startswith(_PNG_BEGINNING) else "image/webp"


def cleaned(data: bytes, orientation: int = 1) -> bytes | None:
    """Return a JPEG or PNG file with the same coded pixels and nothing else, or None where that cannot be done.

    orientation: how the picture is turned, 1 to 8 as EXIF counts. A JPEG that is turned says so in an EXIF segment
    of its own; of PNG files browsers do not agree. A WebP file is as it is or None.
    """
    if data.startswith(_JPEG_BEGINNING):
        return _cleaned_jpeg(data, orientation)
    if orientation != 1:
        return None
    if data.startswith(_PNG_BEGINNING):
        return _cleaned_png(data)
    return data if _is_plain_webp(data) else None


def _cleaned_jpeg(data: bytes, orientation: int) -> bytes | None:
    parts, at = [_JPEG_BEGINNING], 2
    for _ in range(MOST_SEGMENTS):
        found = _MARKER.match(data, at)
        if found is None:
            return None
        marker, at = found[1][0], found.end()
        if marker == _END:
            if orientation != 1:
                after_jfif = 2 if parts[1:] and parts[1][1] == _JFIF else 1
                parts.insert(after_jfif, _orientation_segment(orientation))
            return b"".join([*parts, b"\xff\xd9"])
        after = at + int.from_bytes(data[at : at + 2])
        if not at + 2 <= after <= len(data):
            return None
        kept = _kept_segment(marker, data[at + 2 : after])
        if kept is None:
            return None
        if kept:
            parts.append(kept)
        at = after
        if marker == _SCAN:
            following = _AFTER_SCAN.search(data, at)
            end = following.start() if following else len(data)
            parts.append(data[at:end])
            at = end
    return None


def _kept_segment(marker: int, body: bytes) -> bytes | None:
    """Return what is kept of a segment, maybe nothing; None for one that is not known here."""
    if marker in _JPEG_SEGMENTS:
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


def _cleaned_png(data: bytes) -> bytes | None:
    parts, at = [_PNG_BEGINNING], len(_PNG_BEGINNING)
    for _ in range(MOST_SEGMENTS):
        kind = data[at + 4 : at + 8]
        after = at + 12 + int.from_bytes(data[at : at + 4])  # its length, its kind and its checksum
        if after > len(data) or kind in _PNG_SHOWN_OTHERWISE:
            return None
        if kind in _PNG_CHUNKS:
            parts.append(data[at:after])
        elif not kind[:1].islower():
            return None  # a critical chunk that is not known here
        if kind == b"IEND":
            return b"".join(parts) if after == at + 12 else None
        at = after
    return None


def _is_plain_webp(data: bytes) -> bool:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or data[12:16] not in (b"VP8 ", b"VP8L"):
        return False
    whole, inner = (int.from_bytes(data[at : at + 4], "little") for at in (4, 16))
    return len(data) == whole + 8 == 20 + inner + inner % 2
