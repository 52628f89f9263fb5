"""Acts possible this week, each line with its reason and its page."""

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import attention
from qa_core.base.i18n import _
from qa_core.quality.this_week import TITLES, find_groups, is_for
from qa_core.ui.frame import cached, layout, menu
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import cards

MAX_LINES = 3
"""Lines of a group; the page behind them has the others."""
ICONS = {
    "listen": ":material/headphones:",
    "coach": ":material/sports:",
    "discuss": ":material/forum:",
    "congratulate": ":material/celebration:",
    "plans": ":material/fact_check:",
    "disputes": ":material/gavel:",
    "sessions": ":material/balance:",
}


def show(viewer: Viewer) -> None:
    """Show what waits for this viewer; nothing for one who neither coaches nor decides."""
    if not is_for(viewer):
        return
    groups = find_groups(viewer, cached.find_needs)
    if not groups:
        cards.card(_("Nothing waits for you this week"))
        return
    with cards.card(_("What you can do this week")):
        for key, lines in groups.items():
            st.markdown(f"{ICONS[key]} **{_(TITLES[key])}**")
            for line in lines[:MAX_LINES]:
                with layout.row("xxsmall"):
                    target = (escape(line.name), "arrow_forward", line.parameters)
                    menu.show_page_link(line.page, *target)
                    st.caption(escape(line.reason))
            if more := len(lines[MAX_LINES:]):
                st.caption(escape(attention.describe_more(more)))
