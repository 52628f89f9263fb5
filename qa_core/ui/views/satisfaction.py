"""Satisfaction: what customers say, how sure it is, and how many said anything. Never a person."""

from __future__ import annotations

from typing import Any

import streamlit as st

from qa_core import exports, figures, slices
from qa_core.access import Viewer
from qa_core.findings import Finding
from qa_core.kpis import get_kpi
from qa_core.ui import cached, cards, links, tables
from qa_core.ui.filter_bar import Look
from qa_core.ui.views import trends
from qa_core.wording import _

KPIS = ("csat", "nps", "ces", "response_rate")


def show_top(viewer: Viewer, look: Look) -> None:
    """Four tiles and two trends."""
    rows = cached.headline(viewer, (*KPIS, "csat_mean"), look.where, look.compare)
    series = trends.read_series(viewer, look, KPIS)
    mean = rows["csat_mean"]
    extra = {"csat": "" if figures.is_missing(mean.value) else _("mean {mean} of 5", mean=figures.value(mean.value, "rating")), "ces": _("of 7")}
    cards.show_tiles([cards.build_tile(rows[key], look, series[key], extra.get(key, "")) for key in KPIS])
    for pair in (("csat", "nps"), ("ces", "response_rate")):
        for column, key in zip(st.columns(2, gap="small"), pair, strict=True):
            with column:
                trends.show_trend(viewer, look, series[key], title=cards.title_of(get_kpi(key)))
        if pair[0] == "csat":
            _say_bounds(rows["csat"], rows["response_rate"])


def show_cuts(viewer: Viewer, look: Look) -> None:
    """Where satisfaction is better or worse: queues, channels, reasons."""
    cuts = ("queue", "channel", "reason")
    for tab, dimension in zip(st.tabs([_(slices.get_dimension(dimension).title) for dimension in cuts]), cuts, strict=True):
        with tab:
            _show_table(viewer, look, dimension)


def _say_bounds(csat: Any, response: Any) -> None:
    """What the silent could change: everybody unhappy, or everybody happy."""
    if figures.is_missing(csat.value) or figures.is_missing(response.value) or not response.denominator or csat.n > response.denominator:
        return
    silent = response.denominator - csat.n
    low, high = csat.numerator / response.denominator, (csat.numerator + silent) / response.denominator
    st.caption(
        _(
            "{silent} customers were asked and gave no rating. Had they all been unhappy, satisfaction would be {low}; all happy, {high}.",
            silent=figures.number(silent), low=figures.percent(low, 0), high=figures.percent(high, 0),
        )
    )  # fmt: skip


def _show_table(viewer: Viewer, look: Look, dimension: str) -> None:
    by = tables.wide(cached.measure(viewer, KPIS, (dimension,), look.where), dimension)
    lines = tables.sparklines(cached.measure(viewer, ("csat",), (dimension, look.grain), look.trend), dimension, look.grain, "csat")
    ordered = sorted((value for value in by if not figures.is_missing(by[value]["csat"].value)), key=lambda value: by[value]["csat"].value)
    hidden = sum(by[value]["csat"].status == "suppressed" for value in by)
    head = _(slices.get_dimension(dimension).title)
    csat, trend, answers, response = cards.column_of("csat"), _("Trend"), _("Ratings"), cards.column_of("response_rate")
    rows = [
        {
            head: figures.name(dimension, value),
            csat: tables.as_share(by[value]["csat"].value),
            _("95 % interval"): figures.interval(by[value]["csat"].low, by[value]["csat"].high, "rate"),
            trend: lines.get(value, []),
            answers: by[value]["csat"].n,
            cards.column_of("nps"): tables.cell(by[value]["nps"]),
            cards.column_of("ces"): tables.cell(by[value]["ces"]),
            response: tables.as_share(by[value]["response_rate"].value),
        }
        for value in ordered
    ]
    if not rows:
        cards.show_heading(Finding(_("No data in this period")))
        return
    config = {
        head: tables.name_column(head, 140),
        csat: tables.share_column(csat, 100),
        response: tables.percent_column(response, 76),
        trend: tables.trend_column(trend, 80),
        answers: tables.count_column(answers, 66),
    }
    tables.show(rows, config, f"table_satisfaction_{dimension}", height=420)
    with tables.show_foot():
        tables.note_definitions(KPIS, look, key=dimension)
        links.show_download(_("Export"), "figures", key=dimension, **exports.parameters(KPIS, (dimension,), look.where))
    if hidden:
        st.caption(_("Some lines are hidden: fewer than five advisors or ten contacts stand behind them, or they would give such a line away."))
