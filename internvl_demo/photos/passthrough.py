"""A file's bytes -> its MIME type, if it holds one picture and nothing else; so that it may be passed on as it is.

Plain is what lies on these lists. Everything else may tell more than the picture does (EXIF with a place, a
comment, a colour profile, a thumbnail, a second picture, bytes after the end) or lets it look otherwise
(transparency, a turn), and is not plain, known or not:

    JPEG   frame, tables, scans, a JFIF header without thumbnail, Adobe's note on the colour transform
    PNG    IHDR, PLTE, IDAT, IEND
    WebP   the simple format: one VP8 or VP8L chunk

Not here: whether the pixels can be decoded (`decode` knows by then), and pixels that say something themselves.
"""

import re

_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")
"""A JPEG marker; inside a scan, 0xFF00 is a byte of data and D0 to D7 only separate its parts."""
_END, _SCAN, _JFIF, _ADOBE = 0xD9, 0xDA, 0xE0, 0xEE
_JPEG_SEGMENTS = frozenset({0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD, _SCAN})
_JFIF_BYTES, _ADOBE_BYTES = 14, 12
"""What is longer holds more than it should; a JFIF header a thumbnail."""

_PNG_BEGINNING = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})


def plain_mime(data: bytes) -> str | None:
    """`image/jpeg`, `image/png` or `image/webp` for a file with nothing but a picture inside, else None."""
    if data.startswith(b"\xff\xd8"):
        return "image/jpeg" if _is_plain_jpeg(data) else None
    if data.startswith(_PNG_BEGINNING):
        return "image/png" if _is_plain_png(data) else None
    return "image/webp" if _is_plain_webp(data) else None


def _is_plain_jpeg(data: bytes) -> bool:
    at = 2
    while found := _MARKER.match(data, at):
        marker, at = found[1][0], found.end()
        if marker == _END:
            return at == len(data)
        after = at + int.from_bytes(data[at : at + 2])
        if not at + 2 <= after <= len(data) or not _is_plain_segment(marker, data[at + 2 : after]):
            return False
        at = after
        if marker == _SCAN:
            following = _MARKER.search(data, at)
            at = following.start() if following else len(data)
    return False


def _is_plain_segment(marker: int, body: bytes) -> bool:
    if marker == _JFIF:
        return body.startswith(b"JFIF\0") and len(body) == _JFIF_BYTES
    if marker == _ADOBE:
        return body.startswith(b"Adobe") and len(body) == _ADOBE_BYTES
    return marker in _JPEG_SEGMENTS


def _is_plain_png(data: bytes) -> bool:
    at = len(_PNG_BEGINNING)
    while at + 8 <= len(data):
        kind = data[at + 4 : at + 8]
        at += 12 + int.from_bytes(data[at : at + 4])  # its length, its kind and its checksum
        if kind == b"IEND" or kind not in _PNG_CHUNKS:
            return kind == b"IEND" and at == len(data)
    return False


def _is_plain_webp(data: bytes) -> bool:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or data[12:16] not in (b"VP8 ", b"VP8L"):
        return False
    whole, inner = (int.from_bytes(data[at : at + 4], "little") for at in (4, 16))
    return len(data) == whole + 8 == 20 + inner + inner % 2
