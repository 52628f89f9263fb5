"""A choice among a few on a page, as buttons in a row, kept in the address by value, so
that a link means the same in every language.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

_WRITTEN = "choices_written"


def ask(name: str, label: str, titles: Mapping[str, str], key: str = "") -> str:
    """Show the buttons and return the key that was chosen; the first goes without
    saying in the address, and stands for what is unknown there.

    `key`: tells the widget from that of another page that says its choice under the
    same name.
    """
    key = key or name
    usual, written = next(iter(titles)), st.session_state.get(_WRITTEN, {})
    given = st.query_params.get(name)
    if given != written.get(key) or key not in st.session_state:
        # The address is news: a link was followed, the browser went back, or another
        # page asked before, whose widget is forgotten.
        st.session_state[key] = given
    if st.session_state.get(key) not in titles:
        st.session_state[key] = usual
    # None when the browser still speaks of the widget of another page.
    chosen = (
        st.segmented_control(
            label,
            list(titles),
            format_func=titles.get,
            key=key,
            required=True,
            label_visibility="collapsed",
        )
        or usual
    )
    said = None if chosen == usual else chosen
    if said is not None:
        st.query_params[name] = said
    elif name in st.query_params:
        del st.query_params[name]
    st.session_state[_WRITTEN] = written | {key: said}
    return chosen
