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
    """Field of an act, asked under its label: a text, one of `titles`, a day, or a tick.

    `name`: parameter of the act · `usual`: value at first · `help_text`: behind the label.
    """

    name: str
    label: str
    titles: Mapping[Any, str] | None = None
    usual: Any = ""
    is_optional: bool = False
    help_text: str | None = None

    def ask(self, key: str) -> Any:
        """Show the field and return its value."""
        key = f"{key}_{self.name}"
        match self.usual:
            case bool():
                return st.checkbox(self.label, self.usual, key=key, help=self.help_text)
            case date():
                today = environment.today()
                return layout.ask_day(st, self.label, self.usual, key, max_value=today)
        if self.titles is not None:
            return layout.select(st, self.label, self.titles, key, self.usual)
        return st.text_input(self.label, self.usual, key=key, help=self.help_text).strip()


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
    with st.form(key, border=True):
        if text:
            st.caption(text)
        values = {field.name: field.ask(key) for field in fields}
        sent = st.form_submit_button(title, type="primary")
    if sent and any(values[field.name] in ("", None) for field in fields if not field.is_optional):
        st.warning(_(actions.INCOMPLETE))
    elif sent:
        with actions.show_refusals():
            outcome = act(gate.current_viewer(permission), **values)
            actions.finish(_("Saved.") if outcome is None else outcome)
