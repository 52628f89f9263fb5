"""Members of a group compared on one KPI, and the data still needed."""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from qa_core import stats
from qa_core.base.i18n import N_, _
from qa_core.centre.advisors import normalise_name
from qa_core.metrics.kpis import Kpi, Unit, formatting
from qa_core.stats import CellSums, Comparison, Funnel, StandardisedValue

MIN_RATE_VALUES, MIN_MEAN_VALUES = 5, 2
"""Minimum values of a member, for a rate and for a mean."""
BANDS = {
    "above": N_("above the rest"),
    "indistinct": N_("no clear difference"),
    "below": N_("below the rest"),
}
DIFFERENCES: dict[str, tuple[float, ...]] = {
    Unit.RATE: (0.03, 0.05, 0.1),
    Unit.SCORE: (3, 5, 10),
    Unit.RATING: (0.1, 0.25, 0.5),
    Unit.SECONDS: (15, 30, 60),
}
"""Differences that a reader can choose, in the KPI's unit; the first is the default."""


KIND = ("channel", "queue", "reason")
"""Dimensions of a kind of contact, from coarse to fine."""


@dataclass(frozen=True)
class Peer:
    """Member. `shrunk`: its shrunken estimate; `band`: one of `BANDS`."""

    name: str
    value: float
    low: float | None
    high: float | None
    n: int
    shrunk: float
    band: str


@dataclass(frozen=True)
class Group:
    """Members compared, by band, then by name. `excluded`: members left out for too few
    values; `between`: standard deviation between members without the share of chance;
    `deviation`: of single values.
    """

    kpi: Kpi
    peers: tuple[Peer, ...]
    excluded: tuple[str, ...]
    comparison: Comparison
    funnel: Funnel
    between: float
    deviation: float

    @property
    def centre(self) -> float:
        return self.funnel.centre

    def severity_of(self, peer: Peer) -> str:
        """Return `better`, `attention` or empty for the band of a member."""
        if peer.band == "indistinct" or self.kpi.better == "neither":
            return ""
        return "better" if (peer.band == "above") == (self.kpi.better == "up") else "attention"

    def extra_values_needed(self, peer: Peer, difference: float) -> int:
        """Return how many more values detect a difference of that size from the group."""
        return stats.extra_values_needed(self.deviation, peer.n, difference)

    def detectable_difference(self, peer: Peer) -> float:
        """Return the smallest difference the member's values detect."""
        return stats.detectable_difference(self.deviation, peer.n)


def find_minimum(kpi: Kpi) -> int:
    return MIN_RATE_VALUES if kpi.unit == Unit.RATE else MIN_MEAN_VALUES


def build_group(kpi: Kpi, frame: pd.DataFrame, dimension: str) -> Group | None:
    """Compare members of a `measure` frame cut by `dimension`; None: fewer than two have values."""
    known = [
        row
        for row in frame.itertuples()
        if row.kpi == kpi.key
        and not formatting.is_missing(getattr(row, dimension))
        and not formatting.is_missing(row.value)
    ]
    rows = [row for row in known if row.n >= find_minimum(kpi)]
    if len(rows) < 2:
        return None
    names, sizes = tuple(getattr(row, dimension) for row in rows), tuple(int(row.n) for row in rows)
    values = tuple(float(row.value) for row in rows)
    few = (getattr(row, dimension) for row in known if row.n < find_minimum(kpi))
    excluded = tuple(sorted(few, key=normalise_name))
    if kpi.unit == Unit.RATE:
        hits = tuple(int(row.numerator) for row in rows)
        comparison, shrunk = compare_rates(names, hits, sizes), stats.shrink_rates(hits, sizes)
        within, freedom = shrunk.centre * (1 - shrunk.centre), stats.NORMAL
    else:
        deviations = tuple(row.deviation for row in rows)
        comparison = compare_means(names, values, deviations, sizes)
        shrunk = stats.shrink_means(values, deviations, sizes)
        within, freedom = stats.pooled_variance(deviations, sizes), sum(sizes) - len(sizes)
    peers = [
        Peer(
            name,
            row.value,
            _to_float(row.low),
            _to_float(row.high),
            int(row.n),
            estimate,
            _find_band(comparison, name),
        )
        for name, row, estimate in zip(names, rows, shrunk.estimates, strict=True)
    ]
    peers.sort(key=lambda peer: (_find_position(kpi, peer.band), normalise_name(peer.name)))
    return Group(
        kpi,
        tuple(peers),
        excluded,
        comparison,
        stats.build_funnel(values, sizes, within, freedom),
        shrunk.between,
        math.sqrt(within),
    )


