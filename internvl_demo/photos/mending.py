"""A file that a decoder refuses -> the same picture without what is not picture, to be tried once more.

A picture is judged by its pixels. A wrong checksum of a resolution, a text of megabytes, a profile of rubbish, an end
marker that got lost: browsers show all of these, so such parts are left out here, and what is missing at the end is
added. Coded pixels are never touched; where some are missing the decoder says so again.

    mended(b"\\x89PNG..., with a broken zTXt") -> b"\\x89PNG..., with IHDR, PLTE, tRNS, IDAT and IEND"

Not here: whether a JPEG that lost its end is whole (`jpeg.endings` asks the decoder), and TIFF, whose pages are written
anew in any case (`tiff`). A GIF needs nothing: its decoder stops at the last pixel.
"""

import re
import struct
import zlib

from PIL import Image

from internvl_demo.photos.jpeg import BEGINNING, MOST_SEGMENTS, cleaned_jpeg, closed, segments
from internvl_demo.photos.passthrough import PNG_BEGINNING, png_chunk

ORIENTATION_TAG = 0x0112

_PNG_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_ZLIB_STEP_BYTES = 1024 * 1024
_WEBP_PIXELS = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"})
_WEBP_NOT_PIXELS = 0b0010_1100
"""Flags of VP8X: there is a profile, EXIF, XMP."""
_BMP_HEADER_BYTES = 40
_BMP_MASKS = 3
_ITEM_THAT_IS_NOT_PIXELS = re.compile(rb"(infe[\x02\x03].{3}(?:.{4}|.{6}))(?:Exif|mime)", re.DOTALL)
"""An entry of an HEIC's or AVIF's list of items, up to the kind of the item."""


def mended(data: bytes) -> bytes | None:
    """Return the file with nothing but its picture, and with its end; None if there is nothing to be mended."""
    if data.startswith(BEGINNING):
        return _mended_jpeg(data)
    if data.startswith(PNG_BEGINNING):
        return _mended_png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _mended_webp(data)
    if data[:2] == b"BM":
        return _mended_bmp(data)
    if data[4:8] == b"ftyp":
        return _ITEM_THAT_IS_NOT_PIXELS.sub(rb"\1none", data)
    return None


def orientation_of(image: Image.Image) -> int:
    """Return how a picture is turned, 1 to 8; 1 where its EXIF is broken or means nothing."""
    try:
        return _turn(image.getexif())
    except Exception:  # noqa: BLE001  whatever broken EXIF raises, it does not spoil a good picture
        return 1


def _turn(exif: Image.Exif) -> int:
    told = exif.get(ORIENTATION_TAG, 1)
    return int(told) if told in range(1, 9) else 1


def _mended_jpeg(data: bytes) -> bytes | None:
    whole = closed(data) or data
    exif = next((each.body for each in segments(whole) if each.body.startswith(b"Exif\0\0")), b"")
    return cleaned_jpeg(whole, _turn_told_by(exif))


def _turn_told_by(told: bytes) -> int:
    exif = Image.Exif()
    try:
        exif.load(told)
        return _turn(exif)
    except Exception:  # noqa: BLE001  as above
        return 1


def _mended_png(data: bytes) -> bytes | None:
    """Keep the chunks of pixels, and EXIF, which tells the turn; from a chunk that is cut off on all is left as it is.

    Pixels have a checksum of their own inside: where that is right, the one around them is written anew.
    """
    parts, pixels, at = [PNG_BEGINNING], zlib.decompressobj(), len(PNG_BEGINNING)
    doubtful = False
    for _ in range(MOST_SEGMENTS):
        kind, length = data[at + 4 : at + 8], int.from_bytes(data[at : at + 4])
        body, after = data[at + 8 : at + 8 + length], at + 12 + length
        if after > len(data):
            parts.append(data[at:])
            break
        whole = zlib.crc32(kind + body) == int.from_bytes(data[after - 4 : after])
        if kind == b"IDAT":
            doubtful = doubtful or not whole
            parts.append(png_chunk(kind, body))
            _inflate(pixels, body)
        elif kind in _PNG_PIXELS or (kind == b"eXIf" and whole) or not kind[:1].islower():
            parts.append(data[at:after])
        if kind == b"IEND":
            break
        at = after
    return None if doubtful and not pixels.eof else b"".join(parts)


def _inflate(pixels: "zlib._Decompress", body: bytes) -> None:
    """Go through compressed pixels without keeping them. What is broken never comes to its end."""
    try:
        while body and not pixels.eof:
            pixels.decompress(body, _ZLIB_STEP_BYTES)
            body = pixels.unconsumed_tail
    except zlib.error:
        return


def _mended_webp(data: bytes) -> bytes:
    chunks, at = list[bytes](), 12
    for _ in range(MOST_SEGMENTS):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        after = at + 8 + length + length % 2
        if kind == b"VP8X" and length >= 10:
            flags = data[at + 8] & ~_WEBP_NOT_PIXELS
            chunks.append(data[at : at + 8] + bytes((flags,)) + data[at + 9 : after])
        elif kind in _WEBP_PIXELS:
            chunk = data[at : at + 8 + length]
            chunks.append(chunk + b"\0" * (len(chunk) % 2))
        if after >= len(data):
            break
        at = after
    inside = b"WEBP" + b"".join(chunks)
    return b"RIFF" + len(inside).to_bytes(4, "little") + inside


def _mended_bmp(data: bytes) -> bytes | None:
    """Give a BMP the header of 40 bytes that all longer and shorter ones begin with or abbreviate."""
    if len(data) < 18:
        return None
    offset, size = struct.unpack_from("<II", data, 10)
    if not 16 <= size <= len(data) - 14:
        return None
    header = data[14 : 14 + min(size, _BMP_HEADER_BYTES)].ljust(_BMP_HEADER_BYTES, b"\0")
    header = _BMP_HEADER_BYTES.to_bytes(4, "little") + header[4:]
    masks = data[54:66] if size > _BMP_HEADER_BYTES and header[16] == _BMP_MASKS else b""
    between = masks + data[14 + size : max(offset, 14 + size)]
    place = 14 + len(header) + len(between)
    return data[:10] + struct.pack("<I", place) + header + between + data[max(offset, 14 + size) :]
