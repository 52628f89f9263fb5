"""Comparison of members: of the group first, of single ones only if it is significant; and
the number of values that a comparison needs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from qa_core.stats.intervals import CONFIDENCE, Z95
from qa_core.stats.shrinkage import pooled_variance

PERMUTATIONS = 2000
POWER = 0.8
"""Probability of detecting a difference; 0.5: as large as the interval's half-width."""


def rates_p_value(
    hits: Sequence[int], n: Sequence[int], resamples: int = PERMUTATIONS, seed: int = 7
) -> float | None:
    """Return the p-value of "all members have the same rate": permutation test of the
    χ² statistic with all margins fixed.

    p = (1 + as extreme) / (1 + resamples). None with fewer than two members, or when
    all outcomes are equal.
    """
    import numpy as np

    pairs = [(int(h), int(m)) for h, m in zip(hits, n, strict=True) if m > 0]
    total, wins = sum(m for _, m in pairs), sum(h for h, _ in pairs)
    if len(pairs) < 2 or wins in (0, total):
        return None
    sizes = np.array([m for _, m in pairs])
    statistic = lambda counts: ((counts - wins * sizes / total) ** 2 / sizes).sum(axis=-1)  # noqa: E731
    samples = np.random.default_rng(seed).multivariate_hypergeometric(
        sizes, wins, size=resamples, method="marginals"
    )
    value = statistic(np.array([h for h, _ in pairs]))
    return float((1 + (statistic(samples) >= value * (1 - 1e-12)).sum()) / (1 + resamples))


def means_p_value(
    means: Sequence[float | None], deviations: Sequence[float | None], n: Sequence[float]
) -> float | None:
    """Return the p-value of "all members have the same mean", from sums (Welch's F
    test, unequal variances).

    None unless two members have two values or more and a variance.
    """
    rows = [
        (mean, d * d / m, m)
        for mean, d, m in zip(means, deviations, n, strict=True)
        if mean is not None and d and not math.isnan(d) and m > 1
    ]
    if len(rows) < 2:
        return None
    from scipy.special import fdtrc

    k, weights = len(rows), [1 / square for _, square, _ in rows]
    total = sum(weights)
    centre = sum(w * mean for w, (mean, _, _) in zip(weights, rows, strict=True)) / total
    between = sum(
        w * (mean - centre) ** 2 for w, (mean, _, _) in zip(weights, rows, strict=True)
    ) / (k - 1)
    loss = sum((1 - w / total) ** 2 / (m - 1) for w, (_, _, m) in zip(weights, rows, strict=True))
    return float(
        fdtrc(k - 1, (k * k - 1) / (3 * loss), between / (1 + 2 * (k - 2) * loss / (k * k - 1)))
    )


def holm(p_values: Sequence[float], level: float = 1 - CONFIDENCE) -> tuple[bool, ...]:
    """Flag significant tests, family-wise error at most `level` (Holm 1979)."""
    sure = [False] * len(p_values)
    for position, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[index] * (len(p_values) - position) >= level:
            break
        sure[index] = True
    return tuple(sure)


@dataclass(frozen=True)
class Member:
    """Difference of a member from the rest; `error` None: fewer than two values."""

    key: str
    value: float
    error: float | None


@dataclass(frozen=True)
class Comparison:
    """Members of a group that differ significantly from the rest, after correction for
    all tests.

    `p_value`: of the group test. `indistinct`: members that do not differ significantly.
    """

    p_value: float | None
    above: tuple[str, ...]
    below: tuple[str, ...]
    indistinct: tuple[str, ...]


def compare_rates(keys: Sequence[str], hits: Sequence[int], n: Sequence[int]) -> Comparison:
    """Compare the rates of members; flag none unless the group test is significant."""
    members, total, wins = [], sum(n), sum(hits)
    for key, h, m in zip(keys, hits, n, strict=True):
        rest = total - m
        # Standard error under the null hypothesis, so that 0 of 3 has one too.
        rate = wins / total if total else 0.0
        error = math.sqrt(rate * (1 - rate) * (1 / m + 1 / rest)) if m > 0 and rest > 0 else None
        members.append(Member(key, h / m - (wins - h) / rest if m > 0 and rest > 0 else 0.0, error))
    return _compare(members, rates_p_value(hits, n))


def compare_means(
    keys: Sequence[str],
    means: Sequence[float | None],
    deviations: Sequence[float | None],
    n: Sequence[int],
) -> Comparison:
    """Compare the means of members; flag none unless the group test is significant."""
    members = []
    for position, key in enumerate(keys):
        mean, deviation, m = means[position], deviations[position], n[position]
        rest = [
            (means[i], n[i])
            for i in range(len(keys))
            if i != position and n[i] > 0 and means[i] is not None
        ]
        size = sum(count for _, count in rest)
        if mean is None or deviation is None or math.isnan(deviation) or m < 2 or not size:
            members.append(Member(key, 0.0, None))
            continue
        within = pooled_variance(deviations, n)
        members.append(
            Member(
                key,
                mean - sum(value * count for value, count in rest) / size,
                math.sqrt(max(deviation * deviation, within) / m + within / size),
            )
        )
    return _compare(members, means_p_value(means, deviations, n))


def _compare(members: Sequence[Member], p_value: float | None) -> Comparison:
    above, below = [], []
    if p_value is not None and p_value < 1 - CONFIDENCE:
        group = [member for member in members if member.error]
        sure = holm(
            [math.erfc(abs(member.value) / member.error / math.sqrt(2)) for member in group]
        )
        for member in (member for member, flag in zip(group, sure, strict=True) if flag):
            (above if member.value > 0 else below).append(member.key)
    apart = {*above, *below}
    return Comparison(
        p_value,
        tuple(above),
        tuple(below),
        tuple(member.key for member in members if member.key not in apart),
    )


def fisher_exact(hits: int, n: int, other_hits: int, other_n: int) -> float:
    """Return the one-sided p-value of `hits` or more of `n`, against `other_hits` of
    `other_n`, by Fisher's exact test. Importing it from `scipy.stats` costs 60 MB.
    """
    import numpy as np
    from scipy.special import gammaln, logsumexp

    def log_choose(of: int, some: Any) -> Any:
        return gammaln(of + 1) - gammaln(some + 1) - gammaln(of - some + 1)

    all_hits = hits + other_hits
    possible = np.arange(max(hits, all_hits - other_n), min(n, all_hits) + 1)
    ways = (
        log_choose(n, possible)
        + log_choose(other_n, all_hits - possible)
        - log_choose(n + other_n, all_hits)
    )
    return float(min(1.0, np.exp(logsumexp(ways))))


def benjamini_hochberg(chances: Sequence[float]) -> list[float]:
    """Adjust p-values by false discovery rate (Benjamini and Hochberg 1995)."""
    import numpy as np

    array = np.asarray(chances, dtype=float)
    order = np.argsort(array)[::-1]
    ranks = np.arange(len(array), 0, -1)
    results = np.empty_like(array)
    results[order] = np.minimum(1.0, np.minimum.accumulate(array[order] * len(array) / ranks))
    return results.tolist()


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
