"""Sections of a page that open: a closed one runs nothing, an open one is in the address."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from qa_core.ui.frame import url_state
from qa_core.ui.frame.markdown import escape

OPEN = "yes"
MACHINES = "machines"
OF_KPI = {
    **dict.fromkeys(("machine_share", "handover_rate", "handover_wait"), MACHINES),
    **dict.fromkeys(("lasting_resolution", "lasting_resolution_people"), MACHINES),
    "repeat_to_person": MACHINES,
    **dict.fromkeys(("first_time_callers", "returning_callers"), "callers"),
    **dict.fromkeys(("spend", "cost_per_contact", "cost_per_answered"), "costs"),
    "cost_per_resolved": "costs",
}
"""Section that shows a KPI value by value, for links that are about this KPI."""


def show(name: str, title: str, draw: Callable[..., None], *args: Any) -> None:
    """Show the title of a section, and what `draw(*args)` shows while the section is open.

    `title`: the same whether open or closed. The address of the page says `<name>=yes`.
    """
    key = f"section_{name}"
    # Set on every run: under another title, as in another language, it is another widget.
    st.session_state[key] = (
        st.query_params.get(name) == OPEN
        if url_state.has_changed(name, key)
        else st.session_state[key]
    )
    expander = st.expander(escape(title), key=key, on_change="rerun")
    url_state.write_from_widget(name, OPEN if expander.open else "", "", key)
    if expander.open:
        with expander:
            draw(*args)


def find_address(kpi: str) -> dict[str, str]:
    """Return the parameters of an address that opens the section with that KPI."""
    return {OF_KPI[kpi]: OPEN} if kpi in OF_KPI else {}
