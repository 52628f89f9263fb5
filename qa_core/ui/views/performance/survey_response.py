"""Surveys: possible effect of non-respondents on satisfaction."""

from typing import Any

import pandas as pd

from qa_core.access.roles import Viewer
from qa_core.analysis import charts
from qa_core.base.i18n import _
from qa_core.metrics.kpis import Unit, formatting, get_kpi
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import cards, tables, trend_cards

CUTS = ("queue", "channel", "reason")
RATES = ("csat", "nps", "ces", "response_rate")
WHOLE = (*RATES, "csat_mean", "csat_if_silent_unhappy", "csat_if_silent_happy")


def read_whole(viewer: Viewer, state: FilterState) -> dict[str, Any]:
    """Return the headline rows of the page by KPI."""
    return cached.headline(viewer, WHOLE, state.where, state.compare)


def read_cuts(viewer: Viewer, state: FilterState) -> dict[str, tables.Rows]:
    cuts = [cut for cut in CUTS if state.may_cut(viewer, cut)]
    frames = cached.measure_cuts(viewer, RATES, tuple((cut,) for cut in cuts), state.where)
    return {cut: tables.index_rows(frame, cut) for cut, frame in zip(cuts, frames, strict=True)}


def show(viewer: Viewer, state: FilterState) -> None:
    """Show satisfaction as answered, and between its bounds."""
    rows = read_whole(viewer, state)
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
