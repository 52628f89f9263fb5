"""The Satisfaction page: what customers say and how sure it is. Never a person."""

from collections.abc import Mapping
from datetime import date

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis.year_over_year import find_year_before
from qa_core.base.i18n import _
from qa_core.metrics.kpis import dimensions, formatting, get_kpi
from qa_core.metrics.kpis.dimensions import Period
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.views.performance import satisfaction_drivers, survey_response, year_over_year
from qa_core.ui.widgets import (
    cards,
    download_links,
    sections,
    segmented_choice,
    tables,
    trend_cards,
)

KPIS = survey_response.RATES
TREND_HEIGHT = 220


def show_top(viewer: Viewer, state: FilterState) -> None:
    """Show four tiles, and each of them over time with the year before."""
    rows = survey_response.read_whole(viewer, state)
    year_before = find_year_before(state.grain, state.trend.period)
    series = trend_cards.read_series(viewer, state, KPIS, compare=year_before)
    mean = rows["csat_mean"]
    extra = {"ces": _("of 7")}
    if not formatting.is_missing(mean.value):
        extra["csat"] = _("mean {mean} of 5", mean=formatting.value(mean.value, "rating"))
    cards.show_tiles(
        [cards.build_tile(rows[key], state, series[key], extra.get(key, "")) for key in KPIS]
    )
    before = _read_year_before(viewer, state, year_before)
    for pair in (KPIS[:2], KPIS[2:]):
        for column, key in zip(st.columns(2, gap="small"), pair, strict=True):
            with column:
                trend_cards.show_trend(
                    viewer,
                    state,
                    series[key],
                    height=TREND_HEIGHT,
                    title=cards.title_of(get_kpi(key)),
                    before=[before[key].get(day) for day in series[key].points["at"]],
                )


def show_why(viewer: Viewer, state: FilterState, by_cut: Mapping[str, tables.Rows]) -> None:
    """Show what satisfaction goes with, the year before, and who answered.

    `by_cut`: the rows of `survey_response.read_cuts`.
    """
    left, right = st.columns([5, 4], gap="small")
    with left:
        satisfaction_drivers.show(viewer, state)
    with right:
        year_over_year.show(viewer, state)
        survey_response.show(viewer, state, by_cut)
    sections.show("answers", _("Answers month by month"), lambda: _show_answers(viewer, state))


def _show_answers(viewer: Viewer, state: FilterState) -> None:
    for column, key in zip(st.columns(2, gap="small"), ("csat", "nps"), strict=True):
        with column:
            survey_response.show_marks(viewer, state, key)


def _read_year_before(
    viewer: Viewer, state: FilterState, year_before: Period
) -> dict[str, dict[date, float]]:
    """Return by KPI the values a year before, by week or month, where there are data."""
    grain = state.grain
    frame = cached.measure(viewer, KPIS, (grain,), state.trend, year_before)
    values: dict[str, dict[date, float]] = {key: {} for key in KPIS}
    for row in frame.itertuples():
        start = date.fromisoformat(f"{getattr(row, grain)}-01"[:10])
        is_within = find_year_before(grain, Period(start, start)).first_day >= state.first_day
        if is_within and not formatting.is_missing(row.value_before):
            values[row.kpi][start] = float(row.value_before)
    return values


def show_cuts(viewer: Viewer, state: FilterState, by_cut: Mapping[str, tables.Rows]) -> None:
    """Show where satisfaction is better or worse, by one dimension."""
    if not by_cut:
        cards.show_one_cut(_("Satisfaction"))
        return
    with st.container(key=styles.NOT_PRINTED):
        titles = {cut: _(dimensions.get_dimension(cut).title) for cut in by_cut}
        cut = segmented_choice.ask("by", _("Break down by"), titles, key="satisfaction_by")
        _show_table(viewer, state, cut, by_cut[cut])


def _show_table(viewer: Viewer, state: FilterState, dimension: str, by: tables.Rows) -> None:
    ordered = sorted(
        (value for value in by if not formatting.is_missing(by[value]["csat"].value)),
        key=lambda value: by[value]["csat"].value,
    )
    if not ordered:
        cards.show_heading(_("No data in this period"))
        return
    trend = cached.measure(viewer, ("csat",), (dimension, state.grain), state.trend)
    lines = tables.sparklines(trend, dimension, state.grain, "csat")
    columns = (
        tables.dimension_column(dimension, 140),
        tables.kpi_column("csat", lambda value: by[value]["csat"], 100, has_bar=True),
        tables.text_column(
            _("95 % interval"),
            lambda value: formatting.interval(
                by[value]["csat"].low, by[value]["csat"].high, "rate"
            ),
        ),
        tables.trend_column(_("Trend"), lambda value: lines.get(value, []), 80),
        tables.count_column(_("Ratings"), lambda value: by[value]["csat"].n, 66),
        tables.interval_column("nps", lambda value: by[value]["nps"]),
        tables.interval_column("ces", lambda value: by[value]["ces"]),
        tables.kpi_column("response_rate", lambda value: by[value]["response_rate"], 76),
    )
    tables.show(ordered, columns, f"table_satisfaction_{dimension}", height=420)
    with tables.show_foot():
        tables.show_definitions(KPIS, state, key=dimension)
        download_links.show_figures(dimension, KPIS, (dimension,), state.where)
    tables.show_hidden(by)
