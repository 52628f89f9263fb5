"""The Contacts page: the list behind a figure, page by page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import exports
from qa_core.base.errors import Misuse
from qa_core.base.i18n import N_, _, ngettext
from qa_core.centre import settings
from qa_core.metrics import query
from qa_core.metrics.kpis import BY_KEY, FactTable, Unit, formatting
from qa_core.metrics.kpis.declaration import CONTACT_DIMENSIONS
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.ui.frame import layout, open_once, url_state
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import download_links, drill, explain_link, tables

PAGE = 100
"""Contacts on one page of the list."""
WINDOW = "first_contact_days"
WIDTHS = {
    "channel": 80,
    "queue": 100,
    "reason": 95,
    "team": 95,
    "advisor": 118,
    "outcome": 82,
    "wait_seconds": 80,
    "talk_seconds": 92,
    "csat": 50,
    "campaign": 85,
    "customer": 62,
}
"""Pixels of columns: Streamlit measures only the first rows, which may be empty."""
ORDERS = {
    "newest": N_("Newest first"),
    "oldest": N_("Oldest first"),
    "longest_wait": N_("Longest wait first"),
    "longest_talk": N_("Longest talk first"),
    "lowest_csat": N_("Lowest rating first"),
}


@dataclass(frozen=True)
class ContactsQuery:
    """Query of the list: filters, extras of the address, and the KPI that counts."""

    where: Filters
    extra: explain_link.Extra
    behind: str | None
    window: str | None = None
    """Days of a repeat window other than the one of the settings."""

    @property
    def overrides(self) -> dict[str, str] | None:
        return {WINDOW: self.window} if self.window else None


def read_address(viewer: Viewer, state: FilterState) -> ContactsQuery:
    """Return the filters of the bar and the address, without unknown ones."""
    given = explain_link.read_extra(viewer, "contacts", CONTACT_DIMENSIONS)
    extra = tuple((key, values[-1:]) for key, values in given)
    where = explain_link.narrow(state.where, extra)
    kpi = BY_KEY.get(st.query_params.get("behind", ""))
    if kpi is not None and (kpi.subject != FactTable.CONTACTS or not viewer.can(kpi.needs)):
        kpi = None
    window = st.query_params.get("window", "")
    has_window = kpi is not None and WINDOW in kpi.settings and _is_window(window)
    behind = None if kpi is None else kpi.key
    return ContactsQuery(where, extra, behind, window if has_window else None)


def _is_window(text: str) -> bool:
    try:
        return settings.get_setting(WINDOW).parse(text) is not None
    except Misuse:
        return False


def show_query(asked: ContactsQuery) -> None:
    """Show the filters of a clicked figure as buttons that remove them."""
    if not asked.extra and not asked.behind:
        return
    with layout.row("xsmall"):
        if asked.behind:
            title = formatting.short_title(BY_KEY[asked.behind])
            url_state.show_removable("behind", _("Counted in: {title}", title=title))
        if asked.window:
            title = _(settings.get_setting(WINDOW).title)
            days = formatting.days(float(asked.window))
            url_state.show_removable("window", _("{what}: {text}", what=title, text=days))
        explain_link.show_extra(asked.extra)
        if asked.behind:
            explain_link.show_link(asked.behind, dict(asked.extra), _("Explain a number"))


def count(viewer: Viewer, asked: ContactsQuery) -> int:
    return query.count_contacts(viewer, asked.where, asked.behind, asked.overrides)


def show_list(viewer: Viewer, asked: ContactsQuery, total: int) -> None:
    """Show the contacts, newest first unless ordered otherwise; a click opens one."""
    left, middle, right = st.columns([5, 2, 1], vertical_alignment="bottom")
    number = formatting.number(total)
    left.markdown("##### " + ngettext("{count} contact", "{count} contacts", total, count=number))
    if asked.behind is None and "direction" not in dict(asked.where.values):
        left.caption(_("All contacts, inbound and outbound"))
    with middle, url_state.bind("order", ORDERS, "newest"):
        titles = {key: _(title) for key, title in ORDERS.items()}
        order = layout.select(st, _("Order"), titles, "order")
    with right:
        page = _ask_page(max(1, -(-total // PAGE)), (asked, order))
    hidden = ("team", "advisor") if viewer.advisor_id else ()
    allowed = set(query.contact_columns(viewer)) - set(hidden)
    columns = tuple(name for name in exports.CONTACT_COLUMNS if name in allowed)
    contacts = {
        "where": asked.where,
        "columns": (*columns, "source_system", "contact_id"),
        "limit": PAGE,
        "offset": (page - 1) * PAGE,
        "order": order,
        "behind": asked.behind,
        "overrides": asked.overrides,
    }
    frame = open_once.read(
        "contacts_read",
        (asked, page),
        lambda: query.read_contacts(viewer, page, **contacts),
        lambda: query.find_contacts(viewer, **contacts),
    )
    tables.show(
        frame.to_dict("records"),
        [_build_column(name) for name in columns if name != "team" or "advisor" not in columns],
        "contacts",
        lambda row: drill.to_contact("contacts", row["source_system"], row["contact_id"]),
        height=560,
        room=None,  # one row is one line: many are in sight, and a click shows what is cut off
    )
    with tables.show_foot():
        parameters = exports.build_contact_parameters(
            asked.where, asked.behind, order, asked.overrides
        )
        download_links.show_download("contacts", **parameters)
        if total > exports.MAX_CONTACTS and viewer.can(Permission.EXPORT_CONTACTS):
            most = formatting.number(exports.MAX_CONTACTS)
            st.caption(_("The file has the first {most} in this order.", most=most))


def _ask_page(pages: int, listed: tuple[ContactsQuery, str]) -> int:
    """Ask for the page of the list; another list, or another order, begins at its first."""
    is_other = st.session_state.get("contacts_listed", listed) != listed
    if is_other and not url_state.has_changed("page", "page"):
        st.session_state["page"] = "1"
    st.session_state["contacts_listed"] = listed
    known = [str(number) for number in range(1, pages + 1)]
    url_state.read_into_widget("page", known, "1", "page")
    st.session_state["contacts_page"] = int(st.session_state["page"])
    label = _("Page of {pages}", pages=formatting.number(pages))
    page = int(st.number_input(label, 1, pages, key="contacts_page", on_change=_turn))
    url_state.write_from_widget("page", str(page), "1", "page")
    return page


def _turn() -> None:
    st.session_state["page"] = str(st.session_state["contacts_page"])


def _build_column(name: str) -> tables.TableColumn:
    heading = _(exports.CONTACT_COLUMNS[name])
    if name == "local_start":
        return tables.moment_column(heading, lambda row: row[name])
    if name.endswith("_seconds"):
        return tables.value_column(heading, lambda row: row[name], Unit.SECONDS, WIDTHS.get(name))
    config = st.column_config.Column(width=WIDTHS[name]) if name in WIDTHS else None
    return tables.TableColumn(heading, lambda row: _format_cell(name, row), config)


def _format_cell(name: str, row: Mapping[str, Any]) -> Any:
    value = row[name]
    if formatting.is_missing(value):
        return None
    return formatting.name(name, value) if name in ("channel", "outcome") else value
