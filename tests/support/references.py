"""What the official code computed, where it lies beside the repository; tests that need it are skipped elsewhere."""

from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"
"""Not part of the repository: some tests compare with it where it is there."""

needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference data is not here")
