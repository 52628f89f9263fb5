"""Satisfaction: what customers say, how sure it is, and how many said anything. Never a
person.
"""

from __future__ import annotations

from datetime import date

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import exports
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.year_over_year import a_year_before
from qa_core.base.i18n import _
from qa_core.metrics import dimensions, formatting
from qa_core.metrics.dimensions import Period
from qa_core.metrics.kpis import get_kpi
from qa_core.ui import cached, cards, download_links, styles, tables, trend_cards
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.views.performance import (
    satisfaction_drivers,
    survey_answers,
    survey_response,
    year_over_year,
)

KPIS = ("csat", "nps", "ces", "response_rate")
TREND_HEIGHT = 220


def show_top(viewer: Viewer, look: FilterState) -> None:
    """Four tiles, and each of them over time with the year before."""
    rows = cached.headline(viewer, (*KPIS, "csat_mean"), look.where, look.compare)
    series = trend_cards.read_series(viewer, look, KPIS)
    mean = rows["csat_mean"]
    extra = {
        "csat": ""
        if formatting.is_missing(mean.value)
        else _("mean {mean} of 5", mean=formatting.value(mean.value, "rating")),
        "ces": _("of 7"),
    }
    cards.show_tiles(
        [cards.build_tile(rows[key], look, series[key], extra.get(key, "")) for key in KPIS]
    )
    before = _read_year_before(viewer, look)
    for pair in (("csat", "nps"), ("ces", "response_rate")):
        for column, key in zip(st.columns(2, gap="small"), pair, strict=True):
            with column:
                points = [before[key].get(day) for day in series[key].points["at"]]
                trend_cards.show_trend(
                    viewer,
                    look,
                    series[key],
                    height=TREND_HEIGHT,
                    title=cards.title_of(get_kpi(key)),
                    before=points,
                )


def show_why(viewer: Viewer, look: FilterState) -> None:
    """What satisfaction goes with, how it stands a year apart, who answered, and what
    they answered.
    """
    left, right = st.columns([5, 4], gap="small")
    with left:
        satisfaction_drivers.show(viewer, look)
    with right:
        year_over_year.show(viewer, look)
        survey_response.show(viewer, look)
    for column, key in zip(st.columns(2, gap="small"), ("csat", "nps"), strict=True):
        with column:
            survey_answers.show(viewer, look, key)


def _read_year_before(viewer: Viewer, look: FilterState) -> dict[str, dict[date, float]]:
    """For each KPI the values a year before, by the week or month of the trend that
    each stands beside; none from before the data.
    """
    trend = look.trend
    frame = cached.measure(
        viewer, KPIS, (look.grain,), trend, a_year_before(look.grain, trend.period)
    )
    found: dict[str, dict[date, float]] = {key: {} for key in KPIS}
    for row in frame.itertuples():
        start = date.fromisoformat(f"{getattr(row, look.grain)}-01"[:10])
        if (
            not formatting.is_missing(row.value_before)
            and a_year_before(look.grain, Period(start, start)).first_day >= look.first_day
        ):
            found[row.kpi][start] = float(row.value_before)
    return found


def show_cuts(viewer: Viewer, look: FilterState) -> None:
    """Where satisfaction is better or worse: queues, channels, reasons."""
    cuts = ("queue", "channel", "reason")
    with st.container(key=styles.NOT_PRINTED):
        for tab, dimension in zip(
            st.tabs([_(dimensions.get_dimension(dimension).title) for dimension in cuts]),
            cuts,
            strict=True,
        ):
            with tab:
                _show_table(viewer, look, dimension)


def _show_table(viewer: Viewer, look: FilterState, dimension: str) -> None:
    by = tables.wide(cached.measure(viewer, KPIS, (dimension,), look.where), dimension)
    lines = tables.sparklines(
        cached.measure(viewer, ("csat",), (dimension, look.grain), look.trend),
        dimension,
        look.grain,
        "csat",
    )
    ordered = sorted(
        (value for value in by if not formatting.is_missing(by[value]["csat"].value)),
        key=lambda value: by[value]["csat"].value,
    )
    hidden = sum(by[value]["csat"].status == "suppressed" for value in by)
    head = _(dimensions.get_dimension(dimension).title)
    csat, trend, answers, response = (
        cards.column_of("csat"),
        _("Trend"),
        _("Ratings"),
        cards.column_of("response_rate"),
    )
    rows = [
        {
            head: formatting.name(dimension, value),
            csat: tables.as_share(by[value]["csat"].value),
            _("95 % interval"): formatting.interval(
                by[value]["csat"].low, by[value]["csat"].high, "rate"
            ),
            trend: lines.get(value, []),
            answers: by[value]["csat"].n,
            cards.column_of("nps"): tables.cell(by[value]["nps"]),
            cards.column_of("ces"): tables.cell(by[value]["ces"]),
            response: tables.as_share(by[value]["response_rate"].value),
        }
        for value in ordered
    ]
    if not rows:
        cards.show_heading(ChartTitle(_("No data in this period")))
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
        download_links.show_download(
            _("Export"),
            "figures",
            key=dimension,
            **exports.parameters(KPIS, (dimension,), look.where),
        )
    if hidden:
        st.caption(
            _(
                "Some lines are hidden: fewer than five advisors or ten contacts stand behind "
                "them, or they would give such a line away."
            )
        )
