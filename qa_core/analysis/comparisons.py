"""Comparisons of an advisor with colleagues, on the same kinds of contacts."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from qa_core import stats
from qa_core.metrics.kpis import Kpi, Unit, formatting
from qa_core.stats import CellSums, StandardisedValue

KIND = ("channel", "queue", "reason")
"""Dimensions of a kind of contact, from coarse to fine."""


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
