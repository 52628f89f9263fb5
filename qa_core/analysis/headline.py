"""Headline figures of a page as it opens: its usual period against the one before it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import SimpleNamespace
from typing import Any

import pandas as pd

from qa_core.access.roles import Viewer
from qa_core.analysis import exports, targets
from qa_core.analysis.series import Series, SettingSpan, build_series
from qa_core.base import environment
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting, get_kpi, periods
from qa_core.metrics.kpis.dimensions import Filters, Period

FIRST = ("received", "answer_rate", "first_contact_resolution", "csat")
SECOND = ("service_level", "average_speed_of_answer", "average_handle_time", "evaluation_score")
OWN = ("evaluation_score", "first_contact_resolution", "csat", "average_handle_time")
"""KPIs of the page My quality."""
OWN_PERIOD = "182d"


@dataclass(frozen=True)
class Headline:
    """Rows of `measure` and trends by KPI, over `where` and against `compare`."""

    where: Filters
    compare: Period
    rows: Mapping[str, Any]
    series: Mapping[str, Series]
    currency: str | None
    is_cut_short: bool

    def describe(self, key: str) -> tuple[str, str, str]:
        """Describe a KPI as its tile does: title, value, change (empty without one)."""
        kpi, row = get_kpi(key), self.rows[key]
        currency = getattr(row, "currency", None) or self.currency
        value, change = formatting.value(row.value, kpi.unit, currency), ""
        is_known = not (formatting.is_missing(row.value) or formatting.is_missing(row.delta))
        # Beside a whole period, the total of one that is not over would read as a fall.
        if is_known and not (self.is_cut_short and kpi.is_amount):
            change = formatting.change(row.delta, kpi.unit, currency)
        return formatting.short_title(kpi), value, change


def find_headline(
    viewer: Viewer, keys: Sequence[str], choice: str = periods.DEFAULT
) -> Headline | None:
    """Find these KPIs, as far as the viewer may see them, over a usual period. None without
    data.
    """
    span = query.data_span(viewer)
    if span is None or span[1] < span[0]:
        return None
    first_day, last_day = span
    period = periods.build_period(choice, last_day, first_day)
    compare = periods.build_comparison("previous", period)
    grain, trend = periods.build_trend(period, viewer.needs_suppression)
    keys = tuple(key for key in keys if viewer.can(get_kpi(key).needs))
    where, until = Filters(period), periods.last_whole_day(last_day, environment.today())
    trends = build_trends(
        viewer, keys, grain, where.with_period(trend), first_day, until, period.first_day
    )
    return Headline(
        where,
        compare,
        measure_headline(viewer, keys, where, compare),
        {
            key: Series(get_kpi(key), grain, points, spans)
            for key, (points, spans) in zip(keys, trends, strict=True)
        },
        exports.find_currency(viewer),
        period.last_day > until,
    )


def measure_headline(
    viewer: Viewer,
    kpis: tuple[str, ...],
    where: Filters,
    compare: Period | None = None,
    overrides: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Measure without any cut: the rows, with their gap to the target, by the key of their
    KPI (the first, where currencies differ).
    """
    frame = query.measure(viewer, kpis, where=where, compare=compare, overrides=overrides)
    rows: dict[str, Any] = {}
    for record in targets.add_gaps(viewer, frame, (), where).to_dict("records"):
        rows.setdefault(record["kpi"], SimpleNamespace(**record))
    return rows


def build_trends(
    viewer: Viewer,
    kpis: tuple[str, ...],
    grain: str,
    where: Filters,
    first_day: date,
    last_day: date,
    usual_until: date,
    overrides: Mapping[str, str] | None = None,
    compare: Period | None = None,
    measure: Callable[..., pd.DataFrame] = query.measure,
    find_changes: Callable[..., Any] = query.find_changes,
) -> list[tuple[pd.DataFrame, tuple[SettingSpan, ...]]]:
    """Build the points of each KPI over time, and the spans of its rules (see `Series`).

    `measure`, `find_changes`: the reads of `metrics.query`, or caches of them.
    """
    frame = measure(viewer, kpis, (grain,), where, compare, overrides, False)
    changes = [
        change
        for change in find_changes(viewer, where.period, kpis)
        if change.name not in (overrides or {})
    ]
    found = [
        build_series(
            frame,
            get_kpi(key),
            grain,
            where.period,
            first_day,
            last_day,
            usual_until,
            [change.day for change in changes if key in change.kpis],
        )
        for key in kpis
    ]
    return [(series.points, series.spans) for series in found]
