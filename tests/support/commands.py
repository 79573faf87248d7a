"""The command line with its arguments, in this process, where what it needs is loaded already."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

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
