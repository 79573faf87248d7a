"""Sample values of any depth -> 8 bits: what is black, what is white, and what lies between.

A picture of 16 bits, a height map in floats and an X-ray in signed numbers are measurements; this decides how bright
each is shown, some rows at a time, so that a large picture needs little memory beside itself.

    unsigned, up to 24 bits       0 to the largest that the bits can hold
    32 bits, signed, floats       within 0 to 1 (floats only) or clearly 0 to 255 (the brightest 128 at least): that;
                                  others from the darkest to the brightest of the picture
    not numbers, or "no data"     black, and they do not count
    infinite                      black or white, and they do not count

Where the file says that 0 is white, all of it counts down. Not here: which values a file has (`tiff`), transparency.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = NDArray[Any]

Kind = Literal["u", "i", "f"]
Order = Literal["<", ">"]

BITS: dict[Kind, frozenset[int]] = {
    "u": frozenset((*range(1, 17), 24, 32)),
    "i": frozenset((8, 16, 32)),
    "f": frozenset((16, 32, 64)),
}
"""Bits of unsigned, signed and floating values that are read."""

_FIXED_BITS = 24
"""Unsigned values up to here use their range; with more they are measurements."""

_TABLE_BITS = 16

_STEP_VALUES = 2_000_000
"""Values that are worked on at a time."""

_MODES = {(1, 0): "L", (1, 1): "La", (1, 2): "LA", (3, 0): "RGB", (3, 1): "RGBa", (3, 2): "RGBA"}


@dataclass(frozen=True)
class Numbers:
    """What the values of a picture are, and how they lie in what Pillow gives.

    kind, bits: of each value. order: of its bytes.
    packed: Pillow's grey values are the bytes of each row, else they are the values.
    samples: values side by side for one pixel; colours: how many of all are the picture's, 1 or 3. What else there
    is counts only as alpha: 1, multiplied into the colours; 2, not; 0, none.
    white_is_zero: the values count down. no_data: the value that says that nothing was measured.
    """

    kind: Kind
    bits: int
    order: Order = "<"
    packed: bool = False
    samples: int = 1
    colours: int = 1
    alpha: int = 0
    white_is_zero: bool = False
    no_data: float | None = None


def numbers_of(image: Image.Image) -> Numbers | None:
    """Return what the values of a picture are that Pillow decoded by itself; None if they have 8 bits or fewer."""
    if image.mode.startswith("I;16"):
        return Numbers("u", 16)
    return {"I": Numbers("i", 32), "F": Numbers("f", 32)}.get(image.mode)


def in_8_bits(
    images: Sequence[Image.Image], numbers: Numbers, size_wh: tuple[int, int]
) -> tuple[Image.Image, bool]:
    """Return the picture with 8 bits, grey or in colours, with its alpha; and whether it was stretched.

    images: what Pillow decoded, one or one for each plane. Raises ValueError if there is no number in it.
    """
    low, high, stretched = _range(images, numbers, size_wh)
    mode = _MODES[numbers.colours, numbers.alpha]
    result = Image.new(mode, size_wh)
    shade = _shades(low, high, numbers)
    for top, values in _steps(images, numbers, size_wh):
        bands = [shade(values[..., band]) for band in range(numbers.colours)]
        if numbers.alpha:
            full = replace(numbers, white_is_zero=False, no_data=None)
            most = 1.0 if numbers.kind == "f" else float(2 ** (numbers.bits - (numbers.kind == "i")) - 1)
            bands.append(_grey(values[..., numbers.colours], 0, most, full))
        result.paste(Image.merge(mode, [Image.fromarray(band) for band in bands]), (0, top))
    return result, stretched


def _range(
    images: Sequence[Image.Image], numbers: Numbers, size_wh: tuple[int, int]
) -> tuple[float, float, bool]:
    """Return which values become black and white, and whether these are the picture's own."""
    if numbers.kind == "u" and numbers.bits <= _FIXED_BITS:
        return 0.0, 2.0**numbers.bits - 1, False
    import numpy as np

    low, high = float("inf"), float("-inf")
    for _, values in _steps(images, numbers, size_wh):
        colours = values[..., : numbers.colours].astype(np.float64)
        counted = colours[_is_measured(colours, numbers)]
        if counted.size:
            low, high = min(low, float(counted.min())), max(high, float(counted.max()))
    if low > high:
        raise ValueError("no numbers")
    if low >= 0 and numbers.kind == "f" and high <= 1:
        return 0.0, 1.0, False
    if low >= 0 and 128 <= high <= 255:
        return 0.0, 255.0, False
    return low, high, low < high


