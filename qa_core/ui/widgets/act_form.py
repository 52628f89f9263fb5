"""Form of one act: its fields, the function of the room that does it, and its outcome."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base import environment
from qa_core.base.i18n import _
from qa_core.ui.frame import gate, layout
from qa_core.ui.widgets import actions


@dataclass(frozen=True)
class ActField:
    """Field of an act, by the name of its parameter: a text, one of `titles`, a day, or a tick,
    as its `usual` value is. Labels and titles are marked for translation.
    """

    name: str
    label: str
    titles: Mapping[Any, str] | None = None
    usual: Any = ""
    is_optional: bool = False
    help_text: str = ""

    def ask(self, key: str) -> Any:
        key, label = f"{key}_{self.name}", _(self.label)
        match self.usual:
            case bool():
                return st.checkbox(label, self.usual, key=key)
            case date():
                today = environment.today()
                return layout.ask_day(st, label, self.usual, key, max_value=today)
        if self.titles is not None:
            titles = {value: _(title) for value, title in self.titles.items()}
            return layout.select(st, label, titles, key, self.usual)
        explanation = _(self.help_text) if self.help_text else None
        return st.text_input(label, key=key, help=explanation).strip()

    def empty(self, key: str) -> None:
        """Empty a text and take back a tick: they belonged to the act that is done."""
        if self.titles is None and isinstance(self.usual, str | bool):
            st.session_state[f"{key}_{self.name}"] = self.usual


def show(
    key: str,
    title: str,
    fields: Collection[ActField],
    act: Callable[..., str | None],
    text: str = "",
    permission: Permission = Permission.MANAGE_COMPLIANCE,
) -> None:
    """Show the form. `act` gets the viewer and the fields, and returns its outcome in words
    (None: saved); a Refusal is shown at the form. `text`: what the reader needs to know.
    """
    if st.session_state.pop(f"{key}_done", False):
        for field in fields:
            field.empty(key)
    with st.form(key, border=True):
        if text:
            st.caption(_(text))
        values = {field.name: field.ask(key) for field in fields}
        sent = st.form_submit_button(_(title), type="primary")
    needed = [values[field.name] for field in fields if not field.is_optional]
    if sent and any(value in ("", None, False) for value in needed):
        st.warning(_(actions.INCOMPLETE))
    elif sent:
        with actions.show_refusals():
            outcome = act(gate.current_viewer(permission), **values)
            # Without its tick, the act may only have looked: the next one takes the same text.
            st.session_state[f"{key}_done"] = False not in values.values()
            actions.finish(_("Saved.") if outcome is None else outcome)
