"""One command from a name to an answer: downloaded with its progress, resumed, and refused in words that help.

The hub is one of our own on this machine; huggingface_hub really speaks to it.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import constants

from internvl_demo.answering.stream import collect
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import BackendError, CheckpointError, DemoError, SetupError
from internvl_demo.models.hub import checks, download, fits
from internvl_demo.models.hub.backend import HubBackend
from internvl_demo.settings import Settings
from tests.support.commands import run
from tests.support.hub_server import LARGE_BYTES, Hub, look_at
from tests.support.official_checkpoints import edit_config, write_kind
from tests.support.plain_words import assert_for_people
from tests.support.running_page import running_page
from tests.support.served_page import served
from tests.support.waiting import until

MODEL = "OpenGVLab/InternVL3-1B"
CHUNK_BYTES = 5_000
"""The library's are 10 MB; what has come of one is lost with the connection."""
HELLO = Conversation().ask("Hello?")
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random checkpoint under a real one's name, with files that nobody needs."""
    folder = write_kind(tmp_path_factory.mktemp("hub") / "InternVL3-1B", "Qwen2ForCausalLM")
    (folder / "modeling_internvl_chat.py").write_text("raise SystemExit('ran')")
    (folder / "README.md").write_text("# A card")
    return folder


@pytest.fixture
def hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub, where huggingface_hub of this process looks for it; an empty cache."""
    own = tmp_path / "files"
    shutil.copytree(folder, own)
    with Hub({MODEL: own}) as hub:
        look_at(monkeypatch, hub.endpoint, tmp_path / "cache")
        monkeypatch.setattr(download, "_LARGE_BYTES", LARGE_BYTES)
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", CHUNK_BYTES)
        yield hub


@pytest.fixture
def begin() -> Iterator[Callable[..., HubBackend]]:
    """Begins backends, whose lines are kept, and ends them after the test."""
    begun: list[HubBackend] = []

    def begin(model: str = MODEL, **how: Any) -> HubBackend:
        lines: list[str] = []
        backend = HubBackend(model, "cpu", log=lines.append, **{"wait_s": 0.0, **how})
        backend.lines = lines  # type: ignore[attr-defined]
        begun.append(backend)
        return backend

    yield begin
    for backend in begun:
        asyncio.run(backend.close())


def environment(hub: Hub, home: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home), "PYTHONPATH": str(ROOT), **more}


def parts(home: Path) -> list[Path]:
    return list(home.rglob("*.part"))


def weights(hub: Hub) -> int:
    return (hub.models[MODEL] / "model.safetensors").stat().st_size


# Refused before anything is downloaded.


def refused(begin: Callable[..., HubBackend], model: str = MODEL) -> DemoError:
    with pytest.raises((SetupError, CheckpointError)) as caught:
        begin(model)
    assert all(part.endswith(".") for part in caught.value.parts)
    return caught.value


def test_a_full_disk_is_told_in_numbers_before_the_download(
    hub: Hub, begin: Callable[..., HubBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fits, "free_disk_bytes", lambda _: 50_000_000)
    error = refused(begin)
    assert "0.1 GB are free" in error.what and "needs 0.0 GB" in error.what
    assert "HF_HOME" in error.next_step
    assert hub.fetched("model.safetensors") == []


def test_too_little_memory_is_told_in_numbers_with_a_model_that_fits(
    hub: Hub, begin: Callable[..., HubBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    edit_config(hub.models[MODEL], lambda config: config["llm_config"].update(hidden_size=64_000))
    monkeypatch.setattr(fits, "needed_bytes", lambda shape, *_: 2.0 * shape.parameters + 1e9)
    monkeypatch.setattr(fits, "free_memory_bytes", lambda _: 0.5e9)
    error = refused(begin)
    assert "0.5 GB are free" in error.what and "--endpoint" in error.next_step
    monkeypatch.setattr(fits, "free_memory_bytes", lambda _: 6e9)
    assert "--model internvl3.5-2b" in refused(begin).next_step
    assert hub.fetched("model.safetensors") == []


def test_a_gated_model_says_where_its_terms_are_and_how_to_log_in(
    hub: Hub, begin: Callable[..., HubBackend]
) -> None:
    hub.gated.add(MODEL)
    error = refused(begin)
    assert "gated" in error.what
    assert f"{hub.endpoint}/{MODEL}" in error.next_step and "HF_TOKEN" in error.next_step


@pytest.mark.usefixtures("hub")
def test_a_model_that_the_hub_does_not_have_is_told(begin: Callable[..., HubBackend]) -> None:
    assert "has no model nobody/nothing" in refused(begin, "nobody/nothing").what
    assert "mini-2b" in refused(begin, "mini-3b").next_step


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("odd", ["a/b/c", "../x", "with space/x"])
def test_what_is_no_name_is_told(begin: Callable[..., HubBackend], odd: str) -> None:
    assert "no name of a model" in refused(begin, odd).what


@pytest.mark.usefixtures("hub")
def test_no_network_says_what_can_be_done(
    begin: Callable[..., HubBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    look_at(monkeypatch, "http://127.0.0.1:9", Path(constants.HF_HUB_CACHE))
    error = refused(begin)
    assert "127.0.0.1:9 cannot be reached" in error.what
    assert "HF_ENDPOINT" in error.next_step


def test_a_hub_that_is_down_is_told(hub: Hub, begin: Callable[..., HubBackend]) -> None:
    hub.down = True
    assert "answered 503" in refused(begin).what


def test_switched_off_downloads_are_told(
    hub: Hub, begin: Callable[..., HubBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    error = refused(begin)
    assert "HF_HUB_OFFLINE" in error.what
    assert hub.requests == []


def test_quantised_weights_are_refused_with_the_way_to_serve_them(
    hub: Hub, begin: Callable[..., HubBackend]
) -> None:
    edit_config(hub.models[MODEL], lambda config: config.update(quantization_config={"quant_method": "awq"}))
    error = refused(begin)
    assert "quantised" in error.what and "--awq" in error.next_step


def test_a_model_without_safetensors_is_refused(hub: Hub, begin: Callable[..., HubBackend]) -> None:
    (hub.models[MODEL] / "model.safetensors").rename(hub.models[MODEL] / "pytorch_model.bin")
    assert "no weights as safetensors" in refused(begin).what


# Downloaded, loaded, asked.


def test_a_short_name_is_downloaded_loaded_and_answers(hub: Hub, begin: Callable[..., HubBackend]) -> None:
    hub.held.clear()
    backend = begin("internvl3-1b")
    info = asyncio.run(backend.describe())
    assert (info.name, info.tokens_per_tile, info.context_length) == ("InternVL3-1B", 64, 32768)
    assert info.profile.template.name == "internvl2_5"
    until(lambda: backend.status.share > 0, "some of it is here")
    health = asyncio.run(backend.health())
    assert health.kind == "loading" and health.per_cent == int(100 * backend.status.share) > 0
    assert health.problem and "downloaded" in health.problem.what
    assert backend.count_text("Hello") is None
    _, failure = asyncio.run(collect(backend, HELLO, Options()))
    assert isinstance(failure, BackendError) and "being downloaded" in failure.what
    assert_for_people(failure)
    hub.held.set()
    asyncio.run(backend.ready())
    given, failure = asyncio.run(collect(backend, HELLO, Options(max_new_tokens=4)))
    assert failure is None and given.usage
    assert asyncio.run(backend.health()).kind == "ready"
    assert backend.count_text("Hello") == 5
    assert any(line.startswith(f"Downloading {MODEL}: ") for line in backend.lines)  # type: ignore[attr-defined]
    assert backend.lines[-1] == f"{MODEL} is ready."  # type: ignore[attr-defined]
    for name in ("modeling_internvl_chat.py", "README.md"):
        assert hub.fetched(name) == [], "nobody needs it"


def test_what_is_here_is_not_downloaded_again_and_needs_no_network(
    hub: Hub, begin: Callable[..., HubBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(begin().ready())
    first = len(hub.fetched("model.safetensors"))
    again = begin()
    assert again.status.stage != "downloading"
    asyncio.run(again.ready())
    assert len(hub.fetched("model.safetensors")) == first == 1
    for name, value in (("HF_HUB_OFFLINE", True), ("ENDPOINT", "http://127.0.0.1:9")):
        monkeypatch.setattr(constants, name, value)
        asyncio.run(begin().ready())
    assert len(hub.fetched("model.safetensors")) == 1


def test_a_lost_connection_goes_on_where_it_was(hub: Hub, begin: Callable[..., HubBackend]) -> None:
    hub.cut_after, hub.cuts = LARGE_BYTES + 10, 1
    asyncio.run(begin().ready())
    assert hub.fetched("model.safetensors") == [None, f"bytes={LARGE_BYTES}-"]


def test_a_download_that_was_ended_goes_on_at_the_next_start(
    hub: Hub, begin: Callable[..., HubBackend], tmp_path: Path
) -> None:
    hub.held.clear()
    backend = begin()
    until(lambda: backend.status.share > 0, "some of it is here")
    hub.held.set()
    hub.held.clear()
    asyncio.run(backend.close())
    (part,) = parts(tmp_path)
    here = part.stat().st_size
    assert LARGE_BYTES <= here < weights(hub)
    hub.held.set()
    again = begin()
    assert again.status.stage == "downloading"
    asyncio.run(again.ready())
    assert hub.fetched("model.safetensors")[-1] == f"bytes={here}-"
    assert parts(tmp_path) == []


@pytest.mark.usefixtures("hub")
def test_a_hub_that_never_comes_back_is_told_on_the_page_and_to_the_host(
    begin: Callable[..., HubBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def lost(*_: object, **__: object) -> None:
        tries.append(1)
        raise ConnectionResetError("the line is dead")

    monkeypatch.setattr(download, "http_get", lost)
    backend = begin(retries=2)
    with pytest.raises(CheckpointError, match="the line is dead"):
        asyncio.run(backend.ready())
    assert len(tries) == 3
    health = asyncio.run(backend.health())
    assert health.kind == "down" and health.problem
    assert_for_people(health.problem, "the line is dead")
    assert "the line is dead" in health.problem.details


@pytest.mark.usefixtures("hub")
def test_a_disk_that_fills_up_keeps_what_has_come(
    begin: Callable[..., HubBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "http_get", full)
    with pytest.raises(CheckpointError, match="The disk became full") as caught:
        asyncio.run(begin().ready())
    assert "is kept" in caught.value.next_step


def test_weights_that_belong_to_another_config_are_told(hub: Hub, begin: Callable[..., HubBackend]) -> None:
    edit_config(hub.models[MODEL], lambda config: config["llm_config"].update(num_hidden_layers=3))
    with pytest.raises(CheckpointError, match="lacks the tensors"):
        asyncio.run(begin().ready())


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_file_that_comes_damaged_is_removed_and_brought_again(
    hub: Hub, begin: Callable[..., HubBackend], tmp_path: Path, name: str
) -> None:
    hub.spoilt.add(name)
    backend = begin()
    with pytest.raises(CheckpointError, match=rf"{name} of {MODEL} came damaged.*Start again"):
        asyncio.run(backend.ready())
    problem = asyncio.run(backend.health()).problem
    assert problem and "came damaged" in problem.details
    assert_for_people(problem, "came damaged")
    assert parts(tmp_path) == [] and not list((tmp_path / "cache").rglob(f"snapshots/*/{name}"))
    hub.spoilt.clear()
    before = len(hub.fetched(name))
    asyncio.run(begin().ready())
    assert hub.fetched(name)[before:] == [None], "from its beginning, once"


def test_a_check_says_how_far_it_is_and_can_be_ended(
    hub: Hub, begin: Callable[..., HubBackend], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(checks, "_READ_BYTES", weights(hub) // 4)
    seen: list[tuple[int | None, str]] = []
    tell = HubBackend._told_of_check

    def ended(backend: HubBackend, name: str, share: float) -> None:
        tell(backend, name, share)
        health = asyncio.run(backend.health())
        assert health.kind == "loading" and health.problem
        seen.append((health.per_cent, health.problem.what))
        assert_for_people(health.problem)
        if len(seen) == 2:
            backend._ending.set()

    monkeypatch.setattr(HubBackend, "_told_of_check", ended)
    backend = begin()
    until(lambda: backend.status.stage == "ended", "the check is ended")
    assert [what for _, what in seen] == ["The downloaded model is being checked."] * 2
    assert [per_cent for per_cent, _ in seen] == [pytest.approx(25, abs=1), pytest.approx(50, abs=1)]
    assert [part.stat().st_size for part in parts(tmp_path)] == [weights(hub)]
    monkeypatch.setattr(HubBackend, "_told_of_check", tell)
    asyncio.run(begin().ready())
    assert len(hub.fetched("model.safetensors")) == 1, "it is whole, and only checked"


def test_a_folder_is_loaded_as_it_is(folder: Path, begin: Callable[..., HubBackend]) -> None:
    backend = begin(str(folder))
    asyncio.run(backend.ready())
    assert asyncio.run(backend.describe()).name == "InternVL3-1B"


# As a person types it.


def test_the_command_line_downloads_and_answers(hub: Hub, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "internvl_demo",
            "ask",
            "Hello?",
            "--model",
            "internvl3-1b",
            "--max-new-tokens",
            "3",
        ],
        env=environment(hub, tmp_path / "home"),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert f"{MODEL} is ready." in done.stderr
    assert "Loading" in done.stderr


def test_a_killed_download_is_resumed_by_the_next_command(hub: Hub, tmp_path: Path) -> None:
    """With the real library, the real kill, and only what is missing fetched the second time."""
    home = tmp_path / "home"
    big = hub.models[MODEL] / "model.safetensors"
    hub.held.clear()
    code = (
        "from internvl_demo.models.hub import download\n"
        f"download._LARGE_BYTES = {LARGE_BYTES}\n"
        f"download.constants.DOWNLOAD_CHUNK_SIZE = {CHUNK_BYTES}\n"
        "from internvl_demo.cli import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", code, "ask", "Hello?", "--model", MODEL, "--max-new-tokens", "3"]
    running = subprocess.Popen(command, env=environment(hub, home), stderr=subprocess.DEVNULL)
    until(lambda: any(part.stat().st_size > 0 for part in parts(home)), "a part is here")
    running.send_signal(signal.SIGKILL)
    running.wait()
    hub.held.set()
    here = parts(home)[0].stat().st_size
    subprocess.run(command, env=environment(hub, home), check=True, capture_output=True, timeout=120)
    assert hub.fetched("model.safetensors")[-1] == f"bytes={here}-"
    assert here < big.stat().st_size


def test_an_error_of_the_command_line_is_two_sentences() -> None:
    told = run("ask", "Hello?", "--model", "mini-3b", fails=True).stderr.splitlines()
    assert len(told) == 2 and "mini-3b" in told[0]


def test_no_time_is_wasted_at_the_end(hub: Hub, begin: Callable[..., HubBackend]) -> None:
    hub.held.clear()
    backend = begin()
    until(lambda: backend.status.share > 0, "some of it is here")
    before = time.monotonic()
    asyncio.run(backend.close())
    assert time.monotonic() - before < 5


# On the page.


def test_the_page_opens_at_once_and_says_how_far_the_download_is(
    hub: Hub, begin: Callable[..., HubBackend]
) -> None:
    hub.held.clear()
    backend = begin()
    until(lambda: backend.status.share > 0, "some of it is here")
    for url in served(backend, Settings(model=MODEL)):
        told = httpx.get(f"{url}api/model", headers={"Accept-Language": "zh"}).json()
        assert (told["name"], told["miniature"]) == ("InternVL3-1B", False)
        assert told["state"]["kind"] == "loading"
        assert told["state"]["per_cent"] == int(100 * backend.status.share)
        assert told["state"]["what"] == "模型正在下载。"
        assert "InternVL" in told["options"]["system"]["default"]
        assert httpx.get(f"{url}readyz").status_code == 503
        hub.held.set()
        asyncio.run(backend.ready())
        until(lambda url=url: httpx.get(f"{url}readyz").status_code == 200, "the page can answer")


def test_one_command_serves_the_page_of_a_short_name(hub: Hub, tmp_path: Path) -> None:
    """`make demo MODEL=internvl3-1b` runs this command."""
    made = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "demo", "MODEL=internvl3-1b", "PORT=7861"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    ).stdout
    assert made.splitlines()[-1].split() == [
        *(".venv/bin/python", "app.py", "--port", "7861", "--model", "internvl3-1b")
    ]
    command = [sys.executable, "app.py", "--model", "internvl3-1b"]
    env = environment(
        hub, tmp_path / "home", INTERNVL_KEEP_DAYS="0", INTERNVL_DATA_DIR=str(tmp_path / "data")
    )
    with running_page(command, ROOT, env) as url:
        told = httpx.get(f"{url}/api/model").json()
        assert (told["name"], told["state"]["kind"]) == ("InternVL3-1B", "ready")
