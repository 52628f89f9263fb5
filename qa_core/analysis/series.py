"""Time series of a KPI with provisional values, control limits and signals."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from qa_core.analysis import chart_titles
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.metrics.kpis import Kpi, Unit, formatting, periods
from qa_core.metrics.kpis.dimensions import Period
from qa_core.stats import control_charts
from qa_core.stats.control_charts import ControlLimits, Signals, SteppedLimits


@dataclass(frozen=True)
class SettingSpan:
    """Positions [`first`, `end`) under one set of rules, with limits; None: too few points."""

    first: int
    end: int
    control: ControlLimits | None
    signals: Signals | None


@dataclass(frozen=True)
class Series:
    """`points`: `at`, `value`, `low`, `high`, `n`, `provisional`, one row per day, week
    or month, missing without data.

    `spans`: one after each change of the KPI's rules; the last holds now.
    """

    kpi: Kpi
    grain: str
    points: pd.DataFrame
    spans: tuple[SettingSpan, ...]

    @property
    def control(self) -> ControlLimits | None:
        return self.spans[-1].control

    @property
    def signals(self) -> Signals | None:
        return self.spans[-1].signals

    @property
    def is_restarted(self) -> bool:
        return len(self.spans) > 1

    @property
    def limits(self) -> SteppedLimits | None:
        if not any(span.control for span in self.spans):
            return None
        centre, low, high = ([None] * len(self.points) for _ in range(3))
        for span in self.spans:
            for position in range(span.first, span.end) if span.control else ():
                centre[position] = span.control.centre
                # Skip provisional points: their few contacts would
                # widen the limits.
                if not self.points["provisional"].iat[position]:
                    low[position] = span.control.low[position]
                    high[position] = span.control.high[position]
        return SteppedLimits(
            tuple(centre), tuple(low), tuple(high), tuple(span.first for span in self.spans[1:])
        )

    @property
    def signal_severities(self) -> dict[int, str]:
        signals = itertools.chain.from_iterable(
            span.signals.positions for span in self.spans if span.signals
        )
        return {
            position: chart_titles.severity_of(side, self.kpi.better) for position, side in signals
        }

    @property
    def finding(self) -> ChartTitle:
        return chart_titles.describe_trend(
            self.control,
            self.signals,
            self.grain,
            self.kpi.better,
            self.known_points,
            self.is_restarted,
        )

    @property
    def known_points(self) -> int:
        """Number of firm values; of provisional ones if there are no others: there is data,
        but too little.
        """
        has_value = self.points["value"].notna()
        return int((has_value & ~self.points["provisional"]).sum()) or int(has_value.sum())

    @property
    def spread(self) -> float:
        """Return the over-dispersion of the series (1: chance alone)."""
        return self.control.spread if self.control else 1.0

    @property
    def sparkline(self) -> list[float]:
        return [float(value) for value in self.points["value"].dropna()]


def build_series(
    frame: pd.DataFrame,
    kpi: Kpi,
    grain: str,
    period: Period,
    first_day: date,
    last_day: date,
    usual_until: date,
    restarts: Sequence[date] = (),
) -> Series:
    """Build the series of one KPI from a frame of `measure` cut by `grain`.

    The data covers `first_day` to `last_day`. A week or month cut short is provisional,
    and left out for totals; so is a value whose window is still open. Limits come from
    the points before `usual_until` if eight or more, else from all, and are computed
    anew from each day of `restarts`, when the KPI's rules changed.
    """
    # Columns as lists: a row of a frame takes many times as long to read.
    columns = (frame[name] for name in ("kpi", grain, "value", "low", "high", "n", "pending"))
    numbers_by_start = {
        read_start(value): numbers
        for key, value, *numbers in zip(*columns, strict=True)
        if key == kpi.key and not formatting.is_missing(value)
    }
    starts = periods.starts_of(grain, period)
    data = np.full((4, len(starts)), np.nan)
    provisional = np.zeros(len(starts), dtype=bool)
    for position, start in enumerate(starts):
        if start not in numbers_by_start:
            continue
        value, low, high, n, pending = numbers_by_start[start]
        end = periods.end_of(grain, start)
        is_cut = start < first_day or end > min(last_day, period.last_day)
        missing = formatting.is_missing(value) or (is_cut and kpi.is_amount)
        waits = not formatting.is_missing(pending) and pending > 0
        data[:, position] = (*([np.nan] * 3 if missing else (value, low, high)), n)
        provisional[position] = not missing and (is_cut or waits)
    points = pd.DataFrame({"at": pd.Series(starts, dtype=object)})
    points[["value", "low", "high", "n"]] = data.T
    points["provisional"] = provisional
    return Series(
        kpi, grain, points, tuple(_build_spans(kpi, grain, points, usual_until, restarts))
    )


def _build_spans(
    kpi: Kpi, grain: str, points: pd.DataFrame, usual_until: date, restarts: Sequence[date]
) -> list[SettingSpan]:
    at = list(points["at"])
    firsts = {
        next((position for position, start in enumerate(at) if start >= day), len(at))
        for day in restarts
    }
    edges = sorted({0, len(at)} | firsts)
    # A point across a change mixes two sets of rules and belongs to no baseline.
    mixed = {
        position
        for position, start in enumerate(at)
        if any(start < day <= periods.end_of(grain, start) for day in restarts)
    }
    spans = []
    for first, end in itertools.pairwise(edges):
        positions = range(first, end)
        firm = [
            value
            if position in positions and not flag and not formatting.is_missing(value)
            else None
            for position, (value, flag) in enumerate(
                zip(points["value"], points["provisional"], strict=True)
            )
        ]
        control = None if kpi.is_amount else _compute_limits(kpi, points, firm, usual_until, mixed)
        spans.append(
            SettingSpan(
                first, end, control, control_charts.find_signals(firm, control) if control else None
            )
        )
    return spans or [SettingSpan(0, 0, None, None)]


def _compute_limits(
    kpi: Kpi, points: pd.DataFrame, firm: Sequence[float | None], usual_until: date, mixed: set[int]
) -> ControlLimits | None:
    known = [value is not None and position not in mixed for position, value in enumerate(firm)]
    before = [keep and start < usual_until for keep, start in zip(known, points["at"], strict=True)]
    baseline = before if sum(before) >= control_charts.BASELINE_POINTS else known
    if kpi.unit == Unit.RATE:
        sizes = [None if formatting.is_missing(n) else n for n in points["n"]]
        return control_charts.rate_limits(firm, sizes, baseline)
    return control_charts.mean_limits(firm, baseline)


def read_start(value: object) -> date:
    """Return the first day of a day, week or month as `measure` writes it."""
    if isinstance(value, str):
        return date.fromisoformat(f"{value}-01"[:10])
    return pd.Timestamp(value).date()
