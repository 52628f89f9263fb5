"""A choice among a few, as buttons in a row, kept in the address."""

from collections.abc import Mapping

import streamlit as st

from qa_core.ui.frame import url_state
from qa_core.ui.frame.markdown import escape


def ask(
    name: str,
    label: str,
    titles: Mapping[str, str],
    key: str = "",
    has_label: bool = False,
    usual: str = "",
) -> str:
    """Show the buttons and return the chosen key; `usual` (default: the first) is not in
    the address.

    `key`: of the widget, where another page has a choice of the same name.
    """
    usual = usual or next(iter(titles))
    with url_state.bind(name, titles, usual, key):
        chosen = st.segmented_control(
            label,
            list(titles),
            format_func=lambda key: escape(titles[key]),
            key=key or name,
            required=True,
            label_visibility="visible" if has_label else "collapsed",
        )
    # None when the browser still speaks of the widget of another page.
    return chosen or usual
