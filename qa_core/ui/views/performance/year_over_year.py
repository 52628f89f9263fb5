"""Satisfaction year over year: months against the year before, and seasonality."""

from datetime import date
from typing import Any

import pandas as pd

from qa_core.access.roles import Viewer
from qa_core.analysis import chart_titles, charts, year_over_year
from qa_core.analysis.chart_titles import SIGNIFICANCE_LEVEL
from qa_core.base.i18n import _
from qa_core.metrics.kpis import formatting, get_kpi
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.stats import control_charts, holm, p_value_of
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import cards

KPIS = ("csat", "nps", "ces", "response_rate")


def show(viewer: Viewer, state: FilterState) -> None:
    """Show satisfaction by month against the year before, and their common change."""
    paired = year_over_year.find_paired_months(state.first_day, state.last_day)
    title = cards.title_of(get_kpi("csat"))
    if paired is None:
        text = _describe_season(viewer, state)
        cards.show_message(_("{title}: no month with a year before it yet", title=title), text)
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
    caption = f"{_explain(paired, together)} {_describe_season(viewer, state)}"
    if not months:
        cards.show_message(finding, caption)
        return
    figure = charts.build_differences(
        _frame(months), kpi.unit, dark=styles.is_dark(), row_height=19
    )
    cards.show_chart(figure, finding, caption, "year_over_year")


def _frame(months: list[Any]) -> pd.DataFrame:
    """Return the months, newest first, with a tone where the change is clear."""
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


def _explain(paired: Period, together: dict[str, Any]) -> str:
    text = _(
        "{months} against the same months a year before, with 95 % confidence interval.",
        months=formatting.period(paired),
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
    return f"{text} {'; '.join(changes)}." if changes else text


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
