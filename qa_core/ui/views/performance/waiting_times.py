"""Waiting: percentiles, and missed callers."""

from typing import Any

import pandas as pd
import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import chart_titles
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.charts import traffic as charts
from qa_core.base.i18n import _
from qa_core.metrics.kpis import Unit, formatting, get_kpi
from qa_core.ui.frame import cached, layout, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.views.performance import traffic
from qa_core.ui.views.performance.traffic import MIN, WAIT, Clock
from qa_core.ui.widgets import cards, download_links, drill, tables, trend_cards

PERCENTILES = {
    "p95": ("attention", "dot"),
    "p90": ("accent", "solid"),
    "p50": ("reference", "dash"),
}
MIN_FOR_TAIL = 100
"""Waits from which on the longest tenth is at least ten people."""


def show(viewer: Viewer, state: FilterState, clock: Clock) -> None:
    """Show the cards on waiting that this viewer's data allows."""
    if viewer.needs_suppression:
        return
    if not clock.grain:
        _show_trend(viewer, state)
        return
    left, right = st.columns(2, gap="small")
    with left:
        _show_day(viewer, state, clock)
    with right:
        _show_trend(viewer, state)
    _show_recovery(viewer, state)


def _show_day(viewer: Viewer, state: FilterState, clock: Clock) -> None:
    frame = traffic.read_cut(viewer, state, clock.grain)
    frame = frame[(frame["kpi"] == WAIT) & frame["p50"].notna()].set_index(clock.grain)
    if frame.empty or frame["n"].max() < MIN:
        _show_nothing(frame)
        return
    at = charts.list_times(list(frame.index), clock.grain)
    frame = _hide_small_samples(frame).reindex(at)
    finding = _(traffic.FEW)
    if frame["p90"].notna().any():
        worst = frame["p90"].astype(float).idxmax()
        finding = _(
            "Longest waits at {hour}: one in ten waits more than {wait}",
            hour=formatting.name(clock.grain, worst),
            wait=formatting.duration(frame.loc[worst, "p90"]),
        )
    lines = _lines({name: frame[name] for name in PERCENTILES}, frame["n"])
    _show_percentiles(viewer, at, lines, clock.grain, finding, "waits_day")


def _show_percentiles(
    viewer: Viewer,
    at: list[Any],
    lines: list[charts.ChartLine],
    grain: str,
    finding: ChartTitle | str,
    key: str,
) -> None:
    caption = _(
        "Median, 90th and 95th percentile of the wait of answered contacts (from {few} and {many} "
        "contacts)",
        few=MIN,
        many=MIN_FOR_TAIL,
    )
    figure = charts.build_lines(at, lines, Unit.SECONDS, grain, dark=styles.is_dark())
    on_select = drill.on_point(viewer, key, grain, WAIT)
    cards.show_chart(figure, finding, caption, key, on_select=on_select, kpi=WAIT)


def _show_trend(viewer: Viewer, state: FilterState) -> None:
    waits = cached.measure(viewer, traffic.TILES, (state.grain,), state.trend)
    waits = waits[waits["kpi"] == WAIT]
    frame = _hide_small_samples(waits)
    series = {
        name: trend_cards.build(
            state, frame.assign(value=frame[name], low=None, high=None), get_kpi(WAIT), state.grain
        )
        for name in PERCENTILES
    }
    tail, is_by_month = series["p90"], state.grain == "month"
    if series["p50"].points["value"].isna().all():
        _show_nothing(waits)
        return
    finding = chart_titles.prefix(_("Median wait"), series["p50"].finding)
    if tail.points["value"].notna().any():
        finding = chart_titles.prefix(_("90th percentile of the wait"), tail.finding)
    values = {name: percentile.points["value"] for name, percentile in series.items()}
    lines = _lines(values, tail.points["n"])
    at = [f"{day:%Y-%m}" if is_by_month else day for day in tail.points["at"]]
    _show_percentiles(viewer, at, lines, state.grain, finding, "waits_trend")


def _show_nothing(waits: pd.DataFrame) -> None:
    """Show why there is no percentile: too few waits, or none."""
    if waits["p50"].notna().any():
        traffic.show_too_few()
    else:
        cards.card(_("No wait of single contacts is known"))


def _hide_small_samples(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    for name, least in (("p50", MIN), ("p90", MIN_FOR_TAIL), ("p95", MIN_FOR_TAIL)):
        frame[name] = frame[name].where(frame["n"] >= least)
    return frame


def _lines(values: dict[str, pd.Series], n: pd.Series) -> list[charts.ChartLine]:
    return [
        charts.ChartLine(
            _("median") if name == "p50" else name,
            pd.DataFrame({"value": values[name].to_numpy(), "n": n.to_numpy()}).astype(float),
            tone,
            dash,
        )
        for name, (tone, dash) in PERCENTILES.items()
    ]


def _show_recovery(viewer: Viewer, state: FilterState) -> None:
    """Show how many missed callers were called back and reached, where any were missed."""
    keys = ("recovered_rate", "call_back_rate")
    rows = cached.headline(viewer, ("missed", *keys), state.where, state.compare)
    if not tables.value_of(rows["missed"]):
        return
    cards.show_tiles([cards.build_tile(rows[key], state) for key in keys])
    with layout.row():
        if drill.is_open_to(viewer):
            title, missed = _("Open the contacts"), ({}, "missed")
            layout.show_button("arrow_forward", title, "open_missed", drill.to_contacts, *missed)
        download_links.show_figures("recovery", ("missed", *keys), (state.grain,), state.where)
