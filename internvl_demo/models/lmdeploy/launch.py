"""Start `lmdeploy serve api_server`, report its progress, restart it when it dies or stalls, and end it.

    Supervisor(serving, key, capacity).start()  a thread with an event loop of its own, because the page's and the
    supervisor.status                           command line's loops come and go; a frozen value, to be read anywhere
    supervisor.stop()                           also at the end of Python; `supervisor` sees to every other end

LMDeploy opens its port only when everything is loaded, so until then its log is all there is: no line for
`Patience.loading_s` is a stall. Then `/health` is asked; anything but 200 for `Patience.unhealthy_s` is a stall, too
(LMDeploy itself says 503 after 90 s without progress). Attempts are 1, 2, 4 ... seconds apart and end after
`Patience.restarts`; for a server that ran well for `Patience.calm_s` counting starts anew. Some ends are final at
once: arguments that LMDeploy does not know, a version that is too old, and its slow PyTorch engine.
"""

import asyncio
import atexit
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from internvl_demo.errors import SetupError
from internvl_demo.models.lmdeploy import supervisor
from internvl_demo.models.lmdeploy.capacity import Capacity
from internvl_demo.models.lmdeploy.command import OLDEST, Serving, arguments
from internvl_demo.models.lmdeploy.progress import FALLBACK, Stage, plain_line, reason_in, stage_of

_PORTS = range(20_000, 30_000)
"""Below the ports that outgoing connections take: minutes pass until LMDeploy opens its own."""
_USAGE = 2
"""The exit code of a command line that does not understand its arguments."""
_LINES = 60
"""How much of the log is kept for the reason."""
_LONGEST_LINE = 16_384
_LOG_LEVELS = {"TM_LOG_LEVEL": "INFO", "UVICORN_LOG_LEVEL": "warning"}
"""The C++ half tells of its cache, never what people say; a line for each `/health` would drown everything."""
_LAST_WORDS_S = 2.0
"""How long the log of a dead process is read: a process that it left behind may hold it open."""
_PYTHON = re.compile(
    r"^#!\s*(?P<plain>\S*python[\d.]*)(?:\s|$)|^#!\s*/usr/bin/env\s+(?P<named>python[\d.]*)\s*$"
)
_PYTHON_FAR = re.compile(r"""^'''exec'\s++"?+([^"\n]*python[\d.]*+)"?\s""", re.MULTILINE)
"""How installers name a Python whose path is too long for the first line."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for the server, in seconds, and how often to restart it."""

    poll_s: float = 2.0
    answer_s: float = 20.0
    loading_s: float = 1800.0
    unhealthy_s: float = 60.0
    calm_s: float = 600.0
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    restarts: int = 5


@dataclass(frozen=True)
class Status:
    """What the server is doing. `reason`: why it ended last, in its own words; `endpoint`: where it answers."""

    stage: Stage = Stage.STARTING
    percent: int | None = None
    restarts: int = 0
    reason: str = ""
    endpoint: str = ""


@dataclass(frozen=True)
class _End:
    """How a run of the server ended. `calm`: it had been well for long; `final`: another try is of no use."""

    reason: str
    final: bool = False
    calm: bool = False


class Supervisor:
    """Keep one LMDeploy server running."""

    def __init__(
        self,
        serving: Serving,
        key: str,
        capacity: Capacity | None = None,
        patience: Patience | None = None,
        log: Callable[[str], object] | None = None,
    ):
        """Prepare to run the server. Raises SetupError where LMDeploy is not installed.

        log: gets every line that LMDeploy writes (default: standard error).
        """
        self._program = find_lmdeploy()
        self._serving, self._key, self._capacity = serving, key, capacity
        self._patience = patience or Patience()
        self._log = log or (lambda line: print(f"lmdeploy: {line}", file=sys.stderr))
        self._status = Status()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._keep_running()), daemon=True)
        self._begun = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None

    @property
    def status(self) -> Status:
        """What the server is doing now."""
        return self._status

    def start(self) -> None:
        """Start the server; return at once."""
        atexit.register(self.stop)
        self._thread.start()

    def stop(self) -> None:
        """End the server and all its processes; return when they are gone. May be called again."""
        atexit.unregister(self.stop)
        if not self._thread.is_alive():
            return
        self._begun.wait()
        assert self._loop is not None and self._ending is not None
        with contextlib.suppress(RuntimeError):  # the loop has just ended by itself
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    async def _keep_running(self) -> None:
        """Run and restart the server, in the supervisor's thread, until it is to end or is given up."""
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        self._begun.set()
        failures = 0
        while True:
            end = await self._run_once()
            if end is None:
                self._status = Status(Stage.ENDED)
                return
            failures = 1 if end.calm else failures + 1
            if end.final or failures > self._patience.restarts:
                self._status = replace(self._status, stage=Stage.FAILED, percent=None, reason=end.reason)
                return
            self._status = Status(Stage.WAITING, restarts=failures, reason=end.reason)
            wait_s = min(self._patience.first_wait_s * 2 ** (failures - 1), self._patience.longest_wait_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), wait_s)

    async def _run_once(self) -> _End | None:
        """Run the server until it dies or stalls; return how it ended, or None when `stop` ended it."""
        assert self._ending is not None
        if self._ending.is_set():
            return None
        port = free_port()
        run = _Run(port, self._patience, self._log, self._say)
        python, script = self._program
        oldest = ".".join(map(str, OLDEST))
        known = arguments(self._serving, port, self._capacity)
        try:
            await run.start([python, "-u", supervisor.__file__, oldest, script, *known], self._key)
        except OSError as error:
            return _End(f"{python} cannot be started: {error}", final=True)
        ending, ended = asyncio.ensure_future(self._ending.wait()), asyncio.ensure_future(run.until_end())
        try:
            await asyncio.wait([ending, ended], return_when=asyncio.FIRST_COMPLETED)
            return None if ending.done() else ended.result()
        finally:
            ending.cancel()
            ended.cancel()
            await asyncio.wait([ending, ended])
            await run.end()

    def _say(self, stage: Stage, percent: int | None = None, endpoint: str = "") -> None:
        self._status = replace(self._status, stage=stage, percent=percent, endpoint=endpoint)


