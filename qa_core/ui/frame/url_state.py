"""The state of a page in its address: by value, never by title, so that a link means
the same in every language (Streamlit's own binding writes titles).
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import streamlit as st

from qa_core.base.errors import AccessDenied
from qa_core.ui.frame import layout
from qa_core.ui.frame.markdown import escape

_WRITTEN = "address_written"
_WIDGETS = "address_widgets"
"""Last value written for each widget, by its key."""
_ENTERED = "address_entered"
"""Filters of each page when the reader came by the menu, that is, by its bare address."""


def read(page_key: str, names: Iterable[str]) -> Mapping[str, list[str]] | None:
    """Return the values of these names in the address if they are new: after a link, or
    after back and forward in the browser.

    None: the widgets count, since they were moved, or the reader came by the menu.
    """
    given = {name: st.query_params.get_all(name) for name in names if name in st.query_params}
    page, written = st.session_state.get(_WRITTEN, ("", {}))
    if page != page_key:
        return given or None
    meant = given or st.session_state.get(_ENTERED, {}).get(page_key, {})
    return None if meant == written else meant


def write(page_key: str, values: Mapping[str, Sequence[str]]) -> None:
    """Write these values into the address, and remove the names that are empty."""
    params = {name: list(value) for name, value in values.items() if value}
    if st.session_state.get(_WRITTEN, ("", {}))[0] != page_key and not any(
        name in st.query_params for name in values
    ):
        st.session_state[_ENTERED] = {**st.session_state.get(_ENTERED, {}), page_key: params}
    for name in values:
        if name not in params and name in st.query_params:
            del st.query_params[name]
    changed = {
        name: value for name, value in params.items() if st.query_params.get_all(name) != value
    }
    if changed:
        st.query_params.update(changed)
    st.session_state[_WRITTEN] = (page_key, params)


@contextmanager
def bind(name: str, known: Collection[str], usual: str, key: str = "") -> Iterator[None]:
    """Bind the widget drawn in the block to the address.

    It takes a new value from the address; its value is written there afterwards unless it
    is `usual`. `key`: of the widget, default `name`.
    """
    key = key or name
    read_into_widget(name, known, usual, key)
    yield
    write_from_widget(name, st.session_state[key] or usual, usual, key)


def read_number(text: str) -> int:
    """Read the number of a row in the address. Raises AccessDenied for what cannot be one."""
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise AccessDenied()
    return int(text)


def has_changed(name: str, key: str) -> bool:
    """Return whether the address differs from what that widget, if kept, wrote last."""
    written = st.session_state.get(_WIDGETS, {}).get(key)
    return key not in st.session_state or st.query_params.get(name) != written


def read_into_widget(name: str, known: Collection[str], usual: str, key: str) -> None:
    """Set a widget that is drawn next from a new value of the address."""
    wanted = st.query_params.get(name) if has_changed(name, key) else st.session_state[key]
    wanted = wanted if wanted in known else usual
    if st.session_state.get(key) != wanted:
        st.session_state[key] = wanted


def write_from_widget(name: str, value: str, usual: str, key: str) -> None:
    """Write the value of a widget into the address, or nothing if it is `usual`."""
    shown = None if value == usual else value
    if shown is None:
        st.query_params.pop(name, None)
    elif st.query_params.get(name) != shown:
        st.query_params[name] = shown
    st.session_state[_WIDGETS] = {**st.session_state.get(_WIDGETS, {}), key: shown}


def show_removable(name: str, label: str) -> None:
    """Show a button that removes that name from the address."""
    layout.show_button("close", escape(label), f"remove_{name}", st.query_params.pop, name, None)
