"""Sources: what a campaign brings, from the call to the settled matter, and what that
costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _
from qa_core.metrics import dimensions
from qa_core.ui import cached, cards, segmented_choice, trend_cards
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.views.tracking import source_comparison, source_numbers, source_steps, source_tables

TILES = ("attribution_rate", "cost_per_contact", "cost_per_answered", "cost_per_resolved")
DIMENSIONS = ("campaign", "source", "medium", "keyword", "tracking_number")


@dataclass(frozen=True)
class Cut:
    """What the page tells apart: a dimension, the value whose path is drawn, and the
    rows of every step by value.
    """

    dimension: str
    value: str
    by: dict[Any, dict[str, Any]]


def show_top(viewer: Viewer, look: FilterState) -> None:
    """Four tiles; a cost that is in several currencies says each."""
    frame = cached.measure(viewer, TILES, (), look.where, look.compare)
    several = "currency" in frame.columns
    rows: dict[str, list[Any]] = {}
    for row in frame.itertuples():
        rows.setdefault(row.kpi, []).append(row)
    series = trend_cards.read_series(viewer, look, TILES[:1] if several else TILES)
    tiles = []
    for key in TILES:
        known = [row for row in rows[key] if row.value == row.value] or rows[key]
        others = " · ".join(source_tables.describe_money(row, look) for row in known[1:])
        tiles.append(
            cards.build_tile(
                known[0],
                look,
                series.get(key),
                _("and {amounts}", amounts=others) if others else "",
            )
        )
    cards.show_tiles(tiles)


def ask(viewer: Viewer, look: FilterState) -> Cut:
    """What to tell apart, and which of it; both are kept in the address."""
    offered = {
        key: _(dimensions.get_dimension(key).title) for key in DIMENSIONS if viewer.can_cut_by(key)
    }
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(width="content"):
            dimension = segmented_choice.ask("by", _("By"), offered)
        by = source_steps.read(viewer, look, dimension)
        with st.container(width=320):
            value = source_steps.ask_value(by, dimension)
    return Cut(dimension, value, by)


def show_path(viewer: Viewer, look: FilterState, cut: Cut) -> None:
    """The steps from received to evaluated, beside what needs a look and who differs."""
    left, right = st.columns([1, 1], gap="small")
    with left:
        source_steps.show_path(viewer, look, cut.by, cut.dimension, cut.value)
    with right:
        source_comparison.show_look(viewer, look, cut.by, cut.dimension)
        source_comparison.show_dots(viewer, look, cut.by, cut.dimension)
    source_tables.show_steps(viewer, look, cut.by, cut.dimension)


def show_money(viewer: Viewer, look: FilterState, cut: Cut) -> None:
    """What a contact costs, and how sources are known; then who is new."""
    left, right = st.columns([3, 2], gap="small")
    with left:
        source_tables.show_costs(viewer, look, cut.dimension)
    with right:
        _show_trend(viewer, look)
    if not viewer.can_cut_by("tracking_match"):
        source_tables.show_callers(viewer, look, cut.by, cut.dimension)
        return
    left, right = st.columns([3, 2], gap="small")
    with left:
        source_tables.show_callers(viewer, look, cut.by, cut.dimension)
    with right:
        source_tables.show_attribution(viewer, look)


def show_numbers(viewer: Viewer, look: FilterState) -> None:
    """Which number carried which campaign when."""
    source_numbers.show(viewer, look)


def _show_trend(viewer: Viewer, look: FilterState) -> None:
    """The cost of an answered contact over time where it is in one currency, else the
    attribution rate.
    """
    series = trend_cards.read_series(viewer, look, TILES if look.currency else TILES[:1])
    known = [
        series[key]
        for key in ("cost_per_answered", "attribution_rate")
        if key in series and series[key].points["value"].notna().any()
    ]
    shown = known[0] if known else series[TILES[0]]
    trend_cards.show_trend(viewer, look, shown, height=300, title=cards.title_of(shown.kpi))
