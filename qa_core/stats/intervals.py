"""95 % intervals of rates, means, differences and net promoter scores; percentiles."""

import bisect
import functools
import itertools
import math
from collections.abc import Mapping, Sequence

Z95 = 1.959963984540054
CONFIDENCE = 0.95
MANY = 1000
"""Degrees of freedom from which the expansion of Student's t is exact to 15 digits."""
NORMAL = 1_000_000
"""Degrees of freedom beyond which Student's t is the normal distribution."""


def wilson(hits: float, n: float) -> tuple[float, float] | None:
    """Return the 95 % interval of a rate within 0–1 (Wilson 1927); None for n = 0."""
    if n <= 0:
        return None
    rate, square = hits / n, Z95 * Z95
    centre = (rate + square / (2 * n)) / (1 + square / n)
    half = (
        Z95 / (1 + square / n) * math.sqrt(max(0.0, rate * (1 - rate) / n + square / (4 * n * n)))
    )
    low = 0.0 if hits <= 0 else max(0.0, centre - half)
    return low, 1.0 if hits >= n else min(1.0, centre + half)


def difference_interval(
    hits: float, n: float, other_hits: float, other_n: float
) -> tuple[float, float] | None:
    """Return the 95 % interval of a difference of two independent rates, from their
    Wilson intervals (Newcombe 1998); None where either has no rows.
    """
    one, other = wilson(hits, n), wilson(other_hits, other_n)
    if one is None or other is None:
        return None
    return change_interval((hits / n, *one), (other_hits / other_n, *other))


def change_interval(
    now: Sequence[float], before: Sequence[float], spread: float = 1.0
) -> tuple[float, float]:
    """Return the 95 % interval of a difference of two independent values, each (value,
    low, high), by MOVER (Newcombe 1998; Zou and Donner 2008).

    `spread` widens it for an over-dispersed series.
    """
    (value, low, high), (earlier, earlier_low, earlier_high) = now, before
    difference = value - earlier
    return (
        difference - spread * math.hypot(value - low, earlier_high - earlier),
        difference + spread * math.hypot(high - value, earlier - earlier_low),
    )


def mean_interval(mean: float, deviation: float | None, n: int) -> tuple[float, float] | None:
    """Return the 95 % interval of a mean by Student's t; None below two values.

    `deviation`: of the sample (n − 1).
    """
    if n < 2 or deviation is None or math.isnan(deviation):
        return None
    half = t_quantile(n - 1) * deviation / math.sqrt(n)
    return mean - half, mean + half


def chance_range(centre: float, deviation: float, n: float = 1) -> tuple[float, float]:
    """Return where 95 % of the means of n values lie by chance alone. `deviation`: of one value."""
    half = Z95 * deviation / math.sqrt(n)
    return centre - half, centre + half


def p_value_of(change: float, low: float, high: float) -> float:
    """Return a difference's p-value from the half of its 95 % interval towards zero."""
    half = change - low if change > 0 else high - change
    if not change or half <= 0:
        return 0.0 if change else 1.0
    return math.erfc(Z95 * abs(change) / half / math.sqrt(2))


def percentiles(counts: Mapping[float, int], shares: Sequence[float]) -> tuple[float | None, ...]:
    """Return the percentiles of a sample given as counts by value, one for each share
    (0–1), interpolated between neighbours; None without values.
    """
    values = sorted(counts)
    ends = list(itertools.accumulate(counts[value] for value in values))
    if not ends:
        return (None,) * len(shares)

    def value_at(place: int) -> float:
        return values[bisect.bisect_right(ends, place)]

    found = []
    for share in shares:
        place = share * (ends[-1] - 1)
        low, high = value_at(math.floor(place)), value_at(math.ceil(place))
        found.append(low + (high - low) * (place - math.floor(place)))
    return tuple(found)


def nps_interval(promoters: int, passives: int, detractors: int) -> tuple[float, float] | None:
    """Return the 95 % interval of a net promoter score in points, clipped to −100…100;
    None without answers.

    Adjusted Wald: ¾ promoter, ¾ detractor and 1½ passives are added, so that five
    promoters of five keep a width.
    """
    if promoters + passives + detractors <= 0:
        return None
    up, down, n = promoters + 0.75, detractors + 0.75, promoters + passives + detractors + 3.0
    score = (up - down) / n
    half = Z95 * math.sqrt(max(0.0, (up + down) / n - score * score) / n)
    return max(-100.0, 100 * (score - half)), min(100.0, 100 * (score + half))


@functools.lru_cache(maxsize=4096)
def t_quantile(freedom: int, confidence: float = CONFIDENCE) -> float:
    """Return the two-sided quantile of Student's t: 97.5 % point for 95 %."""
    if confidence == CONFIDENCE and freedom >= MANY:
        # Abramowitz and Stegun 26.7.5. SciPy says the same, and takes 0.1 s to load.
        x = Z95
        terms = (
            x,
            (x**3 + x) / 4,
            (5 * x**5 + 16 * x**3 + 3 * x) / 96,
            (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
            (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
        )
        return sum(term / freedom**power for power, term in enumerate(terms))
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + confidence / 2))
