"""A browser on a loaded machine can be late: in CI each test of the page has a second try, which the summary names."""

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder; whoever else's are among the items keeps one try."""
    if os.environ.get("CI") == "true":
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.flaky(reruns=1))
