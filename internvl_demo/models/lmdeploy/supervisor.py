"""The process between the app and LMDeploy: nothing of LMDeploy outlives the app, however the app ends.

Run by LMDeploy's own Python, which may have other packages than the app's: standard library only, nothing
of this repository is imported.

    python -u supervisor.py 0.18 /path/to/lmdeploy serve api_server MODEL ...      (first line of input: the key)

It forks; the child becomes `lmdeploy` in a process group of its own, with the key as a last argument that no
list of processes shows, because no program is executed anew. The supervisor then waits for one of three things:
its input ends (the app ended, was killed, or wants an end), SIGTERM, or the child's end. Then it ends the whole
group, the child politely, and whatever left the group: as their subreaper it inherits all orphans. If the supervisor
itself is killed, the kernel kills its child.

Exit code: the child's; 128 + n after signal n; 78 when LMDeploy is too old to be of use.
"""

import contextlib
import ctypes
import os
import runpy
import select
import signal
import sys
import time
from importlib import metadata
from pathlib import Path

TOO_OLD = 78
POLITE_S = 10.0
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LOOK_S = 0.05


def main() -> int:
    """Run LMDeploy once and watch it to its end; return the exit code."""
    oldest, script, *arguments = sys.argv[1:]
    key = _first_line()
    if old := _too_old(oldest):
        print(f"lmdeploy {old} is too old: {oldest} or later is needed", file=sys.stderr)
        return TOO_OLD
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    supervisor = os.getpid()
    child = os.fork()
    if child == 0:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor:  # it died before the kernel knew
            os._exit(1)
        _become_lmdeploy(script, [*arguments, "--api-keys", key])
    with contextlib.suppress(OSError):  # whoever of the two comes first makes the group
        os.setpgid(child, child)
    code = _wait(child)
    _end_all(child)
    return code


def _first_line() -> str:
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 1)  # unbuffered, so that the end of input is seen by select alone
        if not piece:
            break
        line += piece
    return line.decode("ascii").strip()


def _too_old(oldest: str) -> str | None:
    """Return LMDeploy's version if it is below `oldest`; None when it is not, or not installed as a package."""
    try:
        version = metadata.version("lmdeploy")
    except metadata.PackageNotFoundError:
        return None
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    return version if numbers < [int(part) for part in oldest.split(".")] else None


def _become_lmdeploy(script: str, arguments: list[str]) -> None:
    os.setpgid(0, 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    sys.argv = [script, *arguments]
    sys.path[0] = str(Path(script).parent)  # as if it had been started itself
    runpy.run_path(script, run_name="__main__")
    sys.exit(0)


def _wait(child: int) -> int:
    """Wait until the child ends or somebody wants it to end; return the exit code."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    wanted: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: wanted.append(number))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while not wanted:
        if (code := _reap().get(child)) is not None:
            return code if code >= 0 else 128 - code
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
        if 0 in ready and not os.read(0, 4096):
            break
    return 0


def _end_all(child: int) -> None:
    """End the child's group, and everything that descends from it.

    SIGTERM to the group while the child lives, for at most POLITE_S; then SIGKILL to the group and all descendants.
    """
    _signal_group(child, signal.SIGTERM)
    until = time.monotonic() + POLITE_S
    while child in _children() and time.monotonic() < until:
        _reap()
        time.sleep(_LOOK_S)
    _signal_group(child, signal.SIGKILL)
    while children := _children():
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _reap()
        time.sleep(_LOOK_S)


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _reap() -> dict[int, int]:
    """Collect the children that have ended, orphans among them; return process id -> exit code."""
    ended: dict[int, int] = {}
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            ended[pid] = os.waitstatus_to_exitcode(status)
    return ended


def _children() -> list[int]:
    """Return the process ids of all children of this process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                after_name = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
                if int(after_name[1]) == os.getpid():
                    found.append(int(entry.name))
    return found


if __name__ == "__main__":
    sys.exit(main())
