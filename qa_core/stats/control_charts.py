"""Control charts of a series, intervals of a change and its split over segments, and funnel
plots of members.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from qa_core.stats import intervals
from qa_core.stats.intervals import CONFIDENCE, NORMAL, t_quantile

BASELINE_POINTS = 8
"""Minimum points of a baseline."""
RUN = 8
"""Points in a row on one side that are a signal (Western Electric, rule 4)."""
_RANGE_TO_SIGMA = (
    1.128  # d2 of two neighbours: the mean moving range of a normal series, in standard deviations
)


@dataclass(frozen=True)
class ControlLimits:
    """Centre and control limits of a series, point by point: `low` and `high` at three
    `sigma`.

    `spread`: dispersion between neighbouring points relative to chance (1: chance
    alone).
    """

    centre: float
    sigma: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    spread: float = 1.0


@dataclass(frozen=True)
class SteppedLimits:
    """Centre and limits point by point, computed anew at each of `breaks`."""

    centre: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    breaks: tuple[int, ...] = ()


def rate_limits(
    values: Sequence[float | None], n: Sequence[float | None], baseline: Sequence[bool]
) -> ControlLimits | None:
    """Compute limits of a rate by Laney's p′ chart (Laney 2002): p-chart limits widened
    by the over-dispersion of the series.

    `baseline` marks the points to compute them from; those outside the limits are
    dropped and the limits computed again. None with fewer than eight points, or without
    variation.
    """
    points = [
        (value, size)
        for value, size, keep in zip(values, n, baseline, strict=True)
        if keep and _is_known(value) and size
    ]
    if len(points) < BASELINE_POINTS:
        return None
    total = sum(size for _, size in points)
    centre = sum(value * size for value, size in points) / total
    chance = centre * (1 - centre)
    if chance <= 0:
        return None
    scores = [(value - centre) / math.sqrt(chance / size) for value, size in points]
    # Laney allows a factor below 1, which would make the limits narrower than
    # chance.
    spread = max(1.0, _mean_range(scores) / _RANGE_TO_SIGMA)
    sigma = tuple(spread * math.sqrt(chance / size) if size else None for size in n)
    control = _build_limits(centre, sigma, spread, 0.0, 1.0)
    usual = _drop_outliers(values, baseline, control)
    return control if usual == tuple(baseline) else rate_limits(values, n, usual) or control


def mean_limits(values: Sequence[float | None], baseline: Sequence[bool]) -> ControlLimits | None:
    """Compute limits of single values by the XmR chart (Shewhart; Wheeler), from the
    mean moving range.

    `baseline` as in `rate_limits`. None with fewer than eight points, or without
    variation.
    """
    points = [
        value for value, keep in zip(values, baseline, strict=True) if keep and _is_known(value)
    ]
    if len(points) < BASELINE_POINTS:
        return None
    sigma = _mean_range(points) / _RANGE_TO_SIGMA
    if sigma <= 0:
        return None
    control = _build_limits(
        sum(points) / len(points), tuple(sigma for _ in values), 1.0, -math.inf, math.inf
    )
    usual = _drop_outliers(values, baseline, control)
    return control if usual == tuple(baseline) else mean_limits(values, usual) or control


def _build_limits(
    centre: float, sigma: tuple[float | None, ...], spread: float, least: float, most: float
) -> ControlLimits:
    low = tuple(
        None if deviation is None else max(least, centre - 3 * deviation) for deviation in sigma
    )
    high = tuple(
        None if deviation is None else min(most, centre + 3 * deviation) for deviation in sigma
    )
    return ControlLimits(centre, sigma, low, high, spread)


def _drop_outliers(
    values: Sequence[float | None], baseline: Sequence[bool], control: ControlLimits
) -> tuple[bool, ...]:
    return tuple(
        keep and not (_is_known(value) and low is not None and not low <= value <= high)
        for keep, value, low, high in zip(baseline, values, control.low, control.high, strict=True)
    )


def _mean_range(values: Sequence[float]) -> float:
    return sum(abs(second - first) for first, second in pairwise(values)) / (len(values) - 1)


@dataclass(frozen=True)
class Signals:
    """Positions of signals, each with its side of the centre (1 or −1), and the end of
    the series.

    `below`, `above`: how many of the last points in a row are beyond that limit. `run`:
    how many are on one side of the centre, negative below it. `last`: side of the signal
    at the last point; 0 if it is none.
    """

    positions: tuple[tuple[int, int], ...]
    below: int
    above: int
    run: int
    last: int = 0


def find_signals(values: Sequence[float | None], control: ControlLimits) -> Signals:
    """Find signals by the Western Electric rules: one point beyond three standard
    deviations, two of three beyond two on one side, and eight in a row on one side at
    the end of the series.
    """
    distances = [
        (value - control.centre) / sigma if _is_known(value) and sigma else None
        for value, sigma in zip(values, control.sigma, strict=True)
    ]
    # A rate's limits stop at 0 and 1; a point on such a limit is not beyond it.
    beyond = [
        _is_known(value) and low is not None and (value < low or value > high)
        for value, low, high in zip(values, control.low, control.high, strict=True)
    ]
    positions = {position for position, flag in enumerate(beyond) if flag}
    for position in range(len(distances)):
        last = distances[max(0, position - 2) : position + 1]
        for sign in (1, -1):
            if (
                distances[position] is not None
                and sign * distances[position] > 2
                and sum(distance is not None and sign * distance > 2 for distance in last) >= 2
            ):
                positions.add(position)
    length, side = 0, 0
    for distance in distances:
        if distance is None:
            continue
        here = (distance > 0) - (distance < 0)
        length = length + 1 if here == side and here else 1
        side = here
    places = [position for position, distance in enumerate(distances) if distance is not None]
    below = _count_last(places, lambda position: beyond[position] and distances[position] < 0)
    above = _count_last(places, lambda position: beyond[position] and distances[position] > 0)
    if length >= RUN:
        # Mark the last run only: earlier ones are over.
        positions |= set(places[-length:])
    by_position = {position: 1 if distances[position] > 0 else -1 for position in sorted(positions)}
    last = by_position.get(places[-1], 0) if places else 0
    return Signals(tuple(by_position.items()), below, above, side * length, last)


def _count_last(positions: Sequence[int], holds: Callable[[int], bool]) -> int:
    count = 0
    for position in reversed(positions):
        if not holds(position):
            break
        count += 1
    return count


def interval_of_change(row: Any, spread: float = 1.0) -> tuple[float, float] | None:
    """Return `intervals.change_interval` of a row of `query.measure` with a comparison;
    None where a value or an end of its interval is missing.
    """
    now, before = (
        [getattr(row, name + suffix, None) for name in ("value", "low", "high")]
        for suffix in ("", "_before")
    )
    if not all(map(_is_known, (*now, *before))):
        return None
    return intervals.change_interval(now, before, spread)


@dataclass(frozen=True)
class SegmentEffect:
    """Contribution of a segment to a change: by its rate and by its share."""

    segment: Hashable
    rate: float
    mix: float


def explain_change(
    before: Mapping[Hashable, tuple[float, float]], now: Mapping[Hashable, tuple[float, float]]
) -> list[SegmentEffect]:
    """Split the change of Σ numerator / Σ denominator exactly over segments, each given
    as segment → (numerator, denominator).

    Rate effect = mean share × Δ rate; mix effect = mean rate × Δ share; a segment
    absent from one period is all mix. All effects add up to the change. Read the mix
    effects as a sum only: a share that grows makes another shrink.
    """
    total_before, total_now = (
        sum(denominator for _, denominator in side.values()) for side in (before, now)
    )
    if not total_before or not total_now:
        return []
    effects = []
    for segment in dict.fromkeys([*before, *now]):
        earlier, later = before.get(segment, (0, 0)), now.get(segment, (0, 0))
        share_before, share_now = earlier[1] / total_before, later[1] / total_now
        rate_before = earlier[0] / earlier[1] if earlier[1] else None
        rate_now = later[0] / later[1] if later[1] else None
        if rate_before is None and rate_now is None:
            continue
        if rate_before is None or rate_now is None:
            only = rate_now if rate_before is None else rate_before
            effects.append(SegmentEffect(segment, 0.0, only * (share_now - share_before)))
            continue
        effects.append(
            SegmentEffect(
                segment,
                (share_before + share_now) / 2 * (rate_now - rate_before),
                (rate_before + rate_now) / 2 * (share_now - share_before),
            )
        )
    return effects


def _is_known(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


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
