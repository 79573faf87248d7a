"""The command line with its arguments: in this process, where what it needs is loaded already, or in one of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from internvl_demo.cli import main


class Done(NamedTuple):
    """What a command printed."""

    stdout: str
    stderr: str


def run(*arguments: str | Path, fails: bool = False) -> Done:
    """Run a command as `python -m internvl_demo` does. An error that is not for people fails the test."""
    out, err = StringIO(), StringIO()
    code: object = 0
    with _argv(["internvl-demo", *map(str, arguments)]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    assert bool(code) == fails, err.getvalue()
    return Done(out.getvalue(), err.getvalue())


@contextmanager
def _argv(argv: list[str]) -> Iterator[None]:
    before, sys.argv = sys.argv, argv
    try:
        yield
    finally:
        sys.argv = before


ROOT = Path(__file__).parents[2]
ASK = ("-m", "internvl_demo", "ask")
"""What Python runs for one question, without the page or PyTorch."""

_OF_THE_TESTER = re.compile(r"INTERNVL_|PYTHON|GRADIO_|SSL_CERT|\w*_proxy$|\w*CA_BUNDLE$", re.IGNORECASE)


class Ended(NamedTuple):
    """How a process ended, and what it printed, in UTF-8 unless it was told otherwise."""

    code: int
    stdout: bytes
    stderr: str


def command_line(*arguments: str | Path) -> list[str]:
    """Python with these arguments, without its warnings."""
    return [sys.executable, "-W", "ignore", *map(str, arguments)]


def environment(**variables: str) -> dict[str, str]:
    """The environment of somebody who set nothing but these variables."""
    kept = {name: value for name, value in os.environ.items() if not _OF_THE_TESTER.match(name)}
    return {**kept, **variables}


def run_process(*arguments: str | Path, variables: Mapping[str, str], **how: Any) -> Ended:
    """Run Python with these arguments to its end, as a person does whose environment has these variables."""
    how = {"stdout": subprocess.PIPE, "cwd": ROOT, "timeout": 120, **how}
    done = subprocess.run(
        command_line(*arguments), env=environment(**variables), stderr=subprocess.PIPE, check=False, **how
    )
    return Ended(done.returncode, done.stdout or b"", done.stderr.decode("utf-8", "replace"))


def assert_refused(done: Ended, *words: str) -> None:
    """It said in a line each what cannot be, what to do and perhaps details, with these words in them."""
    assert done.code == 2, done
    assert len(done.stderr.splitlines()) in (2, 3) and "Traceback" not in done.stderr, done.stderr
    assert all(word in done.stderr for word in words), done.stderr
