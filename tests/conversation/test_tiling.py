"""Sizes become the paper's grids, and images the official tiles."""

import csv
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from internvl_demo.conversation.tiling import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    MAX_TILES,
    MODES,
    TILE_PX,
    TilePlan,
    crop_tiles,
    max_tiles_of,
    pixel_values,
    plan_tiles,
)
from internvl_demo.errors import ModeError

with (Path(__file__).parents[1] / "data" / "tiling_grids.csv").open() as file:
    OFFICIAL = [{key: int(value) for key, value in row.items()} for row in csv.DictReader(file)]
"""The grids that the official code chooses: width, height, max_tiles -> columns, rows."""

TOKENS_26B = 256

sizes = st.tuples(st.integers(2, 10_000), st.integers(2, 10_000))
limits = st.integers(1, MAX_TILES)


# Modes


@pytest.mark.parametrize(
    "mode",
    [
        "",
        " ",
        "0",
        "00",
        "41",
        "999",
        "1000",
        "9" * 5000,
        "1.5",
        "1e1",
        "-3",
        "+3",
        "0x10",
        "1 2",
        "1_0",
        "12 tiles",
        "HIGHER",
        "lo",
        "low,high",
        "None",
        "１２",  # full-width digits
        "١٢",  # Arabic digits
        "²",
        "<script>",
        True,
        False,
        None,
        0,
        41,
        -3,
        10**30,
        1.5,
        12.0,
        float("nan"),
        b"12",
        [],
        [12],
    ],
    ids=lambda mode: repr(mode)[:20],
)
def test_a_mode_that_does_not_exist_is_refused_with_a_next_step(mode: Any) -> None:
    with pytest.raises(ModeError) as refused:
        max_tiles_of(mode)
    assert "low, standard, high" in refused.value.next_step and "1 to 40" in refused.value.next_step
    assert len(refused.value.what) < 100


@pytest.mark.parametrize(
    ("mode", "tiles"),
    [
        ("low", 1),
        ("standard", 12),
        ("high", 40),
        ("LOW", 1),
        (" High\n", 40),
        ("1", 1),
        ("6", 6),
        (" 12 ", 12),
        ("012", 12),
        ("40", 40),
        (1, 1),
        (24, 24),
        (40, 40),
    ],
)
def test_a_mode_is_a_name_or_a_number_of_tiles(mode: str | int, tiles: int) -> None:
    assert max_tiles_of(mode) == tiles


def test_every_number_from_1_to_40_is_a_mode_in_digits_too() -> None:
    assert [max_tiles_of(str(tiles)) for tiles in range(1, 41)] == list(range(1, MAX_TILES + 1))


def test_the_named_modes_cannot_be_changed_from_outside() -> None:
    with pytest.raises(TypeError):
        MODES["low"] = 40  # type: ignore[index]


# Grids


def test_the_reference_is_all_there() -> None:
    assert len(OFFICIAL) == 400
    assert {row["max_tiles"] for row in OFFICIAL} >= {1, 6, 12, 24, 40}


@pytest.mark.parametrize(
    "row", OFFICIAL, ids=lambda row: "{width}x{height}@{max_tiles}".format(**row)
)  # one test each, so that a failure names its size
def test_the_grid_is_the_official_one(row: dict[str, int]) -> None:
    plan = plan_tiles((row["width"], row["height"]), row["max_tiles"])
    assert plan.grid == (row["columns"], row["rows"])


def test_the_papers_example() -> None:
    plan = plan_tiles((800, 1300), 12)
    assert plan == TilePlan((800, 1300), (2, 3))
    assert (plan.canvas_wh, plan.tiles, plan.thumbnail, plan.views) == ((896, 1344), 6, True, 7)


@pytest.mark.parametrize(
    ("size_wh", "max_tiles", "grid", "tokens"),
    [
        ((448, 448), 1, (1, 1), 256),
        ((4000, 3000), 1, (1, 1), 256),
        ((448, 448), 40, (1, 1), 256),
        ((896, 448), 40, (2, 1), 3 * 256),
        ((4000, 3000), 12, (4, 3), 3_328),
        ((4000, 3000), 40, (4, 3), 3_328),
        ((4000, 4000), 40, (6, 6), 37 * 256),
        ((3584, 2240), 40, (8, 5), 10_496),
        ((2, 10_000), 40, (1, 40), 10_496),
        ((10_000, 2), 40, (40, 1), 10_496),
        ((2, 2), 40, (1, 1), 256),
    ],
)
def test_what_a_picture_costs(
    size_wh: tuple[int, int], max_tiles: int, grid: tuple[int, int], tokens: int
) -> None:
    plan = plan_tiles(size_wh, max_tiles)
    assert plan.grid == grid
    assert plan.visual_tokens(TOKENS_26B) == tokens


@given(sizes, limits)
def test_there_are_never_more_tiles_than_the_mode_allows(size_wh: tuple[int, int], max_tiles: int) -> None:
    plan = plan_tiles(size_wh, max_tiles)
    columns, rows = plan.grid
    assert columns >= 1 and rows >= 1
    assert plan.tiles == columns * rows <= max_tiles
    assert plan.canvas_wh == (columns * TILE_PX, rows * TILE_PX)


