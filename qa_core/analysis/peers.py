"""Members of a group side by side on one KPI: who stands out and who does not,
estimates shrunk to the group, and how much more data it takes. Pure.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from qa_core import stats
from qa_core.base.i18n import N_, _
from qa_core.centre.advisors import normalise_name
from qa_core.metrics import formatting
from qa_core.metrics.kpis import Kpi, Unit
from qa_core.stats import Comparison, Funnel

LEAST_RATE, LEAST_MEAN = 5, 2
"""Below so few values nobody is compared: a rate of two says nothing, and one value has
no spread.
"""
BANDS = {
    "above": N_("above the rest"),
    "alike": N_("cannot be told apart"),
    "below": N_("below the rest"),
}
DIFFERENCES: dict[str, tuple[float, ...]] = {
    Unit.RATE: (0.03, 0.05, 0.1),
    Unit.SCORE: (3, 5, 10),
    Unit.RATING: (0.1, 0.25, 0.5),
    Unit.SECONDS: (15, 30, 60),
}
"""What a reader may wish to see, in the unit of the KPI; the first goes without saying."""


@dataclass(frozen=True)
class Peer:
    """One member. `shrunk`: the estimate drawn to the group by how little is known;
    `band`: one of `BANDS`.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    n: int
    shrunk: float
    band: str


@dataclass(frozen=True)
class Group:
    """Those who can be compared, band by band and by name within each; `few` are left
    out for too few values. `between`: how far members lie apart beyond chance, as a
    standard deviation; `deviation`: that of single values.
    """

    kpi: Kpi
    peers: tuple[Peer, ...]
    few: tuple[str, ...]
    comparison: Comparison
    funnel: Funnel
    between: float
    deviation: float

    @property
    def centre(self) -> float:
        return self.funnel.centre

    def tone_of(self, peer: Peer) -> str:
        """`better`, `attention` or empty: whether standing out there is good."""
        if peer.band == "alike" or self.kpi.better == "neither":
            return ""
        return "better" if (peer.band == "above") == (self.kpi.better == "up") else "attention"

    def more_needed(self, peer: Peer, difference: float) -> int:
        """How many more values until a difference of that size from the group would
        show.
        """
        return stats.extra_values_needed(self.deviation, peer.n, difference)

    def detectable(self, peer: Peer) -> float:
        """The smallest difference from the group that shows with the values there are."""
        return stats.detectable_difference(self.deviation, peer.n)


def least(kpi: Kpi) -> int:
    """How many values it takes to be compared on that KPI."""
    return LEAST_RATE if kpi.unit == Unit.RATE else LEAST_MEAN


def build_group(kpi: Kpi, frame: pd.DataFrame, dimension: str) -> Group | None:
    """Compare the members of a frame of `measure` cut by `dimension`; None where fewer
    than two have enough values.
    """
    known = [
        row
        for row in frame.itertuples()
        if row.kpi == kpi.key
        and not formatting.is_missing(getattr(row, dimension))
        and not formatting.is_missing(row.value)
    ]
    rows = [row for row in known if row.n >= least(kpi)]
    if len(rows) < 2:
        return None
    names, sizes = tuple(getattr(row, dimension) for row in rows), tuple(int(row.n) for row in rows)
    values = tuple(float(row.value) for row in rows)
    few = tuple(
        sorted((getattr(row, dimension) for row in known if row.n < least(kpi)), key=normalise_name)
    )
    if kpi.unit == Unit.RATE:
        hits = tuple(int(row.numerator) for row in rows)
        comparison, shrunk = compare_rates(names, hits, sizes), stats.shrink_rates(hits, sizes)
        within, freedom = shrunk.centre * (1 - shrunk.centre), stats.NORMAL
    else:
        deviations = tuple(row.deviation for row in rows)
        comparison, shrunk = (
            compare_means(names, values, deviations, sizes),
            stats.shrink_means(values, deviations, sizes),
        )
        within, freedom = stats.pooled_variance(deviations, sizes), sum(sizes) - len(sizes)
    peers = [
        Peer(
            name,
            row.value,
            _known(row.low),
            _known(row.high),
            int(row.n),
            estimate,
            _band(comparison, name),
        )
        for name, row, estimate in zip(names, rows, shrunk.estimates, strict=True)
    ]
    return Group(
        kpi,
        tuple(sorted(peers, key=lambda peer: (_place(kpi, peer.band), normalise_name(peer.name)))),
        few,
        comparison,
        stats.build_funnel(values, sizes, within, freedom),
        shrunk.between,
        math.sqrt(within),
    )


def describe_test(group: Group) -> str:
    """The test of all together in words, with its p."""
    p = group.comparison.p_value
    if p is None:
        return _("Too few values, or no difference among them, for a test.")
    said = "p < 0.001" if p < 0.001 else f"p = {formatting.number(p, 2 if p >= 0.1 else 3)}"
    if group.kpi.unit == Unit.RATE:
        return _(
            "Test of all together, by shuffling outcomes among them: {p}.",
            p=said.replace(" ", formatting.NO_BREAK),
        )
    return _(
        "Test of all together, by their means and spread (Welch): {p}.",
        p=said.replace(" ", formatting.NO_BREAK),
    )


def _band(comparison: Comparison, name: str) -> str:
    return "above" if name in comparison.above else "below" if name in comparison.below else "alike"


def _place(kpi: Kpi, band: str) -> int:
    """The good ones stand on top, whichever way that is."""
    return list(BANDS).index(band) * (-1 if kpi.better == "down" else 1)


def _known(value: Any) -> float | None:
    return None if formatting.is_missing(value) else float(value)


# Thousands of permutations for the same figures on every run of a page would be most of
# its time.
compare_rates = functools.lru_cache(maxsize=64)(stats.compare_rates)
compare_means = functools.lru_cache(maxsize=64)(stats.compare_means)


@dataclass(frozen=True)
class Uneven:
    """How a team's evaluations spread over its advisors: so many, of so many people,
    and the most that one of them has.
    """

    evaluations: int
    advisors: int
    most: int


def find_uneven(sizes: Sequence[float]) -> Uneven | None:
    """From the number of evaluations of each advisor; None where there is none."""
    counted = [int(size) for size in sizes if not formatting.is_missing(size) and size > 0]
    return Uneven(sum(counted), len(counted), max(counted)) if counted else None
