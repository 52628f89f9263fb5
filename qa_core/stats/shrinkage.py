"""Empirical Bayes estimates: values shrunk towards the group's by their precision."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ShrunkEstimates:
    """Estimates shrunk towards the group's `centre`. `between`: standard deviation
    between members without the share of chance; 0 when chance explains the differences.
    """

    centre: float
    between: float
    estimates: tuple[float | None, ...]


def shrink_rates(hits: Sequence[float], n: Sequence[float]) -> ShrunkEstimates:
    """Shrink rates by empirical Bayes (beta-binomial by moments, Kleinman 1973); None
    where n = 0.

    Order is kept between members of equal n; estimates lie between the raw and the
    group's rate.
    """
    rows = [(h, m) for h, m in zip(hits, n, strict=True) if m > 0]
    if not rows:
        return ShrunkEstimates(math.nan, 0.0, tuple(None for _ in n))
    total = sum(m for _, m in rows)
    centre = sum(h for h, _ in rows) / total
    return _shrink(
        [h / m if m > 0 else None for h, m in zip(hits, n, strict=True)],
        n,
        centre,
        centre * (1 - centre),
    )


def shrink_means(
    means: Sequence[float | None], deviations: Sequence[float | None], n: Sequence[float]
) -> ShrunkEstimates:
    """Shrink means (DerSimonian and Laird 1986); None where n = 0."""
    rows = [(mean, m) for mean, m in zip(means, n, strict=True) if m > 0 and mean is not None]
    if not rows:
        return ShrunkEstimates(math.nan, 0.0, tuple(None for _ in n))
    centre = sum(mean * m for mean, m in rows) / sum(m for _, m in rows)
    return _shrink(means, n, centre, pooled_variance(deviations, n))


def pooled_variance(deviations: Sequence[float | None], n: Sequence[float]) -> float:
    """Return the pooled variance within members; 0 when no member has two values."""
    parts = [
        ((m - 1) * d * d, m - 1)
        for d, m in zip(deviations, n, strict=True)
        if m > 1 and d is not None and not math.isnan(d)
    ]
    return sum(s for s, _ in parts) / sum(f for _, f in parts) if parts else 0.0


def _shrink(
    values: Sequence[float | None], n: Sequence[float], centre: float, within: float
) -> ShrunkEstimates:
    rows = [(value, m) for value, m in zip(values, n, strict=True) if m > 0 and value is not None]
    total = sum(m for _, m in rows)
    scale = total - sum(m * m for _, m in rows) / total
    spread = sum(m * (value - centre) ** 2 for value, m in rows) - (len(rows) - 1) * within
    between = max(0.0, spread / scale) if scale > 0 else 0.0
    weight = lambda m: between / (between + within / m) if between + within > 0 else 0.0  # noqa: E731
    estimates = tuple(
        None if m <= 0 or value is None else centre + weight(m) * (value - centre)
        for value, m in zip(values, n, strict=True)
    )
    return ShrunkEstimates(centre, math.sqrt(between), estimates)
