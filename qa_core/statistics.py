"""How sure a number is: intervals, estimates shrunk to the group, and which advisors cannot be told apart. Pure arithmetic, no room of the product."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

Z95 = 1.959963984540054
PERMUTATIONS = 2000
CONFIDENCE = 0.95


def wilson(hits: float, n: float) -> tuple[float, float] | None:
    """The 95 % interval of a rate (Wilson 1927); None for n = 0. Both ends lie in 0–1, and it has a width at 0 and at n of n."""
    if n <= 0:
        return None
    rate, square = hits / n, Z95 * Z95
    centre = (rate + square / (2 * n)) / (1 + square / n)
    half = Z95 / (1 + square / n) * math.sqrt(max(0.0, rate * (1 - rate) / n + square / (4 * n * n)))
    low = 0.0 if hits <= 0 else max(0.0, centre - half)
    return low, 1.0 if hits >= n else min(1.0, centre + half)


def mean_interval(mean: float, deviation: float | None, n: int) -> tuple[float, float] | None:
    """The 95 % interval of a mean by Student's t; `deviation` is that of the sample (n − 1). None below two values."""
    if n < 2 or deviation is None or math.isnan(deviation):
        return None
    half = t_quantile(n - 1) * deviation / math.sqrt(n)
    return mean - half, mean + half


def nps_interval(promoters: int, passives: int, detractors: int) -> tuple[float, float] | None:
    """The 95 % interval of a net promoter score in points, by the adjusted Wald method: ¾ promoter, ¾ detractor and 1½ passives
    are added, so that five of five promoters keep a width. Clipped to −100…100; None without answers."""
    if promoters + passives + detractors <= 0:
        return None
    up, down, n = promoters + 0.75, detractors + 0.75, promoters + passives + detractors + 3.0
    score = (up - down) / n
    half = Z95 * math.sqrt(max(0.0, (up + down) / n - score * score) / n)
    return max(-100.0, 100 * (score - half)), min(100.0, 100 * (score + half))