class _Run:
    """One process of the server, from its start to its end."""

    def __init__(self, port: int, patience: Patience, log: Callable[[str], object], say: Callable[..., None]):
        self._port, self._patience, self._log, self._say = port, patience, log, say
        self._tail: deque[str] = deque(maxlen=_LINES)
        self._heard = time.monotonic()
        self._ready_since: float | None = None
        self._final = ""

    async def start(self, command: list[str], key: str) -> None:
        """Start the supervisor's process, which starts the server. Raises OSError."""
        self._process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # an interrupt from the keyboard is for the app, which ends it in order
            env={**_LOG_LEVELS, **os.environ},
        )
        assert self._process.stdin is not None
        self._process.stdin.write(key.encode("ascii") + b"\n")
        with contextlib.suppress(ConnectionError):
            await self._process.stdin.drain()
        self._say(Stage.STARTING)

    async def until_end(self) -> _End:
        """Read the log and poll the server's health until it has died or stalled."""
        reading, watching = asyncio.ensure_future(self._read_log()), asyncio.ensure_future(self._watch())
        dying = asyncio.ensure_future(self._process.wait())
        try:
            await asyncio.wait([watching, dying], return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                return watching.result()
            await asyncio.wait([reading], timeout=_LAST_WORDS_S)
            return self._death()
        finally:
            for task in (reading, watching, dying):
                task.cancel()
            await asyncio.wait([reading, watching, dying])

    async def _read_log(self) -> None:
        assert self._process.stdout is not None
        rest = b""
        while piece := await self._process.stdout.read(4096):
            *lines, rest = re.split(rb"[\r\n]", rest + piece)
            rest = rest[-_LONGEST_LINE:]
            for raw in lines:
                self._read_line(plain_line(raw))
            self._read_stage(plain_line(rest))  # progress bars end their lines when they begin the next
        self._read_line(plain_line(rest))

    def _read_line(self, line: str) -> None:
        if not line:
            return
        self._heard = time.monotonic()
        self._tail.append(line)
        with contextlib.suppress(OSError, ValueError):  # nobody reads our standard error any more
            self._log(line)
        if FALLBACK in line:
            self._final = f"it wants to serve with its slow PyTorch engine: {reason_in([line])}"
        self._read_stage(line)

    def _read_stage(self, line: str) -> None:
        if self._ready_since is None and (progress := stage_of(line)):
            self._heard = time.monotonic()
            self._say(*progress)

    async def _watch(self) -> _End:
        """Return when the server has stalled, or serves in a way that is of no use."""
        patience, well = self._patience, time.monotonic()
        while not self._final:
            now = time.monotonic()
            if await is_healthy(self._port, patience.answer_s):
                well = time.monotonic()
                if self._ready_since is None:
                    self._ready_since = well
                    self._say(Stage.READY, endpoint=f"http://127.0.0.1:{self._port}")
            elif self._ready_since is not None and now - well > patience.unhealthy_s:
                return _End("it did not answer any more", calm=self._calm())
            elif self._ready_since is None and now - self._heard > patience.loading_s:
                last = reason_in(self._tail) or "its log is empty"
                return _End(f"nothing happened for {patience.loading_s:.0f} s ({last})")
            await asyncio.sleep(patience.poll_s)
        return _End(self._final, final=True)

    def _death(self) -> _End:
        """Return how a process ended by itself."""
        code = self._process.returncode or 0
        signals = {128 + number: number.name for number in signal.Signals}
        how = f"signal {signals[code]}" if code in signals else f"exit code {code}"
        reason = self._final or reason_in(self._tail)
        final = bool(self._final) or code in (_USAGE, supervisor.TOO_OLD)
        return _End(f"{reason} ({how})" if reason else how, final=final, calm=self._calm())

    async def end(self) -> None:
        """Close the input of the supervisor's process, on which it ends everything, and wait for it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), supervisor.POLITE_S * 3)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _calm(self) -> bool:
        return self._ready_since is not None and time.monotonic() - self._ready_since > self._patience.calm_s


def find_lmdeploy() -> tuple[str, str]:
    """Return LMDeploy's Python and its script `lmdeploy`, found in PATH. Raises SetupError."""
    script = shutil.which("lmdeploy")
    if script is None:
        raise SetupError(
            "There is no program lmdeploy in PATH.",
            "Install it into an environment of its own (pip install 'lmdeploy>=0.18') and add its bin to PATH.",
        )
    python = python_of(Path(script).read_bytes()[:4096].decode("utf-8", "replace"))
    if python is None:
        raise SetupError(
            f"{script} is not the Python program that pip installs.",
            "Put the bin folder of LMDeploy's environment first in PATH, or start the server yourself: --endpoint.",
        )
    return python, script


def python_of(script: str) -> str | None:
    """Return the Python that a script's first lines name, or None."""
    if match := _PYTHON.match(script):
        return match["plain"] or shutil.which(match["named"])
    far = _PYTHON_FAR.search(script)
    return far[1] if far else None


def free_port() -> int:
    """Return a port that nobody listens on."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


async def is_healthy(port: int, patience_s: float) -> bool:
    """Return whether `/health` answers 200."""
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
        async with asyncio.timeout(patience_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    return False
