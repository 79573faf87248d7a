"""Models of a page that follow the choice of tiles in different ways, as their servers do."""

from dataclasses import dataclass

from internvl_demo.conversation.tiling import TilesFollow
from internvl_demo.models.base import ModelInfo
from internvl_demo.settings import Settings
from tests.support.scripted_model import ScriptedModel

SETTINGS = Settings(
    endpoint=["image=http://127.0.0.1:1", "request=http://127.0.0.1:2", "engine=http://127.0.0.1:3"]
)
"""Of a page with one of each, by these names."""


@dataclass
class Following(ScriptedModel):
    """A scripted model whose server takes the tiles so."""

    follow: TilesFollow = "image"

    async def describe(self) -> ModelInfo:
        return ModelInfo(f"By {self.follow}", 64, 8192, tiles_follow=self.follow)


def one_of_each() -> list[Following]:
    """Return the models behind `SETTINGS`, in order."""
    return [Following(follow="image"), Following(follow="request"), Following(follow="engine")]