@functools.lru_cache(maxsize=4096)
def t_quantile(freedom: int) -> float:
    """The 97.5 % point of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + CONFIDENCE / 2))


@dataclass(frozen=True)
class Shrunk:
    """Estimates drawn towards the group's own, by how much each knows. `between`: the standard deviation between members
    that is more than chance; 0 when they differ no more than chance would make them."""

    centre: float
    between: float
    estimates: tuple[float | None, ...]


def shrink_rates(hits: Sequence[float], n: Sequence[float]) -> Shrunk:
    """Empirical Bayes estimates of rates (beta-binomial by moments, Kleinman 1973); None where n = 0.

    Order is kept between members of equal n, and no estimate leaves the range between the raw rate and the group's.
    """
    used = [(h, m) for h, m in zip(hits, n, strict=True) if m > 0]
    if not used:
        return Shrunk(math.nan, 0.0, tuple(None for _ in n))
    total = sum(m for _, m in used)
    centre = sum(h for h, _ in used) / total
    return _shrink([h / m if m > 0 else None for h, m in zip(hits, n, strict=True)], n, centre, centre * (1 - centre))


def shrink_means(means: Sequence[float | None], deviations: Sequence[float | None], n: Sequence[float]) -> Shrunk:
    """Empirical Bayes estimates of means (DerSimonian and Laird 1986, with the pooled variance within members); None where n = 0."""
    used = [(mean, m) for mean, m in zip(means, n, strict=True) if m > 0 and mean is not None]
    if not used:
        return Shrunk(math.nan, 0.0, tuple(None for _ in n))
    centre = sum(mean * m for mean, m in used) / sum(m for _, m in used)
    return _shrink(means, n, centre, pooled_variance(deviations, n))


def pooled_variance(deviations: Sequence[float | None], n: Sequence[float]) -> float:
    """The variance within members, all together; 0 when no member has two values."""
    parts = [((m - 1) * d * d, m - 1) for d, m in zip(deviations, n, strict=True) if m > 1 and d is not None and not math.isnan(d)]
    return sum(s for s, _ in parts) / sum(f for _, f in parts) if parts else 0.0


def _shrink(values: Sequence[float | None], n: Sequence[float], centre: float, within: float) -> Shrunk:
    used = [(value, m) for value, m in zip(values, n, strict=True) if m > 0 and value is not None]
    total = sum(m for _, m in used)
    scale = total - sum(m * m for _, m in used) / total
    spread = sum(m * (value - centre) ** 2 for value, m in used) - (len(used) - 1) * within
    between = max(0.0, spread / scale) if scale > 0 else 0.0
    weight = lambda m: between / (between + within / m) if between + within > 0 else 0.0  # noqa: E731
    estimates = tuple(None if m <= 0 or value is None else centre + weight(m) * (value - centre) for value, m in zip(values, n, strict=True))
    return Shrunk(centre, math.sqrt(between), estimates)


def rates_differ_by_chance(hits: Sequence[int], n: Sequence[int], resamples: int = PERMUTATIONS, seed: int = 7) -> float | None:
    """The p-value of "all members have one rate", by permutation of the outcomes over members (the χ² statistic, given all margins).

    None with fewer than two members, or when nobody or everybody hit. p = (1 + as extreme) / (1 + resamples).
    """
    import numpy as np

    pairs = [(int(h), int(m)) for h, m in zip(hits, n, strict=True) if m > 0]
    total, wins = sum(m for _, m in pairs), sum(h for h, _ in pairs)
    if len(pairs) < 2 or wins in (0, total):
        return None
    sizes = np.array([m for _, m in pairs])
    statistic = lambda counts: ((counts - wins * sizes / total) ** 2 / sizes).sum(axis=-1)  # noqa: E731
    drawn = np.random.default_rng(seed).multivariate_hypergeometric(sizes, wins, size=resamples, method="marginals")
    observed = statistic(np.array([h for h, _ in pairs]))
    return float((1 + (statistic(drawn) >= observed * (1 - 1e-12)).sum()) / (1 + resamples))


def means_differ_by_chance(means: Sequence[float | None], deviations: Sequence[float | None], n: Sequence[float]) -> float | None:
    """The p-value of "all members have one mean", from their sums alone (Welch's F test, which lets variances differ).

    None with fewer than two members of two values and some variance.
    """
    used = [(mean, d * d / m, m) for mean, d, m in zip(means, deviations, n, strict=True) if mean is not None and d and not math.isnan(d) and m > 1]
    if len(used) < 2:
        return None
    from scipy.special import fdtrc

    k, weights = len(used), [1 / square for _, square, _ in used]
    total = sum(weights)
    centre = sum(w * mean for w, (mean, _, _) in zip(weights, used, strict=True)) / total
    between = sum(w * (mean - centre) ** 2 for w, (mean, _, _) in zip(weights, used, strict=True)) / (k - 1)
    loss = sum((1 - w / total) ** 2 / (m - 1) for w, (_, _, m) in zip(weights, used, strict=True))
    return float(fdtrc(k - 1, (k * k - 1) / (3 * loss), between / (1 + 2 * (k - 2) * loss / (k * k - 1))))


def groups_differ_by_chance(groups: Sequence[Sequence[float]], resamples: int = PERMUTATIONS, seed: int = 7) -> float | None:
    """The p-value of "one distribution for all groups" by permutation of the single values; None without two groups or any variance."""
    groups = [list(group) for group in groups if group]
    values = [value for group in groups for value in group]
    if len(groups) < 2 or len(set(values)) < 2:
        return None
    centre, sizes = sum(values) / len(values), [len(group) for group in groups]

    def between(flat: list[float]) -> float:
        total, position = 0.0, 0
        for size in sizes:
            total += size * (sum(flat[position : position + size]) / size - centre) ** 2
            position += size
        return total

    observed, draw, extreme = between(values), random.Random(seed), 0
    for _ in range(resamples):
        draw.shuffle(values)
        extreme += between(values) >= observed * (1 - 1e-12)
    return (1 + extreme) / (1 + resamples)


@dataclass(frozen=True)
class Member:
    """One advisor's value with its standard error; None when it is not known (fewer than two values)."""

    key: str
    value: float
    error: float | None


@dataclass(frozen=True)
class Comparison:
    """What can honestly be said about a group side by side.

    `p_value`: how often chance alone would make them differ as much. `above` and `below`: members that differ from the rest of the
    group when all are tried at once; `alike`: all the others, who cannot be told apart from the rest.
    """

    p_value: float | None
    above: tuple[str, ...]
    below: tuple[str, ...]
    alike: tuple[str, ...]


def compare_rates(keys: Sequence[str], hits: Sequence[int], n: Sequence[int]) -> Comparison:
    """Compare rates of members side by side; nobody is set apart unless the group differs by more than chance."""
    members, total, wins = [], sum(n), sum(hits)
    for key, h, m in zip(keys, hits, n, strict=True):
        rest = total - m
        # Under "no different from the rest", so that 0 of 3 has an error too.
        pooled = wins / total if total else 0.0
        error = math.sqrt(pooled * (1 - pooled) * (1 / m + 1 / rest)) if m > 0 and rest > 0 else None
        members.append(Member(key, h / m - (wins - h) / rest if m > 0 and rest > 0 else 0.0, error))
    return _compare(members, rates_differ_by_chance(hits, n))


def compare_means(keys: Sequence[str], means: Sequence[float | None], deviations: Sequence[float | None], n: Sequence[int]) -> Comparison:
    """Compare means of members side by side; nobody is set apart unless the group differs by more than chance."""
    members = []
    for position, key in enumerate(keys):
        mean, deviation, m = means[position], deviations[position], n[position]
        rest = [(means[i], n[i]) for i in range(len(keys)) if i != position and n[i] > 0 and means[i] is not None]
        size = sum(count for _, count in rest)
        if mean is None or deviation is None or math.isnan(deviation) or m < 2 or not size:
            members.append(Member(key, 0.0, None))
            continue
        within = pooled_variance(deviations, n)
        members.append(
            Member(key, mean - sum(value * count for value, count in rest) / size, math.sqrt(max(deviation * deviation, within) / m + within / size))
        )
    return _compare(members, means_differ_by_chance(means, deviations, n))


def _compare(members: Sequence[Member], p_value: float | None) -> Comparison:
    above, below = [], []
    if p_value is not None and p_value < 1 - CONFIDENCE:
        # Holm (1979): the surest first, each against the number still untried; stop at the first that chance explains.
        tried = sorted((member for member in members if member.error), key=lambda member: -abs(member.value) / member.error)
        for position, member in enumerate(tried):
            if math.erfc(abs(member.value) / member.error / math.sqrt(2)) * (len(tried) - position) >= 1 - CONFIDENCE:
                break
            (above if member.value > 0 else below).append(member.key)
    apart = {*above, *below}
    return Comparison(p_value, tuple(above), tuple(below), tuple(member.key for member in members if member.key not in apart))


def more_needed(deviation: float, n: int, half_width: float) -> int:
    """How many more values it takes until the 95 % interval of a mean is no wider than ± `half_width`."""
    return max(0, math.ceil((Z95 * deviation / half_width) ** 2) - n)
