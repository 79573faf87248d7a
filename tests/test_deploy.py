"""What hosts rely on: the small image needs no torch, and the Spaces' files fit the code that they start."""

import asyncio
import pickle
import runpy
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from PIL import Image

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import ContextError
from internvl_demo.models.base import Piece, Usage
from internvl_demo.models.local.zerogpu import ZeroGpuBackend
from internvl_demo.photos.decode import photo_of
from internvl_demo.settings import NANO_CHECKPOINT, Settings

ROOT = Path(__file__).parents[1]
SPACES = [ROOT / "README.md", *sorted((ROOT / "assets" / "spaces").glob("*/README.md"))]
REQUIREMENTS = (ROOT / "requirements.txt").read_text("utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


def front_matter(path: Path) -> dict[str, Any]:
    _, head, _ = path.read_text("utf-8").split("---\n", 2)
    values: dict[str, Any] = yaml.safe_load(head)
    return values


# --- the page without torch -------------------------------------------------------------------------------


def test_the_page_before_a_server_needs_no_torch() -> None:
    code = """
import sys
for name in ("torch", "transformers", "tokenizers", "safetensors"):
    sys.modules[name] = None  # importing it fails, as where it is not installed
from internvl_demo.models import open_backend
from internvl_demo.models.base import ModelInfo
from internvl_demo.settings import Settings
from internvl_demo.answering.metrics import Observer
from internvl_demo.store import open_store
from internvl_demo.web.app import build_page, build_service
settings = Settings(endpoint="http://127.0.0.1:9")
info = ModelInfo("a model", 256, 32768)
build_page(build_service([open_backend(settings)], [info], settings, Observer(), open_store(settings)))
import internvl_demo.cli, internvl_demo.models.lmdeploy.backend
print("built")
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stdout.strip().endswith("built"), done.stderr


def test_the_image_of_the_page_leaves_out_just_the_models_libraries() -> None:
    left_out = r"grep -vE '^(torch|transformers)\b' requirements.txt"
    assert DOCKERFILE.count(left_out) == 2
    names = {
        line.partition("=")[0].rstrip("<>~=") for line in REQUIREMENTS.splitlines() if line[:1].isalpha()
    }
    assert {"torch", "transformers", "gradio", "aiohttp"} <= names


def test_the_dockerfile_has_its_two_targets_and_pins_lmdeploy_as_compose_does() -> None:
    stages = [line.split() for line in DOCKERFILE.splitlines() if line.startswith("FROM ")]
    assert [stage[-1] for stage in stages] == ["page", "all-in-one"], "a Docker Space builds the last one"
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]
    assert stages[1][1] == compose["lmdeploy-1"]["image"] == "openmmlab/lmdeploy:v0.18.0-cu12.8"
    assert compose["page"]["build"]["target"] == "page"


def test_every_variable_of_the_images_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    words = DOCKERFILE.replace("\\\n", " ").split()
    variables = dict(word.split("=", 1) for word in words if word.startswith("INTERNVL_") and "=" in word)
    variables |= yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]["page"]["environment"]
    for name, value in variables.items():
        if name not in ("INTERNVL_ENDPOINT", "INTERNVL_API_KEY"):
            monkeypatch.setenv(name, value)
        assert name.removeprefix("INTERNVL_").lower() in Settings.model_fields
    assert Settings().port == 7860


# --- Spaces -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SPACES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_front_matter_of_a_space_fits_the_repository(path: Path) -> None:
    space = front_matter(path)
    assert space["title"]
    if space["sdk"] == "docker":
        assert f"EXPOSE {space['app_port']}" in DOCKERFILE
        assert f"INTERNVL_PORT={space['app_port']}" in DOCKERFILE
        return
    assert space["sdk"] == "gradio"
    assert (ROOT / space["app_file"]).is_file()
    version = tuple(map(int, space["sdk_version"].split(".")))
    (least,) = (line for line in REQUIREMENTS.splitlines() if line.startswith("gradio>="))
    assert least == f"gradio>={version[0]}.{version[1]},<{version[0]}.{version[1] + 1}"


def test_there_is_a_space_for_each_kind_of_hardware() -> None:
    assert [path.parent.name for path in SPACES[1:]] == ["gpu", "zerogpu"]
    assert "suggested_hardware" not in front_matter(SPACES[0]), "the free CPU needs no choice"


# --- ZeroGPU ----------------------------------------------------------------------------------------------


class Lent:
    """A stand-in for the package `spaces`: values cross by pickle, of errors only the name."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.closed = 0

    def module(self) -> ModuleType:
        module = ModuleType("spaces")
        module.__spec__ = type(sys.__spec__)("spaces", None)
        module.GPU = self.gpu  # type: ignore[attr-defined]
        return module

    def gpu(self, **asked: Any) -> Callable[..., Any]:
        self.asked = asked

        def decorate(task: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
            def run(*arguments: Any) -> Iterator[Any]:
                pieces = task(*pickle.loads(pickle.dumps(arguments)))
                try:
                    for piece in pieces:
                        yield pickle.loads(pickle.dumps(piece))
                except Exception as error:  # noqa: BLE001 - as `spaces` does
                    raise RuntimeError(type(error).__name__) from None
                finally:
                    self.closed += 1
                    pieces.close()  # type: ignore[attr-defined]

            return run

        return decorate


@pytest.fixture(params=["with spaces", "without"])
def zerogpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ZeroGpuBackend:
    """The miniature, as on ZeroGPU and as anywhere else."""
    if request.param == "with spaces":
        monkeypatch.setitem(sys.modules, "spaces", Lent().module())
    return ZeroGpuBackend(str(NANO_CHECKPOINT), device="cpu")


PICTURE = Attachment(photo_of(Image.new("RGB", (64, 48), "teal")), 1)


async def pieces_of(answer: AsyncGenerator[Piece, None]) -> list[Piece]:
    async with aclosing(answer):
        return [piece async for piece in answer]


def test_a_lent_gpu_answers_as_the_model_does_here(zerogpu: ZeroGpuBackend, nano: Any) -> None:
    asked, few = Conversation().ask("What is in the picture?", (PICTURE,)), Options(max_new_tokens=12)
    said, here = (asyncio.run(pieces_of(model.stream(asked, few))) for model in (zerogpu, nano))
    assert "".join(map(str, said[:-1])) == "".join(map(str, here[:-1]))
    assert isinstance(said[-1], Usage)
    assert said[-1].prompt_tokens > 64


def test_an_error_keeps_its_words_across_processes(zerogpu: ZeroGpuBackend) -> None:
    with pytest.raises(ContextError, match="8192") as raised:
        asyncio.run(pieces_of(zerogpu.stream(Conversation().ask("word " * 9000), Options())))
    assert raised.value.next_step


def test_the_gpu_is_asked_for_large_enough_and_given_back_when_a_reader_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lent = Lent()
    monkeypatch.setitem(sys.modules, "spaces", lent.module())
    backend = ZeroGpuBackend(str(NANO_CHECKPOINT), device="cpu")
    assert lent.asked["size"] == "xlarge"

    async def leave_after_the_first_piece() -> None:
        async with aclosing(backend.stream(Conversation().ask("Who?", (PICTURE,)), Options())) as answer:
            await anext(answer)
        while not lent.closed:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(leave_after_the_first_piece(), 300))


def test_the_zerogpu_space_starts_from_its_own_file() -> None:
    """Run as a module, it only imports; as a program, it serves."""
    made = runpy.run_path(str(ROOT / front_matter(SPACES[-1])["app_file"]))
    assert made["ZeroGpuBackend"] is ZeroGpuBackend


def test_before_a_server_no_torch_is_installed(tmp_path: Path) -> None:
    pip = tmp_path / "bin" / "pip"
    pip.parent.mkdir()
    pip.touch()
    wanted = tmp_path / "requirements.txt"
    subprocess.run(["make", "-C", ROOT, f"PAGE={tmp_path}", wanted], check=True, capture_output=True)
    left_out = set((ROOT / "requirements.txt").read_text().splitlines()) - set(
        wanted.read_text().splitlines()
    )
    assert {line.split("=")[0].rstrip(">") for line in left_out} == {"torch", "transformers"}
    told = ["make", "-n", "-C", ROOT, f"PAGE={tmp_path}", "demo", "ENDPOINT=http://gpu:23333"]
    shown = subprocess.run(told, check=True, capture_output=True, text=True).stdout
    assert f"{tmp_path}/bin/python app.py --port 7860 --endpoint http://gpu:23333" in shown
    assert ".venv/bin" not in shown
