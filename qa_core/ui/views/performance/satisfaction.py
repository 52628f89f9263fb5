"""The Satisfaction page: what customers say and how sure it is. Never a person."""

from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import chart_titles, charts, driver_texts, year_over_year
from qa_core.analysis.chart_titles import SIGNIFICANCE_LEVEL
from qa_core.base.i18n import _, capitalise
from qa_core.metrics.kpis import Unit, formatting, get_kpi
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.metrics.query import Drivers
from qa_core.stats import control_charts, holm, p_value_of
from qa_core.stats.adjusted_differences import MIN_ROWS, Driver
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import cards, download_links, segmented_choice, tables, trend_cards

KPIS = ("csat", "nps", "ces", "response_rate")
TREND_HEIGHT = 220


CUTS = ("queue", "channel", "reason")
WHOLE = (*KPIS, "csat_mean", "csat_if_silent_unhappy", "csat_if_silent_happy")


MAX_ROWS = 18


def show_top(viewer: Viewer, state: FilterState) -> None:
    """Show four tiles, and each of them over time with the year before."""
    rows = _read_whole(viewer, state)
    year_before = year_over_year.find_year_before(state.grain, state.trend.period)
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
                    has_title=True,
                    before=[before[key].get(day) for day in series[key].points["at"]],
                )


def show_why(viewer: Viewer, state: FilterState) -> None:
    """Show what satisfaction goes with, the year before, and who answered."""
    left, right = st.columns([5, 4], gap="small")
    with left:
        _show_drivers(viewer, state)
    with right:
        _show_year_over_year(viewer, state)
        _show_response(viewer, state)


def _read_year_before(
    viewer: Viewer, state: FilterState, year_before: Period
) -> dict[str, dict[date, float]]:
    """Return by KPI the values a year before, by week or month, where there are data."""
    grain = state.grain
    frame = cached.measure(viewer, KPIS, (grain,), state.trend, year_before)
    values: dict[str, dict[date, float]] = {key: {} for key in KPIS}
    for row in frame.itertuples():
        start = date.fromisoformat(f"{getattr(row, grain)}-01"[:10])
        is_within = (
            year_over_year.find_year_before(grain, Period(start, start)).first_day
            >= state.first_day
        )
        if is_within and not formatting.is_missing(row.value_before):
            values[row.kpi][start] = float(row.value_before)
    return values


def show_cuts(viewer: Viewer, state: FilterState) -> None:
    """Show where satisfaction is better or worse, by one dimension."""
    titles = state.name_cuts(viewer, CUTS)
    if not titles:
        cards.show_one_cut(_("Satisfaction"))
        return
    frames = cached.measure_cuts(viewer, KPIS, tuple((cut,) for cut in titles), state.where)
    by_cut = {cut: tables.index_rows(frame, cut) for cut, frame in zip(titles, frames, strict=True)}
    with st.container(key=styles.NOT_PRINTED):
        cut = segmented_choice.ask("by", _("Break down by"), titles, key="satisfaction_by")
        _show_table(viewer, state, cut, by_cut[cut])
    with st.container(key=styles.ONLY_PRINTED):
        for dimension, by in by_cut.items():
            _print_table(dimension, titles[dimension], by)


def _print_table(dimension: str, title: str, by: tables.Rows) -> None:
    """Show satisfaction by one dimension for paper: every row, the lowest first."""
    lines = [
        {
            title: formatting.name(dimension, value),
            **{cards.column_of(key): tables.with_interval(by[value][key]) or "–" for key in KPIS},
            _("Ratings"): formatting.number(by[value]["csat"].n),
        }
        for value in _in_order(by)
    ]
    if lines:
        st.table(lines, border="horizontal", hide_index=True)


def _in_order(by: tables.Rows) -> list[Any]:
    """Return the values with ratings, the lowest satisfaction first."""
    rated = (value for value in by if not formatting.is_missing(by[value]["csat"].value))
    return sorted(rated, key=lambda value: by[value]["csat"].value)


