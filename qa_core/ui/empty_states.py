"""What a page shows instead of nothing: why there is nothing, and what to do about it."""

from __future__ import annotations

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import _
from qa_core.metrics import formatting, periods
from qa_core.ui import cached, filter_bar, menu
from qa_core.ui.filter_bar import FilterState


def is_shown(viewer: Viewer, look: FilterState, count: float | None = None) -> bool:
    """Show the way out when there is nothing to see: no data at all, or nothing in the
    period under these filters. True when it was shown.

    `count`: what the page is about, where that is something other than the contacts
    received.
    """
    if not look.has_data:
        _show_no_data(viewer)
        return True
    if count is None:
        received = cached.headline(viewer, ("received",), look.where)["received"]
        count = (
            1
            if received.status == "suppressed"
            else 0
            if formatting.is_missing(received.value)
            else received.value
        )
    if count:
        return False
    if periods.build_span(viewer, look.first_day, look.last_day) is None:
        _show_no_whole_month(look)
    else:
        _show_empty_period(viewer, look)
    return True


def _show_no_data(viewer: Viewer) -> None:
    with st.container(border=True):
        st.markdown("#### :material/inbox: " + _("No data yet"))
        if viewer.can(Permission.MANAGE_IMPORTS):
            st.write(
                _(
                    "Bring in a first file: the export of your telephony platform, as CSV or "
                    "XLSX. Nothing else is needed to see figures."
                )
            )
            st.page_link(
                menu.find_page("imports").path,
                label=_("Import a file"),
                icon=":material/upload_file:",
            )
        else:
            st.write(
                _(
                    "Nothing was imported yet. An administrator of this centre can do it, "
                    "under Administration, Imports."
                )
            )


def _show_no_whole_month(look: FilterState) -> None:
    with st.container(border=True):
        st.markdown("#### :material/event_busy: " + _("No whole month yet"))
        st.write(
            _(
                "You see whole months. The data begins on {first}; {month} can be shown once "
                "there is data of all of it.",
                first=formatting.day(look.first_day, year=True),
                month=formatting.month(f"{look.last_day:%Y-%m}"),
            )
        )


def _show_empty_period(viewer: Viewer, look: FilterState) -> None:
    last = _find_last_month(viewer, look)
    with st.container(border=True):
        st.markdown(
            "#### :material/event_busy: " + _("Nothing in {period}", period=look.period_title)
        )
        if last:
            st.write(_("The last month with contacts is {month}.", month=formatting.month(last)))
        elif look.where.values:
            st.write(_("No contact fits these filters in any month."))
        else:
            first_day, last_day = (
                formatting.day(day, year=True) for day in (look.first_day, look.last_day)
            )
            st.write(
                _(
                    "The data goes from {first} to {last}; none of it is in what you may see.",
                    first=first_day,
                    last=last_day,
                )
            )
        with st.container(horizontal=True):
            if last:
                label = _("Show {month}", month=formatting.month(last))
                st.button(
                    label,
                    on_click=filter_bar.choose_period,
                    args=(last,),
                    icon=":material/date_range:",
                    type="primary",
                )
            if look.where.values:
                st.button(
                    _("Take the filters away"),
                    on_click=filter_bar.clear,
                    icon=":material/filter_alt_off:",
                )


def _find_last_month(viewer: Viewer, look: FilterState) -> str | None:
    """The last month that has anything under these filters, as `2026-10`."""
    span = periods.build_span(viewer, look.first_day, look.last_day)
    if span is None:
        return None
    months = cached.measure(viewer, ("received",), ("month",), look.where.with_period(span))
    filled = months[(months["n"] > 0) | (months["status"] == "suppressed")]
    return None if filled.empty else str(filled["month"].max())
