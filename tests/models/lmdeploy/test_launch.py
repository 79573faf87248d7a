"""A server that the app starts: its command, how far it is, its deaths, and that nothing of it stays behind."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from PIL import Image

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import BackendError
from internvl_demo.models.base import Usage
from internvl_demo.models.lmdeploy.backend import LaunchedBackend
from internvl_demo.models.lmdeploy.command import Serving
from internvl_demo.models.lmdeploy.launch import Patience, Supervisor, free_port
from internvl_demo.models.lmdeploy.progress import Stage
from internvl_demo.photos.decode import photo_of
from tests.support.fake_lmdeploy import ROOT, Fake, alive, install
from tests.support.launched import OFFICIAL, QUICK
from tests.support.plain_words import assert_for_people
from tests.support.waiting import until

HELLO = Conversation().ask("What is it?")
PHOTO = Attachment(photo_of(Image.new("RGB", (64, 48))), 1)


def ask(backend: LaunchedBackend, conversation: Conversation = HELLO) -> tuple[str, Usage]:
    async def answer() -> tuple[str, Usage]:
        text = ""
        async with aclosing(backend.stream(conversation, Options())) as pieces:
            async for piece in pieces:
                if isinstance(piece, Usage):
                    return text, piece
                text += piece
        raise AssertionError("no usage")

    return asyncio.run(answer())


def stage(backend: LaunchedBackend) -> Stage:
    return backend.supervisor.status.stage


def how(backend: LaunchedBackend) -> tuple[str, int | None]:
    found = asyncio.run(backend.health())
    return found.kind, found.per_cent


def all_gone(fake: Fake) -> bool:
    return not any(alive(pid) for run in fake.runs() for pid in run)


# A real process.


def test_the_page_knows_the_model_at_once_and_a_question_hears_how_far_it_is(
    lmdeploy: Callable[..., Fake], started: Callable[..., LaunchedBackend]
) -> None:
    fake = lmdeploy("serve")
    backend = started()
    info = asyncio.run(backend.describe())
    assert (info.name, info.tokens_per_tile, info.context_length) == ("internvl-chat-v1-5", 256, 32_768)
    until(lambda: backend.supervisor.status.percent == 40, "40% loaded")
    assert how(backend) == ("loading", 40)
    with pytest.raises(BackendError, match=r"loads the model's weights \(40%\)"):
        ask(backend)
    fake.let("load")
    until(lambda: len(list(fake.folder.glob("health-*"))) > 2, "it was asked twice, and said 503")
    assert stage(backend) is Stage.OPENING
    assert how(backend) == ("loading", None), "no per cent are better than invented ones"
    assert backend.problem() is not None
    fake.let("be-ready")
    asyncio.run(backend.ready())
    assert ask(backend)[0] == "A cat."
    assert backend.problem() is None
    assert how(backend) == ("ready", None)


def test_the_key_is_random_and_nobody_else_can_read_it(
    lmdeploy: Callable[..., Fake], started: Callable[..., LaunchedBackend]
) -> None:
    fake = lmdeploy("serve")
    backend = started()
    (pid, _) = until(fake.runs, "a run")[0]
    told = fake.arguments()
    assert told[-2] == "--api-keys"
    key = told[-1]
    assert len(key) >= 32
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    for process in (pid, parent):
        for file in ("cmdline", "environ"):
            assert key.encode() not in Path(f"/proc/{process}/{file}").read_bytes()
    assert key not in repr(backend.supervisor.status)


def test_a_server_that_dies_is_started_again_and_the_reason_is_shown(
    lmdeploy: Callable[..., Fake], started: Callable[..., LaunchedBackend]
) -> None:
    fake = lmdeploy("crash", "serve")
    fake.let("load")
    backend = started(Patience(poll_s=0.05, first_wait_s=0.5))
    until(lambda: stage(backend) is Stage.WAITING, "the first death")
    assert how(backend) == ("down", None)
    problem = backend.problem()
    assert problem is not None
    assert "CUDA error: out of memory" in problem.details
    assert "exit code 1" in problem.details
    assert "\x1b" not in problem.details
    assert_for_people(problem, "CUDA", "exit code")
    fake.let("be-ready")
    asyncio.run(backend.ready())
    assert len(fake.runs()) == 2
    assert ask(backend)[0] == "A cat."
    fake.let("die")
    until(lambda: stage(backend) is not Stage.READY, "the second death")
    asyncio.run(backend.ready())
    assert "SIGKILL" in backend.supervisor.status.reason
    assert ask(backend)[0] == "A cat.", "at its new port"


def test_a_question_that_kills_the_server_hears_so(
    lmdeploy: Callable[..., Fake], started: Callable[..., LaunchedBackend]
) -> None:
    fake = lmdeploy("die-on-image", "serve")
    fake.let("load")
    fake.let("be-ready")
    backend = started()
    asyncio.run(backend.ready())
    with pytest.raises(BackendError, match="SIGABRT"):
        ask(backend, Conversation().ask("What is it?", (PHOTO,)))
    asyncio.run(backend.ready())
    assert ask(backend, Conversation().ask("What is it?", (PHOTO,)))[0] == "A cat."


def test_a_server_that_dies_again_and_again_is_given_up(
    lmdeploy: Callable[..., Fake], started: Callable[..., LaunchedBackend]
) -> None:
    fake = lmdeploy("crash")
    fake.let("load")
    backend = started()
    with pytest.raises(BackendError, match=r"given up.*out of memory"):
        asyncio.run(backend.ready())
    assert len(fake.runs()) == 1 + QUICK.restarts
    until(lambda: all_gone(fake), "nothing left")


@pytest.mark.parametrize(("behaviour", "reason"), [("usage", "unrecognized"), ("fallback", "PyTorch engine")])
def test_what_another_try_cannot_mend_is_not_tried_again(
    lmdeploy: Callable[..., Fake], started: Callable[..., LaunchedBackend], behaviour: str, reason: str
) -> None:
    fake = lmdeploy(behaviour)
    backend = started()
    with pytest.raises(BackendError, match=reason):
        asyncio.run(backend.ready())
    assert len(fake.runs()) == 1
    until(lambda: all_gone(fake), "nothing left")


def test_an_old_lmdeploy_is_refused(
    lmdeploy: Callable[..., Fake],
    started: Callable[..., LaunchedBackend],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = lmdeploy("serve")
    package = tmp_path / "site" / "lmdeploy-0.17.1.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: lmdeploy\nVersion: 0.17.1\n")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    backend = started()
    with pytest.raises(BackendError, match=r"0\.17\.1 is too old: 0\.18"):
        asyncio.run(backend.ready())
    assert not fake.runs()


def test_a_server_that_loads_for_ever_is_started_again(
    lmdeploy: Callable[..., Fake], started: Callable[..., LaunchedBackend]
) -> None:
    fake = lmdeploy("silent", "serve")
    fake.let("load")
    fake.let("be-ready")
    backend = started(Patience(poll_s=0.05, first_wait_s=0.01, loading_s=3.0))
    asyncio.run(backend.ready())
    assert "nothing happened" in backend.supervisor.status.reason
    first, *_ = fake.runs()
    assert not any(alive(pid) for pid in first)


def test_a_server_that_stops_answering_is_started_again(
    lmdeploy: Callable[..., Fake], started: Callable[..., LaunchedBackend]
) -> None:
    fake = lmdeploy("serve")
    fake.let("load")
    fake.let("be-ready")
    backend = started(Patience(poll_s=0.05, answer_s=0.5, unhealthy_s=0.5, first_wait_s=0.01))
    asyncio.run(backend.ready())
    fake.let("freeze")
    until(lambda: stage(backend) is not Stage.READY, "the stall is seen")
    (fake.folder / "freeze").unlink()
    asyncio.run(backend.ready())
    assert "did not answer" in backend.supervisor.status.reason
    first, *_ = fake.runs()
    assert not any(alive(pid) for pid in first)


def test_closing_leaves_no_process_behind(
    lmdeploy: Callable[..., Fake], started: Callable[..., LaunchedBackend]
) -> None:
    fake = lmdeploy("serve")
    fake.let("load")
    fake.let("be-ready")
    backend = started()
    asyncio.run(backend.ready())
    asyncio.run(backend.close())
    assert all_gone(fake)
    with pytest.raises(BackendError, match="has been ended"):
        ask(backend)
    asyncio.run(backend.close())


APP = """
import signal, sys, threading
from internvl_demo.models.lmdeploy.command import Serving
from internvl_demo.models.lmdeploy.launch import Patience, Supervisor
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
supervisor = Supervisor(Serving("model"), "key", patience=Patience(poll_s=0.05))
supervisor.start()
if "end" in sys.argv:
    sys.stdin.readline()
