"""Measure a checkpoint of the family at its real size in this process, beside plain `transformers` on the same weights.

    mini-2b -> FOLDER/official, random weights in the official format; FOLDER/native, the same numbers converted
            -> two processes, one after the other: `local_process ours` loads the official format and answers,
               `local_process plain` loads the converted one by `from_pretrained`
            -> a table of both, with the ratios and the aims beside them

What is measured: loading and the memory that it takes at most; the first token about an image of one tile, and of
twelve and a thumbnail; tokens a second, the backend and `generate` by turns on one model; turn 2's first token, which
has turn 1's KV cache. The answers are noise: nothing here says how good a model is.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from internvl_demo.bench.random_weights import official_config_of, write_random
from internvl_demo.errors import SetupError
from internvl_demo.models.convert import convert
from internvl_demo.models.convert.section import read_json
from internvl_demo.models.hub.fits import GB, check_memory, free_disk_bytes
from internvl_demo.models.local.device import device_of
from internvl_demo.models.profiles import Profile

MOST_MEMORY, LEAST_DECODE, MOST_TURN_2 = 1.15, 1.0, 0.1
"""The aims: peak memory by the weights', tokens a second by `generate`'s, turn 2's first token by turn 1's."""

_SPARE_BYTES = 0.1 * GB
_END_CHARS = 600

Part = Literal["ours", "plain"]


def measure_local(
    profile: Profile,
    folder: Path | None,
    rounds: int,
    conversations: int,
    said: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:
    """Write the checkpoint where it is not in `folder` yet, and measure it.

    folder: keeps both forms for the next time; None: they are removed. rounds: questions about one tile, each both
    ways. conversations: of two turns about twelve tiles and a thumbnail. said: is told each thing as it is measured.
    Raises SetupError without the disk or the memory, CheckpointError where such a model does not run in process.
    """
    official_config_of(profile)
    check_memory(profile.name, profile.shape, device_of("auto"))
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="internvl-bench-") as made:
            return measure_local(profile, Path(made), rounds, conversations, said)
    prepare(profile, folder)
    ours = _measured("ours", folder / "official", rounds, conversations, said)
    plain = _measured("plain", folder / "native", rounds, conversations, said)
    return {"shape": profile.name, "parameters": profile.shape.parameters, "ours": ours, "plain": plain}


def prepare(profile: Profile, folder: Path) -> None:
    """Write `folder`/official and `folder`/native, each as a whole, where they are missing.

    Raises SetupError where the disk is too small, or where another shape's are there.
    """
    official, native = folder / "official", folder / "native"
    if official.is_dir() and read_json(official, "config.json") != official_config_of(profile):
        raise SetupError(
            f"{folder} holds a checkpoint of another shape than {profile.name}.",
            "Name another folder with --folder, or remove that one.",
        )
    missing = [each for each in (official, native) if not each.is_dir()]
    need, free = profile.shape.weights_bytes() * len(missing) + _SPARE_BYTES, free_disk_bytes(folder)
    if missing and need > free:
        raise SetupError(
            f"{profile.name} needs {need / GB:.1f} GB on the disk of {folder}; {free / GB:.1f} GB are free.",
            "Free space on it, name a folder on a larger disk with --folder, or a smaller model with --shape.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    if official in missing:
        shutil.rmtree(native, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=".official-", dir=folder) as hidden:
            write_random(profile, Path(hidden) / "whole", "official", "cpu")
            (Path(hidden) / "whole").rename(official)
    if not native.is_dir():
        convert(official, native, "native")


def _measured(
    part: Part, checkpoint: Path, rounds: int, conversations: int, said: Callable[[str], object]
) -> dict[str, Any]:
    """Run one process of the measurement. Raises SetupError with the end of what it complained of when it fails."""
    command = [sys.executable, "-m", "internvl_demo.bench.local_process", part, str(checkpoint)]
    found: dict[str, Any] = {}
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(
            [*command, str(rounds), str(conversations)], stdout=subprocess.PIPE, stderr=complaints, text=True
        ) as process,
    ):
        assert process.stdout
        for line in process.stdout:
            found |= json.loads(line)
            said(f"{part}: {line.strip()}")
        if process.wait():
            code = process.returncode
            complaints.seek(0)
            words = " ".join(complaints.read().split())[-_END_CHARS:] or "it said nothing"
            raise SetupError(
                f"A process of the measurement {f'was ended by signal {-code}' if code < 0 else 'failed'}: {words}",
                "Where memory was short, end other programs or name a smaller model with --shape.",
            )
    return found


class Row(NamedTuple):
    """A line of the table. ratio: as `by` says. aim: in words; met: None where there is none."""

    what: str
    ours: float
    theirs: float | None
    ratio: float
    by: str
    aim: str = ""
    met: bool | None = None


def rows_of(found: dict[str, Any]) -> list[Row]:
    """Return what was measured as rows of a table, the ratio and the aim with each."""
    ours, plain = found["ours"], found["plain"]
    decode, turns = ours["one_tile"], ours["turns"]
    peak, plain_peak = (
        ours["peak_bytes"] / ours["weights_bytes"],
        plain["peak_bytes"] / plain["weights_bytes"],
    )
    turn_2 = turns["turn2_ttft_s"] / turns["turn1_ttft_s"]
    return [
        Row("loading, s", ours["load_s"], plain["load_s"], ours["load_s"] / plain["load_s"], "transformers'"),
        Row(
            "peak memory of loading, GB",
            ours["peak_bytes"] / GB,
            plain["peak_bytes"] / GB,
            peak,
            f"the weights (transformers' {plain_peak:.2f})",
            f"at most {MOST_MEMORY}",
            peak <= MOST_MEMORY,
        ),
        Row(
            "first token, 1 tile, s",
            decode["ttft_s"],
            decode["generate_ttft_s"],
            decode["ttft_s"] / decode["generate_ttft_s"],
            "generate's",
        ),
        Row(
            "first token, 12 tiles + thumbnail, s",
            turns["turn1_ttft_s"],
            ours["generate_13_ttft_s"],
            turns["turn1_ttft_s"] / ours["generate_13_ttft_s"],
            "generate's",
        ),
        Row(
            "tokens a second",
            decode["tokens_per_s"],
            decode["generate_tokens_per_s"],
            decode["ratio"],
            "generate's",
            f"at least {LEAST_DECODE}",
            decode["ratio"] >= LEAST_DECODE,
        ),
        Row(
            "first token of turn 2, s",
            turns["turn2_ttft_s"],
            None,
            turn_2,
            "turn 1's",
            f"at most {MOST_TURN_2}",
            turn_2 <= MOST_TURN_2,
        ),
    ]


def table(found: dict[str, Any]) -> str:
    """Return the measurement as text for people."""
    ours = found["ours"]
    lines = [
        f"{found['shape']}'s shape, random weights: {found['parameters'] / 1e9:.2f} billion parameters, "
        f"{ours['weights_bytes'] / GB:.2f} GB in {ours['dtype']} on {ours['device']}, {ours['threads']} threads",
        "",
        f"{'':<37} {'here':>8} {'transformers':>13} {'ratio':>7}",
    ]
    for row in rows_of(found):
        theirs = "-" if row.theirs is None else f"{row.theirs:.2f}"
        aim = f"; {row.aim}: {'met' if row.met else 'missed'}" if row.aim else ""
        lines.append(f"{row.what:<37} {row.ours:>8.2f} {theirs:>13} {row.ratio:>7.3f} of {row.by}{aim}")
    return "\n".join(lines)
