"""The funnel: how far members may lie from their group's value by chance, the fewer
values the farther.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qa_core.stats.intervals import CONFIDENCE, NORMAL, t_quantile

OUTER = 0.998
"""Beyond the outer limits chance alone puts one value in five hundred."""
TRIMMED = 0.1


@dataclass(frozen=True)
class Funnel:
    """Limits around a group's value. `within`: the variance of single values, known
    from so many degrees of `freedom`; `spread`: how many times more than by chance its
    members lie apart as a rule (1: chance explains it), by which the limits are
    widened.
    """

    centre: float
    within: float
    spread: float
    freedom: int = NORMAL

    def half_width(self, n: float, confidence: float = CONFIDENCE) -> float:
        """How far from the centre the limit lies for so many values."""
        return t_quantile(self.freedom, confidence) * self.spread * math.sqrt(self.within / n)


def build_funnel(
    values: Sequence[float], n: Sequence[float], within: float, freedom: int = NORMAL
) -> Funnel:
    """The funnel of members around their common value, over-dispersed as Spiegelhalter
    (2005) does it: the mean square of the distances, in standard errors, the outermost
    tenth at each end brought in first, so that one odd member does not widen the limits
    for all.
    """
    centre = sum(value * size for value, size in zip(values, n, strict=True)) / sum(n)
    if within <= 0:
        return Funnel(centre, 0.0, 1.0, freedom)
    distances = sorted(
        (value - centre) / math.sqrt(within / size) for value, size in zip(values, n, strict=True)
    )
    cut = int(TRIMMED * len(distances))
    low, high = distances[cut], distances[-1 - cut]
    squares = [min(max(distance, low), high) ** 2 for distance in distances]
    return Funnel(centre, within, math.sqrt(max(1.0, sum(squares) / len(squares))), freedom)
