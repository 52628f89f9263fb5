"""Reasons or queues that bring customers back: repeats, time and cost."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base.i18n import N_, _, capitalise
from qa_core.metrics.kpis import formatting
from qa_core.ui.frame import cached
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.views.performance.resolution_window import Window
from qa_core.ui.widgets import cards, download_links, drill, tables

RATE = "first_contact_resolution"
COUNT = "repeat_contacts"
TIME = "repeat_handle_time"
COST = "cost_of_repeats"
TITLES = {"reason": N_("Repeat contacts by reason"), "queue": N_("Repeat contacts by queue")}
"""Heading by dimension, where no value takes most of the time."""


def show(viewer: Viewer, state: FilterState, dimension: str, window: Window) -> None:
    """Show the repeats by one dimension; a click opens the repeat contacts themselves."""
    if not state.may_cut(viewer, dimension):
        cards.show_one_cut(_(TITLES[dimension]))
        return
    keys = (RATE, COUNT, TIME, COST)
    frame = cached.measure(viewer, keys, (dimension,), state.where, state.compare, window.overrides)
    by = tables.index_rows(frame, dimension)
    values = [value for value in tables.largest_first(by, COUNT) if _is_known(by[value])]
    on_line = drill.on_value(viewer, dimension, COUNT, window.tried) if values else None
    hint = _("Repeat contacts count where they arrive, each with its own handling time.")
    with cards.card(_describe(dimension, by, values), hint, is_stretched=True):
        if not values:
            st.caption(_(formatting.NO_DATA))
            return
        # What an hour of an advisor costs is no concern of that advisor.
        has_cost = not viewer.advisor_id and any(
            not formatting.is_missing(by[value][COST].value) for value in values
        )
        trend = cached.measure(
            viewer, (RATE,), (dimension, state.grain), state.trend, overrides=window.overrides
        )
        lines = tables.sparklines(trend, dimension, state.grain, RATE)
        key = f"repeats_{dimension}"
        tables.show(
            values, _columns(dimension, by, lines, state, has_cost), key, on_line, height=400
        )
        with tables.show_foot():
            kpis = (RATE, COUNT, TIME, COST) if has_cost else (RATE, COUNT, TIME)
            tables.show_definitions(kpis, state, key)
            download_links.show_figures(
                dimension, kpis, (dimension,), state.where, window.overrides
            )


def _is_known(row: Mapping[str, Any]) -> bool:
    return not (formatting.is_missing(row[COUNT].value) and formatting.is_missing(row[RATE].value))


def _columns(
    dimension: str,
    by: tables.Rows,
    lines: Mapping[Any, list[float]],
    state: FilterState,
    has_cost: bool,
) -> tuple[tables.TableColumn | None, ...]:
    cost = _("Cost ({currency})", currency=state.currency) if state.currency else _("Cost")
    return (
        tables.dimension_column(dimension, 140),
        tables.count_column(
            _("Repeats"), lambda value: tables.to_integer(by[value][COUNT].value), 62
        ),
        tables.count_column(
            capitalise(_("hours")), lambda value: _round(by[value][TIME].value, 3600, digits=1), 58
        ),
        tables.count_column(cost, lambda value: _round(by[value][COST].value), 74)
        if has_cost
        else None,
        tables.percent_column(_("Resolved"), lambda value: by[value][RATE].value, 68),
        tables.number_text_column(
            _("Change"), lambda value: formatting.change(by[value][RATE].delta, "rate"), 66
        )
        if state.compare
        else None,
        tables.trend_column(_("Trend"), lambda value: lines.get(value, []), 60),
    )


def _round(value: float | None, divisor: int = 1, digits: int = 0) -> float | None:
    return None if formatting.is_missing(value) else round(value / divisor, digits)


def _describe(dimension: str, by: tables.Rows, values: list[Any]) -> str:
    """Name what takes most of the time, if all of the time is known."""
    spent = {
        value: by[value][TIME].value
        for value in values
        if not formatting.is_missing(by[value][TIME].value)
    }
    named = {value: seconds for value, seconds in spent.items() if value is not None}
    total = sum(spent.values())
    if not named or not total or any(row[TIME].status == "suppressed" for row in by.values()):
        return _(TITLES[dimension])
    first = max(named, key=named.get)
    return _(
        "{name} takes {share} of the time spent on repeat contacts",
        name=formatting.name(dimension, first),
        share=formatting.percent(named[first] / total, 0),
    )
