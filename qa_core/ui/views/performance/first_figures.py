"""The Your first figures page: contacts by day, to compare with the tool that they come from,
and what the other figures still lack.
"""

from datetime import date, timedelta
from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics.kpis import formatting, get_kpi
from qa_core.ui.frame import cached
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import cards, download_links, explain_link, tables

BY_DAY = {"received": N_("Received"), "answered": N_("Answered"), "missed": N_("Missed")}
OTHERS = (
    "answer_rate",
    "service_level",
    "average_handle_time",
    "first_contact_resolution",
    "csat",
    "evaluation_score",
    "attribution_rate",
)
"""KPIs of the pages to come, each with its value or what it lacks."""


def show(viewer: Viewer, state: FilterState) -> None:
    """Show contacts by day beside the comparison to make and what is missing."""
    rows = cached.headline(viewer, (*BY_DAY, *OTHERS), state.where)
    left, right = st.columns([4, 3], gap="small")
    with right:
        _show_days(viewer, state, rows["received"])
    with left:
        finding = _("Compare with your telephony platform")
        text = _(
            "Open its report for the same days. A difference every day points to a setting of the "
            "import. A difference on one day points to a missing file. An administrator corrects "
            "both on the page Imports."
        )
        with cards.card(finding, text):
            explain_link.show_link("received")
        with cards.card(_("Other figures, and what they lack")):
            columns = (
                tables.name_column(_("KPI"), lambda key: formatting.short_title(get_kpi(key)), 170),
                tables.text_column(_("State"), lambda key: _describe(rows[key]), 400),
            )
            tables.show(OTHERS, columns, "table_lacking", room=505)


def _show_days(viewer: Viewer, state: FilterState, received: Any) -> None:
    by = tables.index_rows(cached.measure(viewer, tuple(BY_DAY), ("day",), state.where), "day")
    days = _list_days(state)
    finding = _(
        "{n} contacts received, {period}",
        n=formatting.number(received.value),
        period=state.period_title,
    )
    empty = len([day for day in days if day not in by])
    hint = ngettext("{n} day without contacts", "{n} days without contacts", empty) if empty else ""
    columns = [
        tables.name_column(_("Day"), lambda day: formatting.day(day, year=True), 106),
        *(
            tables.count_column(
                _(title), lambda day, key=key: tables.value_of(by.get(day, {}).get(key)), 70
            )
            for key, title in BY_DAY.items()
        ),
    ]
    with cards.card(finding, hint):
        tables.show(days, tables.drop_empty(columns, days), "table_days", height=1_080)
        download_links.show_figures("days", tuple(BY_DAY), ("day",), state.where)


def _list_days(state: FilterState) -> list[date]:
    first = max(state.where.period.first_day, state.first_day)
    last = min(state.where.period.last_day, state.last_day)
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


def _describe(row: Any) -> str:
    """Describe the value of a KPI, or why there is none yet."""
    if formatting.is_missing(row.value):
        return cards.explain_missing(row)
    parts = [formatting.value(row.value, get_kpi(row.kpi).unit)]
    if row.status == "small_sample":
        parts += [f"n = {formatting.number(row.n)}", _("small sample")]
    return " · ".join(parts)
