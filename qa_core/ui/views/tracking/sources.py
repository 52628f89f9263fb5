"""The Sources page: what a campaign brings, from call to resolution, and its cost."""

from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import attention
from qa_core.base.i18n import _
from qa_core.metrics.kpis import formatting
from qa_core.ui.frame import cached
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.views.tracking import source_numbers, source_steps, source_tables
from qa_core.ui.widgets import alert_banner, cards, sections, segmented_choice, trend_cards

TILES = ("attribution_rate", "cost_per_contact", "cost_per_answered", "cost_per_resolved")
MAX_ITEMS = 6


def show(viewer: Viewer, state: FilterState) -> None:
    """Show the whole page: the answer, and the sections that a reader can open."""
    _show_tiles(viewer, state)
    titles = state.name_cuts(viewer, source_steps.DIMENSIONS)
    if not titles:
        cards.show_one_cut(_("Sources"))
        return
    dimension = segmented_choice.ask("by", _("By"), titles)
    by = source_steps.read(viewer, state, dimension)
    source_tables.show_overview(viewer, state, by, dimension)
    _show_attention(viewer, state, dimension)
    title = _("Step by step, from received to evaluated")
    sections.show("path", title, source_tables.show_steps, viewer, state, dimension)
    sections.show("costs", _("Spend and cost per contact"), _show_money, viewer, state, dimension)
    title = _("New and returning callers")
    sections.show("callers", title, source_tables.show_callers, viewer, state, by, dimension)
    if viewer.can_cut_by("tracking_match"):
        title = _("How the source was found")
        sections.show("attribution", title, source_tables.show_attribution, viewer, state)
    if viewer.can_cut_by("tracking_number"):
        title = _("Tracking numbers and their campaigns")
        sections.show("numbers", title, source_numbers.show, viewer, state)


def _show_tiles(viewer: Viewer, state: FilterState) -> None:
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


def _show_money(viewer: Viewer, state: FilterState, dimension: str) -> None:
    source_tables.show_costs(viewer, state, dimension)
    series = trend_cards.read_series(viewer, state, TILES if state.currency else TILES[:1])
    shown = series[TILES[0]]
    cost = series.get("cost_per_answered")
    if cost is not None and cost.points["value"].notna().any():
        shown = cost
    trend_cards.show_trend(viewer, state, shown, height=300, has_title=True)


def _show_attention(viewer: Viewer, state: FilterState, dimension: str) -> None:
    """Show which values of the dimension clearly changed, worse first, and the attribution."""
    series = trend_cards.read_series(viewer, state, attention.WATCHED)
    cuts = (dimension,)
    found, hint = alert_banner.find(viewer, state, series, cuts=cuts)
    finding = attention.conclude(found.worse, found.better, bool(found.compared), cuts)
    with cards.card(finding, hint):
        alert_banner.show_items(viewer, [*found.worse, *found.better][:MAX_ITEMS])
        st.caption(source_tables.describe_attribution(viewer, state))
