"""Plan and crop tiles (dynamic high resolution): an image's size -> a grid of 448-pixel tiles, plus a thumbnail.

The paper's section 3.3 and the official `dynamic_preprocess`: among all grids of at most `max_tiles`
tiles take the one whose aspect ratio is nearest to the image's; between equally near ones take the
larger as long as the image has more than half of its pixels. The image is resized to exactly fill the
grid (bicubic) and divided into tiles row by row; a thumbnail of the whole image follows the tiles unless
there is only one. The mode is a maximum: a 4:3 photo gets 4 x 3 = 12 tiles even at 40.

Here: size -> `TilePlan` (pure), and image -> tiles. Not here: what a tile costs; tokens per tile are
the model's (256 for the 26B, 64 for the miniature).

    >>> plan_tiles((800, 1300), 12).grid
    (2, 3)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from internvl_demo.errors import ModeError

if TYPE_CHECKING:
    from PIL.Image import Image

TILE_PX = 448
"""Side of a tile in pixels (paper, section 3.2)."""

MAX_TILES = 40
"""The most tiles at inference: 4K resolution (paper, section 3.3)."""

MODES: Mapping[str, int] = MappingProxyType({"low": 1, "standard": 12, "high": 40})
"""Named modes -> the most tiles an image may get. 12 is the paper's maximum in training."""

TilesFollow = Literal["image", "request", "engine"]
"""Whose choice of the most tiles a model follows: that of each image; the highest of all images that a request has; or
none, because the program that runs it has its own."""

ENGINE_TILES = 12
"""The most tiles for which such a program's choice is taken where it has to be guessed: llama.cpp's, where a checkpoint
says none."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class TilePlan:
    """How one image of `size_wh` pixels is divided into tiles: `grid` is (columns, rows)."""

    size_wh: tuple[int, int]
    grid: tuple[int, int]

    @property
    def tiles(self) -> int:
        """Number of tiles in the grid; the thumbnail is not counted."""
        return self.grid[0] * self.grid[1]

    @property
    def thumbnail(self) -> bool:
        """Whether a thumbnail follows the tiles."""
        return self.tiles > 1

    @property
    def views(self) -> int:
        """Number of 448-pixel pictures that the vision encoder sees: the tiles, and the thumbnail if any."""
        return self.tiles + self.thumbnail

    @property
    def canvas_wh(self) -> tuple[int, int]:
        """Size in pixels to which the image is resized before the tiles are cropped."""
        return self.grid[0] * TILE_PX, self.grid[1] * TILE_PX

    def visual_tokens(self, tokens_per_tile: int) -> int:
        """Return the tokens that the image takes in the prompt, without the `<img>` and `</img>` around them."""
        return self.views * tokens_per_tile


def max_tiles_of(mode: str | int) -> int:
    """Return the most tiles an image may get in a mode: `low`, `standard`, `high`, or a number 1..40 (also as text).

    Raises ModeError on anything else.
    """
    if isinstance(mode, str) and mode.strip().lower() in MODES:
        return MODES[mode.strip().lower()]
    if isinstance(mode, str) and mode.strip().isascii() and mode.strip().isdigit() and len(mode.strip()) <= 3:
        mode = int(mode.strip())
    if isinstance(mode, int) and not isinstance(mode, bool) and 1 <= mode <= MAX_TILES:
        return mode
    raise ModeError(
        "{mode} is not a resolution mode.",
        "Choose low, standard, high, or a number of tiles from 1 to {most}.",
        mode=repr(str(mode)[:40]),
        most=MAX_TILES,
    )


def most_tiles(chosen: Sequence[int], follow: TilesFollow) -> list[int]:
    """Return the most tiles that each image of one request gets, of those that were chosen; a guess for "engine"."""
    if follow == "image":
        return list(chosen)
    return [ENGINE_TILES if follow == "engine" else max(chosen, default=1)] * len(chosen)


@lru_cache
def _grids(max_tiles: int) -> tuple[tuple[int, int], ...]:
    sides = range(1, max_tiles + 1)
    grids = [(columns, rows) for columns in sides for rows in sides if columns * rows <= max_tiles]
    return tuple(sorted(grids, key=lambda grid: grid[0] * grid[1]))


def plan_tiles(size_wh: tuple[int, int], max_tiles: int) -> TilePlan:
    """Return the grid for an image of `size_wh` pixels (upright) with at most `max_tiles` tiles."""
    width, height = size_wh
    best, best_difference = (1, 1), float("inf")
    for columns, rows in _grids(max_tiles):
        difference = abs(width / height - columns / rows)
        wide_enough = width * height > 0.5 * TILE_PX * TILE_PX * columns * rows
        if difference < best_difference or (difference == best_difference and wide_enough):
            best, best_difference = (columns, rows), difference
    return TilePlan(size_wh, best)


def crop_tiles(image: "Image", plan: TilePlan) -> list["Image"]:
    """Crop an RGB image's tiles row by row, then the thumbnail if the plan has one; each is 448 x 448."""
    from PIL.Image import Resampling

    canvas = image.resize(plan.canvas_wh, Resampling.BICUBIC)
    columns, rows = plan.grid
    corners = [(column * TILE_PX, row * TILE_PX) for row in range(rows) for column in range(columns)]
    views = [canvas.crop((x, y, x + TILE_PX, y + TILE_PX)) for x, y in corners]
    if plan.thumbnail:
        views.append(image.resize((TILE_PX, TILE_PX), Resampling.BICUBIC))
    return views


def pixel_values(views: list["Image"]) -> Any:
    """Return 448 x 448 RGB views as a float32 tensor (views, 3, 448, 448), ImageNet-normalised."""
    import numpy
    import torch

    pixels = numpy.stack([numpy.asarray(view, dtype=numpy.float32) for view in views]) / 255
    mean, std = (numpy.array(values, dtype=numpy.float32) for values in (IMAGENET_MEAN, IMAGENET_STD))
    normal = (pixels - mean) / std
    return torch.from_numpy(normal).permute(0, 3, 1, 2).contiguous()
