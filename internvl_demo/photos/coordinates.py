"""Convert a box between normalised 0-1000 coordinates and pixels. The one place that does; pure arithmetic.

In: a box as a model writes it, xyxy from 0 to 1000 over the whole image. Out: xyxy pixels of an image of a size.

    to_px((100, 200, 300, 400), (640, 480)) -> (64, 96, 192, 192)
"""

Box4 = tuple[int, int, int, int]

SCALE = 1000
"""Coordinates are thousandths of the whole image's width and height."""


def to_px(box_1000: tuple[int, int, int, int], size_wh: tuple[int, int]) -> tuple[int, int, int, int]:
    """Thousandths -> xyxy pixels of an image of `size_wh`; x2 and y2 are exclusive.

    Within the image, and at least one pixel wide and high.
    """
    x1, y1, x2, y2 = box_1000
    left, right = _span_px(x1, x2, size_wh[0])
    top, bottom = _span_px(y1, y2, size_wh[1])
    return left, top, right, bottom


def _span_px(start_1000: int, end_1000: int, side_px: int) -> tuple[int, int]:
    start, end = (min(side_px, max(0, (v * side_px + SCALE // 2) // SCALE)) for v in (start_1000, end_1000))
    end = min(side_px, max(start + 1, end))
    return max(0, min(start, end - 1)), end
