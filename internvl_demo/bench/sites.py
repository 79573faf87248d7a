"""Who takes part in a measurement: the scripted model server, our page before it, and the plain chat.

Each is a process of its own, which ends with the block that it was started for; those who read it are in another
one (`stream_load`).
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from internvl_demo.bench.processes import free_port, running
from internvl_demo.errors import SetupError

APP = Path(__file__).resolve().parents[2] / "app.py"


@dataclass(frozen=True)
class Site:
    """Something that can be read (`page`, `plain` or `server`), its address and its process."""

    kind: str
    url: str
    pid: int

    def read(self, readers: int, tokens: int, times: int = 1, patience_s: int = 60) -> list[dict[str, Any]]:
        """Let a process full of readers read it, so many times. Raise SetupError when that process fails."""
        numbers = [str(number) for number in (readers, tokens, self.pid, times, patience_s)]
        module = ["-m", "internvl_demo.bench.stream_load", self.kind, self.url, *numbers]
        done = subprocess.run([sys.executable, *module], capture_output=True, text=True)
        if done.returncode:
            raise SetupError(
                "The readers' process failed: {end}",
                "Try fewer readers.",
                end=" ".join(done.stderr.split())[-600:],
            )
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows


@contextmanager
def scripted_server(work: Path, tokens_per_s: float = 200, tokens: int = 100) -> Iterator[Site]:
    """Run the scripted model server; its log is in `work`."""
    port = free_port()
    module = ["-m", "internvl_demo.bench.stream_server", str(port), str(tokens_per_s), str(tokens)]
    with running("server", module, port, work, "/health") as pid:
        yield _site("server", port, pid)


@contextmanager
def our_page(work: Path, server: Site, readers: int = 8, tokens: int = 1024) -> Iterator[Site]:
    """Run our page as people run it, with its data in `work`, ready to answer so many readers at once."""
    port = free_port()
    flags = ["--endpoint", server.url, "--port", str(port), "--data-dir", str(work / "data")]
    limits = {"INTERNVL_RUNNING": str(max(8, readers)), "INTERNVL_MAX_NEW_TOKENS": str(max(1024, tokens))}
    with running("page", [str(APP), *flags], port, work, settings=limits) as pid:
        yield _site("page", port, pid)


@contextmanager
def plain_chat(work: Path, server: Site, readers: int) -> Iterator[Site]:
    """Run the plain chat, with threads for so many readers at once."""
    port = free_port()
    module = ["-m", "internvl_demo.bench.stream_plain", str(port), server.url, str(readers)]
    with running("plain", module, port, work) as pid:
        yield _site("plain", port, pid)


def _site(kind: str, port: int, pid: int) -> Site:
    return Site(kind, f"http://127.0.0.1:{port}", pid)
