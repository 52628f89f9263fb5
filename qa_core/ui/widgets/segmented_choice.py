"""A choice among a few, as buttons in a row, kept in the address; of entries by their state."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import streamlit as st

from qa_core.base.i18n import _, capitalise
from qa_core.ui.frame import url_state
from qa_core.ui.frame.markdown import escape

Entry = TypeVar("Entry")
ALL = "all"
States = Mapping[str, tuple[str, Callable[[Entry], bool]]]
"""State → its title, and whether an entry is in it."""


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


def ask_state(
    name: str, entries: Sequence[Entry], states: States[Entry], usual: str = ""
) -> list[Entry]:
    """Show a button per state with its number of entries, `usual` or the first one pressed, and
    return the entries in the chosen state.
    """
    tests = {state: is_in for state, (_title, is_in) in states.items()} | {ALL: lambda _entry: True}
    found = {state: [entry for entry in entries if is_in(entry)] for state, is_in in tests.items()}
    titles = {state: capitalise(_(title)) for state, (title, _is_in) in states.items()} | {
        ALL: _("All")
    }
    buttons = {state: f"{titles[state]} ({len(found[state])})" for state in titles}
    return found[ask(name, _("State"), buttons, usual=usual)]
