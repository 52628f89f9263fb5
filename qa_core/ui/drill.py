"""From a figure to the contacts behind it: a click narrows the filters and opens the
list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import _
from qa_core.ui import filter_bar, menu

_GO, _FROM, _LEFT = "drill_to", "drilled_from", "drill_left"
_READ_FROM = "evaluation_from"
"""Where an evaluation was opened, apart from where a contact was: each leads to the
other.
"""
_BESIDE = "advisors_left"
"""How the advisors were looked at before one of them was opened."""


def follow(page_key: str) -> None:
    """Go where a click of this run leads, or take the reader who comes back from there
    to what they left; called by the front door before anything is drawn.
    """
    if _GO in st.session_state:
        page, parameters = st.session_state.pop(_GO)
        st.session_state[_LEFT] = {
            **st.session_state.get(_LEFT, {}),
            page_key: (_describe(parameters), _address()),
        }
        filter_bar.keep()
        st.switch_page(menu.find_page(page).path, query_params=parameters)
    # Streamlit enters the new page's parameters into the browser's history under the
    # old page's path: that entry means the page as it was.
    entered, left = st.session_state.get(_LEFT, {}).get(page_key, ({}, {}))
    if entered and entered == _address():
        st.query_params.from_dict(left)


def is_open_to(viewer: Viewer) -> bool:
    """Whether this viewer may see single contacts at all."""
    return viewer.can(Permission.SEE_CONTACTS)


def to_contacts(
    values: dict[str, Any],
    behind: str | None = None,
    window: str | None = None,
    waited: str | None = None,
) -> None:
    """Callback: narrow the filters to these values and open the contacts, those that
    the KPI `behind` counts, by that window in days, and that waited so long (`5-10`:
    more than 5 and at most 10 seconds; `1680-`: more).
    """
    row = {
        dimension: value
        for dimension, value in values.items()
        if dimension in menu.find_page("contacts").filters
    }
    filter_bar.narrow(row)
    parameters: dict[str, str | list[str]] = {
        dimension: "" if value is None else str(value)
        for dimension, value in values.items()
        if dimension not in row
    }
    if behind:
        parameters["behind"] = behind
    if window:
        parameters["window"] = window
    if waited:
        parameters["waited"] = waited
    row_said = {name: value for name, value in filter_bar.describe("contacts").items() if value}
    st.session_state[_GO] = ("contacts", parameters | row_said)


def to_contact(page_key: str, source_system: str, contact_id: str) -> None:
    """Callback: open one contact in full, from that page, which a link there leads back
    to as it was.
    """
    st.session_state[_FROM] = (page_key, _address())
    st.session_state[_GO] = ("contact", {"system": source_system, "id": contact_id})


def to_evaluation(page_key: str, evaluation_id: int) -> None:
    """Callback: open one evaluation in full, from that page, which a link there leads
    back to as it was.
    """
    st.session_state[_READ_FROM] = (page_key, _address())
    st.session_state[_GO] = ("evaluation", {"id": str(evaluation_id)})


def to_draft(evaluation_id: int) -> None:
    """Callback: open the form that fills an evaluation."""
    st.session_state[_GO] = ("evaluate", {"id": str(evaluation_id)})


def show_way_from_evaluation(viewer: Viewer) -> None:
    """From one evaluation to where it was opened; for who came by a link, to the first
    page of theirs.
    """
    page_key, parameters = st.session_state.get(_READ_FROM, (menu.find_first(viewer).key, {}))
    page = menu.find_page(page_key)
    st.page_link(
        page.path, label=_(page.title), icon=":material/arrow_back:", query_params=parameters
    )


def to_advisor(advisor_id: str, **said: str) -> None:
    """Callback: open one advisor beside their team, with the row of filters as it
    stands; `said` goes into the address.
    """
    st.session_state[_BESIDE] = {
        name: value
        for name, value in _address().items()
        if name in ("view", "measure", "difference")
    }
    row_said = {name: value for name, value in filter_bar.describe("advisor").items() if value}
    st.session_state[_GO] = ("advisor", {"id": advisor_id, **said} | row_said)


def show_way_to_advisors() -> None:
    """From one advisor to all side by side, as they were looked at, with the filters as
    they stand.
    """
    page, said = (
        menu.find_page("advisors"),
        {name: value for name, value in filter_bar.describe("advisors").items() if value},
    )
    st.page_link(
        page.path,
        label=_(page.title),
        icon=":material/arrow_back:",
        query_params=st.session_state.get(_BESIDE, {}) | said,
    )


def clicked(key: str) -> list[Any]:
    """The values that the clicked point of a chart carries; none where nothing was
    clicked.
    """
    points = st.session_state[key]["selection"]["points"]
    data = points[0].get("customdata") if points else None
    return (
        list(data.values())
        if isinstance(data, dict)
        else list(data)
        if isinstance(data, list | tuple)
        else []
        if data is None
        else [data]
    )


def to_neighbour(source_system: str, contact_id: str) -> None:
    """Callback on the page of one contact: show another there; the way back stays where
    it led.
    """
    st.query_params.from_dict({"system": source_system, "id": contact_id})


def show_way_back() -> None:
    """From one contact to where it was opened, with the filters of that page; to the
    list for who came by a link.
    """
    page_key, parameters = st.session_state.get(_FROM, ("contacts", {}))
    page = menu.find_page(page_key)
    st.page_link(
        page.path, label=_(page.title), icon=":material/arrow_back:", query_params=parameters
    )


def on_point(
    key: str,
    dimension: str,
    behind: str | None = None,
    grain: str | None = None,
    window: str | None = None,
) -> Callable[[], None]:
    """The callback of a chart whose points carry the value of a dimension (or, with
    `grain`, the first day of a week or month).
    """

    def open_point() -> None:
        points = st.session_state[key]["selection"]["points"]
        data = points[0].get("customdata") if points else None
        value = (
            data[0]
            if isinstance(data, list | tuple) and data
            else data.get("0")
            if isinstance(data, dict)
            else data
        )
        if value is None:
            return
        to_contacts(
            {grain: str(value)[:7] if grain == "month" else str(value)}
            if grain
            else {dimension: value},
            behind,
            window,
        )

    return open_point


def on_cell(key: str, dimensions: Sequence[str], behind: str | None = None) -> Callable[[], None]:
    """The callback of a chart whose points carry one value of each of these dimensions."""

    def open_cell() -> None:
        points = st.session_state[key]["selection"]["points"]
        data = points[0].get("customdata") if points else None
        # Streamlit hands several values of a point back by their place.
        values = list(data.values()) if isinstance(data, dict) else data
        if values:
            to_contacts(dict(zip(dimensions, values, strict=True)), behind)

    return open_cell


def on_row(
    key: str,
    dimension: str,
    values: Sequence[Any],
    behind: str | None = None,
    window: str | None = None,
) -> Callable[[], None]:
    """The callback of a table whose rows stand for these values of a dimension."""

    def open_row() -> None:
        cells = st.session_state[key]["selection"]["cells"]
        if cells:
            to_contacts({dimension: values[cells[0][0]]}, behind, window)

    return open_row


def _address() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params}


def _describe(parameters: dict[str, str | list[str]]) -> dict[str, list[str]]:
    """Parameters as the address holds them."""
    return {
        name: list(value) if isinstance(value, list) else [value]
        for name, value in parameters.items()
    }