def describe_test(group: Group) -> str:
    p = group.comparison.p_value
    if p is None:
        return _("Too few values for a test, or no difference between them.")
    p_text = (
        f"p < {formatting.number(0.001, 3)}"
        if p < 0.001
        else f"p = {formatting.number(p, 2 if p >= 0.1 else 3)}"
    )
    if group.kpi.unit == Unit.RATE:
        return _(
            "Permutation test of the whole group: {p}.", p=p_text.replace(" ", formatting.NO_BREAK)
        )
    return _("Welch test of the whole group: {p}.", p=p_text.replace(" ", formatting.NO_BREAK))


def _find_band(comparison: Comparison, name: str) -> str:
    if name in comparison.above:
        return "above"
    return "below" if name in comparison.below else "indistinct"


def _find_position(kpi: Kpi, band: str) -> int:
    """Return the sort position of a band, better ones first."""
    return list(BANDS).index(band) * (-1 if kpi.better == "down" else 1)


def _to_float(value: Any) -> float | None:
    return None if formatting.is_missing(value) else float(value)


# Cached: thousands of permutations would dominate each run of a page.
compare_rates = functools.lru_cache(maxsize=64)(stats.compare_rates)
compare_means = functools.lru_cache(maxsize=64)(stats.compare_means)


def standardise(kpi: Kpi, own: pd.DataFrame, others: pd.DataFrame) -> StandardisedValue | None:
    """Compare an advisor with colleagues on a rate or a mean, from frames of `measure`
    cut by `KIND`. Return None where either side has no data.
    """
    return stats.standardise(
        _sum_by_kind(kpi, own), _sum_by_kind(kpi, others), is_rate=kpi.unit == Unit.RATE
    )


def compare_criteria(
    own: pd.DataFrame, others: pd.DataFrame
) -> dict[str, StandardisedValue | None]:
    """Compare an advisor's share of points with colleagues', by `criterion` frames of `measure`."""
    mine, theirs = (
        {row.criterion: _build_sums(row) for row in frame.itertuples() if row.n}
        for frame in (own, others)
    )
    return {
        key: stats.standardise(
            {(): sums}, {(): theirs[key]} if key in theirs else {}, is_rate=False
        )
        for key, sums in mine.items()
    }


def find_sides(standards: Mapping[str, StandardisedValue | None]) -> dict[str, int]:
    """Return 1 (above), −1 (below) or 0 (not significant) for each KPI."""
    known = {key: standard for key, standard in standards.items() if standard is not None}
    significant = stats.holm([standard.p_value for standard in known.values()])
    return {
        key: (1 if standard.difference > 0 else -1) if flag else 0
        for (key, standard), flag in zip(known.items(), significant, strict=True)
    }


def _sum_by_kind(kpi: Kpi, frame: pd.DataFrame) -> dict[tuple[object, ...], CellSums]:
    sums = {}
    for row in frame[frame["kpi"] == kpi.key].itertuples():
        if not formatting.is_missing(row.value) and row.n:
            kind = tuple(
                None if formatting.is_missing(getattr(row, name)) else getattr(row, name)
                for name in KIND
            )
            sums[kind] = _build_sums(row)
    return sums


def _build_sums(row: Any) -> CellSums:
    deviation = None if formatting.is_missing(row.deviation) else row.deviation
    return CellSums(row.n, row.numerator, deviation)
