"""How many values it takes: until a difference would show, and which difference shows
already.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from qa_core.stats.intervals import Z95

POWER = 0.8
"""How often a difference that is there should be seen; 0.5 asks no more than that the
95 % interval be no wider than the difference each way.
"""


def more_needed(deviation: float, n: int, difference: float, power: float = POWER) -> int:
    """How many more values a member needs until a mean that is `difference` away from a
    known one shows as such.

    Two-sided at 5 %. `deviation`: of single values, √(p (1 − p)) for a rate;
    `difference` in their unit.
    """
    return max(0, math.ceil((_standards(power) * deviation / difference) ** 2) - n)


def detectable(deviation: float, n: int, power: float = POWER) -> float:
    """The smallest difference from a known mean that `n` values show, by the same
    reckoning.
    """
    return _standards(power) * deviation / math.sqrt(n)


def _standards(power: float) -> float:
    return Z95 + NormalDist().inv_cdf(power)
