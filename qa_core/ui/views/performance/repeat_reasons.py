"""What brings customers back: reasons or queues by how many repeats they get, the time
that these take and what it costs.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import exports
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import N_, _
from qa_core.metrics import dimensions, formatting
from qa_core.ui import cached, cards, download_links, drill, tables
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.views.performance.resolution_window import Window

RATE, COUNT, TIME, COST = (
    "first_contact_resolution",
    "repeat_contacts",
    "repeat_handle_time",
    "cost_of_repeats",
)
TITLES = {
    "reason": N_("{name} takes {share} of the time spent on repeats"),
    "queue": N_("{share} of the time spent on repeats is spent in {name}"),
}
NOBODY = {
    "reason": N_("Reasons that bring people back"),
    "queue": N_("Queues that people come back to"),
}


def show(viewer: Viewer, look: FilterState, dimension: str, tried: Window) -> None:
    """A table of one dimension, most repeats first; a click opens the repeat contacts
    themselves.
    """
    kpis = (RATE, COUNT, TIME, COST)
    by = tables.wide(
        cached.measure(viewer, kpis, (dimension,), look.where, look.compare, tried.overrides),
        dimension,
    )
    trend = cached.measure(
        viewer, (RATE,), (dimension, look.grain), look.trend, overrides=tried.overrides
    )
    lines = tables.sparklines(trend, dimension, look.grain, RATE)
    values = [value for value in tables.largest_first(by, COUNT) if _is_known(by[value])]
    with st.container(border=True, height="stretch", gap="xxsmall"):
        clickable = drill.is_open_to(viewer) and bool(values)
        hint = _(
            "Repeats are listed where they arrive; their time is that of each, not an average."
        )
        cards.show_heading(
            _describe(dimension, by, values),
            hint + (" " + _("Click a line to see them.") if clickable else ""),
        )
        if not values:
            st.caption(_(formatting.NO_DATA))
            return
        # What an hour of an advisor costs is nothing to hold against them.
        shows_cost = not viewer.advisor_id and any(
            not formatting.is_missing(by[value][COST].value) for value in values
        )
        head = _(dimensions.get_dimension(dimension).title)
        shown = [
            _row(
                head,
                formatting.name(dimension, value),
                by[value],
                look,
                lines.get(value, []),
                shows_cost,
            )
            for value in values
        ]
        key = f"repeats_{dimension}"
        on_row = drill.on_row(key, dimension, values, COUNT, tried.tried) if clickable else None
        tables.show(shown, _columns(head, look), key, on_row, height=400)
        foot = tables.show_foot()
        with foot:
            tables.note_definitions(kpis if shows_cost else kpis[:3], look, key)
            asked = kpis if shows_cost else kpis[:3]
            download_links.show_download(
                _("Export"),
                "figures",
                key=dimension,
                **exports.parameters(asked, (dimension,), look.where, tried.overrides),
            )


def _is_known(row: dict[str, Any]) -> bool:
    return not (formatting.is_missing(row[COUNT].value) and formatting.is_missing(row[RATE].value))


def _row(
    head: str,
    name: str,
    row: dict[str, Any],
    look: FilterState,
    line: list[float],
    shows_cost: bool,
) -> dict[str, Any]:
    rate, count, spent, cost = (row[key] for key in (RATE, COUNT, TIME, COST))
    return {
        head: name,
        _("Repeats"): None if formatting.is_missing(count.value) else int(count.value),
        _("Hours"): None if formatting.is_missing(spent.value) else round(spent.value / 3600, 1),
        **(
            {_head_of_cost(look): None if formatting.is_missing(cost.value) else round(cost.value)}
            if shows_cost
            else {}
        ),
        _("Resolved"): tables.as_share(rate.value),
        **({_("Change"): formatting.change(rate.delta, "rate")} if look.compare else {}),
        _("Trend"): line,
    }


def _columns(head: str, look: FilterState) -> dict[str, Any]:
    return {
        head: tables.name_column(head, 140),
        _("Repeats"): tables.count_column(_("Repeats"), 62),
        _("Hours"): tables.count_column(_("Hours"), 58),
        _head_of_cost(look): tables.count_column(_head_of_cost(look), 74),
        _("Resolved"): tables.percent_column(_("Resolved"), 68),
        _("Change"): st.column_config.TextColumn(_("Change"), width=66),
        _("Trend"): tables.trend_column(_("Trend"), 60),
    }


def _head_of_cost(look: FilterState) -> str:
    return _("Cost ({currency})", currency=look.currency) if look.currency else _("Cost")


def _describe(dimension: str, by: dict[Any, Any], values: list[Any]) -> ChartTitle:
    """Who takes most of the time, where all of it is known."""
    spent = {
        value: by[value][TIME].value
        for value in values
        if not formatting.is_missing(by[value][TIME].value)
    }
    named = {value: seconds for value, seconds in spent.items() if value is not None}
    total = sum(spent.values())
    hides = any(row[TIME].status == "suppressed" for row in by.values())
    if not named or not total or hides:
        return ChartTitle(_(NOBODY[dimension]))
    first = max(named, key=named.get)
    return ChartTitle(
        _(
            TITLES[dimension],
            name=formatting.name(dimension, first),
            share=formatting.percent(named[first] / total, 0),
        )
    )
