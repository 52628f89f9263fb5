"""Navigation from a figure to what is behind it, and back to the page as it was."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import _
from qa_core.ui.frame import filter_bar, layout, menu

_TARGET, _LEFT = "drill_to", "drill_left"
_CONTACT_FROM, _EVALUATION_FROM = "drilled_from", "evaluation_from"
"""Where a contact, and an evaluation, was opened from: each leads to the other."""
_ADVISORS_LEFT = "advisors_left"
"""How the page of all advisors was set when one of them was opened."""


def follow(page_key: str) -> None:
    """Go where a click leads, or restore the page that was left; runs first."""
    if _TARGET in st.session_state:
        page, parameters = st.session_state.pop(_TARGET)
        entered = {
            name: list(value) if isinstance(value, list) else [value]
            for name, value in parameters.items()
        }
        left = st.session_state.get(_LEFT, {})
        st.session_state[_LEFT] = {**left, page_key: (entered, _address())}
        filter_bar.keep()
        st.switch_page(menu.find_page(page).path, query_params=parameters)
    # Streamlit enters the new page's parameters into the browser's history under the
    # old page's path: that entry means the page as it was.
    entered, left = st.session_state.get(_LEFT, {}).get(page_key, ({}, {}))
    if entered and entered == _address():
        st.query_params.from_dict(left)


def is_open_to(viewer: Viewer) -> bool:
    """Return whether this viewer may see single contacts."""
    return viewer.can(Permission.SEE_CONTACTS)


def to_contacts(
    values: dict[str, Any],
    behind: str | None = None,
    window: str | None = None,
) -> None:
    """Callback: open the contacts with these values of dimensions.

    `behind`: KPI that counts them. `window`: days of its repeat window, if other
    than in the settings.
    """
    filters = menu.find_page("contacts").filters
    row = {dimension: value for dimension, value in values.items() if dimension in filters}
    filter_bar.narrow(row)
    parameters: dict[str, str | list[str]] = {
        dimension: "" if value is None else str(value)
        for dimension, value in values.items()
        if dimension not in row
    }
    named = {"behind": behind, "window": window}
    parameters |= {name: value for name, value in named.items() if value}
    st.session_state[_TARGET] = ("contacts", parameters | _filters_of("contacts"))


def to_contact(page_key: str, source_system: str, contact_id: str) -> None:
    """Callback: open one contact, with a link back to that page."""
    st.session_state[_CONTACT_FROM] = (page_key, _address())
    st.session_state[_TARGET] = ("contact", {"system": source_system, "id": contact_id})


def to_evaluation(page_key: str, evaluation_id: int) -> None:
    """Callback: open one evaluation, with a link back to that page."""
    st.session_state[_EVALUATION_FROM] = (page_key, _address())
    st.session_state[_TARGET] = ("evaluation", {"id": str(evaluation_id)})


def to_draft(evaluation_id: int) -> None:
    """Callback: open the form that fills an evaluation."""
    st.session_state[_TARGET] = ("evaluate", {"id": str(evaluation_id)})


def to_advisor(advisor_id: str, **parameters: str) -> None:
    """Callback: open one advisor under this page's filters; `parameters`: of the address."""
    kept = ("view", "measure", "difference")
    st.session_state[_ADVISORS_LEFT] = {
        name: value for name, value in _address().items() if name in kept
    }
    target = {"id": advisor_id, **parameters} | _filters_of("advisor")
    st.session_state[_TARGET] = ("advisor", target)


def to_find() -> None:
    """Callback: open the page that searches."""
    st.session_state[_TARGET] = (menu.FIND, {})


def show_link_from_contact() -> None:
    """Show the link from a contact back to where it was opened (default: the list)."""
    _show_back(*st.session_state.get(_CONTACT_FROM, ("contacts", {})))


def show_link_from_evaluation(viewer: Viewer) -> None:
    """Show the link from an evaluation back to where it was opened (default: first page)."""
    _show_back(*st.session_state.get(_EVALUATION_FROM, (menu.find_first(viewer).key, {})))


def show_link_to_advisors() -> None:
    """Show the link from one advisor back to all of them, as they were looked at."""
    _show_back("advisors", st.session_state.get(_ADVISORS_LEFT, {}) | _filters_of("advisors"))


def clicked(key: str) -> list[Any]:
    """Return the values of the clicked point of that chart; empty without a click."""
    points = st.session_state[key]["selection"]["points"]
    data = points[0].get("customdata") if points else None
    if isinstance(data, dict):  # Streamlit hands several values back by their place
        return list(data.values())
    return list(data) if isinstance(data, list | tuple) else [] if data is None else [data]


def on_point(
    viewer: Viewer,
    key: str,
    dimensions: str | Sequence[str],
    behind: str | None = None,
    window: str | None = None,
) -> Callable[[], None] | None:
    """Return what a click on a point opens; None if the viewer may see no contacts."""
    names = [dimensions] if isinstance(dimensions, str) else dimensions

    def open_contacts() -> None:
        values = dict(zip(names, clicked(key), strict=False))
        if not values or (len(names) == 1 and None in values.values()):
            return
        if "month" in values:
            values["month"] = str(values["month"])[:7]
        to_contacts(values, behind, window)

    return open_contacts if is_open_to(viewer) else None


def on_value(
    viewer: Viewer, dimension: str, behind: str | None = None, window: str | None = None
) -> Callable[[Any], None] | None:
    """Return what opens the contacts of a value; None if the viewer may see none."""
    if not is_open_to(viewer):
        return None
    return lambda value: to_contacts({dimension: value}, behind, window)


def show_arrow(key: str, values: dict[str, Any], behind: str) -> None:
    """Show the arrow at the end of a line that opens its contacts."""
    title = _("Open the contacts")
    layout.show_icon_button("arrow_forward", title, key, to_contacts, values, behind)


def show_contact_button(page_key: str, source_system: str, contact_id: str) -> None:
    """Show the button that opens a contact, with a link back to that page."""
    title, target = _("Open the contact"), (page_key, source_system, contact_id)
    layout.show_quiet_button("call", title, "open_contact", to_contact, *target)


def _show_back(page_key: str, parameters: dict[str, Any]) -> None:
    menu.show_page_link(page_key, symbol="arrow_back", query=parameters)


def _filters_of(page_key: str) -> dict[str, list[str]]:
    return {name: value for name, value in filter_bar.describe(page_key).items() if value}


def _address() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params}
