"""The architecture: a module imports lower floors, or its own room; heavy packages stay in their rooms."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sources import imports

ROOT = Path(__file__).parents[1] / "internvl_demo"
FLOORS = {
    **dict.fromkeys(("__init__", "errors", "flags"), 0),
    **dict.fromkeys(("settings", "environment", "photos"), 1),
    "conversation": 2,
    "grounding": 3,
    "nano": 4,
    "models": 5,
    "store": 6,
    "answering": 7,
    **dict.fromkeys(("evaluate", "web"), 8),
    "bench": 9,
    "cli": 10,
    "__main__": 11,
}
LOCAL = tuple(
    f"models/local/{name}.py"
    for name in ("backend", "device", "loading", "official", "rope", "sampling", "steps")
)
CHECKPOINTS = ("models/convert", "models/hub/fits.py")
BENCHES = ("bench/turbomind.py", "bench/random_weights.py", "bench/decode.py", "bench/local_process.py")
PLAIN_CHAT = "bench/stream_plain.py"
ROOMS = {
    "gradio": ("web", PLAIN_CHAT),
    "aiohttp": ("models/openai",),
    "openai": (PLAIN_CHAT,),
    "torch": (
        *LOCAL,
        "models/convert",
        "models/hub/fits.py",
        "nano",
        "conversation/tiling.py",
        *BENCHES,
    ),
    "transformers": (*LOCAL, "models/convert", "nano", "bench/random_weights.py", "bench/local_process.py"),
    "safetensors": ("models/convert",),
    "prometheus_client": ("answering/metrics.py", "web/probes.py"),
    "starlette": ("web",),
    "httpx": ("photos/download.py",),
    "huggingface_hub": ("models/hub", "models/local/loading.py"),
    "tokenizers": ("models/convert", "nano"),
}
FILES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_lower_floors_or_its_own_room(path: Path) -> None:
    mine = room(path)
    others = {name.split(".")[1] for name in imports(path) if name.startswith("internvl_demo.")}
    for other in others - {mine}:
        assert FLOORS[other] < FLOORS[mine], f"{mine} imports {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_packages_stay_in_their_rooms(path: Path) -> None:
    here = str(path.relative_to(ROOT))
    for name in imports(path):
        for package, rooms in ROOMS.items():
            if name.split(".")[0] == package:
                assert here.startswith(rooms), f"{here} imports {package}"


@pytest.mark.parametrize("module", ["internvl_demo", "internvl_demo.cli", "internvl_demo.models"])
def test_importing_is_quick_and_light(module: str) -> None:
    heavy = ("torch", "gradio", "transformers", "aiohttp")
    code = f"import sys, {module}; print(*(name for name in {heavy} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_no_source_is_longer_than_a_person_reads() -> None:
    long = {path.name: len(path.read_text("utf-8").splitlines()) for path in FILES}
    assert max(long.values()) <= 400, {name: lines for name, lines in long.items() if lines > 400}
