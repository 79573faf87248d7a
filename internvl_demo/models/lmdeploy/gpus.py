"""Ask `nvidia-smi` how much memory the GPUs of this machine have free."""

import os
import shutil
import subprocess

_QUERY = ("--query-gpu=index,uuid,memory.free", "--format=csv,noheader,nounits")
_PATIENCE_S = 60.0


def free_gib() -> list[float]:
    """Return the GiB free on each GPU that CUDA_VISIBLE_DEVICES allows; an empty list where nobody can tell."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        done = subprocess.run([program, *_QUERY], capture_output=True, timeout=_PATIENCE_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return parse(done.stdout.decode("utf-8", "replace"), os.environ.get("CUDA_VISIBLE_DEVICES"))


def parse(table: str, visible: str | None) -> list[float]:
    """Parse rows `index, uuid, MiB`; return the GiB of each visible GPU, in the order in which CUDA counts them."""
    gpus: list[tuple[str, str, float]] = []
    for line in table.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) == 3 and fields[2].isdigit():  # "[N/A]" where memory is shared with the machine
            gpus.append((fields[0], fields[1], int(fields[2]) / 1024))
    if visible is None:
        return [free for _, _, free in gpus]
    wanted = [name.strip() for name in visible.split(",")]
    return [free for name in wanted if name for i, uuid, free in gpus if name == i or uuid.startswith(name)]
