"""Colour profiles for the tests, written by hand: three primaries and a curve, and texts that tell something."""

import struct
from collections.abc import Sequence

PRIMARIES = {
    "sRGB": ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)),
    "Display P3": ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)),
    "Adobe RGB": ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)),
    "ProPhoto": ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491)),
}
"""Red, green and blue as XYZ under the white of all profiles."""

SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def parametric(values: Sequence[float]) -> bytes:
    kind = {1: 0, 3: 1, 4: 2, 5: 3, 7: 4}[len(values)]
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + fixed(*values)


def table(values: Sequence[int]) -> bytes:
    return b"curv" + bytes(4) + struct.pack(f">I{len(values)}H", len(values), *values)


def text(words: str) -> bytes:
    said = words.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(said), 28) + said


def profile(
    primaries: str,
    curve: bytes | None = None,
    *,
    space: bytes = b"RGB ",
    version: int = 4,
    without: Sequence[bytes] = (),
    more: dict[bytes, bytes] | None = None,
) -> bytes:
    """A profile; its texts say SECRET. without: tags that are missing; more: further ones."""
    curve = parametric(SRGB_CURVE) if curve is None else curve
    colours = zip((b"rXYZ", b"gXYZ", b"bXYZ"), PRIMARIES[primaries], strict=True)
    elements = {tag: b"XYZ " + bytes(4) + fixed(*xyz) for tag, xyz in colours}
    elements |= {b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1.0, 0.8249)}
    elements |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    elements |= {b"desc": text("SECRET screen of somebody"), b"cprt": text("SECRET"), **(more or {})}
    elements = {tag: element for tag, element in elements.items() if tag not in without}
    directory, body, at = struct.pack(">I", len(elements)), b"", 132 + 12 * len(elements)
    for tag, element in elements.items():
        directory += struct.pack(">4sII", tag, at + len(body), len(element))
        body += element + bytes(-len(element) % 4)
    header = b"SECR" + bytes((version, 0x30 if version == 4 else 0x10, 0, 0)) + b"mntr" + space + b"XYZ "
    header += struct.pack(">6H", 2024, 5, 17, 12, 0, 0) + b"acspAPPL" + bytes(24) + fixed(0.9642, 1.0, 0.8249)
    whole = bytes(4) + header.ljust(124, b"\0") + directory + body
    return struct.pack(">I", len(whole)) + whole[4:]
