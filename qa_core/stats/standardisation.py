"""What the same contacts would have given in other hands: indirect standardisation,
kind of contact by kind of contact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from qa_core.stats.intervals import NORMAL, t_quantile
from qa_core.stats.shrinkage import pooled_variance

Kind = tuple[object, ...]
"""A kind of contact, from the coarse to the fine: (channel, queue, reason)."""
LEAST = 10
"""Others with fewer values of a kind say too little about it: the kind around it stands
in.
"""
FEWEST = 5
"""A member with fewer values is not compared at all."""


@dataclass(frozen=True)
class CellSums:
    """What the contacts of one kind gave: how many values, their sum, and (of a mean)
    their deviation.
    """

    n: float
    total: float
    deviation: float | None = None


@dataclass(frozen=True)
class Standard:
    """One member's value beside what the others would have had with the same contacts.
    `error`: the standard error of the difference, known from so many degrees of
    `freedom`; `n`: how many values; `matched`: the share of them that the others met in
    the very same kind.
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
        """The lower end of the 95 % interval of the difference."""
        return self.difference - t_quantile(self.freedom) * self.error

    @property
    def high(self) -> float:
        return self.difference + t_quantile(self.freedom) * self.error

    @property
    def p_value(self) -> float:
        """How often chance alone would make a difference as large."""
        from scipy.special import stdtr

        return (
            2 * float(stdtr(self.freedom, -abs(self.difference) / self.error))
            if self.error > 0
            else 1.0
        )


def standardise(
    own: Mapping[Kind, CellSums], others: Mapping[Kind, CellSums], *, is_rate: bool
) -> Standard | None:
    """Weigh the others' values by the member's own mix of contacts; None where the
    member has fewer than `FEWEST` values or the others none.

    A kind that the others met fewer than `LEAST` times borrows from the one around it:
    the reason from its queue, the queue from its channel. Both sides' chance is in the
    error; a member whose values vary more than the rest's is taken to vary so.
    """
    own = {kind: sums for kind, sums in own.items() if sums.n > 0}
    n, around = sum(sums.n for sums in own.values()), _gather(others)
    if n < FEWEST or () not in around:
        return None
    observed = sum(sums.total for sums in own.values()) / n
    sides = [sums for side in (own, others) for sums in side.values()]
    within = pooled_variance([sums.deviation for sums in sides], [sums.n for sums in sides])
    own_variance = _variance(own, observed)
    expected = variance = matched = 0.0
    shares: dict[Kind, float] = {}
    for kind, sums in own.items():
        used = next(
            level
            for level in (kind[:length] for length in range(len(kind), -1, -1))
            if level == () or around.get(level, _NONE).n >= LEAST
        )
        shares[used] = shares.get(used, 0.0) + sums.n
        matched += sums.n if used == kind else 0.0
    for kind, share in shares.items():
        other = around[kind]
        expected += share * other.total / other.n
        # Two values are added so that ten successes of ten still leave doubt.
        rate = (other.total + 1) / (other.n + 2)
        own_part, other_part = (
            (rate * (1 - rate),) * 2 if is_rate else (max(within, own_variance), within)
        )
        variance += own_part * share + other_part * share * share / other.n
    freedom = int(n) - 1 if not is_rate and own_variance > within else NORMAL
    return Standard(observed, expected / n, math.sqrt(variance) / n, n, matched / n, freedom)


_NONE = CellSums(0, 0.0)


def _gather(others: Mapping[Kind, CellSums]) -> dict[Kind, CellSums]:
    """The sums of every kind and of every kind around it."""
    found: dict[Kind, CellSums] = {}
    for kind, sums in others.items():
        if sums.n > 0:
            for length in range(len(kind) + 1):
                before = found.get(kind[:length], _NONE)
                found[kind[:length]] = CellSums(before.n + sums.n, before.total + sums.total)
    return found


def _variance(own: Mapping[Kind, CellSums], mean: float) -> float:
    """Of a member's single values, all kinds together."""
    inside = sum(
        (sums.n - 1) * sums.deviation**2
        for sums in own.values()
        if sums.n > 1 and sums.deviation is not None
    )
    between = sum(sums.n * (sums.total / sums.n - mean) ** 2 for sums in own.values())
    return (inside + between) / (sum(sums.n for sums in own.values()) - 1)
