"""Why a share moved between two periods: the effect of the segments' own rates and of
their mix, exactly, as a waterfall and as a table.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import chart_titles, charts
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import N_, _
from qa_core.metrics import dimensions, formatting
from qa_core.metrics.kpis import Kpi, get_kpi
from qa_core.stats import control_charts
from qa_core.stats.control_charts import SegmentEffect
from qa_core.ui import cached, cards, drill, segmented_choice, tables
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.views.performance.resolution_window import Window

SEGMENTS = ("reason", "queue", "channel", "team", "advisor")
MOST_PARTS = 6
HIDDEN = object()
"""In place of the segments that are too small to be shown to this viewer, taken
together.
"""
BY_MIX: Mapping[str, str] = {
    "reason": N_("the mix of reasons"),
    "queue": N_("the mix of queues"),
    "channel": N_("the mix of channels"),
    "team": N_("the mix of teams"),
    "advisor": N_("who answers how much"),
}
Segments = dict[Hashable, tuple[float, float]]


def show(viewer: Viewer, look: FilterState, key: str, spread: float, tried: Window) -> None:
    """The card: by which segment, what mattered most, the waterfall, and every segment
    with both effects.
    """
    kpi = get_kpi(key)
    whole = cached.headline(viewer, (key,), look.where, look.compare, tried.overrides)[key]
    with st.container(border=True, gap="xxsmall"):
        if look.compare is None or formatting.is_missing(getattr(whole, "delta", None)):
            finding = ChartTitle(_("{title}: nothing to compare with", title=cards.title_of(kpi)))
            cards.show_heading(
                finding, _("Choose a comparison above, or a period whose earlier one has data.")
            )
            return
        heading, buttons = st.columns(2, vertical_alignment="top")
        with buttons:
            titles = {
                name: _(dimensions.get_dimension(name).title)
                for name in SEGMENTS
                if viewer.can_cut_by(name)
            }
            dimension = segmented_choice.ask("segment", _("Segment"), titles)
        cuts = [
            cached.measure(
                viewer,
                (key,),
                (dimension,),
                look.where.with_period(look.compare),
                overrides=tried.overrides,
            )
        ]
        cuts.append(
            cached.measure(viewer, (key,), (dimension,), look.where, overrides=tried.overrides)
        )
        before, now = join_hidden([read_segments(cut, dimension) for cut in cuts], whole)
        effects = control_charts.explain_change(before, now)
        names = {
            effect.segment: _("Hidden, being small")
            if effect.segment is HIDDEN
            else formatting.name(dimension, effect.segment)
            for effect in effects
        }
        interval = control_charts.interval_of_change(whole, spread)
        with heading:
            cards.show_heading(
                describe(kpi, whole.delta, interval, effects, names, dimension),
                _describe_sum(effects, whole.delta),
            )
        left, right = st.columns([4, 5], gap="small")
        with left:
            _show_waterfall(viewer, look, kpi, whole, effects, names, dimension, tried)
        with right:
            _show_table(before, now, effects, names, _(dimensions.get_dimension(dimension).title))


def read_segments(frame: pd.DataFrame, dimension: str) -> tuple[Segments, set[Hashable]]:
    """Numerator and denominator of each segment of a frame of `measure`, and the
    segments that are hidden.
    """
    found, small = {}, set()
    for row in frame.itertuples():
        segment = (
            None if formatting.is_missing(getattr(row, dimension)) else getattr(row, dimension)
        )
        if row.status == "suppressed":
            small.add(segment)
        elif not formatting.is_missing(row.numerator) and row.denominator:
            found[segment] = (row.numerator, row.denominator)
    return found, small


def join_hidden(
    sides: Sequence[tuple[Segments, set[Hashable]]], whole: Any
) -> tuple[Segments, Segments]:
    """The segments before and now, where those hidden in one of the periods are one in
    both: what the others leave of the whole.

    `whole`: the row of `measure` without a cut, compared with the period before.
    """
    hidden = set().union(*(small for _, small in sides))
    made = tuple(
        {segment: counts for segment, counts in found.items() if segment not in hidden}
        for found, _ in sides
    )
    if hidden:
        totals = (
            (whole.value_before * whole.n_before, whole.n_before),
            (whole.numerator, whole.denominator),
        )
        for side, (numerator, denominator) in zip(made, totals, strict=True):
            rest = denominator - sum(n for _, n in side.values())
            if rest > 0:
                side[HIDDEN] = (numerator - sum(hits for hits, _ in side.values()), rest)
    return made


def describe(
    kpi: Kpi,
    change: float,
    interval: tuple[float, float] | None,
    effects: list[SegmentEffect],
    names: Mapping[Hashable, str],
    dimension: str,
) -> ChartTitle:
    """What mattered most, in one sentence; or that the change is within chance."""
    finding = chart_titles.describe_change(
        cards.title_of(kpi), change, interval, kpi.unit, kpi.better
    )
    if not finding.tone or not effects:
        return finding
    pulls = [
        (effect.rate, names[effect.segment]) for effect in effects if effect.segment is not HIDDEN
    ]
    pulls.append((sum(effect.mix for effect in effects), _(BY_MIX[dimension])))
    strongest, name = max(pulls, key=lambda pull: pull[0] * change)
    if strongest * change <= 0:
        return finding
    return ChartTitle(
        _(
            "{finding}, most of all by {segment}: {effect}",
            finding=finding.text,
            segment=name,
            effect=formatting.change(strongest, kpi.unit),
        ),
        finding.tone,
    )


def _describe_sum(effects: list[SegmentEffect], change: float) -> str:
    rate, mix = (
        formatting.change(sum(getattr(effect, name) for effect in effects), "rate")
        for name in ("rate", "mix")
    )
    return _(
        "By the segments' own rates {rate}, by their mix {mix}: together {change}.",
        rate=rate,
        mix=mix,
        change=formatting.change(change, "rate"),
    )


def _show_waterfall(
    viewer: Viewer,
    look: FilterState,
    kpi: Kpi,
    whole: Any,
    effects: list[SegmentEffect],
    names: Mapping[Hashable, str],
    dimension: str,
    tried: Window,
) -> None:
    largest = sorted(effects, key=lambda effect: -abs(effect.rate))
    parts = [
        (names[effect.segment], effect.rate, None if effect.segment is HIDDEN else effect.segment)
        for effect in largest[:MOST_PARTS]
    ]
    if len(largest) > MOST_PARTS:
        parts.append((_("Others"), sum(effect.rate for effect in largest[MOST_PARTS:]), None))
    parts.append((_("Mix"), sum(effect.mix for effect in effects), None))
    labels = (look.compare_title, look.period_title)
    figure = charts.build_waterfall(
        whole.value_before,
        whole.value,
        parts,
        kpi.unit,
        better=kpi.better,
        labels=labels,
        dark=cards.is_dark(),
        height=330,
    )
    said = "; ".join(
        f"{name} {formatting.change(effect, kpi.unit)}" for name, effect, _key in parts
    )
    key = f"change_{kpi.key}"
    clickable = drill.is_open_to(viewer)
    cards.show_figure(
        figure,
        key,
        said,
        drill.on_point(key, dimension, kpi.key, window=tried.tried) if clickable else None,
    )


def _show_table(
    before: Segments,
    now: Segments,
    effects: list[SegmentEffect],
    names: Mapping[Hashable, str],
    head: str,
) -> None:
    """Every segment, the largest rate effect first. Effects and differences are in
    points.
    """
    totals = tuple(sum(denominator for _, denominator in side.values()) for side in (before, now))
    rows = []
    for effect in sorted(effects, key=lambda effect: -abs(effect.rate)):
        earlier, later = before.get(effect.segment), now.get(effect.segment)
        shares = [
            None if side is None else side[1] / total
            for side, total in zip((earlier, later), totals, strict=True)
        ]
        rates = [None if side is None else side[0] / side[1] for side in (earlier, later)]
        rows.append(
            {
                head: names[effect.segment],
                _("Share"): _from_to(*shares),
                _("Rate"): _from_to(*rates),
                _("Rate effect"): round(100 * effect.rate, 2),
                _("Mix effect"): round(100 * effect.mix, 2),
            }
        )
    config = {head: tables.name_column(head, 108)}
    config |= {
        title: st.column_config.TextColumn(title, width=78) for title in (_("Share"), _("Rate"))
    }
    config |= {
        title: st.column_config.NumberColumn(title, format="localized", width=90)
        for title in (_("Rate effect"), _("Mix effect"))
    }
    tables.show(rows, config, "movement", height=290)
    st.caption(
        _(
            "Effects in points. Rate: mean share × change of rate. Mix: mean rate × change of "
            "share; a share that grows shrinks others, so add them up."
        )
    )


def _from_to(before: float | None, now: float | None) -> str:
    """31 → 21 %; a dash where one of them is missing."""
    first, then = (
        "–" if formatting.is_missing(value) else formatting.number(100 * value)
        for value in (before, now)
    )
    return f"{first} → {then}{formatting.NARROW}%"
