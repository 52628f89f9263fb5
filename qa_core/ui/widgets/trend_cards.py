"""Trend cards: a KPI over time, shared by several pages."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from qa_core.access.roles import Viewer
from qa_core.analysis import chart_titles, charts
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.series import Series, build_series
from qa_core.analysis.targets import TargetStep
from qa_core.base.i18n import _, uncapitalise
from qa_core.metrics import query
from qa_core.metrics.kpis import Kpi, formatting, get_kpi, periods
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.stats import control_charts
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import cards, drill, notes


def read_series(
    viewer: Viewer,
    state: FilterState,
    kpis: Sequence[str],
    overrides: Mapping[str, str] | None = None,
    compare: Period | None = None,
) -> Mapping[str, Series]:
    """Return the trend of each KPI, with its control limits. `compare`: the period beside
    which the page asks for the same values, so that both are read once.
    """
    span = (state.trend, state.first_day, state.whole_until, state.where.period.first_day)
    trends = cached.find_trends(viewer, tuple(kpis), state.grain, *span, overrides, compare)
    return {
        key: Series(get_kpi(key), state.grain, points, spans)
        for key, (points, spans) in zip(kpis, trends, strict=True)
    }


def build(state: FilterState, frame: pd.DataFrame, kpi: Kpi, grain: str) -> Series:
    """Build the trend of a KPI over the longer period of the filters."""
    span = (state.trend.period, state.first_day, state.whole_until, state.where.period.first_day)
    return build_series(frame, kpi, grain, *span)


def describe_lately(
    viewer: Viewer, where: Filters, kpis: Sequence[str], series: Mapping[str, Series] | None = None
) -> dict[str, str]:
    """Describe how the last days differ from those before; empty for a short period."""
    span = query.data_span(viewer)
    parts = periods.split_late(where.period, span[0]) if span else None
    keys = tuple(key for key in kpis if not get_kpi(key).is_amount)
    if parts is None or not keys:
        return {}
    late, before = parts
    rows = cached.headline(viewer, keys, where.with_period(late), before)
    return {
        key: _describe_late(rows[key], series[key].spread if series else 1.0)
        for key in keys
        if not formatting.is_missing(rows[key].value)
    }


def _describe_late(row: Any, spread: float) -> str:
    unit = get_kpi(row.kpi).unit
    interval = control_charts.interval_of_change(row, spread)
    change = _("no statistically clear change")
    if interval is None:
        change = _("too few values")
    elif interval[0] > 0 or interval[1] < 0:
        change = _("{change}, statistically clear", change=formatting.change(row.delta, unit))
    return (
        f"{formatting.value(row.value, unit)} (n\u00a0=\u00a0{formatting.number(row.n)}), {change}"
    )


def show_trend(
    viewer: Viewer,
    state: FilterState,
    series: Series,
    height: int = 270,
    has_title: bool = False,
    before: Sequence[float | None] | None = None,
    window: str | None = None,
    why_empty: str = "",
) -> None:
    """Show one KPI over time; a click on a point opens the contacts of that week or month.

    `has_title`: the KPI's title leads the heading. `before`: values of the year before.
    `window`: days of the repeat window, if other than in the settings. `why_empty`: what to
    say if no value is known.
    """
    kpi, finding, key = series.kpi, series.finding, f"trend_{series.kpi.key}"
    title = formatting.short_title(kpi) if has_title else ""
    if series.points["value"].isna().all():
        show_nothing(title, why_empty)
        return
    steps = cached.find_targets(viewer, kpi.key, state.trend)
    marks = notes.find_markers(viewer, state, kpi.key)
    figure = draw(series, steps, height, state.currency, before=before, marks=marks)
    counts_contacts = kpi.subject == "contacts"
    cards.show_chart(
        figure,
        chart_titles.prefix(title, finding) if title else finding,
        _describe(series, before, steps, state.currency),
        key,
        on_select=drill.on_point(viewer, key, series.grain, kpi.key, window)
        if counts_contacts
        else None,
        beside=lambda: notes.show_popover(viewer, state, key),
        kpi="" if window else kpi.key,
    )


def draw(
    series: Series, steps: Sequence[TargetStep], height: int, currency: str | None, **more: Any
) -> Any:
    """Draw a trend with its limits, its signals and the steps of its target; `more` goes to
    `charts.build_trend`.
    """
    targets = [
        charts.TargetLine(step.target.value, step.first_day, step.last_day) for step in steps
    ]
    return charts.build_trend(
        series.points,
        series.kpi.unit,
        grain=series.grain,
        dark=styles.is_dark(),
        limits=series.limits,
        signals=series.signal_severities,
        targets=targets,
        bounds=series.kpi.bounds,
        height=height,
        currency=currency,
        **more,
    )


def show_nothing(title: str, why: str = "") -> None:
    """Show a card that says that no value is known."""
    nothing = ChartTitle(_("No data in this period"))
    text = why or _("No value is known, or all are pending or hidden.")
    cards.card(chart_titles.prefix(title, nothing) if title else nothing, text)


def describe_grain(kpi: Kpi, grain: str) -> str:
    """Return the title of a KPI with the step of its trend."""
    title = formatting.short_title(kpi)
    if grain == "month":
        return _("{title} by month", title=title)
    return _("{title} by week", title=title)


def _describe(
    series: Series,
    before: Sequence[float | None] | None,
    steps: Sequence[TargetStep],
    currency: str | None,
) -> str:
    parts = [describe_grain(series.kpi, series.grain)]
    if series.points["low"].notna().any():
        parts.append("▒ " + uncapitalise(_("95 % interval")))
    if series.control:
        parts += [_("― usual level"), _("┄ control limits")]
    if series.signal_severities:
        parts.append(_("◆ unusual"))
    if before and any(not formatting.is_missing(value) for value in before):
        parts.append(_("grey ⋯ a year before"))
    if steps:
        value = formatting.value(steps[-1].target.value, series.kpi.unit, currency)
        parts.append("╍ " + _("target {value}", value=value))
    if series.points["provisional"].any():
        parts.append("⋯ " + _("provisional"))
    # A mark and its words stay on one line.
    return " · ".join([parts[0], *(part.replace(" ", formatting.NO_BREAK) for part in parts[1:])])
