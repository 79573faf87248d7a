"""A store in a new folder, with a clock that the test turns."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from internvl_demo.store import Store
from tests.support.stores import Clock, open_at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    opened = open_at(tmp_path, clock)
    yield opened
    opened.close()