@given(sizes, limits)
def test_a_thumbnail_follows_exactly_when_there_are_several_tiles(
    size_wh: tuple[int, int], max_tiles: int
) -> None:
    plan = plan_tiles(size_wh, max_tiles)
    assert plan.thumbnail == (plan.tiles > 1)
    assert plan.views == (plan.tiles + 1 if plan.tiles > 1 else 1)
    assert plan.visual_tokens(TOKENS_26B) == 256 * plan.views <= 10_496


@given(sizes, limits)
@example((1000, 1000), 40)
def test_no_other_grid_is_nearer_to_the_pictures_shape(size_wh: tuple[int, int], max_tiles: int) -> None:
    plan = plan_tiles(size_wh, max_tiles)

    def away(columns: int, rows: int) -> float:
        return abs(size_wh[0] / size_wh[1] - columns / rows)

    grids = [(c, r) for c in range(1, max_tiles + 1) for r in range(1, max_tiles // c + 1)]
    assert away(*plan.grid) == min(away(*grid) for grid in grids)


@given(sizes, limits)
def test_a_higher_mode_never_fits_the_shape_worse(size_wh: tuple[int, int], max_tiles: int) -> None:
    def away(plan: TilePlan) -> float:
        return abs(size_wh[0] / size_wh[1] - plan.grid[0] / plan.grid[1])

    assert away(plan_tiles(size_wh, MAX_TILES)) <= away(plan_tiles(size_wh, max_tiles))


@given(sizes, limits)
def test_a_larger_picture_of_the_same_shape_never_gets_fewer_tiles(
    size_wh: tuple[int, int], max_tiles: int
) -> None:
    double = (2 * size_wh[0], 2 * size_wh[1])
    assert plan_tiles(double, max_tiles).tiles >= plan_tiles(size_wh, max_tiles).tiles


@given(sizes)
def test_mode_low_is_one_tile_for_every_picture(size_wh: tuple[int, int]) -> None:
    assert plan_tiles(size_wh, MODES["low"]).views == 1


# Tiles


def colourful(width: int, height: int) -> Image.Image:
    """Every tile of it differs: gradients in red and green, noise in blue."""
    across = Image.linear_gradient("L").rotate(90).resize((width, height))
    down = Image.linear_gradient("L").resize((width, height))
    return Image.merge("RGB", (across, down, Image.effect_noise((width, height), 60)))


@pytest.mark.parametrize(
    ("size_wh", "max_tiles"),
    [((800, 1300), 12), ((300, 200), 12), ((640, 480), 1), ((90, 1000), 12), ((448, 448), 40), ((2, 3), 6)],
)
def test_tiles_are_the_resized_picture_cut_row_by_row_and_then_the_thumbnail(
    size_wh: tuple[int, int], max_tiles: int
) -> None:
    image = colourful(*size_wh)
    plan = plan_tiles(size_wh, max_tiles)
    columns, rows = plan.grid
    expected = []
    resized = image.resize((448 * columns, 448 * rows), Image.Resampling.BICUBIC)
    for row in range(rows):
        for column in range(columns):
            expected.append(resized.crop((448 * column, 448 * row, 448 * (column + 1), 448 * (row + 1))))
    if columns * rows > 1:
        expected.append(image.resize((448, 448), Image.Resampling.BICUBIC))

    views = crop_tiles(image, plan)
    assert len(views) == plan.views
    assert all(view.size == (448, 448) and view.mode == "RGB" for view in views)
    assert [view.tobytes() for view in views] == [view.tobytes() for view in expected]


def test_a_picture_that_fits_its_grid_is_cut_and_not_changed() -> None:
    image = colourful(896, 448)
    left, right, _ = crop_tiles(image, plan_tiles(image.size, 2))
    together = Image.new("RGB", (896, 448))
    together.paste(left, (0, 0))
    together.paste(right, (448, 0))
    assert together.tobytes() == image.tobytes()


def test_cutting_leaves_the_picture_as_it_was() -> None:
    image = colourful(60, 50)
    before = image.tobytes()
    crop_tiles(image, plan_tiles(image.size, 12))
    assert (image.size, image.tobytes()) == ((60, 50), before)


# Tensors


def test_pixel_values_are_normalised_as_imagenet_was() -> None:
    torch = pytest.importorskip("torch")
    left, right = (0, 128, 255), (255, 0, 77)
    view = Image.new("RGB", (448, 448), left)
    view.paste(right, (224, 0, 448, 448))
    values = pixel_values([view, Image.new("RGB", (448, 448))])

    assert values.shape == (2, 3, 448, 448)
    assert values.dtype == torch.float32 and values.is_contiguous()
    for channel in range(3):
        for column, colour in ((0, left), (223, left), (224, right), (447, right)):
            expected = (colour[channel] / 255 - IMAGENET_MEAN[channel]) / IMAGENET_STD[channel]
            assert values[0, channel, 100, column].item() == pytest.approx(expected, abs=1e-6)
        black = -IMAGENET_MEAN[channel] / IMAGENET_STD[channel]
        assert torch.allclose(values[1, channel], torch.tensor(black))


def test_one_view_is_a_batch_of_one() -> None:
    pytest.importorskip("torch")
    image = colourful(448, 448)
    assert pixel_values(crop_tiles(image, plan_tiles(image.size, 1))).shape == (1, 3, 448, 448)
