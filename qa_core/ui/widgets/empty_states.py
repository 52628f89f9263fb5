"""Empty states of pages: why there is nothing to show, and what to do about it."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import _
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting, periods
from qa_core.ui.frame import cached, filter_bar, layout, menu
from qa_core.ui.frame.filter_bar import FilterState


def is_shown(viewer: Viewer, state: FilterState, count: float | None = None) -> bool:
    """Show the way out if there is no data, or none in the period under these filters;
    return whether it was shown.

    `count`: how much there is of what the page is about (default: contacts received).
    """
    if not state.has_data:
        _show_no_data(viewer)
        return True
    if periods.build_span(viewer, state.first_day, state.last_day) is None:
        show_no_month()
        return True
    if count is None:
        received = cached.headline(viewer, ("received",), state.where)["received"]
        is_hidden = received.status == "suppressed"
        count = 1 if is_hidden else 0 if formatting.is_missing(received.value) else received.value
    if count:
        return False
    _show_empty_period(viewer, state)
    return True


def card(icon: str, title: str, text: str = "") -> DeltaGenerator:
    """Return a card with an icon, a title and a text, to be filled in a `with` block."""
    container = st.container(border=True)
    with container:
        st.markdown(f"#### {icon} {title}")
        if text:
            st.write(text)
    return container


def _show_no_data(viewer: Viewer) -> None:
    if not viewer.can(Permission.MANAGE_IMPORTS):
        text = _(
            "Nothing has been imported yet. An administrator can do it under Administration, "
            "Imports."
        )
        card(":material/inbox:", _("No data yet"), text)
        return
    text = _(
        "Import a first file: the export of your telephony platform, as CSV or XLSX. That is "
        "enough to see figures."
    )
    with card(":material/inbox:", _("No data yet"), text):
        menu.show_page_link("imports", _("Import a file"), "upload_file")


def show_no_month() -> None:
    """Say when the first month comes, to a viewer of published months."""
    text = _("No month has been published yet. {when}", when=query.describe_next())
    card(":material/event_busy:", text)


def _show_empty_period(viewer: Viewer, state: FilterState) -> None:
    last = _find_last_month(viewer, state)
    if last:
        text = _("The last month with contacts is {month}.", month=formatting.month(last))
    elif state.where.values:
        text = _("No contact fits these filters in any month.")
    else:
        text = _(
            "The data covers {first} to {last}, but none of it is within your scope.",
            first=formatting.day(state.first_day, year=True),
            last=formatting.day(state.last_day, year=True),
        )
    title = _("Nothing in {period}", period=state.period_title)
    with card(":material/event_busy:", title, text), st.container(horizontal=True):
        if last:
            title, act = _("Show {month}", month=formatting.month(last)), st.session_state.update
            period = {"period": last}
            layout.show_button("date_range", title, "show_last_month", act, period, type="primary")
        if state.where.values:
            st.button(
                _("Remove the filters"), on_click=filter_bar.clear, icon=":material/filter_alt_off:"
            )


def _find_last_month(viewer: Viewer, state: FilterState) -> str | None:
    """Return the last month with data under these filters, as `2026-10`."""
    span = periods.build_span(viewer, state.first_day, state.last_day)
    months = cached.measure(viewer, ("received",), ("month",), state.where.with_period(span))
    filled = months[(months["n"] > 0) | (months["status"] == "suppressed")]
    return None if filled.empty else str(filled["month"].max())
