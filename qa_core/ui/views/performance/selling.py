"""Traffic, section Sales calls: what is against the law on telephone selling."""

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import _
from qa_core.metrics.kpis import selling
from qa_core.ui.frame import cached
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import cards

TILES = tuple(kpi.key for kpi in selling.ALL)


def show(viewer: Viewer, state: FilterState) -> None:
    """Show the tiles; nothing where no call of the period is known to be a sales call."""
    if not viewer.can(Permission.SEE_TEAMS):
        return
    rows = cached.headline(viewer, TILES, state.where, state.compare)
    if any(rows[key].n for key in TILES):
        st.subheader(_("Sales calls"), anchor=False)
        cards.show_tiles([cards.build_tile(rows[key], state) for key in TILES])
