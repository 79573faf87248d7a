"""A page in a process of its own, as a person starts it."""

import subprocess
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from internvl_demo.models.lmdeploy.launch import free_port
from tests.support.waiting import until


@contextmanager
def running_page(command: Sequence[str | Path], cwd: Path, env: Mapping[str, str]) -> Iterator[str]:
    """Run a command that serves the page, and yield the page's address; at the end it has to stop as it is told."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        assert page.poll() is None, f"the page ended: {page.returncode}"
        with suppress(OSError), urllib.request.urlopen(f"{address}/readyz") as answer:
            return bool(answer.status == 200)
        return False

    page = subprocess.Popen([*map(str, command), "--port", str(port)], cwd=cwd, env=env)
    try:
        until(ready, "the page can answer")
        yield address
        page.terminate()
        assert page.wait(30) == 0
    finally:
        page.kill()
        page.wait()
