"""Comparisons on equal terms: an advisor with colleagues on the same kinds of contacts, and
the values of a dimension on a rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from qa_core import stats
from qa_core.analysis import peers
from qa_core.metrics.kpis import Kpi, Unit, formatting, get_kpi
from qa_core.stats import CellSums, Comparison, StandardisedValue

MIN_VALUES = 5
"""Values from which on a rate is compared."""
MAX_ROWS = 20


@dataclass(frozen=True, eq=False)
class ValueComparison:
    """Values of a dimension that can be compared on a rate, and their rows of `measure`."""

    kpi: Kpi
    names: tuple[Any, ...]
    rows: tuple[Any, ...]

    @cached_property
    def result(self) -> Comparison:
        return peers.compare_rates(
            tuple(map(str, self.names)),
            tuple(int(row.numerator) for row in self.rows),
            tuple(int(row.n) for row in self.rows),
        )

    @property
    def centre(self) -> float:
        """Rate of all these values together."""
        return sum(row.numerator for row in self.rows) / sum(row.n for row in self.rows)

    def side_of(self, name: Any) -> int:
        """Return 1 for a value clearly above the rest, -1 below, else 0."""
        return (str(name) in self.result.above) - (str(name) in self.result.below)

    def strength_of(self, row: Any) -> float:
        """Return a row's distance from the centre; 1 at the end of the range of chance."""
        low, high = self._chance_range(row)
        return 2 * abs(row.value - self.centre) / ((high - low) or 1.0)

    def as_frame(self) -> pd.DataFrame:
        """Build the rows of a chart of dots, highest rate first; of many values, those that
        differ clearly and the largest.
        """
        pairs = list(zip(self.names, self.rows, strict=True))
        pairs.sort(key=lambda pair: (not self.side_of(pair[0]), -pair[1].n))
        better = 1 if self.kpi.better == "up" else -1
        records = []
        for name, row in sorted(pairs[:MAX_ROWS], key=lambda pair: -pair[1].value):
            low, high = self._chance_range(row)
            severity = {0: "", better: "better"}.get(self.side_of(name), "attention")
            records.append(
                {"key": name, "label": str(name), "value": row.value, "low": row.low}
                | {"high": row.high, "n": row.n, "chance_low": low, "chance_high": high}
                | {"severity": severity}
            )
        return pd.DataFrame(records)

    def _chance_range(self, row: Any) -> tuple[float, float]:
        return stats.chance_range(self.centre, stats.rate_deviation(self.centre), row.n)


def compare_values(by: Mapping[Any, Mapping[str, Any]], key: str) -> ValueComparison:
    """Compare the values of a dimension (value → KPI → row) on one rate."""
    known = [
        (value, row[key])
        for value, row in by.items()
        if value is not None
        and key in row
        and not formatting.is_missing(row[key].value)
        and row[key].n >= MIN_VALUES
    ]
    names, rows = zip(*known, strict=True) if known else ((), ())
    return ValueComparison(get_kpi(key), names, rows)


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