def _show_table(viewer: Viewer, state: FilterState, dimension: str, by: tables.Rows) -> None:
    ordered = _in_order(by)
    if not ordered:
        cards.show_heading(_("No data in this period"))
        return
    trend = cached.measure(viewer, ("csat",), (dimension, state.grain), state.trend)
    lines = tables.sparklines(trend, dimension, state.grain, "csat")
    columns = (
        tables.dimension_column(dimension, 140),
        tables.kpi_column("csat", lambda value: by[value]["csat"], 100, has_bar=True),
        tables.number_text_column(
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


def _show_year_over_year(viewer: Viewer, state: FilterState) -> None:
    """Show satisfaction by month against the year before, and their common change."""
    paired = year_over_year.find_paired_months(state.first_day, state.last_day)
    title = formatting.short_title(get_kpi("csat"))
    if paired is None:
        text = _describe_season(viewer, state)
        cards.card(_("{title}: no month with a year before it yet", title=title), text)
        return
    where, before = state.where.with_period(paired), paired.year_before()
    together = cached.headline(viewer, KPIS, where, before)
    csat, kpi = together["csat"], get_kpi("csat")
    finding = chart_titles.describe_change(
        _("Satisfaction year over year"),
        getattr(csat, "delta", None),
        control_charts.interval_of_change(csat),
        kpi.unit,
        kpi.better,
    )
    months = [
        row
        for row in cached.measure(viewer, ("csat",), ("month",), where, before).itertuples()
        if not formatting.is_missing(row.delta)
    ]
    caption = f"{_explain_change(paired, together)} {_describe_season(viewer, state)}"
    if not months:
        cards.card(finding, caption)
        return
    figure = charts.build_differences(
        _compare_months(months), kpi.unit, dark=styles.is_dark(), row_height=19
    )
    cards.show_chart(figure, finding, caption, "year_over_year")


def _compare_months(months: list[Any]) -> pd.DataFrame:
    """Compare the months, newest first, with a tone where the change is clear."""
    between = [control_charts.interval_of_change(row) or (None, None) for row in months]
    sure = holm(
        [
            1.0 if ends[0] is None else p_value_of(row.delta, *ends)
            for row, ends in zip(months, between, strict=True)
        ]
    )
    records = [
        {
            "label": formatting.month(row.month),
            "value": row.delta,
            "low": low,
            "high": high,
            "n": row.n,
            "severity": chart_titles.severity_of(row.delta, get_kpi("csat").better)
            if is_clear
            else "",
        }
        for row, (low, high), is_clear in zip(months, between, sure, strict=True)
    ]
    return pd.DataFrame(records[::-1])


def _explain_change(paired: Period, together: dict[str, Any]) -> str:
    text = _(
        "{months} against the same months a year before, with 95 % confidence interval.",
        months=capitalise(formatting.period(paired)),
    )
    changes = []
    for key in KPIS:
        row, between = together[key], control_charts.interval_of_change(together[key])
        if between:
            unit = get_kpi(key).unit
            changes.append(
                f"{cards.column_of(key)} {formatting.change(row.delta, unit)} "
                f"({charts.format_between(*between, unit)})"
            )
    return f"{text} {' · '.join(changes)}." if changes else text


def _describe_season(viewer: Viewer, state: FilterState) -> str:
    count = year_over_year.count_months(state.first_day, state.last_day)
    if count < year_over_year.MIN_MONTHS:
        return _(
            "Seasonality needs {least} full months of data; you have {n}.",
            least=year_over_year.MIN_MONTHS,
            n=count,
        )
    whole = year_over_year.find_paired_months(state.first_day, state.last_day, count)
    period = Period(whole.year_before().first_day, whole.last_day)
    where = Filters(period, state.where.values)
    frame = cached.measure(viewer, ("csat",), ("month",), where)
    known = frame[frame["numerator"].notna()].sort_values("month")
    months = list(zip(known["month"], known["numerator"], known["n"], strict=True))
    season = year_over_year.find_season(months) if len(known) == count else None
    if season is None:
        return ""
    if season.p_value >= SIGNIFICANCE_LEVEL:
        return _("No clear season: calendar months do not differ more than usual.")
    high, low = (
        formatting.month(date(2000, month, 1), year=False)
        for month in (season.highest, season.lowest)
    )
    return _("There is a season: highest in {high}, lowest in {low}.", high=high, low=low)


def _read_whole(viewer: Viewer, state: FilterState) -> dict[str, Any]:
    """Return the headline rows of the page by KPI."""
    return cached.headline(viewer, WHOLE, state.where, state.compare)


def _show_response(viewer: Viewer, state: FilterState) -> None:
    """Show satisfaction as answered, and between its bounds."""
    rows = _read_whole(viewer, state)
    csat = rows["csat"]
    if formatting.is_missing(csat.value):
        trend_cards.show_nothing(_("Survey response"))
        return
    lines = [_line("as_answered", _("As answered"), csat.value, csat.low, csat.high, csat.n)]
    unhappy, happy = rows["csat_if_silent_unhappy"], rows["csat_if_silent_happy"]
    if not formatting.is_missing(unhappy.value) and not formatting.is_missing(happy.value):
        label = _("Non-respondents: extremes")
        lines.append(_line("silent", label, None, unhappy.value, happy.value, happy.n))
    figure = charts.build_dots(
        pd.DataFrame(lines), Unit.RATE, dark=styles.is_dark(), bounds=(0.0, 1.0), row_height=24
    )
    caption = _("{title}, with 95 % confidence interval.", title=_(get_kpi("csat").title))
    cards.show_chart(
        figure, _conclude(rows["response_rate"], unhappy.value, happy.value), caption, "response"
    )


def _line(
    key: str, label: str, value: float | None, low: float | None, high: float | None, n: float
) -> dict[str, Any]:
    value = float("nan") if value is None else value
    return {"key": key, "label": label, "value": value, "low": low, "high": high, "n": n}


def _conclude(response: Any, low: float | None, high: float | None) -> str:
    if formatting.is_missing(response.value):
        return _("Number of surveys sent is not known")
    share = formatting.percent(response.value, 0)
    if formatting.is_missing(low) or formatting.is_missing(high) or low == high:
        return _("{share} of surveyed customers answered", share=share)
    return _(
        "{share} answered; non-respondents could put satisfaction anywhere from {low} to {high}",
        share=share,
        low=formatting.percent(low, 0),
        high=formatting.percent(high, 0),
    )


def _show_drivers(viewer: Viewer, state: FilterState) -> None:
    """Show dots with intervals, the largest difference first, grey if it is not clear."""
    read = cached.find_drivers(viewer, state.where)
    if not read.drivers:
        why = _("A factor needs at least {n} ratings on each side.", n=MIN_ROWS)
        if read.is_narrowed:
            why = _(cards.ONE_AT_A_TIME)
        cards.card(driver_texts.conclude(read), why)
        return
    show_drivers_chart(read, driver_texts.choose(read.drivers, MAX_ROWS), "drivers")


def show_drivers_chart(read: Drivers, drawn: list[Driver], key: str) -> None:
    figure = charts.build_differences(
        driver_texts.build_frame(drawn), Unit.RATE, dark=styles.is_dark(), row_height=23
    )
    caption = driver_texts.explain(read, len(drawn))
    cards.show_chart(figure, driver_texts.conclude(read), caption, key)
