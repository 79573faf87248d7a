"""Files that hold one picture and nothing else: how to tell them, and how to make one of a file that holds more.

Plain is what lies on these lists. Everything else may tell more than the picture does (EXIF with a place, a
comment, a thumbnail, a second picture, bytes after the end) or lets it look otherwise (transparency, a turn, a
colour profile), and is not plain, known or not:

    JPEG   frame, tables, scans, a JFIF header without thumbnail, Adobe's note on the colour transform
    PNG    IHDR, PLTE, IDAT, IEND
    WebP   the simple format: one VP8 or VP8L chunk

`cleaned` keeps of a JPEG or PNG only that, without touching the coded pixels, so it takes milliseconds. Two things it
may add, which change how the pixels are shown: the turn of a JPEG, and a colour profile that `colour` wrote.

Not here: whether the pixels can be decoded (`decode` knows by then), and pixels that say something themselves.
"""

import zlib

from internvl_demo.photos.jpeg import BEGINNING, MOST_SEGMENTS, cleaned_jpeg

PNG_BEGINNING = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_PNG_SHOWN_OTHERWISE = frozenset({b"tRNS", b"acTL", b"fcTL", b"fdAT"})
"""Ancillary chunks without which a PNG shows something else: transparency, and an animation's first picture."""


def mime_of(data: bytes) -> str:
    """Return the MIME type of a file that `cleaned` gave."""
    if data.startswith(BEGINNING):
        return "image/jpeg"
    return "image/png" if data.startswith(PNG_BEGINNING) else "image/webp"


def cleaned(data: bytes, orientation: int = 1, profile: bytes | None = None) -> bytes | None:
    """Return a JPEG or PNG file with the same coded pixels and nothing else, or None where that cannot be done.

    orientation: how the picture is turned, 1 to 8 as EXIF counts. A JPEG that is turned says so in an EXIF segment
    of its own; of PNG files browsers do not agree. profile: the colour profile that the file is to have. A WebP file
    is as it is or None.
    """
    if data.startswith(BEGINNING):
        return cleaned_jpeg(data, orientation, profile)
    if orientation != 1:
        return None
    if data.startswith(PNG_BEGINNING):
        return _cleaned_png(data, profile)
    return data if profile is None and _is_plain_webp(data) else None


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """Build a chunk of a PNG file."""
    return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)


def _cleaned_png(data: bytes, profile: bytes | None) -> bytes | None:
    parts, at = [PNG_BEGINNING], len(PNG_BEGINNING)
    for _ in range(MOST_SEGMENTS):
        kind = data[at + 4 : at + 8]
        after = at + 12 + int.from_bytes(data[at : at + 4])  # its length, its kind and its checksum
        if after > len(data) or kind in _PNG_SHOWN_OTHERWISE:
            return None
        if kind in _PNG_CHUNKS:
            parts.append(data[at:after])
        elif not kind[:1].islower():
            return None  # a critical chunk that is not known here
        if kind == b"IHDR" and profile is not None:
            parts.append(png_chunk(b"iCCP", b"RGB\0\0" + zlib.compress(profile)))
        if kind == b"IEND":
            return b"".join(parts) if after == at + 12 else None
        at = after
    return None


def _is_plain_webp(data: bytes) -> bool:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or data[12:16] not in (b"VP8 ", b"VP8L"):
        return False
    whole, inner = (int.from_bytes(data[at : at + 4], "little") for at in (4, 16))
    return len(data) == whole + 8 == 20 + inner + inner % 2
