"""Size of the long loops: `LONG_SEEDS` is the percentage of their seeds that are tried."""

from __future__ import annotations

import os

PERCENT = int(os.environ.get("LONG_SEEDS") or 40)
"""With 40, `make check-long` takes less than three hours on two cores."""


def count_seeds(whole: int) -> int:
    """Return how many of so many seeds are tried; never none."""
    return max(1, whole * PERCENT // 100)
