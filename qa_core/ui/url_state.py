"""What a page shows, in its address: by value and never by title, so that a link means
the same to readers of every language.

Streamlit's own binding of widgets to the address writes the titles that the sender
read.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

import streamlit as st

_WRITTEN = "address_written"
_SINGLE = "address_single"
"""What each widget of its own (an order, a kind, a person) said last, by page and name."""
_ENTERED = "address_entered"
"""What each page held when the reader came to it by the menu: its bare address stands
for that, when they go back to it.
"""


def read(page_key: str, names: Iterable[str]) -> Mapping[str, list[str]] | None:
    """What the address says of these, where it is news: on arrival by a link, and after
    back and forward in the browser.

    None where the widgets know better: they have just been moved, or the reader came by
    the menu, which says nothing.
    """
    given = {name: st.query_params.get_all(name) for name in names if name in st.query_params}
    page, written = st.session_state.get(_WRITTEN, ("", {}))
    if page != page_key:
        return given or None
    meant = given or st.session_state.get(_ENTERED, {}).get(page_key, {})
    return None if meant == written else meant


def write(page_key: str, values: Mapping[str, Sequence[str]]) -> None:
    """Make the address say these, and nothing of those that are empty."""
    said = {name: list(value) for name, value in values.items() if value}
    if st.session_state.get(_WRITTEN, ("", {}))[0] != page_key and not any(
        name in st.query_params for name in values
    ):
        st.session_state[_ENTERED] = {**st.session_state.get(_ENTERED, {}), page_key: said}
    for name in values:
        if name not in said and name in st.query_params:
            del st.query_params[name]
    changed = {
        name: value for name, value in said.items() if st.query_params.get_all(name) != value
    }
    if changed:
        st.query_params.update(changed)
    st.session_state[_WRITTEN] = (page_key, said)


def is_news(page_key: str, name: str) -> bool:
    """Whether the address says something else of that widget than the widget said last,
    or the widget was forgotten on another page.
    """
    return name not in st.session_state or st.query_params.get(name) != st.session_state.get(
        _SINGLE, {}
    ).get((page_key, name))


def take(page_key: str, name: str, known: Container[str], usual: str) -> None:
    """Before a widget with that key is drawn: let it follow the address where that
    brings news, else stay as it was moved.
    """
    wanted = st.query_params.get(name) if is_news(page_key, name) else st.session_state.get(name)
    st.session_state[name] = wanted if wanted in known else usual


def give(page_key: str, name: str, value: str, usual: str) -> None:
    """After the widget is drawn: say its value in the address, or nothing where it is
    as usual.
    """
    if value == usual:
        if name in st.query_params:
            del st.query_params[name]
    elif st.query_params.get(name) != value:
        st.query_params[name] = value
    said = None if value == usual else value
    st.session_state[_SINGLE] = {**st.session_state.get(_SINGLE, {}), (page_key, name): said}
