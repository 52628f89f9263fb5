"""Indirect standardisation: the value of others with a member's contacts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from qa_core.stats.intervals import NORMAL, t_quantile
from qa_core.stats.shrinkage import pooled_variance

ContactKind = tuple[object, ...]
"""Kind of contact, from coarse to fine: (channel, queue, reason)."""
MIN_CELL_VALUES = 10
"""Minimum values of the others in a kind; below it the coarser kind is used."""
MIN_MEMBER_VALUES = 5
"""Minimum values of a member for a comparison."""


@dataclass(frozen=True)
class CellSums:
    """Count, sum and (of a mean) standard deviation of the values of one kind."""

    n: float
    total: float
    deviation: float | None = None


@dataclass(frozen=True)
class StandardisedValue:
    """Observed value of one member and expected value with the same contacts.

    `error`: standard error of the difference, with `freedom` degrees of freedom;
    `matched`: share of the `n` values whose expected value comes from the very same
    kind.
    """

    observed: float
    expected: float
    error: float
    n: float
    matched: float
    freedom: int = NORMAL

    @property
    def difference(self) -> float:
        return self.observed - self.expected

    @property
    def low(self) -> float:
        """Return the lower end of the 95 % interval of the difference."""
        return self.difference - t_quantile(self.freedom) * self.error

    @property
    def high(self) -> float:
        return self.difference + t_quantile(self.freedom) * self.error

    @property
    def p_value(self) -> float:
        """Return the two-sided p-value of the difference."""
        from scipy.special import stdtr

        if self.error > 0:
            return 2 * float(stdtr(self.freedom, -abs(self.difference) / self.error))
        return 1.0


def standardise(
    own: Mapping[ContactKind, CellSums], others: Mapping[ContactKind, CellSums], *, is_rate: bool
) -> StandardisedValue | None:
    """Weigh the others' values by the member's mix of contacts. Return None where the
    member has fewer than `MIN_MEMBER_VALUES` values or the others none.

    A kind with fewer than `MIN_CELL_VALUES` values of others uses the coarser kind:
    reason → queue → channel → all. The error covers both sides, with the member's own
    variance if larger.
    """
    own = {kind: sums for kind, sums in own.items() if sums.n > 0}
    n, around = sum(sums.n for sums in own.values()), _sum_by_level(others)
    if n < MIN_MEMBER_VALUES or () not in around:
        return None
    observed_value = sum(sums.total for sums in own.values()) / n
    sides = [sums for side in (own, others) for sums in side.values()]
    within = pooled_variance([sums.deviation for sums in sides], [sums.n for sums in sides])
    own_variance = _variance(own, observed_value)
    expected_total = variance = matched_values = 0.0
    shares: dict[ContactKind, float] = {}
    for kind, sums in own.items():
        compared_kind = next(
            level
            for level in (kind[:length] for length in range(len(kind), -1, -1))
            if level == () or around.get(level, _NONE).n >= MIN_CELL_VALUES
        )
        shares[compared_kind] = shares.get(compared_kind, 0.0) + sums.n
        matched_values += sums.n if compared_kind == kind else 0.0
    for kind, share in shares.items():
        other = around[kind]
        expected_total += share * other.total / other.n
        # Add one success and one failure, so that ten of ten keep a variance.
        rate = (other.total + 1) / (other.n + 2)
        own_part, other_part = (
            (rate * (1 - rate),) * 2 if is_rate else (max(within, own_variance), within)
        )
        variance += own_part * share + other_part * share * share / other.n
    freedom = int(n) - 1 if not is_rate and own_variance > within else NORMAL
    return StandardisedValue(
        observed_value, expected_total / n, math.sqrt(variance) / n, n, matched_values / n, freedom
    )


_NONE = CellSums(0, 0.0)


def _sum_by_level(others: Mapping[ContactKind, CellSums]) -> dict[ContactKind, CellSums]:
    """Sum the values of every kind and of every coarser kind around it."""
    sums_by_kind: dict[ContactKind, CellSums] = {}
    for kind, sums in others.items():
        if sums.n > 0:
            for length in range(len(kind) + 1):
                before = sums_by_kind.get(kind[:length], _NONE)
                sums_by_kind[kind[:length]] = CellSums(before.n + sums.n, before.total + sums.total)
    return sums_by_kind


def _variance(own: Mapping[ContactKind, CellSums], mean: float) -> float:
    """Return the variance of a member's single values over all kinds."""
    inside = sum(
        (sums.n - 1) * sums.deviation**2
        for sums in own.values()
        if sums.n > 1 and sums.deviation is not None
    )
    between = sum(sums.n * (sums.total / sums.n - mean) ** 2 for sums in own.values())
    return (inside + between) / (sum(sums.n for sums in own.values()) - 1)
