"""How much memory DuckDB may take: little for a usual centre, more where there are more
rows, never over half of the machine.
"""

from __future__ import annotations

import os

MILLION = 1_000_000
PER_MILLION_ROWS = 150
"""Megabytes. Sorting and joining ten million contacts within 300 MB failed; with this
they pass.
"""


def limit_for(rows: int, least: int) -> str:
    """The limit for work on that many rows, as DuckDB reads it: `least` megabytes for
    up to two million rows.

    It grows by doublings of the rows, so that a lake that grows changes it rarely.
    """
    doubled = 2 * MILLION
    while doubled < rows:
        doubled *= 2
    wanted = least + PER_MILLION_ROWS * (doubled // MILLION - 2)
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2 // MILLION
    return f"{max(least, min(wanted, half))}MB"
