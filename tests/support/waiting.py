"""Waiting for a named condition."""

import time
from collections.abc import Callable
from typing import Any


def until(condition: Callable[[], Any], what: str) -> Any:
    """Waits for a named condition; what never comes fails the test."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError(f"never: {what}")
