"""What the README and docs/ say, held against what there is: links, settings, commands, the HTTP interface."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import typer
from PIL import Image

from internvl_demo.cli import app, serve
from internvl_demo.models.profiles import profile_named, profiles
from internvl_demo.settings import Settings, asset
from tests.support.commands import run

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
HTTP = (ROOT / "docs" / "http.md").read_text("utf-8")
PROGRAM = re.compile(r"^(?:internvl-demo|(?:\.venv/bin/)?python -m internvl_demo)\s")
PAGE_PROGRAM = re.compile(r"(?:^|\s|`)(?:\.venv/bin/python )?app\.py\s")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_a_first_visit_shows_itself() -> None:
    shown = re.search(r"!\[[^\]]{20,}\]\((\S+tour\.webp)\)", (ROOT / "README.md").read_text("utf-8"))
    assert shown
    tour = ROOT / shown[1]
    assert tour.stat().st_size < 3_000_000
    with Image.open(tour) as film:
        assert getattr(film, "n_frames", 1) > 5


def rows(text: str, head: str) -> list[list[str]]:
    """The cells of the table whose first line begins with `head`."""
    lines = iter(text.splitlines())
    assert any(line.startswith(head) for line in lines), head
    assert next(lines).startswith("|---")
    found = []
    for line in lines:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def commands() -> Iterator[list[str]]:
    """The arguments of every call of the program in a sh block."""
    for page in PAGES:
        for block in blocks(page.read_text("utf-8"), "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                if PROGRAM.match(line):
                    yield shlex.split(PROGRAM.sub("", line), comments=True)
                elif found := PAGE_PROGRAM.search(line):
                    yield ["serve", *shlex.split(line[found.end() :], comments=True)]


COMMANDS = sorted({tuple(command) for command in commands()})


# Links.


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text("utf-8")):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link


# Settings.


def test_every_setting_is_documented() -> None:
    table = rows((ROOT / "docs" / "settings.md").read_text("utf-8"), "| variable |")
    assert {row[0].strip("`") for row in table} == {
        f"INTERNVL_{name.upper()}" for name in Settings.model_fields
    }
    flags = {row[1].strip("`") for row in table} - {""}
    assert flags == {f"--{name.replace('_', '-')}" for name in serve.__annotations__ if name != "return"}
    for name, _, _, default in table:
        value = Settings.model_fields[name.strip("`").removeprefix("INTERNVL_").lower()].default
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert float(default) == value, name


# Commands.


def test_the_docs_show_every_command() -> None:
    shown = {command[0] for command in COMMANDS}
    assert shown == set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_of_the_docs_can_be_given(command: tuple[str, ...]) -> None:
    """It is parsed, and not run."""
    parser, arguments = typer.main.get_command(app), command
    while hasattr(parser, "commands"):
        parser, arguments = parser.commands[arguments[0]], arguments[1:]
    parser.make_context(command[0], list(arguments))


QUICK = [
    command for command in COMMANDS if command[0] in ("plan", "ask", "capacity") or "--dry-run" in command
]


@pytest.mark.parametrize("command", QUICK, ids=" ".join)
def test_a_quick_command_of_the_docs_runs(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png", "photo.jpg"):
        Image.open(asset("examples") / "animals.webp").convert("RGB").save(name)
    said = run(*command).stdout
    if "--json" in command:
        assert json.loads(said)
    if "--overlay" in command:
        assert Image.open("boxes.png").size[0] > 400


def test_the_readme_promises_what_capacity_says() -> None:
    said = {
        (gpus, command): people
        for gpus, command, _, people, _ in rows((ROOT / "docs" / "serving.md").read_text("utf-8"), "| GPU |")
    }
    promised = [row for row in answerers() if "OpenGVLab/InternVL-Chat-V1-5" in row[1]]
    assert len(promised) == 3
    for machine, command, _, _, answers, _ in promised:
        count, gigabytes = re.findall(r"(one|two) GPUs? of (\d+) GB", machine)[0]
        people = re.findall(r"(\d+) people", answers)
        assert people == [said[f"{1 + (count == 'two')} x {gigabytes} GB", command]]


def test_the_readme_tells_what_each_model_downloads() -> None:
    checked = []
    for _, command, _, downloads, *_ in answerers():
        if named := re.search(r"(?:MODEL=|--serve )([\w./-]+)", command):
            profile = profile_named(named[1])
            weights = profile.shape.weights_bytes("--awq" in command)
            assert float(downloads.removesuffix(" GB")) == pytest.approx(weights / 1e9, rel=0.03), command
            checked.append(profile.name)
    assert len(checked) == 6


def answerers() -> list[list[str]]:
    """The rows of the README's table of models and machines."""
    return rows((ROOT / "README.md").read_text("utf-8"), "| machine |")


# The HTTP interface.


def test_every_route_is_documented(scripted_url: str) -> None:
    paths = httpx.get(f"{scripted_url}api/openapi.json").json()["paths"]
    there = {f"{method.upper()} /api{path}" for path, methods in paths.items() for method in methods}
    assert {row[0].strip("`") for row in rows(HTTP, "| request |")} == there


def test_every_event_is_documented() -> None:
    code = (ROOT / "internvl_demo" / "web" / "follow.py").read_text("utf-8")
    named = set(re.findall(r'_encode\(\s*[\w.]+,\s*"([a-z.]+)"', code))
    assert {row[0].strip("`") for row in rows(HTTP, "| event |")} == named


def test_the_walk_with_curl_works(nano_url: str, tmp_path: Path) -> None:
    Image.open(asset("examples") / "animals.webp").save(tmp_path / "a.png")
    script = "".join(blocks(HTTP, "sh")).replace("http://127.0.0.1:7860", nano_url.rstrip("/"))
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    events = set(re.findall(r"^event: (.*)$", done.stdout, re.MULTILINE))
    assert events <= {row[0].strip("`") for row in rows(HTTP, "| event |")}
    assert '"state":"complete"' in done.stdout
    assert '"label":"the cat"' in done.stdout


def test_ask_answers_gradio_client(nano_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.open(asset("examples") / "animals.webp").save("a.png")
    (code,) = blocks(HTTP, "python")
    assert blocks((ROOT / "README.md").read_text("utf-8"), "python")[0].split("message")[0] in code
    names: dict[str, object] = {}
    exec(code.replace("http://127.0.0.1:7860", nano_url), names)
    answer = names["answer"]
    assert isinstance(answer, dict)
    assert set(answer) >= {"text", "boxes", "tiles", "usage", "timing"}
    assert answer["boxes"][0].keys() >= {"label", "image", "box_1000", "xyxy_px"}


def test_the_table_of_templates_is_the_familys() -> None:
    table = rows((ROOT / "docs" / "serving.md").read_text("utf-8"), "| template |")
    named = {name for row in table for name in re.findall(r"`([\w-]+)`", row[0])}
    assert named == {each.template_stem for each in profiles()}
