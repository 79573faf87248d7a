"""Train one model in several processes.

Each computes a batch of its own, then all learn from the mean of their gradients, so that they stay alike.

For CPUs: threads that share the miniature's small operations wait for one another at each of them, processes once a
step. The two were not compared on compiled layers.
"""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.multiprocessing import spawn  # type: ignore[attr-defined]

PATIENCE_S = 10.0
"""What a process that lost another waits to be ended by that one's failure, which says more than its own."""


def run_together(processes: int, folder: Path, work: Callable[..., Any], *arguments: Any) -> None:
    """Call `work(*arguments)` in several processes, each with its share of the cores, and wait for all.

    The first failure ends the others. `folder` is where they meet.
    """
    place = folder.resolve() / "together"
    place.unlink(missing_ok=True)
    spawn(_part, (processes, str(place), work, arguments), processes)  # type: ignore[no-untyped-call]
    place.unlink(missing_ok=True)


def rank() -> int:
    """Return this process's number, from 0; a process alone has 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def size() -> int:
    """Return how many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def share_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace every process's gradients by the mean of all; a missing one counts as zero."""
    if size() == 1:
        return
    chosen = [parameter for parameter in parameters if parameter.requires_grad]
    parts = [torch.zeros_like(one) if one.grad is None else one.grad for one in chosen]
    flat = torch.cat([part.flatten() for part in parts])
    try:
        distributed.all_reduce(flat)
    except RuntimeError:
        time.sleep(PATIENCE_S)
        raise
    flat /= size()
    means = torch.split(flat, [one.numel() for one in chosen])
    for parameter, mean in zip(chosen, means, strict=True):
        parameter.grad = mean.view_as(parameter)


def _part(
    number: int, processes: int, place: str, work: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // processes))
    distributed.init_process_group("gloo", init_method=f"file://{place}", rank=number, world_size=processes)
    try:
        work(*arguments)
    finally:
        distributed.destroy_process_group()
