"""What the same contacts would have given in other hands: indirect standardisation, kind of contact by kind of contact."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from qa_core.statistics.intervals import Z95
from qa_core.statistics.shrinkage import pooled_variance

Kind = tuple[object, ...]
"""A kind of contact, from the coarse to the fine: (channel, queue, reason)."""
LEAST = 10
"""Others with fewer values of a kind say too little about it: the kind around it stands in."""


@dataclass(frozen=True)
class Sums:
    """What the contacts of one kind gave: how many values, their sum, and (of a mean) their deviation."""

    n: float
    total: float
    deviation: float | None = None


@dataclass(frozen=True)
class Standard:
    """One member's value beside what the others would have had with the same contacts; `low` and `high` are the 95 % interval of the difference.

    `n`: how many values; `matched`: the share of them that the others met in the very same kind.
    """

    observed: float
    expected: float
    low: float
    high: float
    n: float
    matched: float

    @property
    def difference(self) -> float:
        return self.observed - self.expected

    @property
    def side(self) -> int:
        """1 above, −1 below what is expected; 0 where chance explains the difference."""
        return 1 if self.low > 0 else -1 if self.high < 0 else 0


def standardise(own: Mapping[Kind, Sums], others: Mapping[Kind, Sums], *, is_rate: bool) -> Standard | None:
    """Weigh the others' values by the member's own mix of contacts; None where either has none.

    A kind that the others met fewer than `LEAST` times borrows from the one around it: the reason from its queue, the queue from its channel.
    Both sides' chance is in the interval.
    """
    own = {kind: sums for kind, sums in own.items() if sums.n > 0}
    n, around = sum(sums.n for sums in own.values()), _gather(others)
    if not n or () not in around:
        return None
    sides = [sums for side in (own, others) for sums in side.values()]
    within = pooled_variance([sums.deviation for sums in sides], [sums.n for sums in sides])
    expected = variance = matched = 0.0
    shares: dict[Kind, float] = {}
    for kind, sums in own.items():
        used = next(level for level in (kind[:length] for length in range(len(kind), -1, -1)) if level == () or around.get(level, _NONE).n >= LEAST)
        shares[used] = shares.get(used, 0.0) + sums.n
        matched += sums.n if used == kind else 0.0
    for kind, share in shares.items():
        other = around[kind]
        expected += share * other.total / other.n
        # Two values are added so that ten successes of ten still leave doubt.
        rate = (other.total + 1) / (other.n + 2)
        variance += (rate * (1 - rate) if is_rate else within) * (share + share * share / other.n)
    observed, half = sum(sums.total for sums in own.values()) / n, Z95 * math.sqrt(variance) / n
    difference = observed - expected / n
    return Standard(observed, expected / n, difference - half, difference + half, n, matched / n)


_NONE = Sums(0, 0.0)


def _gather(others: Mapping[Kind, Sums]) -> dict[Kind, Sums]:
    """The sums of every kind and of every kind around it."""
    found: dict[Kind, Sums] = {}
    for kind, sums in others.items():
        if sums.n > 0:
            for length in range(len(kind) + 1):
                before = found.get(kind[:length], _NONE)
                found[kind[:length]] = Sums(before.n + sums.n, before.total + sums.total)
    return found
