"""Trend cards and the waterfall of a change: shared by the pages on performance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from qa_core import charts, figures, findings, movement
from qa_core.access import Viewer
from qa_core.kpis import Unit, get_kpi
from qa_core.series import Series, build_series
from qa_core.ui import cached, cards, drill, notes
from qa_core.ui.filter_bar import Look
from qa_core.wording import _

BOUNDS = {Unit.RATE: (0.0, 1.0), Unit.NPS: (-100.0, 100.0), Unit.SCORE: (0.0, 100.0)}
MOST_PARTS = 6


def read_series(viewer: Viewer, look: Look, kpis: Sequence[str]) -> Mapping[str, Series]:
    """The trend of each KPI, with its limits."""
    frame = cached.measure(viewer, tuple(kpis), (look.grain,), look.trend)
    changes = cached.find_changes(viewer, look.trend.period, tuple(kpis))
    span = (look.grain, look.trend.period, look.first_day, look.last_day, look.where.period.first_day)
    return {key: build_series(frame, get_kpi(key), *span, [change.day for change in changes if key in change.kpis]) for key in kpis}


def show_trend(viewer: Viewer, look: Look, series: Series, height: int = 270, title: str = "") -> None:
    """One KPI over time, under what its series shows. A click on a point opens the contacts of that week."""
    kpi, finding, key = series.kpi, series.finding, f"trend_{series.kpi.key}"
    if series.points["value"].isna().all():
        with st.container(border=True, height="stretch", gap="xxsmall"):
            text = _("Nothing to show in this period")
            heading = _("{title}: {finding}", title=title, finding=text[0].lower() + text[1:]) if title else text
            cards.show_heading(findings.Finding(heading), _("No value is known, or all are pending or hidden."))
        return
    if title:
        finding = findings.Finding(_("{title}: {finding}", title=title, finding=finding.text[0].lower() + finding.text[1:]), finding.tone)
    goals = [charts.Goal(step.target.value, step.first_day, step.last_day) for step in cached.find_targets(viewer, kpi.key, look.trend)]
    caption = _("{title} by month", title=cards.title_of(kpi)) if series.grain == "month" else _("{title} by week", title=cards.title_of(kpi))
    if series.points["low"].notna().any():
        caption += ", " + _("band: 95 % interval")
    if series.control:
        caption += ", " + _("usual level and control limits")
    if goals:
        caption += ", " + _("target")
    if series.points["provisional"].any():
        caption = _("{caption}; dotted: provisional", caption=caption)
    figure = charts.build_trend(
        series.points,
        kpi.unit,
        grain=series.grain,
        dark=cards.is_dark(),
        limits=series.limits,
        signals=series.flagged,
        goals=goals,
        marks=notes.find_marks(viewer, look, kpi.key),
        bounds=BOUNDS.get(kpi.unit),
        height=height,
        currency=look.currency,
    )
    clickable = drill.is_open_to(viewer) and kpi.subject == "contacts"
    on_select = drill.on_point(key, "", kpi.key, series.grain) if clickable else None
    cards.show_chart(figure, finding, caption, key, on_select=on_select, beside=lambda: notes.show_popover(viewer, look, key), kpi=kpi.key)


def show_change(viewer: Viewer, look: Look, key: str, dimension: str, spread: float = 1.0, height: int = 270) -> None:
    """Why a rate moved between the two periods, segment by segment; says so when chance alone would explain it."""
    kpi = get_kpi(key)
    title = cards.title_of(kpi)
    whole = cached.headline(viewer, (key,), look.where, look.compare)[key]
    if look.compare is None or figures.is_missing(getattr(whole, "delta", None)):
        with st.container(border=True, height="stretch", gap="xxsmall"):
            finding = findings.Finding(_("{title}: nothing to compare with", title=title))
            cards.show_heading(finding, _("Choose a comparison above, or a period whose earlier one has data."))
        return
    now, before = (_segments(viewer, key, dimension, where) for where in (look.where, look.where.with_period(look.compare)))
    effects = movement.explain_change(before, now)
    interval = movement.change_interval((whole.value, whole.low, whole.high), (whole.value_before, whole.low_before, whole.high_before), spread)
    finding = findings.describe_change(title, whole.delta, interval, kpi.unit, kpi.better)
    names = {effect.segment: figures.name(dimension, effect.segment) for effect in effects}
    caption = findings.describe_effects(effects, names, whole.delta, kpi.unit)
    if finding.tone == "":
        caption = _("What moved, all the same: {what}", what=caption[0].lower() + caption[1:])
    largest = sorted(effects, key=lambda effect: -abs(effect.rate))
    parts = [(names[effect.segment], effect.rate, effect.segment) for effect in largest[:MOST_PARTS]]
    if len(largest) > MOST_PARTS:
        parts.append((_("Others"), sum(effect.rate for effect in largest[MOST_PARTS:]), None))
    parts.append((_("Mix"), sum(effect.mix for effect in effects), None))
    chart_key = f"change_{key}"
    figure = charts.build_waterfall(
        whole.value_before, whole.value, parts, kpi.unit, better=kpi.better, labels=(look.compare_title, look.period_title), dark=cards.is_dark(), height=height
    )
    on_select = drill.on_point(chart_key, dimension, key) if drill.is_open_to(viewer) else None
    cards.show_chart(figure, finding, caption, chart_key, on_select=on_select, kpi=key)


def _segments(viewer: Viewer, key: str, dimension: str, where) -> dict:
    rows = cached.measure(viewer, (key,), (dimension,), where)
    return {
        None if figures.is_missing(getattr(row, dimension)) else getattr(row, dimension): (row.numerator, row.denominator)
        for row in rows.itertuples()
        if not figures.is_missing(row.numerator) and row.denominator
    }
