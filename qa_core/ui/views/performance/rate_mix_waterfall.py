"""Change of a rate: effects of each segment's rate and of the mix."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import chart_titles, charts
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import _
from qa_core.metrics.kpis import Kpi, formatting, get_kpi
from qa_core.stats import control_charts
from qa_core.stats.control_charts import SegmentEffect
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.views.performance.repeats import Window
from qa_core.ui.widgets import alert_banner, cards, drill, segmented_choice

SEGMENTS = ("reason", "queue", "channel", "team", "advisor")
"""Dimensions that segments can come from."""
MAX_PARTS = 6
HIDDEN = object()
"""Segment of all segments that are too small to be shown to this viewer."""
Segments = dict[Hashable, tuple[float, float]]


@dataclass(frozen=True)
class RateChange:
    """A rate's change by segment, the largest effect first."""

    kpi: Kpi
    dimension: str
    effects: Sequence[SegmentEffect]

    def name(self, segment: Hashable) -> str:
        if segment is HIDDEN:
            return _("Hidden (too small)")
        return formatting.name(self.dimension, segment)


def show(viewer: Viewer, state: FilterState, key: str, spread: float, window: Window) -> None:
    """Show the card. `spread`: of the trend of that KPI, which widens the interval."""
    kpi = get_kpi(key)
    whole = cached.headline(viewer, (key,), state.where, state.compare, window.overrides)[key]
    if state.compare is None or formatting.is_missing(getattr(whole, "delta", None)):
        title = _("{title}: nothing to compare with", title=formatting.short_title(kpi))
        cards.card(title, _(alert_banner.NO_COMPARISON))
        return
    titles = state.name_cuts(viewer, SEGMENTS)
    if not titles:
        cards.show_one_cut(formatting.short_title(kpi))
        return
    with cards.card():
        heading, buttons = st.columns(2, vertical_alignment="top")
        with buttons:
            dimension = segmented_choice.ask("segment", _("Segment"), titles)
        sides = [
            read_segments(
                cached.measure(viewer, (key,), (dimension,), where, overrides=window.overrides),
                dimension,
            )
            for where in (state.where.with_period(state.compare), state.where)
        ]
        found = control_charts.explain_change(*join_hidden(sides, whole))
        effects = sorted(found, key=lambda effect: -abs(effect.rate))
        change = RateChange(kpi, dimension, effects)
        interval = control_charts.interval_of_change(whole, spread)
        caption = _(
            "Rates within the segments: {rate}. Mix of segments: {mix}. Total: {change}.",
            rate=formatting.change(sum(effect.rate for effect in effects), "rate"),
            mix=formatting.change(sum(effect.mix for effect in effects), "rate"),
            change=formatting.change(whole.delta, "rate"),
        )
        with heading:
            cards.show_heading(describe(change, whole.delta, interval), caption)
        _show_waterfall(viewer, state, change, whole, window)


def read_segments(frame: pd.DataFrame, dimension: str) -> tuple[Segments, set[Hashable]]:
    """Return numerator and denominator by segment, and the hidden segments."""
    counts, hidden = {}, set()
    for row in frame.itertuples():
        value = getattr(row, dimension)
        segment = None if formatting.is_missing(value) else value
        if row.status == "suppressed":
            hidden.add(segment)
        elif not formatting.is_missing(row.numerator) and row.denominator:
            counts[segment] = (row.numerator, row.denominator)
    return counts, hidden


def join_hidden(
    sides: Sequence[tuple[Segments, set[Hashable]]], whole: Any
) -> tuple[Segments, Segments]:
    """Return the segments before and now; those hidden on one side are one segment on
    both: what the others leave of the whole.

    `whole`: row of `measure` without a cut, compared with the period before.
    """
    hidden = set().union(*(small for _, small in sides))
    before, now = (
        {segment: counts for segment, counts in side.items() if segment not in hidden}
        for side, _ in sides
    )
    if hidden:
        totals = (
            (whole.value_before * whole.n_before, whole.n_before),
            (whole.numerator, whole.denominator),
        )
        for side, (numerator, denominator) in zip((before, now), totals, strict=True):
            rest = denominator - sum(n for _, n in side.values())
            if rest > 0:
                side[HIDDEN] = (numerator - sum(hits for hits, _ in side.values()), rest)
    return before, now


def describe(change: RateChange, delta: float, interval: tuple[float, float] | None) -> ChartTitle:
    """Name what pulled most, or say that the change is within chance."""
    kpi = change.kpi
    finding = chart_titles.describe_change(
        formatting.short_title(kpi), delta, interval, kpi.unit, kpi.better
    )
    if not finding.severity or not change.effects:
        return finding
    pulls = [
        (effect.rate, change.name(effect.segment))
        for effect in change.effects
        if effect.segment is not HIDDEN
    ]
    mix = sum(effect.mix for effect in change.effects)
    mix_name = _("mix by {dimension}", dimension=formatting.dimension(change.dimension))
    strongest, name = max([*pulls, (mix, mix_name)], key=lambda pull: pull[0] * delta)
    if strongest * delta <= 0:
        return finding
    text = _(
        "{finding}; largest effect: {segment} ({effect})",
        finding=finding.text,
        segment=name,
        effect=formatting.change(strongest, kpi.unit),
    )
    return ChartTitle(text, finding.severity)


def _show_waterfall(
    viewer: Viewer, state: FilterState, change: RateChange, whole: Any, window: Window
) -> None:
    kpi, largest = change.kpi, change.effects[:MAX_PARTS]
    parts = [
        (
            change.name(effect.segment),
            effect.rate,
            None if effect.segment is HIDDEN else effect.segment,
        )
        for effect in largest
    ]
    if others := change.effects[MAX_PARTS:]:
        parts.append((_("Others"), sum(effect.rate for effect in others), None))
    parts.append((_("Mix"), sum(effect.mix for effect in change.effects), None))
    figure = charts.build_waterfall(
        whole.value_before,
        whole.value,
        parts,
        kpi.unit,
        better=kpi.better,
        labels=(state.compare_title, state.period_title),
        dark=styles.is_dark(),
        height=330,
    )
    key = f"change_{kpi.key}"
    alt = "; ".join(f"{name} {formatting.change(size, kpi.unit)}" for name, size, _value in parts)
    on_select = drill.on_point(viewer, key, change.dimension, kpi.key, window.tried)
    cards.show_figure(figure, key, alt, on_select)
