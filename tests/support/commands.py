"""The command line, run as a person runs it."""

import subprocess
import sys
from pathlib import Path


def run(*arguments: str | Path, fails: bool = False) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "internvl_demo", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == fails, done.stderr
    assert "Traceback" not in done.stderr
    return done
