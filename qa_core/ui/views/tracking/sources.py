"""The Sources page: what a campaign brings, from the call to the resolution, and what
that costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _
from qa_core.metrics import dimensions, formatting
from qa_core.ui import cached, cards, layout, segmented_choice, trend_cards
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.views.tracking import source_comparison, source_numbers, source_steps, source_tables

TILES = ("attribution_rate", "cost_per_contact", "cost_per_answered", "cost_per_resolved")


@dataclass(frozen=True)
class SourceCut:
    """Comparison of sources on the page: a dimension, the value whose path is drawn,
    and the rows of every step by value.
    """

    dimension: str
    value: str
    by: dict[Any, dict[str, Any]]


def show_top(viewer: Viewer, state: FilterState) -> None:
    """Show four tiles; a cost in several currencies says each of them."""
    frame = cached.measure(viewer, TILES, (), state.where, state.compare)
    rows: dict[str, list[Any]] = {}
    for row in frame.itertuples():
        rows.setdefault(row.kpi, []).append(row)
    has_currencies = "currency" in frame.columns
    series = trend_cards.read_series(viewer, state, TILES[:1] if has_currencies else TILES)
    tiles = []
    for key in TILES:
        known = [row for row in rows[key] if not formatting.is_missing(row.value)] or rows[key]
        others = " · ".join(
            formatting.money(row.value, state.currency_of(row)) for row in known[1:]
        )
        extra = _("and {amounts}", amounts=others) if others else ""
        tiles.append(cards.build_tile(known[0], state, series.get(key), extra))
    cards.show_tiles(tiles)


def ask(viewer: Viewer, state: FilterState) -> SourceCut:
    """Ask for the dimension, and for the value whose path is drawn."""
    titles = {
        key: _(dimensions.get_dimension(key).title)
        for key in source_steps.DIMENSIONS
        if state.may_cut(viewer, key)
    }
    with layout.row():
        with st.container(width="content"):
            dimension = segmented_choice.ask("by", _("By"), titles)
        by = source_steps.read(viewer, state, dimension)
        with st.container(width=320):
            value = source_steps.ask_value(by, dimension)
    return SourceCut(dimension, value, by)


def show_path(viewer: Viewer, state: FilterState, cut: SourceCut) -> None:
    """Show the steps from received to evaluated, and who differs on them."""
    left, right = st.columns(2, gap="small")
    with left:
        source_steps.show_path(viewer, state, cut.by, cut.dimension, cut.value)
    with right:
        source_comparison.show_attention(viewer, state, cut.by, cut.dimension)
        source_comparison.show_dots(viewer, state, cut.by, cut.dimension)
    source_tables.show_steps(viewer, state, cut.by, cut.dimension)


def show_money(viewer: Viewer, state: FilterState, cut: SourceCut) -> None:
    """Show what a contact costs, who is new, and how sources are known."""
    left, right = st.columns([3, 2], gap="small")
    with left:
        source_tables.show_costs(viewer, state, cut.dimension)
    with right:
        _show_trend(viewer, state)
    if not viewer.can_cut_by("tracking_match"):
        source_tables.show_callers(viewer, state, cut.by, cut.dimension)
        return
    left, right = st.columns([3, 2], gap="small")
    with left:
        source_tables.show_callers(viewer, state, cut.by, cut.dimension)
    with right:
        source_tables.show_attribution(viewer, state)


def show_numbers(viewer: Viewer, state: FilterState) -> None:
    """Show which tracking number carried which campaign when."""
    source_numbers.show(viewer, state)


def _show_trend(viewer: Viewer, state: FilterState) -> None:
    """Show the cost of an answered contact if it is in one currency, else the attribution
    rate.
    """
    series = trend_cards.read_series(viewer, state, TILES if state.currency else TILES[:1])
    shown = series[TILES[0]]
    cost = series.get("cost_per_answered")
    if cost is not None and cost.points["value"].notna().any():
        shown = cost
    trend_cards.show_trend(viewer, state, shown, height=300, title=cards.title_of(shown.kpi))
