"""Processes of a measurement: started, awaited until they answer, and what they take of CPU and memory.

Figures are Linux's, from /proc, and of a process with all its children: what the page's host would pay.
"""

import http.client
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

from internvl_demo.errors import SetupError

START_S = 90.0
"""The longest that a page takes to start."""

_TICKS = os.sysconf("SC_CLK_TCK")
_PARENT, _USER, _CHILDREN_S = 1, 11, 15
"""Places in /proc/PID/stat behind the name: the parent, then four times from user time on."""


def cpu_s_of_tree(pid: int) -> float:
    """Return the CPU seconds, user and system, of a process and its children, also of those that ended."""
    stats = _stats()
    ticks = [int(time_) for one in _tree(pid, stats) for time_ in stats[one][_USER:_CHILDREN_S]]
    return sum(ticks) / _TICKS


def rss_bytes_of_tree(pid: int) -> int:
    """Return the resident memory of a process and its children; what they share counts for each."""
    total = 0
    for one in _tree(pid, _stats()):
        with suppress(OSError):
            total += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * resource.getpagesize()
    return total


def _stats() -> dict[int, list[str]]:
    """Return for each process what /proc/PID/stat says behind its name, which may hold anything."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                found[int(folder.name)] = (folder / "stat").read_text().rpartition(")")[2].split()
    return found


def _tree(pid: int, stats: dict[int, list[str]]) -> list[int]:
    tree = [pid] if pid in stats else []
    for one in tree:
        tree += [child for child, stat in stats.items() if int(stat[_PARENT]) == one]
    return tree


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def raise_file_limit() -> None:
    """Let this process and those that it starts open all the files that the machine allows: a reader is several."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def running(
    name: str,
    arguments: list[str],
    port: int,
    work: Path,
    ready: str = "/",
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[int]:
    """Run Python with these arguments until the block ends; give its process id once `ready` answers.

    `settings` go into its environment; those of whoever measures do not reach it. Raise SetupError, with the end
    of its log, when it does not start.
    """
    log = work / f"{name}.log"
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("INTERNVL_", "OPENAI_"))}
    scratch = {"GRADIO_TEMP_DIR": str(work / f"{name}-uploads"), "GRADIO_ANALYTICS_ENABLED": "False"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=kept | scratch | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"} | dict(settings),
            start_new_session=True,
        )
    try:
        _wait_until_ready(process, port, ready, log)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, path: str, log: Path) -> None:
    started = time.monotonic()
    while process.poll() is None and time.monotonic() - started < START_S:
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    raise SetupError(
        "A process of the measurement did not start: {end}",
        "Run it by itself to see more.",
        end=" ".join(log.read_text("utf-8", "replace").split())[-600:],
    )
