"""Define each stage of training: its parts, its data, its rate.

A stage that begins with `vision` trains the vision encoder alone; `language` the decoder, on the truth in place of
pixels. See `train`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from internvl_demo.conversation.tiling import TILE_PX


@dataclass(frozen=True)
class Recipe:
    """How a stage is trained.

    It names the stages from which it starts; which parts learn, by the beginning of their names, and at which share
    of the rate; `views` a step; and `squares`, the share of steps that show small squares full of print. The rate
    rises for `warm_up` steps, stays, and falls to zero over the last `fall` of the steps, so that a run can be made
    longer or shorter at any time.
    """

    steps: int
    views: int
    rate: float
    learns: Mapping[str, float]
    after: tuple[str, ...] = ()
    view_px: int = TILE_PX
    squares: float = 0.0
    warm_up: int = 100
    fall: float = 0.4
    seed: int = 0


TOWER = "model.model.vision_tower"
"""The vision encoder's name once the model is whole; alone it is `vision`."""
_VISION = {"vision": 1.0, TOWER: 1.0, "dense": 1.0}
_DECODER = {"model.model.language_model": 1.0, "model.lm_head": 1.0}
RECIPES = {
    "vision-112": Recipe(4000, 96, 2e-3, _VISION, view_px=112, seed=1),
    "vision-224": Recipe(2000, 32, 1.5e-3, _VISION, ("vision-112",), 224, seed=2),
    "vision-448": Recipe(6000, 12, 1.5e-3, _VISION, ("vision-224",), squares=0.6, seed=3),
    "language": Recipe(3000, 10, 2e-3, {**_DECODER, "truth": 1.0}, seed=4),
    "align": Recipe(
        1200,
        12,
        1e-3,
        {**_VISION, "model.model.multi_modal": 2.0},
        ("vision-448", "language"),
        squares=0.25,
        seed=5,
    ),
    "all": Recipe(
        6000,
        12,
        1.5e-3,
        {**_VISION, **_DECODER, TOWER: 0.5, "model.model.multi_modal": 1.0},
        ("align",),
        fall=0.8,
        seed=8,
    ),
    "heads": Recipe(200, 12, 4e-3, {"dense": 1.0, "truth": 1.0}, squares=0.25, fall=0.7, seed=7),
}
STAGES = tuple(RECIPES)


def rate_at(step: int, recipe: Recipe) -> float:
    """Return the share of the full learning rate at a step."""
    rising = min(1.0, (step + 1) / recipe.warm_up)
    falling = (recipe.steps - step) / max(1.0, recipe.fall * recipe.steps)
    return max(0.0, min(rising, falling, 1.0))
