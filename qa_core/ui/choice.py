"""A choice among a few on a page, as buttons in a row, kept in the address by value, so that a link means the same in every language."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

_WRITTEN = "choices_written"


def ask(name: str, label: str, titles: Mapping[str, str]) -> str:
    """Show the buttons and return the key that was chosen; the first goes without saying in the address, and stands for what is unknown there."""
    usual, written = next(iter(titles)), st.session_state.get(_WRITTEN, {})
    given = st.query_params.get(name)
    if given != written.get(name):
        # The address is news: a link was followed, or the browser went back.
        st.session_state[name] = given
    if st.session_state.get(name) not in titles:
        st.session_state[name] = usual
    chosen = st.segmented_control(label, list(titles), format_func=titles.get, key=name, required=True, label_visibility="collapsed")
    said = None if chosen == usual else chosen
    if said is not None:
        st.query_params[name] = said
    elif name in st.query_params:
        del st.query_params[name]
    st.session_state[_WRITTEN] = written | {name: said}
    return chosen
