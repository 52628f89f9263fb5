"""Funnel plot: limits of chance around a group's value, by number of values."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qa_core.stats.intervals import CONFIDENCE, NORMAL, t_quantile

OUTER_CONFIDENCE = 0.998
"""Confidence of the outer limits: one value in five hundred beyond them by chance."""
TRIMMED_SHARE = 0.1


@dataclass(frozen=True)
class Funnel:
    """Limits around a group's value. `within`: variance of single values, estimated
    with `freedom` degrees of freedom; `spread`: over-dispersion of the members (1:
    chance alone), a factor on the limits.
    """

    centre: float
    within: float
    spread: float
    freedom: int = NORMAL

    def half_width(self, n: float, confidence: float = CONFIDENCE) -> float:
        """Return the distance from the centre to the limit, for `n` values."""
        return t_quantile(self.freedom, confidence) * self.spread * math.sqrt(self.within / n)


def build_funnel(
    values: Sequence[float], n: Sequence[float], within: float, freedom: int = NORMAL
) -> Funnel:
    """Build the funnel of members around their pooled value, with Spiegelhalter's
    over-dispersion (2005): the mean square of the z-scores, winsorised at a tenth on
    each end, so that one outlier does not widen the limits for all.
    """
    centre = sum(value * size for value, size in zip(values, n, strict=True)) / sum(n)
    if within <= 0:
        return Funnel(centre, 0.0, 1.0, freedom)
    distances = sorted(
        (value - centre) / math.sqrt(within / size) for value, size in zip(values, n, strict=True)
    )
    trimmed_count = int(TRIMMED_SHARE * len(distances))
    low, high = distances[trimmed_count], distances[-1 - trimmed_count]
    squares = [min(max(distance, low), high) ** 2 for distance in distances]
    return Funnel(centre, within, math.sqrt(max(1.0, sum(squares) / len(squares))), freedom)
