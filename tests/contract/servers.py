"""Real LMDeploy servers and a real HAProxy, started as `compose.yaml` starts them, and ended.

The command line is compose.yaml's own; only what this machine and the miniature need is put in place of its
values. What a server says goes into a file, whose end is shown when it does not start.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import yaml

from internvl_demo.models.lmdeploy.command import Serving, arguments
from tests.contract.checkpoint import TEMPLATE

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("CONTRACT_PYTHON") or str(ROOT / ".venv-contract" / "bin" / "python")
"""LMDeploy's environment."""

COMPOSE = ROOT / "compose.yaml"
MODEL = "internvl-chat-v1-5"
KEY = "a-key-of-the-tests"
SLOTS = 2
"""How many requests a server computes at once; a third waits."""

HAPROXY = shutil.which("haproxy") or "/usr/sbin/haproxy"
"""Debian's, which is on the PATH of root only."""

_STARTS_IN_S = 600


@dataclass
class Lmdeploy:
    """A server that runs."""

    url: str
    process: subprocess.Popen[bytes]
    checkpoint: Path

    @property
    def address(self) -> str:
        return self.url.removeprefix("http://")

    def post(self, path: str, key: str | None = KEY, **request: Any) -> httpx.Response:
        """A request that is not the page's; by default with the key."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.post(self.url + path, headers=headers, timeout=300, **request)

    def engine(self) -> dict[str, Any]:
        """What the engine was given; see `stub.Engine.told`."""
        told: dict[str, Any] = httpx.get(self.url + "/__engine", headers=_AUTHORISED, timeout=300).json()
        return told

    def asked(self) -> list[dict[str, Any]]:
        """The last requests that reached the engine, in order."""
        return list(self.engine()["asked"])

    @contextmanager
    def mode(self, mode: str) -> Iterator[None]:
        """The engine does this, see `stub`; afterwards it answers again."""
        self.post("/__engine", params={"mode": mode}).raise_for_status()
        try:
            yield
        finally:
            self.post("/__engine", params={"mode": "answer"}).raise_for_status()


_AUTHORISED = {"Authorization": f"Bearer {KEY}"}


def until(condition: Callable[[], object], what: str, patience_s: float = 300) -> None:
    """Waits for `condition`; fails by naming it."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.05)


@contextmanager
def lmdeploy_servers(checkpoints: list[Path], folder: Path) -> Iterator[list[Lmdeploy]]:
    """A server for each checkpoint, started together."""
    logs = [folder / f"lmdeploy-{number}.log" for number in range(len(checkpoints))]
    with ExitStack() as stack:
        started = [
            _lmdeploy(checkpoint, log, partial(here, compose_command(), checkpoint))
            for checkpoint, log in zip(checkpoints, logs, strict=True)
        ]
        servers = [stack.enter_context(server) for server in started]
        for server, log in zip(servers, logs, strict=True):
            _wait_until_healthy(server, log)
        yield servers


@contextmanager
def served(servings: list[Serving], folder: Path) -> Iterator[list[Lmdeploy]]:
    """A server for each, with the arguments that `--serve` gives it, started together. They ask for no key."""

    def command(serving: Serving, port: int) -> list[str]:
        return [PYTHON, "-m", "tests.contract.stub", *arguments(serving, port, None)]

    logs = [folder / f"{serving.name}.log" for serving in servings]
    with ExitStack() as stack:
        servers = [
            stack.enter_context(_lmdeploy(Path(serving.model), log, partial(command, serving)))
            for serving, log in zip(servings, logs, strict=True)
        ]
        for server, log in zip(servers, logs, strict=True):
            _wait_until_healthy(server, log)
        yield servers


def compose_command() -> list[str]:
    """What compose.yaml runs on every GPU."""
    command: list[str] = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]["lmdeploy-1"]["command"]
    return command


def here(command: list[str], checkpoint: Path, port: int) -> list[str]:
    """compose.yaml's command with this machine's paths and ports, and what is the miniature's own."""
    own = {
        "--chat-template": TEMPLATE,
        "--session-len": 8192,
        "--max-batch-size": SLOTS,
        "--server-name": "127.0.0.1",
        "--server-port": port,
        "--api-keys": KEY,
    }
    program, *flags = command[:4], *command[4:]
    assert program == ["lmdeploy", "serve", "api_server", "OpenGVLab/InternVL-Chat-V1-5"]
    names = [flag.partition("=")[0] for flag in flags]
    assert set(own) <= set(names), "compose.yaml sets these"
    kept = [f"{name}={own[name]}" if name in own else flag for name, flag in zip(names, flags, strict=True)]
    return [PYTHON, "-m", "tests.contract.stub", "serve", "api_server", str(checkpoint), *kept]


@contextmanager
def _lmdeploy(checkpoint: Path, log: Path, command: Callable[[int], list[str]]) -> Iterator[Lmdeploy]:
    port = free_port()
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_MODULES_CACHE": str(log.with_suffix(".modules")),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    with _running(command(port), log, environment) as process:
        yield Lmdeploy(f"http://127.0.0.1:{port}", process, checkpoint)


def _wait_until_healthy(server: Lmdeploy, log: Path) -> None:
    def healthy() -> bool:
        ended = server.process.poll()
        assert ended is None, f"LMDeploy ended with {ended}:\n{log.read_text('utf-8', 'replace')[-4000:]}"
        try:
            return httpx.get(server.url + "/health", timeout=10).status_code == 200
        except httpx.TransportError:
            return False

    until(healthy, "LMDeploy is healthy", _STARTS_IN_S)


@contextmanager
def haproxy(addresses: list[str], log: Path) -> Iterator[str]:
    """HAProxy with assets/haproxy.cfg before these servers; its URL."""
    port = free_port()
    servers = {f"LMDEPLOY_{number}": address for number, address in enumerate(addresses, 1)}
    environment = {**os.environ, "BALANCER_BIND": f"127.0.0.1:{port}", **servers}
    command = [HAPROXY, "-db", "-f", str(ROOT / "assets" / "haproxy.cfg")]
    with _running(command, log, environment) as process:

        def listens() -> bool:
            ended = process.poll()
            assert ended is None, f"HAProxy ended with {ended}:\n{log.read_text('utf-8', 'replace')}"
            with closing(socket.socket()) as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        until(listens, "HAProxy listens")
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _running(
    command: list[str], log: Path, environment: dict[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
