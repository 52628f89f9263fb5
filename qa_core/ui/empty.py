"""What a page shows instead of nothing: why there is nothing, and what to do about it."""

from __future__ import annotations

import streamlit as st

from qa_core import figures, query
from qa_core.access import Permission, Viewer
from qa_core.ui import filter_bar, menu
from qa_core.ui.filter_bar import Look
from qa_core.wording import _


def is_shown(viewer: Viewer, look: Look, received: float | None = None, asked: bool = False) -> bool:
    """Show the way out when there is nothing to see: no data at all, or (`asked`) nothing in the period. True when it was shown."""
    if not look.has_data:
        _show_no_data(viewer)
        return True
    if asked and not received:
        _show_empty_period(viewer, look)
        return True
    return False


def _show_no_data(viewer: Viewer) -> None:
    with st.container(border=True):
        st.markdown("#### :material/inbox: " + _("No data yet"))
        if viewer.can(Permission.MANAGE_IMPORTS):
            st.write(_("Bring in a first file: the export of your telephony platform, as CSV or XLSX. Nothing else is needed to see figures."))
            st.page_link(menu.find_page("imports").path, label=_("Import a file"), icon=":material/upload_file:")
        else:
            st.write(_("Nothing was imported yet. An administrator of this centre can do it, under Administration, Imports."))


def _show_empty_period(viewer: Viewer, look: Look) -> None:
    span = query.data_span(viewer)
    with st.container(border=True):
        st.markdown("#### :material/event_busy: " + _("Nothing in {period}", period=look.period_title))
        if look.where.values:
            st.write(
                _(
                    "No contact fits these filters in this period. The data goes from {first} to {last}.",
                    first=figures.day(span[0], year=True),
                    last=figures.day(span[1], year=True),
                )
            )
        else:
            st.write(_("The data goes from {first} to {last}.", first=figures.day(span[0], year=True), last=figures.day(span[1], year=True)))
        with st.container(horizontal=True):
            if look.where.values:
                st.button(_("Take the filters away"), on_click=filter_bar.clear, icon=":material/filter_alt_off:")
            st.button(_("Show all data"), on_click=filter_bar.show_all_data, icon=":material/date_range:")


def show_nothing(text: str) -> None:
    """A card's place holder: one grey line."""
    st.caption(f":material/do_not_disturb_on: {text}")
