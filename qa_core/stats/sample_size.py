"""Sample sizes and detectable differences."""

import math
from statistics import NormalDist

from qa_core.stats.intervals import Z95

POWER = 0.8
"""Probability of detecting a difference; 0.5: as large as the interval's half-width."""


def extra_values_needed(deviation: float, n: int, difference: float, power: float = POWER) -> int:
    """Return how many more values detect a mean `difference` away from a known one
    (two-sided, 5 %).

    `deviation`: of single values, √(p (1 − p)) for a rate; `difference` in the same
    unit.
    """
    return max(0, math.ceil((_standards(power) * deviation / difference) ** 2) - n)


def detectable_difference(deviation: float, n: int, power: float = POWER) -> float:
    """Return the smallest difference from a known mean that `n` values detect."""
    return _standards(power) * deviation / math.sqrt(n)


def _standards(power: float) -> float:
    return Z95 + NormalDist().inv_cdf(power)
