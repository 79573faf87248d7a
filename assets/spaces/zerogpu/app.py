"""The page on a ZeroGPU Space: `local` runs INTERNVL_CHECKPOINT, a GPU is lent for each answer."""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("spaces"):
    import spaces  # noqa: F401 - before anything that could touch CUDA

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from internvl_demo.models.local.zerogpu import ZeroGpuBackend
from internvl_demo.settings import Settings
from internvl_demo.web.app import launch

if __name__ == "__main__":
    settings = Settings()
    launch(ZeroGpuBackend(settings.checkpoint, settings.device), settings)
