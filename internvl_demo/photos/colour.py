"""Colour profiles of wide-gamut pictures: kept for people's eyes, and without effect for the model.

A phone's pictures have their colours in Display P3, a camera's perhaps in Adobe RGB. The official preprocessing of
InternVL 1.5 takes the numbers as they are (`convert("RGB")`), and so does ours: the model sees what it would see
elsewhere. People see the file with its profile in a browser, and `in_srgb` where this program draws for them.

Of a profile only its colours are kept, three primaries and three curves in a profile that is written anew; so no text,
name or date of the file outlives it. One that is broken, that is sRGB as good as, or that needs tables is dropped.

Not here: grey and CMYK, whose profiles are dropped.
"""

import struct
from functools import cache, lru_cache
from io import BytesIO

from PIL import Image, ImageCms

MOST_BYTES = 64 * 1024
"""The largest profile that is kept; those of cameras and phones have under 4 kB."""

VISIBLE = 6
"""A profile counts if it moves some colour by so many of 255 steps."""

_MOST_TAGS = 100
_HEADER_BYTES = 128
_COLOURS = (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"wtpt")
_ADAPTED = b"chad"
_PARAMETERS = (1, 3, 4, 5, 7)
"""Of the kinds 0 to 4 of a parametric curve."""
_MOST_CAST = 24
"""How far black and white may move."""
_CUBE = (0, 51, 102, 153, 204, 255)


def kept_profile(profile: object, mode: str) -> bytes | None:
    """Return what is kept of a picture's profile; None if it is shown right without one. `mode`: Pillow's."""
    if not isinstance(profile, bytes) or mode not in ("RGB", "RGBA", "RGBX", "P", "PA"):
        return None
    return _kept(profile) if len(profile) <= 4 * MOST_BYTES else None


def in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return an RGB picture as it is to be shown where nobody reads its profile: itself, if it has none."""
    if profile is None:
        return image
    shown = ImageCms.applyTransform(image, _to_srgb(profile))
    assert shown is not None
    shown.info = {}
    return shown


@lru_cache(maxsize=16)
def _to_srgb(profile: bytes) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(ImageCms.ImageCmsProfile(BytesIO(profile)), _srgb(), "RGB", "RGB")


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@lru_cache(maxsize=16)
def _kept(profile: bytes) -> bytes | None:
    try:
        written = _written_anew(profile)
        return written if len(written) <= MOST_BYTES and _is_sound(written) else None
    except (ValueError, struct.error, OSError, ImageCms.PyCMSError):
        return None


def _is_sound(profile: bytes) -> bool:
    """Whether it changes what is seen, and leaves black and white what they are, as every profile of pictures does."""
    before = b"".join(bytes((red, green, blue)) for red in _CUBE for green in _CUBE for blue in _CUBE)
    after = in_srgb(Image.frombytes("RGB", (len(before) // 3, 1), before), profile).tobytes()
    moved = [abs(one - other) for one, other in zip(before, after, strict=True)]
    return max(moved) >= VISIBLE and max(*moved[:3], *moved[-3:]) <= _MOST_CAST


def _written_anew(profile: bytes) -> bytes:
    """Return a profile with the colours of another, and nothing else of it. Raises ValueError, struct.error."""
    if profile[16:24] != b"RGB XYZ " or profile[36:40] != b"acsp":
        raise ValueError("not a profile of RGB by primaries")
    (count,) = struct.unpack_from(">I", profile, _HEADER_BYTES)
    at = _HEADER_BYTES + 4
    end = at + 12 * min(count, _MOST_TAGS, (len(profile) - at) // 12)
    places = {tag: start for tag, start, _ in struct.iter_unpack(">4sII", profile[at:end])}
    version = b"\4\x30\0\0" if profile[8] == 4 else b"\2\x10\0\0"
    elements = {tag: _element(profile[places[tag] :]) for tag in _COLOURS if tag in places}
    if len(elements) < len(_COLOURS):
        raise ValueError("colours are missing")
    if _ADAPTED in places:
        elements[_ADAPTED] = _element(profile[places[_ADAPTED] :])
    elements |= {b"desc": _name(version), b"cprt": _text(version)}
    header = b"\0\0\0\0\0\0\0\0" + version + b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28)
    header += struct.pack(">III", 0xF6D6, 0x10000, 0xD32D)  # the white of all profiles, D50
    return _joined(header.ljust(_HEADER_BYTES, b"\0"), elements)


def _joined(header: bytes, elements: dict[bytes, bytes]) -> bytes:
    """Put elements behind their table, equal ones once."""
    table, body, first = struct.pack(">I", len(elements)), bytearray(), _HEADER_BYTES + 4 + 12 * len(elements)
    places: dict[bytes, int] = {}
    for tag, element in elements.items():
        if element not in places:
            places[element] = first + len(body)
            body += element + b"\0" * (-len(element) % 4)
        table += struct.pack(">4sII", tag, places[element], len(element))
    whole = header + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


def _element(data: bytes) -> bytes:
    """Return the element that data begins with, as long as its kind makes it. Raises ValueError for other kinds."""
    match data[:4]:
        case b"XYZ ":
            size = 20
        case b"sf32":
            size = 44
        case b"curv":
            size = 12 + 2 * int.from_bytes(data[8:12])
        case b"para" if int.from_bytes(data[8:10]) < len(_PARAMETERS):
            size = 12 + 4 * _PARAMETERS[int.from_bytes(data[8:10])]
        case _:
            raise ValueError("an element of another kind")
    if size > len(data):
        raise ValueError("an element that is cut off")
    return data[:4] + bytes(4) + data[8:size]


def _name(version: bytes) -> bytes:
    if version[0] == 4:
        return _text(version)
    return b"desc" + bytes(4) + struct.pack(">I", 4) + b"RGB\0" + bytes(8 + 2 + 1 + 67)


def _text(version: bytes) -> bytes:
    """Return a text that says nothing: readers want a name and a copyright."""
    if version[0] != 4:
        return b"text" + bytes(4) + b"RGB\0"
    return (
        b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", 6, 28) + "RGB".encode("utf-16-be")
    )
