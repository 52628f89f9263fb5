"""A KPI over time, ready to draw: every week or month, what is provisional, what is usual, and what needs a look. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd

from qa_core import figures, findings, movement, spans
from qa_core.charts import Limits
from qa_core.findings import Finding
from qa_core.kpis import Kpi, Unit
from qa_core.movement import Control, Signals
from qa_core.slices import Period


@dataclass(frozen=True)
class Series:
    """`points`: `at`, `value`, `low`, `high`, `n`, `provisional`, one row per week or month, missing where there is no data."""

    kpi: Kpi
    grain: str
    points: pd.DataFrame
    control: Control | None
    signals: Signals | None

    @property
    def limits(self) -> Limits | None:
        if self.control is None:
            return None
        # Without the provisional points: their few contacts would tear the limits apart.
        firm = [not flag for flag in self.points["provisional"]]
        low, high = (tuple(edge if keep else None for edge, keep in zip(edges, firm, strict=True)) for edges in (self.control.low, self.control.high))
        return Limits(tuple(self.control.centre for _ in firm), low, high)

    @property
    def flagged(self) -> dict[int, str]:
        """Positions that chance does not explain, and their tone."""
        return {position: findings.tone_of(side, self.kpi.better) for position, side in self.signals.positions} if self.signals else {}

    @property
    def finding(self) -> Finding:
        known = int((self.points["value"].notna() & ~self.points["provisional"]).sum())
        return findings.describe_trend(self.control, self.signals, self.grain, self.kpi.better, known)

    @property
    def spread(self) -> float:
        """How much more than chance alone the series wobbles."""
        return self.control.spread if self.control else 1.0

    @property
    def sparkline(self) -> list[float]:
        return [float(value) for value in self.points["value"].dropna()]


def build_series(frame: pd.DataFrame, kpi: Kpi, grain: str, period: Period, first_day: date, last_day: date, usual_until: date) -> Series:
    """The series of one KPI from a frame of `measure` cut by `grain`.

    The data goes from `first_day` to `last_day`: a week or month cut short is provisional, and left out for totals, whose fall it
    would fake; so is a value that still waits for its window. What is usual is read from the points before `usual_until`
    where there are eight, else from all.
    """
    rows = frame[frame["kpi"] == kpi.key]
    found = {_start(value): row for value, row in zip(rows[grain], rows.itertuples(), strict=True) if not figures.is_missing(value)}
    records = []
    for start in spans.starts_of(grain, period):
        row = found.get(start)
        end = spans.end_of(grain, start)
        is_cut = start < first_day or end > min(last_day, period.last_day)
        value = None if row is None or (is_cut and kpi.is_amount) else row.value
        waits = row is not None and not figures.is_missing(row.pending) and row.pending > 0
        missing = figures.is_missing(value)
        records.append(
            {
                "at": start,
                "value": None if missing else float(value),
                "low": None if missing or figures.is_missing(row.low) else float(row.low),
                "high": None if missing or figures.is_missing(row.high) else float(row.high),
                "n": None if row is None or figures.is_missing(row.n) else float(row.n),
                "provisional": not missing and (is_cut or waits),
            }
        )
    points = pd.DataFrame(records, columns=["at", "value", "low", "high", "n", "provisional"]).astype(
        {"value": float, "low": float, "high": float, "n": float, "provisional": bool}
    )
    firm = [None if flag or figures.is_missing(value) else value for value, flag in zip(points["value"], points["provisional"], strict=True)]
    sizes = [None if figures.is_missing(n) else n for n in points["n"]]
    before = [start < usual_until and value is not None for start, value in zip(points["at"], firm, strict=True)]
    baseline = before if sum(before) >= movement.BASELINE_POINTS else [value is not None for value in firm]
    if kpi.is_amount:
        control = None
    elif kpi.unit == Unit.RATE:
        control = movement.control_rate(firm, sizes, baseline)
    else:
        control = movement.control_mean(firm, baseline)
    return Series(kpi, grain, points, control, movement.find_signals(firm, control) if control else None)


def _start(value: object) -> date:
    if isinstance(value, str):
        return date.fromisoformat(f"{value}-01"[:10])
    return pd.Timestamp(value).date()