def _is_measured(values: "NDArray[np.float64]", numbers: Numbers) -> "NDArray[np.bool_]":
    import numpy as np

    counts = np.isfinite(values)
    return counts if numbers.no_data is None else counts & (values != numbers.no_data)


def _shades(low: float, high: float, numbers: Numbers) -> "Callable[[Values], NDArray[np.uint8]]":
    """Return the function from values to greys: a table, where there are few values."""
    if numbers.kind != "u" or numbers.bits > _TABLE_BITS:
        return lambda values: _grey(values, low, high, numbers)
    import numpy as np

    table = _grey(np.arange(2**numbers.bits), low, high, numbers)
    return lambda values: table[values]


def _grey(values: "Values", low: float, high: float, numbers: Numbers) -> "NDArray[np.uint8]":
    """Return 0 for low and 255 for high, or the other way round; black for what is no number."""
    import numpy as np

    wide = values.astype(np.float64)
    unknown = np.isnan(wide) if numbers.no_data is None else np.isnan(wide) | (wide == numbers.no_data)
    span = (high / 2 - low / 2) or 1.0  # by halves: the whole may be too large for a float
    with np.errstate(over="ignore", invalid="ignore"):
        grey = np.clip((wide / 2 - low / 2) / span, 0, 1)
    if numbers.white_is_zero:
        grey = 1 - grey
    grey[unknown | np.isnan(grey)] = 0
    return (grey * 255 + 0.5).astype(np.uint8)


def _steps(
    images: Sequence[Image.Image], numbers: Numbers, size_wh: tuple[int, int]
) -> Iterator[tuple[int, "Values"]]:
    """Yield some rows at a time: the first one's number, and values by row, column and sample."""
    import numpy as np

    width, height = size_wh
    rows = max(1, _STEP_VALUES // (width * numbers.samples * len(images)))
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        parts = [np.asarray(image.crop((0, top, image.width, bottom))) for image in images]
        read = [_unpacked(part, numbers, width) if numbers.packed else _seen(part, numbers) for part in parts]
        yield top, read[0] if len(read) == 1 else np.concatenate(read, axis=-1)


def _seen(values: "Values", numbers: Numbers) -> "Values":
    """Return what Pillow unpacked; it takes unsigned values of 32 bits for signed ones."""
    import numpy as np

    return (values.view(np.uint32) if (numbers.kind, numbers.bits) == ("u", 32) else values)[..., None]


def _unpacked(rows: "Values", numbers: Numbers, width: int) -> "Values":
    """Return the values that stand in the bytes of rows."""
    import numpy as np

    bits, shape = numbers.bits, (len(rows), width, numbers.samples)
    if bits in (8, 16, 32, 64):
        return np.ascontiguousarray(rows).view(f"{numbers.order}{numbers.kind}{bits // 8}").reshape(shape)
    if bits == 24:
        weights = 256 ** np.arange(3)[:: 1 if numbers.order == "<" else -1]
        return (rows.reshape(*shape, 3) @ weights).astype(np.uint32)
    each = np.unpackbits(np.ascontiguousarray(rows), axis=1)[:, : width * numbers.samples * bits]
    return (each.reshape(*shape, bits) @ (1 << np.arange(bits)[::-1])).astype(np.uint32)
