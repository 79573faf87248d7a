"""Run what would hold the event loop up beside it: disks, pictures, long texts."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


async def run_blocking(do: Callable[P, T], *values: P.args, **named: P.kwargs) -> T:
    """Return what `do` returns, computed in a thread that knows the caller's context."""
    return await asyncio.to_thread(do, *values, **named)
