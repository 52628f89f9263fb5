"""The list of contacts behind a figure, page by page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import exports
from qa_core.analysis.exports import CONTACT_COLUMNS
from qa_core.base.errors import Misuse
from qa_core.base.i18n import N_, _, ngettext
from qa_core.centre import settings
from qa_core.metrics import dimensions, formatting, periods, query
from qa_core.metrics.dimensions import Filters
from qa_core.metrics.kpis import BY_KEY, FactTable
from qa_core.metrics.kpis.declaration import CONTACT_DIMENSIONS
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.ui import cards, download_links, drill, explain_link, menu, url_state
from qa_core.ui.filter_bar import FilterState

PAGE = 100
WINDOW = "first_contact_days"
WAITED = re.compile(r"(?P<above>\d{1,5})-(?P<until>\d{1,5})?")
WIDTHS = {
    "queue": 145,
    "reason": 120,
    "team": 95,
    "advisor": 145,
    "outcome": 100,
    "wait_seconds": 95,
    "talk_seconds": 100,
    "csat": 65,
    "campaign": 140,
}
"""In pixels: Streamlit measures the first rows alone, which may be empty where later
ones are long.
"""
ORDERS = {
    "newest": N_("Newest first"),
    "oldest": N_("Oldest first"),
    "longest_wait": N_("Longest wait first"),
    "longest_talk": N_("Longest talk first"),
    "lowest_csat": N_("Lowest rating first"),
}


@dataclass(frozen=True)
class ContactsQuery:
    """What the list shows: the row of filters, what the address adds, and the KPI whose
    contacts are meant.
    """

    where: Filters
    extra: tuple[tuple[str, str | None], ...]
    behind: str | None
    window: str | None = None
    """The first-contact window in days, where it is not that of the settings."""
    waited: query.Waited | None = None

    @property
    def overrides(self) -> dict[str, str] | None:
        return {WINDOW: self.window} if self.window else None


def read_address(viewer: Viewer, look: FilterState) -> ContactsQuery:
    """The filters above the page, and those that a click on a figure put into the
    address; what is unknown there is passed over.
    """
    extra = tuple(
        (key, st.query_params[key] or None)
        for key in CONTACT_DIMENSIONS
        if key not in menu.find_page("contacts").filters
        and key in st.query_params
        and viewer.can_cut_by(key)
    )
    behind = st.query_params.get("behind")
    known = (
        behind in BY_KEY
        and BY_KEY[behind].subject == FactTable.CONTACTS
        and viewer.can(BY_KEY[behind].needs)
    )
    where = look.where
    for dimension, value in extra:
        # A week or month that was clicked on may lie outside the period chosen above.
        period = periods.period_of(dimension, value)
        where = where.with_period(period) if period else where.with_value(dimension, value)
    window = st.query_params.get("window") if known and WINDOW in BY_KEY[behind].settings else None
    return ContactsQuery(
        where,
        extra,
        behind if known else None,
        window if _is_window(window) else None,
        _read_waits(st.query_params.get("waited", "")),
    )


def _is_window(text: str | None) -> bool:
    try:
        return text is not None and settings.get_setting(WINDOW).parse(text) is not None
    except Misuse:
        return False


def _read_waits(text: str) -> query.Waited | None:
    found = WAITED.fullmatch(text)
    if not found or (found["until"] and int(found["until"]) <= int(found["above"])):
        return None
    return float(found["above"]), float(found["until"]) if found["until"] else None


def show_asked(asked: ContactsQuery) -> None:
    """What the click meant, as buttons that take it back."""
    if not asked.extra and not asked.behind and not asked.waited:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        if asked.behind:
            _show_removable(
                "behind", _("Counted in: {title}", title=cards.title_of(BY_KEY[asked.behind]))
            )
        if asked.window:
            _show_removable(
                "window",
                f"{_(settings.get_setting(WINDOW).title)}: {formatting.days(float(asked.window))}",
            )
        if asked.waited:
            _show_removable("waited", f"{_(exports.WAIT)}: {formatting.waited(*asked.waited)}")
        for dimension, value in asked.extra:
            _show_removable(
                dimension,
                f"{_(dimensions.get_dimension(dimension).title)}: "
                f"{formatting.name(dimension, value)}",
            )
        if asked.behind and not asked.waited:
            explain_link.show_link(
                asked.behind,
                {dimension: (value,) for dimension, value in asked.extra},
                _("Explain this number"),
            )


def count(viewer: Viewer, asked: ContactsQuery) -> int:
    """How many contacts the list has."""
    return query.count_contacts(viewer, asked.where, asked.behind, asked.overrides, asked.waited)


def show_list(viewer: Viewer, asked: ContactsQuery, total: int) -> None:
    """The contacts, newest first unless asked otherwise; a click opens one in full."""
    pages = max(1, -(-total // PAGE))
    left, middle, right = st.columns([5, 2, 1], vertical_alignment="bottom")
    left.markdown(
        "##### "
        + ngettext("{count} contact", "{count} contacts", total, count=formatting.number(total))
    )
    order = _ask_order(middle)
    page = _ask_page(right, pages, (asked, order))
    # Between the fields above and the table, whose own buttons appear over what is next
    # to it.
    st.caption(_("Click a line to open the contact."))
    allowed = query.contact_columns(viewer)
    own = ("team", "advisor") if viewer.advisor_id else ()
    columns = tuple(name for name in CONTACT_COLUMNS if name in allowed and name not in own)
    frame = query.find_contacts(
        viewer,
        asked.where,
        (*columns, "source_system", "contact_id"),
        PAGE,
        (page - 1) * PAGE,
        order,
        asked.behind,
        asked.overrides,
        asked.waited,
    )
    _note_reading(viewer, asked, page)
    keys = list(zip(frame["source_system"], frame["contact_id"], strict=True))
    rows = [
        {_(CONTACT_COLUMNS[name]): _cell(name, record[name]) for name in columns}
        for record in frame.to_dict("records")
    ]
    _show_rows(rows, keys)
    said, export = st.columns([5, 1], vertical_alignment="center")
    if total > exports.MOST_CONTACTS and viewer.can(Permission.EXPORT_CONTACTS):
        said.caption(
            _(
                "The file has the first {most} in this order.",
                most=formatting.number(exports.MOST_CONTACTS),
            )
        )
    with export:
        download_links.show_download(
            _("Export"),
            "contacts",
            **exports.contact_parameters(
                asked.where, asked.behind, order, asked.overrides, asked.waited
            ),
        )


def _ask_order(place: Any) -> str:
    url_state.take("contacts", "order", ORDERS, "newest")
    order = place.selectbox(
        _("Order"), list(ORDERS), format_func=lambda key: _(ORDERS[key]), key="order"
    )
    url_state.give("contacts", "order", order, "newest")
    return order


def _ask_page(place: Any, pages: int, listed: tuple[ContactsQuery, str]) -> int:
    """Which page of the list; another list, or another order, starts at its first."""
    if st.session_state.get("contacts_listed", listed) != listed and not url_state.is_news(
        "contacts", "page"
    ):
        st.session_state["page"] = "1"
    st.session_state["contacts_listed"] = listed
    url_state.take("contacts", "page", [str(number) for number in range(1, pages + 1)], "1")
    st.session_state["contacts_page"] = int(st.session_state["page"])
    page = int(
        place.number_input(
            _("Page of {pages}", pages=formatting.number(pages)),
            1,
            pages,
            key="contacts_page",
            on_change=_turn,
        )
    )
    url_state.give("contacts", "page", str(page), "1")
    return page


def _turn() -> None:
    st.session_state["page"] = str(st.session_state["contacts_page"])


def _show_rows(rows: list[dict[str, Any]], keys: list[tuple[str, str]]) -> None:
    def open_row() -> None:
        cells = st.session_state["contacts"]["selection"]["cells"]
        if cells:
            drill.to_contact("contacts", *keys[cells[0][0]])

    widths = {
        _(CONTACT_COLUMNS[name]): st.column_config.Column(width=width)
        for name, width in WIDTHS.items()
    }
    start = {
        _(CONTACT_COLUMNS["local_start"]): st.column_config.DatetimeColumn(
            format="DD/MM/YYYY HH:mm", width=130
        )
    }
    st.dataframe(
        rows,
        column_config=widths | start,
        hide_index=True,
        key="contacts",
        on_select=open_row,
        selection_mode="single-cell",
        height=560,
        placeholder="–",
    )


def _cell(name: str, value: Any) -> Any:
    if formatting.is_missing(value):
        return None
    if name in ("channel", "outcome"):
        return formatting.name(name, value)
    return formatting.duration(value) if name.endswith("_seconds") else value


def _show_removable(key: str, label: str) -> None:
    def remove() -> None:
        if key in st.query_params:
            del st.query_params[key]

    st.button(cards.escape(label), icon=":material/close:", key=f"remove_{key}", on_click=remove)


def _note_reading(viewer: Viewer, asked: ContactsQuery, page: int) -> None:
    """One row of the journal per page of contacts that was read, not per run of the
    script.
    """
    reading = (asked, page)
    if st.session_state.get("contacts_read") != reading:
        st.session_state["contacts_read"] = reading
        with store.writing() as session:
            audit_log.record(session, viewer.username, "contacts_read", f"page {page}")
