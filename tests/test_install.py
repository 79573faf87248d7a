"""The package as it is installed: nothing of the checkout beside it, and another folder around."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import urllib.request
import venv
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest

from internvl_demo.settings import asset
from tests.support.running_page import running_page
from tests.support.sources import imports

ROOT = Path(__file__).parents[1]
PICTURE = asset("examples") / "animals.webp"
OPTIONAL = ("spaces", "flash_attn", "lmdeploy")
"""Of other environments, and looked for before they are imported."""
QUIET = ("-W", "ignore", "-I", "-m", "pip", "--quiet", "--disable-pip-version-check")


class Installed:
    """An environment with the wheel in it, and nothing downloaded: what it needs is lent by this one."""

    def __init__(self, folder: Path):
        self.folder, self.cwd = folder / "env", folder / "empty"
        self.cwd.mkdir()
        self.environ = {
            **os.environ,
            "PYTHONPATH": sysconfig.get_path("purelib"),
            "INTERNVL_DATA_DIR": str(folder / "data"),
        }

    def run(self, *command: str | Path) -> str:
        program, *rest = map(str, command)
        done = subprocess.run(
            [self.folder / "bin" / program, *rest],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.cwd,
            env=self.environ,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, *QUIET, "wheel", "--no-build-isolation", "--no-deps", "-w", folder, ROOT]
    subprocess.run(build, check=True, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    made = Installed(folder)
    venv.create(made.folder, with_pip=False)
    python = made.folder / "bin" / "python"
    install = [sys.executable, *QUIET, "--python", python, "install", "--no-index", "--no-deps", wheel]
    subprocess.run(install, check=True, cwd=folder)
    return made


def test_the_wheel_holds_every_file(installed: Installed) -> None:
    there = Path(
        installed.run("python", "-c", "import internvl_demo; print(internvl_demo.__path__[0])").strip()
    )
    assert installed.folder in there.parents
    sources = {
        path.relative_to(ROOT)
        for path in (ROOT / "internvl_demo").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {path for path in sources if not (there.parent / path).is_file()} == set()
    assert (there / "assets" / "nano" / "model.safetensors").stat().st_size > 10_000_000
    assert (there / "assets" / "templates" / "internlm2-chat-v1.json").is_file()


def names(requirements: Iterable[str]) -> set[str]:
    return {re.split(r"[^\w.-]", requirement)[0] for requirement in requirements}


def test_what_it_needs_is_what_the_requirements_say(installed: Installed) -> None:
    code = "import importlib.metadata as m, json; print(json.dumps(m.requires('internvl-demo')))"
    told = json.loads(installed.run("python", "-c", code))
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    needed = [line for line in told if "extra ==" not in line]
    assert names(needed) == names(line for line in lines if not line.startswith("#"))
    assert names(set(told) - set(needed)) == {"flash-attn"}, "only who asks for internvl-demo[flash] gets it"


def test_commands_run_in_another_folder(installed: Installed) -> None:
    assert "capacity" in installed.run("internvl-demo", "--help")
    assert "tiles" in installed.run("python", "-m", "internvl_demo", "plan", PICTURE)
    said = installed.run(
        "internvl-demo", "ask", "--image", PICTURE, "--mode", "low", "--json", "Where is the dog?"
    )
    assert json.loads(said)["text"]
    assert [path.name for path in installed.cwd.iterdir()] == []


def test_the_page_runs_in_another_folder(installed: Installed) -> None:
    command = [installed.folder / "bin" / "internvl-demo", "serve"]
    with running_page(command, cwd=installed.cwd, env=installed.environ) as address:
        for path in (
            "",
            "readyz",
            "page/widgets/lib/dom.js",
            "page/locale/zh.json",
            f"page/examples/{PICTURE.name}",
        ):
            with urllib.request.urlopen(f"{address}/{path}") as answer:
                assert answer.status == 200


def test_every_import_is_required() -> None:
    """By requirements.txt, or by what it names; tests/requirements.txt brings what draws figures and a bench's peer."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    needed = names(line for line in lines if not line.startswith("#")) | {"matplotlib", "openai"}
    for name in list(needed):
        needed |= names(line for line in metadata.requires(name) or () if "extra ==" not in line)
    packages = metadata.packages_distributions()
    for path in (ROOT / "internvl_demo").rglob("*.py"):
        for module in imports(path):
            package = module.partition(".")[0]
            if package not in (*sys.stdlib_module_names, "internvl_demo", *OPTIONAL):
                assert normal(packages.get(package, [package])) & normal(needed), f"{path} imports {module}"


def normal(distributions: Iterable[str]) -> set[str]:
    return {name.lower().replace("_", "-") for name in distributions}