else:
    threading.Event().wait()
"""


@pytest.mark.parametrize("how", ["killed", "terminated", "interrupted", "ended", "minder killed"])
def test_nothing_outlives_the_app(tmp_path: Path, how: str) -> None:
    fake = install(tmp_path, "serve")
    arguments_ = ["end"] if how == "ended" else []
    app = subprocess.Popen(
        [sys.executable, "-c", APP, *arguments_],
        env={**os.environ, "PATH": fake.path},
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    ((server, helper),) = until(fake.runs, "a run")
    assert alive(server)
    assert alive(helper)
    minder = int(Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[1])
    if how == "ended":
        app.communicate(b"\n")
    elif how == "minder killed":
        os.kill(minder, signal.SIGKILL)
        until(lambda: not alive(server), "the server ends with its minder")
        app.kill()
        os.kill(helper, signal.SIGKILL)  # it left the group, and its minder is no more
    else:
        number = {"killed": signal.SIGKILL, "terminated": signal.SIGTERM, "interrupted": signal.SIGINT}[how]
        app.send_signal(number)
    app.wait(timeout=120)
    until(lambda: not alive(minder) and all_gone(fake), "all gone")


def test_the_app_serves_the_page_at_once_and_takes_the_server_with_it(tmp_path: Path) -> None:
    fake = install(tmp_path, "serve")
    port = free_port()
    flags_ = [
        "--serve",
        OFFICIAL,
        "--port",
        str(port),
        "--lmdeploy-arg=--quant-policy",
        "--lmdeploy-arg",
        "8",
    ]
    app = subprocess.Popen(
        [sys.executable, str(ROOT / "app.py"), *flags_],
        env={**os.environ, "PATH": fake.path, "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def page() -> bool:
        assert app.poll() is None, "the app ended"
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            return answer.status == 200
        return False

    try:
        until(page, "the page is there while the server still loads")
        until(fake.runs, "a run")
        assert fake.arguments()[-4:-1] == ["--quant-policy", "8", "--api-keys"]
    finally:
        app.kill()
        app.wait()
    until(lambda: all_gone(fake), "all gone")


def test_a_command_waits_for_the_server_that_it_starts_and_ends_it(tmp_path: Path) -> None:
    fake = install(tmp_path, "serve")
    asking = subprocess.Popen(
        [sys.executable, "-m", "internvl_demo", "ask", "What is this?"],
        cwd=ROOT,
        env={**os.environ, "PATH": fake.path, "CUDA_VISIBLE_DEVICES": "", "INTERNVL_SERVE": OFFICIAL},
        stdout=subprocess.PIPE,
        text=True,
    )
    until(fake.runs, "a run")
    fake.let("load")
    fake.let("be-ready")
    assert asking.communicate()[0].strip() == "A cat."
    assert asking.returncode == 0
    until(lambda: all_gone(fake), "all gone")


def test_a_supervisor_can_be_ended_before_and_after_it_ran(lmdeploy: Callable[..., Fake]) -> None:
    lmdeploy("serve")
    supervisor = Supervisor(Serving("model"), "key", patience=QUICK)
    supervisor.stop()
    supervisor.start()
    supervisor.stop()
    supervisor.stop()
    assert supervisor.status.stage is Stage.ENDED


# The page.
