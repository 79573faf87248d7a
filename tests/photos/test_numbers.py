"""What sample values of any depth become: nothing comes out wrong silently."""

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from internvl_demo.errors import PhotoError
from internvl_demo.photos.decode import read_photo
from internvl_demo.photos.kinds import STRETCHED
from internvl_demo.photos.photo import Photo
from tests.support.pictures import Page, packed, page, pixels, png, saved, tiff

RAMP = [0, 51, 102, 153, 204, 255]
"""What every ramp here is to become: from black to white in five steps."""


def of(values: Sequence[float], letter: str, order: str = "<") -> bytes:
    return struct.pack(f"{order}{len(values)}{letter}", *values)


def ramp_of(low: float, high: float) -> list[float]:
    return [low * (1 - step / 5) + high * (step / 5) for step in range(6)]


def whole(low: int, high: int) -> list[int]:
    return [round(value) for value in ramp_of(low, high)]


def greys(photo: Photo) -> list[int]:
    return [pixel[0] for pixel in pixels(photo.image)[: photo.image.width]]


NAN, INF = float("nan"), float("inf")
UNSIGNED = {bits: whole(0, 2**bits - 1) for bits in (1, 2, 4, 8, 10, 12, 14, 16, 24, 32)}


def unsigned(bits: int, order: str) -> bytes:
    values = [0, 0, 0, 1, 1, 1] if bits == 1 else UNSIGNED[bits]
    if bits == 24:
        return b"".join(value.to_bytes(3, "little" if order == "<" else "big") for value in values)
    return of(values, {16: "H", 32: "I"}[bits], order) if bits in (16, 32) else packed(values, bits)


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bits", UNSIGNED)
@pytest.mark.parametrize("compression", [1, 8, 32773])
def test_unsigned_values_of_any_depth(bits: int, order: str, photometric: int, compression: int) -> None:
    row = unsigned(bits, order)
    rows = row * 3
    strip = {1: rows, 8: zlib.compress(rows), 32773: b"".join(bytes([len(row) - 1]) + row for _ in range(3))}
    photo = read_photo(
        tiff(page(6, 3, bits, strip[compression], photometric=photometric, t259=compression), order=order)
    )
    expected = (
        [0, 0, 0, 255, 255, 255] if bits == 1 else [value // (2**bits - 1) * 255 for value in []] or RAMP
    )
    if bits == 2:
        expected = [0, 85, 85, 170, 170, 255]
    found = greys(photo)[:: -1 if photometric == 0 else 1]
    assert max(abs(one - other) for one, other in zip(found, expected, strict=True)) <= (
        9 if bits == 4 else 1
    )


MEASURED: dict[str, tuple[bytes, int, int, list[int], bool]] = {
    # bits, SampleFormat, what is shown, stretched
    "float 0 to 1": (of(ramp_of(0, 1), "f"), 32, 3, RAMP, False),
    "float, a part of 0 to 1": (of([0.2, 0.4, 0.6, 0.6, 0.4, 0.2], "f"), 32, 3, [51, 102, 153, 153, 102, 51], False),
    "float a little over 1": (of(ramp_of(0, 1.02), "f"), 32, 3, RAMP, True),
    "float 0 to 2": (of(ramp_of(0, 2), "f"), 32, 3, RAMP, True),
    "float 0 to 100": (of(ramp_of(0, 100), "f"), 32, 3, RAMP, True),
    "float 0 to 255": (of(RAMP, "f"), 32, 3, RAMP, False),
    "float, a part of 0 to 255": (of([51, 102, 153, 153, 102, 51], "f"), 32, 3, [51, 102, 153, 153, 102, 51], False),
    "float 0 to 4095": (of(ramp_of(0, 4095), "f"), 32, 3, RAMP, True),
    "float below 0": (of(ramp_of(-1, 1), "f"), 32, 3, RAMP, True),
    "float, none": (of([0.0, NAN, 0.4, NAN, 0.8, 1.0], "f"), 32, 3, [0, 0, 102, 0, 204, 255], False),
    "float over 1, none": (of([5.0, NAN, 15.0, NAN, 5.0, 10.0], "f"), 32, 3, [0, 0, 255, 0, 0, 128], True),
    "float, infinite": (of([0.0, INF, 0.4, -INF, 0.8, 1.0], "f"), 32, 3, [0, 255, 102, 0, 204, 255], False),
    "float over 1, infinite": (of([2.0, INF, 4.0, -INF, 2.0, 3.0], "f"), 32, 3, [0, 255, 255, 0, 0, 128], True),
    "half floats": (of(ramp_of(0, 1), "e"), 16, 3, RAMP, False),
    "doubles": (of(ramp_of(-1e300, 1e300), "d"), 64, 3, RAMP, True),
    "doubles, too far apart": (of(ramp_of(-8e307, 8e307), "d"), 64, 3, RAMP, True),
    "signed 8": (of(whole(-128, 127), "b"), 8, 2, RAMP, True),
    "signed 16": (of(whole(-1000, 3000), "h"), 16, 2, RAMP, True),
    "signed 16, all of it": (of(whole(-32768, 32767), "h"), 16, 2, RAMP, True),
    "signed 16 of 8 bits": (of(RAMP, "h"), 16, 2, RAMP, False),
    "signed 32": (of(whole(-(2**31), 2**31 - 1), "i"), 32, 2, RAMP, True),
    "signed 32 of 8 bits": (of(RAMP, "i"), 32, 2, RAMP, False),
    "signed 32, a mask": (of([0, 1, 0, 1, 0, 1], "i"), 32, 2, [0, 255] * 3, True),
    "unsigned 32 of 8 bits": (of(RAMP, "I"), 32, 1, RAMP, False),
    "unsigned 32, a part": (of(whole(2**31, 2**31 + 1000), "I"), 32, 1, RAMP, True),
    "unsaid, 16": (of(whole(0, 65535), "H"), 16, 4, RAMP, False),
}  # fmt: skip


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize("compression", [1, 8])
def test_measured_values_are_shown(name: str, compression: int) -> None:
    row, bits, kind, expected, stretched = MEASURED[name]
    strip = zlib.compress(row * 2) if compression == 8 else row * 2
    photo = read_photo(tiff(page(6, 2, bits, strip, kind=kind, t259=compression)))
    assert max(abs(one - other) for one, other in zip(greys(photo), expected, strict=True)) <= 1
    assert photo.note == (STRETCHED if stretched else None)


@pytest.mark.parametrize("name", MEASURED)
def test_measured_values_are_shown_from_the_other_end(name: str) -> None:
    row, bits, kind, expected, _ = MEASURED[name]
    found = greys(read_photo(tiff(page(6, 2, bits, row * 2, kind=kind, photometric=0))))
    unknown = [place for place, value in enumerate(expected) if "none" in name and place in (1, 3)]
    for place, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert abs(one - (0 if place in unknown else 255 - other)) <= 1, "no number is black either way"


def test_what_was_not_measured_does_not_count() -> None:
    heights = [-32768, 100, 200, 300, 400, 500]
    photo = read_photo(tiff(page(6, 2, 16, of(heights, "h") * 2, kind=2, t42113=b"-32768\0")))
    assert greys(photo) == [0, 0, 64, 128, 191, 255]


@pytest.mark.parametrize("values", [[NAN] * 6, [INF] * 6, [NAN, INF, -INF] * 2])
def test_a_picture_without_any_number_is_refused(values: list[float]) -> None:
    with pytest.raises(PhotoError, match="damaged"):
        read_photo(tiff(page(6, 2, 32, of(values, "f") * 2, kind=3)))


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, 7e9])
def test_a_picture_of_one_value_is_taken(value: float) -> None:
    shown = {0.0: 0, 0.5: 128, 1.0: 255, 7e9: 0}[value]
    assert greys(read_photo(tiff(page(2, 2, 32, of([value] * 4, "f"), kind=3)))) == [shown] * 2


COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (51, 102, 153)]
"""One row, in values of 8 bits."""


def chunky(scale: int, letter: str, order: str = "<") -> bytes:
    return of([value * scale for colour in COLOURS for value in colour], letter, order)


def planes(scale: int, letter: str) -> list[bytes]:
    return [of([colour[band] * scale for colour in COLOURS], letter) * 2 for band in range(3)]


RGB_OF: dict[str, bytes] = {
    "8 bits": tiff(page(6, 2, 8, chunky(1, "B") * 2, photometric=2, samples=3)),
    "8 bits in planes": tiff(Page({**page(6, 2, 8, b"", photometric=2, samples=3).tags, 284: 2}, planes(1, "B"))),
    "16 bits": tiff(page(6, 2, 16, chunky(257, "H") * 2, photometric=2, samples=3)),
    "16 bits, big end first": tiff(page(6, 2, 16, chunky(257, "H", ">") * 2, photometric=2, samples=3), order=">"),
    "16 bits in planes": tiff(Page({**page(6, 2, 16, b"", photometric=2, samples=3).tags, 284: 2}, planes(257, "H"))),
    "16 bits in compressed planes": tiff(
        Page(
            {**page(6, 2, 16, b"", photometric=2, samples=3, t259=8).tags, 284: 2},
            [*map(zlib.compress, planes(257, "H"))],
        )
    ),
    "12 bits": tiff(
        page(6, 2, 12, packed([value * 4095 // 255 for colour in COLOURS for value in colour], 12) * 2,
             photometric=2, samples=3)
    ),
    "floats to 255": tiff(page(6, 2, 32, chunky(1, "f") * 2, photometric=2, samples=3, kind=3)),
    "doubles": tiff(page(6, 2, 64, chunky(1, "d") * 2, photometric=2, samples=3, kind=3)),
    "32 bits": tiff(page(6, 2, 32, chunky(2**24, "I") * 2, photometric=2, samples=3)),
    "a sample more that is not alpha": tiff(
        page(6, 2, 16, b"".join(of([*(value * 257 for value in colour), 9], "H") for colour in COLOURS) * 2,
             photometric=2, samples=4, t338=0)
    ),
    "alpha": tiff(
        page(6, 2, 16, b"".join(of([*(value * 257 for value in colour), 65535], "H") for colour in COLOURS) * 2,
             photometric=2, samples=4, t338=2)
    ),
    "float with alpha": tiff(
        page(6, 2, 32, b"".join(of([*(value / 255 for value in colour), 1.0], "f") for colour in COLOURS) * 2,
             photometric=2, samples=4, kind=3, t338=2)
    ),
    "palette": tiff(
        page(6, 2, 8, bytes(range(6)) * 2, photometric=3,
             t320=[COLOURS[i][band] * 257 if i < 6 else 0 for band in range(3) for i in range(256)])
    ),
    "PNG of 16 bits": png(
        6, 2, bits=16, colour_type=2, body=zlib.compress((b"\0" + chunky(257, "H", ">")) * 2)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RGB_OF)
def test_colours_of_any_depth(name: str) -> None:
    found = pixels(read_photo(RGB_OF[name]).image)
    assert len(found) == 12
    for one, other in zip(found, COLOURS * 2, strict=True):
        assert max(abs(a - b) for a, b in zip(one, other, strict=True)) <= 1


def test_transparency_of_deep_greys_counts() -> None:
    row = of([65535, 0, 0, 65535, 20000, 65535], "H")
    for photometric, shown in ((1, [255, 0, 78]), (0, [0, 255, 177])):
        data = tiff(page(3, 2, 16, row * 2, samples=2, photometric=photometric, t338=2))
        expected = [255, *shown[1:]]  # the first pixel is transparent
        assert max(abs(a - b) for a, b in zip(greys(read_photo(data)), expected, strict=True)) <= 1


def test_tiles_of_packed_values() -> None:
    rows = [[(4095 * (x + y)) // 46 for x in range(32)] for y in range(16)]
    tiles = [b"".join(packed(row[left : left + 16], 12) for row in rows) for left in (0, 16)]
    tags = {**page(32, 16, 12, b"").tags, 322: 16, 323: 16}
    del tags[278]
    shown = np.asarray(read_photo(tiff(Page(tags, tiles))).image)[..., 0]
    assert np.abs(shown - np.array(rows) * 255 / 4095).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_values_stand_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    grey = Image.linear_gradient("L").resize((12, 8))
    as_pillow_turns_it = read_photo(saved(grey, "TIFF", exif=exif))
    deep = tiff(
        page(12, 8, 16, b"".join(of([value * 257], "H") for value in grey.tobytes()), t274=orientation)
    )
    assert read_photo(deep) == as_pillow_turns_it


NOT_READ: dict[str, bytes] = {
    "a depth nobody has": tiff(page(4, 2, 20, bytes(20))),
    "signed values of 12 bits": tiff(page(4, 2, 12, bytes(12), kind=2)),
    "complex numbers": tiff(page(4, 2, 64, bytes(64), kind=6)),
    "differing depths": tiff(
        Page({**page(4, 2, 8, b"", photometric=2, samples=3).tags, 258: [5, 6, 5]}, [bytes(16)])
    ),
    "differing kinds": tiff(Page({**page(4, 2, 16, b"", samples=2).tags, 339: [1, 2]}, [bytes(32)])),
    "12 bits as differences": tiff(page(4, 2, 12, zlib.compress(bytes(12)), t259=8, t317=2)),
    "12-bit JPEG": tiff(page(8, 8, 12, saved(Image.new("L", (8, 8)), "JPEG"), t259=7)),
    "float colours as differences": tiff(
        page(4, 2, 32, zlib.compress(bytes(96)), photometric=2, samples=3, kind=3, t259=8, t317=3)
    ),
    "print colours in deep planes": tiff(
        Page({**page(4, 2, 16, b"", photometric=5, samples=4).tags, 284: 2}, [bytes(16)] * 4)
    ),
    "a palette of 16 bits": tiff(page(4, 2, 16, bytes(16), photometric=3, t320=[0] * 3 * 256)),
    "Lab of 16 bits": tiff(page(4, 2, 16, bytes(48), photometric=8, samples=3)),
    "logarithmic values": tiff(page(4, 2, 16, bytes(16), photometric=32844, kind=2)),
}


@pytest.mark.parametrize("name", NOT_READ)
def test_values_that_are_not_read_are_refused_by_name(name: str) -> None:
    with pytest.raises(PhotoError) as refused:
        read_photo(NOT_READ[name])
    assert "TIFF file stores its pixels in a way" in refused.value.what and "PNG" in refused.value.next_step


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("I;16", {}),
        ("F", {"tiffinfo": {317: 3}}),
        ("I;16", {"tiffinfo": {317: 2}}),
        ("RGB", {"tiffinfo": {317: 2}}),
    ],
)
def test_values_stored_as_differences_are_read(mode: str, options: dict[str, Any]) -> None:
    ramp = np.linspace(0, 1, 20 * 10).reshape(10, 20)
    grey = Image.fromarray((ramp * 65535).astype(np.uint16) if mode == "I;16" else ramp.astype(np.float32))
    image = grey if mode != "RGB" else Image.fromarray((np.dstack([ramp] * 3) * 255).astype(np.uint8))
    photo = read_photo(saved(image, "TIFF", compression="tiff_adobe_deflate", **options))
    assert np.abs(np.asarray(photo.image)[..., 0] - ramp * 255).max() <= 1


@settings(max_examples=100)
@given(
    st.lists(st.floats(width=32) | st.floats(0, 2, width=32), min_size=4, max_size=4),
    st.sampled_from([0, 1]),
    st.sampled_from("<>"),
)
def test_any_floats_keep_their_order(values: list[float], photometric: int, order: str) -> None:
    data = tiff(page(2, 2, 32, of(values, "f", order), kind=3, photometric=photometric), order=order)
    try:
        shown = [pixel[0] for pixel in pixels(read_photo(data).image)]
    except PhotoError:
        assert not np.isfinite(values).any()
        return
    known = sorted((value, grey) for value, grey in zip(values, shown, strict=True) if value == value)
    ordered = [grey for _, grey in known]
    assert ordered == sorted(ordered, reverse=photometric == 0)


def test_a_large_deep_picture_needs_few_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the picture and what it becomes there are only some rows at a time."""
    seen: list[int] = []
    true = Image.Image.convert

    def watched(image: Image.Image, mode: str | None = None, *more: Any, **options: Any) -> Image.Image:
        seen.append(image.width * image.height)
        return true(image, mode, *more, **options)

    monkeypatch.setattr("internvl_demo.photos.numbers._STEP_VALUES", 3000)
    monkeypatch.setattr(Image.Image, "convert", watched)
    image = Image.fromarray((np.arange(300 * 200) % 65536).astype(np.uint16).reshape(200, 300))
    for format in ("PNG", "TIFF"):
        seen.clear()
        assert read_photo(saved(image, format)).size_wh == (300, 200)
        assert len(seen) == 1, "grey to RGB, and nothing else"
