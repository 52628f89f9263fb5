"""Advisors side by side: four measures with intervals, and plainly who can be told apart and who cannot."""

from __future__ import annotations

from typing import Any

import streamlit as st

from qa_core import exports, figures
from qa_core.access import Viewer
from qa_core.advisors import fold
from qa_core.findings import Finding
from qa_core.ui import cached, cards, drill, links, tables
from qa_core.ui.filter_bar import Look
from qa_core.ui.views import compared, trends
from qa_core.wording import _

KPIS = ("evaluation_score", "first_contact_resolution", "csat", "average_handle_time")


def show_tiles(viewer: Viewer, look: Look) -> None:
    """The team as a whole."""
    rows = cached.headline(viewer, KPIS, look.where, look.compare)
    series = trends.read_series(viewer, look, KPIS)
    cards.show_tiles([cards.build_tile(rows[key], look, series[key]) for key in KPIS])


def show_dots(viewer: Viewer, look: Look) -> None:
    """One card per measure."""
    for pair in (KPIS[:2], KPIS[2:]):
        for column, key in zip(st.columns(2, gap="small"), pair, strict=True):
            with column:
                compared.show_dots(viewer, look, key, with_title=True)


def show_table(viewer: Viewer, look: Look) -> None:
    """Everybody, by name, with intervals; a click opens the advisor's contacts."""
    by = tables.wide(cached.measure(viewer, (*KPIS, "answered", "evaluations"), ("advisor",), look.where), "advisor")
    names = sorted((name for name in by if name is not None), key=fold)
    clickable = drill.is_open_to(viewer)
    with st.container(border=True, gap="xxsmall"):
        cards.show_heading(
            Finding(_("Side by side")),
            _("By name, not by rank: value and 95 % interval.") + (" " + _("Click a line to see its contacts.") if clickable else ""),
        )
        rows: list[dict[str, Any]] = []
        for name in names:
            line: dict[str, Any] = {_("Advisor"): name, _("Answered"): by[name]["answered"].value, _("Evaluations"): by[name]["evaluations"].value}
            for key in KPIS:
                row = by[name][key]
                line[cards.column_of(key)] = tables.cell(row) if not figures.is_missing(row.value) else _(figures.NO_DATA)
            rows.append(line)
        config = {title: tables.count_column(title) for title in (_("Answered"), _("Evaluations"))}
        tables.show(rows, config, "table_advisors", drill.on_row("table_advisors", "advisor", names) if clickable else None, height=640)
        left, right = st.columns([5, 1])
        with left:
            tables.note_definitions(KPIS, look)
        with right:
            links.show_download(_("Export"), "figures", **exports.parameters((*KPIS, "answered", "evaluations"), ("advisor",), look.where))
