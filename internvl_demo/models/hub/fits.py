"""Hold what a model takes against what this machine has free, before hours are spent: disk and memory, in numbers."""

import os
import shutil
from pathlib import Path

import torch
from huggingface_hub import constants

from internvl_demo.errors import SetupError
from internvl_demo.models.convert.decoders import KINDS
from internvl_demo.models.local.device import dtype_for
from internvl_demo.models.profiles import profiles
from internvl_demo.models.profiles.shape import Shape

GB = 1e9
BESIDES_BYTES = 0.8 * GB
"""What Python, torch, an image and a conversation take beside the weights, at the least."""

_CGROUP = Path("/sys/fs/cgroup")
_SPARE_DISK_BYTES = 0.1 * GB


def check_disk(model: str, bytes_left: int) -> None:
    """Raise SetupError unless so many bytes can be written to the hub's cache."""
    folder = Path(constants.HF_HUB_CACHE)
    free = free_disk_bytes(folder)
    if bytes_left and bytes_left + _SPARE_DISK_BYTES > free:
        raise SetupError(
            f"{model} needs {bytes_left / GB:.1f} GB on the disk of {folder}; {free / GB:.1f} GB are free.",
            "Free space on it, or set HF_HOME to a directory on a larger disk.",
        )


def check_memory(model: str, shape: Shape, device: torch.device, stored: str = "bfloat16") -> None:
    """Raise SetupError unless the weights, as they are computed with, fit into the device's free memory."""
    need = needed_bytes(shape, device, stored)
    free = free_memory_bytes(device)
    if free is None or need <= free:
        return
    where = "memory" if device.type == "cpu" else f"memory of the {device.type.upper()} device"
    raise SetupError(
        f"{model} needs {need / GB:.1f} GB of {where}: {(need - BESIDES_BYTES) / GB:.1f} for its weights, the rest for "
        f"what it reads; {free / GB:.1f} GB are free.",
        _way_out(device, free),
    )


def needed_bytes(shape: Shape, device: torch.device, stored: str = "bfloat16") -> float:
    """Return what a model of this shape takes of the device's memory."""
    return shape.parameters * dtype_for(device, stored, shape.parameters).itemsize + BESIDES_BYTES


def free_disk_bytes(folder: Path) -> int:
    """Return what can be written to a directory, which need not exist yet."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    return shutil.disk_usage(there).free


def free_memory_bytes(device: torch.device) -> float | None:
    """Return the device's free memory; None where it cannot be told."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return float(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return _free_ram_bytes()


def _free_ram_bytes() -> float | None:
    """Return the memory that programs can still take: of the machine, and of the container if it has a limit."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        (line,) = [line for line in lines if line.startswith("MemAvailable:")]
        free = float(line.split()[1]) * 1024
    except (OSError, ValueError):
        try:
            return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        except (AttributeError, OSError, ValueError):
            return None
    try:
        limit, taken = (int((_CGROUP / f"memory.{name}").read_text("ascii")) for name in ("max", "current"))
        stat = dict(line.split() for line in (_CGROUP / "memory.stat").read_text("ascii").splitlines())
    except (OSError, ValueError):  # no limit, or none that can be read
        return free
    return min(free, float(limit - taken + int(stat.get("inactive_file", 0))))


def _way_out(device: torch.device, free: float) -> str:
    """Return a sentence with the largest checkpoint that fits."""
    fitting = [
        each for each in profiles() if each.language in KINDS and needed_bytes(each.shape, device) <= free
    ]
    if not fitting:
        return "End other programs, or let a server answer: --endpoint."
    largest = max(fitting, key=lambda each: each.shape.parameters)
    return f"Choose a smaller one, such as --model {largest.shorts[0]}, or end other programs."
