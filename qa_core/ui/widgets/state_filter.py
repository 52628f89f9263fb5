"""Filter of a list by the state of its entries, kept in the address."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from qa_core.base.i18n import _, capitalise
from qa_core.ui.widgets import segmented_choice

Entry = TypeVar("Entry")
ALL = "all"
States = Mapping[str, tuple[str, Callable[[Entry], bool]]]
"""State → its title, and whether an entry is in it."""


def ask(name: str, entries: Sequence[Entry], states: States[Entry], usual: str = "") -> list[Entry]:
    """Show a button per state with its number of entries, `usual` or the first one pressed, and
    return the entries in the chosen state.
    """
    tests = {state: is_in for state, (_title, is_in) in states.items()} | {ALL: lambda _entry: True}
    found = {state: [entry for entry in entries if is_in(entry)] for state, is_in in tests.items()}
    titles = {state: capitalise(_(title)) for state, (title, _is_in) in states.items()} | {
        ALL: _("All")
    }
    buttons = {state: f"{titles[state]} ({len(found[state])})" for state in titles}
    return found[segmented_choice.ask(name, _("State"), buttons, usual=usual)]
