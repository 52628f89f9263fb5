"""Size of the long loops: `LONG_SEEDS` is the percentage of their seeds that are tried."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import Any

import pytest

PERCENT = int(os.environ.get("LONG_SEEDS") or 40)
"""With 40, `make check-long` takes less than three hours on two cores."""


def count_seeds(whole: int) -> int:
    """Return how many of so many seeds are tried; never none."""
    return max(1, whole * PERCENT // 100)


def leave_to_long(values: Iterable[Any], but: Collection[Any]) -> list[Any]:
    """Return parameters of a test of which `make test` tries those in `but`, and
    `make check-long` the others. A tuple is the values of several arguments.
    """
    return [
        value
        if value in but
        else pytest.param(*value if isinstance(value, tuple) else (value,), marks=pytest.mark.long)
        for value in values
    ]
