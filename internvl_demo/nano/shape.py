"""Define the miniature's shape where more than one module needs it: patches along a tile's side, tokens a tile."""

from internvl_demo.conversation.tiling import TILE_PX
from internvl_demo.nano.world.truth import PATCH_PX

GRID = TILE_PX // PATCH_PX
TOKENS_PER_TILE = (GRID // 2) ** 2
"""Four patches make one visual token (pixel shuffle)."""
