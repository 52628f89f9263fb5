"""Trend cards: shared by the pages on performance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import chart_titles, charts
from qa_core.analysis.series import Series, build_series
from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.metrics.kpis import get_kpi
from qa_core.ui import cached, cards, drill, notes
from qa_core.ui.filter_bar import FilterState


def read_series(
    viewer: Viewer,
    look: FilterState,
    kpis: Sequence[str],
    overrides: Mapping[str, str] | None = None,
) -> Mapping[str, Series]:
    """The trend of each KPI, with its limits."""
    frame = cached.measure(viewer, tuple(kpis), (look.grain,), look.trend, overrides=overrides)
    changes = [
        change
        for change in cached.find_changes(viewer, look.trend.period, tuple(kpis))
        if change.name not in (overrides or {})
    ]
    span = (
        look.grain,
        look.trend.period,
        look.first_day,
        look.whole_until,
        look.where.period.first_day,
    )
    return {
        key: build_series(
            frame, get_kpi(key), *span, [change.day for change in changes if key in change.kpis]
        )
        for key in kpis
    }


def show_trend(
    viewer: Viewer,
    look: FilterState,
    series: Series,
    height: int = 270,
    title: str = "",
    before: Sequence[float | None] | None = None,
    window: str | None = None,
    why_empty: str = "",
) -> None:
    """One KPI over time, under what its series shows. A click on a point opens the
    contacts of that week, by that first-contact window in days. `why_empty`: what to
    say where no value is known, if the page knows better.
    """
    kpi, finding, key = series.kpi, series.finding, f"trend_{series.kpi.key}"
    if series.points["value"].isna().all():
        with st.container(border=True, height="stretch", gap="xxsmall"):
            text = _("Nothing to show in this period")
            heading = (
                _("{title}: {finding}", title=title, finding=text[0].lower() + text[1:])
                if title
                else text
            )
            cards.show_heading(
                chart_titles.ChartTitle(heading),
                why_empty or _("No value is known, or all are pending or hidden."),
            )
        return
    if title:
        finding = chart_titles.ChartTitle(
            _(
                "{title}: {finding}",
                title=title,
                finding=finding.text[0].lower() + finding.text[1:],
            ),
            finding.tone,
        )
    goals = [
        charts.TargetLine(step.target.value, step.first_day, step.last_day)
        for step in cached.find_targets(viewer, kpi.key, look.trend)
    ]
    caption = (
        _("{title} by month", title=cards.title_of(kpi))
        if series.grain == "month"
        else _("{title} by week", title=cards.title_of(kpi))
    )
    if series.points["low"].notna().any():
        caption += ", " + _("band: 95 % interval")
    if series.control:
        caption += ", " + _("usual level and control limits")
    if before and any(not formatting.is_missing(value) for value in before):
        caption += ", " + _("light: a year before")
    if goals:
        caption += ", " + _(
            "target {value}", value=formatting.value(goals[-1].value, kpi.unit, look.currency)
        )
    if series.points["provisional"].any():
        caption = _("{caption}; dotted: provisional", caption=caption)
    figure = charts.build_trend(
        series.points,
        kpi.unit,
        grain=series.grain,
        dark=cards.is_dark(),
        limits=series.limits,
        signals=series.flagged,
        before=before,
        goals=goals,
        marks=notes.find_marks(viewer, look, kpi.key),
        bounds=kpi.bounds,
        height=height,
        currency=look.currency,
    )
    clickable = drill.is_open_to(viewer) and kpi.subject == "contacts"
    on_select = drill.on_point(key, "", kpi.key, series.grain, window) if clickable else None
    cards.show_chart(
        figure,
        finding,
        caption,
        key,
        on_select=on_select,
        beside=lambda: notes.show_popover(viewer, look, key),
        kpi="" if window else kpi.key,
    )
