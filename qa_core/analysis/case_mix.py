"""What an advisor's contacts would have given in the hands of their colleagues: the
frames of `measure` as sums by kind of contact. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from qa_core import stats
from qa_core.metrics import formatting
from qa_core.metrics.kpis import Kpi, Unit
from qa_core.stats import CellSums, StandardisedValue

KIND = ("channel", "queue", "reason")
"""What makes contacts of one kind, from the coarse to the fine."""


def standardise(kpi: Kpi, own: pd.DataFrame, others: pd.DataFrame) -> StandardisedValue | None:
    """One advisor against colleagues on a rate or a mean, both cut by `KIND`; None
    where either side has no data.
    """
    return stats.standardise(_sums(kpi, own), _sums(kpi, others), is_rate=kpi.unit == Unit.RATE)


def compare_criteria(
    own: pd.DataFrame, others: pd.DataFrame
) -> dict[str, StandardisedValue | None]:
    """One advisor's share of points on each criterion against colleagues' (frames of
    `measure` cut by `criterion`).
    """
    mine, theirs = (
        {
            row.criterion: CellSums(
                row.n,
                row.numerator,
                None if formatting.is_missing(row.deviation) else row.deviation,
            )
            for row in frame.itertuples()
            if row.n
        }
        for frame in (own, others)
    )
    return {
        key: stats.standardise(
            {(): sums}, {(): theirs[key]} if key in theirs else {}, is_rate=False
        )
        for key, sums in mine.items()
    }


def find_sides(standards: Mapping[str, StandardisedValue | None]) -> dict[str, int]:
    """For each KPI 1 above, −1 below what is expected, and 0 where chance explains the
    difference, all of them tried at once.
    """
    known = {key: standard for key, standard in standards.items() if standard is not None}
    sure = stats.holm([standard.p_value for standard in known.values()])
    return {
        key: (1 if standard.difference > 0 else -1) if flag else 0
        for (key, standard), flag in zip(known.items(), sure, strict=True)
    }


def _sums(kpi: Kpi, frame: pd.DataFrame) -> dict[tuple[object, ...], CellSums]:
    made = {}
    for row in frame[frame["kpi"] == kpi.key].itertuples():
        if not formatting.is_missing(row.value) and row.n:
            kind = tuple(
                None if formatting.is_missing(getattr(row, name)) else getattr(row, name)
                for name in KIND
            )
            made[kind] = CellSums(
                row.n,
                row.numerator,
                None if formatting.is_missing(row.deviation) else row.deviation,
            )
    return made
