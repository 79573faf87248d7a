"""Run the fuzzers: `python -m tests.fuzz [NAME ...] [--seconds N] [--keep]`.

Each runs in a process of its own, which ends after so many seconds, at the first input for which something does not
hold, or which takes over ten seconds or 4 GB. --keep: put the smallest inputs that reached new code into the corpus.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

HERE = Path(__file__).parent
CORPUS, FOUND = HERE / "corpus", HERE / "found"
LIMITS = ("-verbosity=0", "-timeout=10", "-rss_limit_mb=4096", "-max_len=8192", "-print_final_stats=1")
MOST_KEPT, MOST_KEPT_BYTES = 40, 512
"""What one run adds to the corpus of a fuzzer, at most: so many inputs, each so small."""


def main() -> int:
    """Run every fuzzer that was named; return how many found something."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", default=[*TARGETS])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    if unknown := set(given.names) - set(TARGETS):
        parser.error(f"There is no fuzzer {', '.join(sorted(unknown))}. Choose from {', '.join(TARGETS)}.")
    failed = [name for name in given.names if not _run(name, given.seconds, given.keep)]
    if failed:
        print(f"Found something: {', '.join(failed)}. The inputs are in {FOUND}; each line above names one.")
    return len(failed)


def _run(name: str, seconds: int, keep: bool) -> bool:
    FOUND.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as work:
        fresh, begun = Path(work, "fresh"), Path(work, "seeds")
        for folder in (fresh, begun):
            folder.mkdir()
        for number, data in enumerate(seeds(name)):
            (begun / str(number)).write_bytes(data)
        kept = CORPUS / name
        kept.mkdir(parents=True, exist_ok=True)
        print(f"== {name}: {seconds} s", flush=True)
        times = [f"-max_total_time={seconds}", f"-artifact_prefix={FOUND}/{name}-"]
        done = _libfuzzer(name, *LIMITS, *times, fresh, kept, begun)
        if keep and not done:
            _keep(fresh, kept)
    return done == 0


def _keep(fresh: Path, kept: Path) -> None:
    """Move the smallest of what reached new code into the corpus, named by its digest."""
    for file in sorted(fresh.iterdir(), key=lambda file: file.stat().st_size)[:MOST_KEPT]:
        if file.stat().st_size <= MOST_KEPT_BYTES:
            file.rename(kept / file.name[:16])


def _libfuzzer(name: str, *arguments: str | Path) -> int:
    command = [sys.executable, "-W", "ignore", "-m", "tests.fuzz.one", name, *map(str, arguments)]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
