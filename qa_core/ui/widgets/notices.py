"""Notices to owners: what of theirs has lost its figure, until they close the notice."""

from collections.abc import Callable, Sequence

import streamlit as st

from qa_core.access import accounts
from qa_core.access.roles import Viewer
from qa_core.base.i18n import _
from qa_core.metrics.kpis import formatting
from qa_core.ui.frame import gate, layout
from qa_core.ui.frame.markdown import escape


def show_lost_figures(viewer: Viewer, subject: str, find: Callable[[], Sequence[str]]) -> None:
    """Name what of this subject has no figure, because it needs missed contacts that are out
    of scope; nothing once the person has closed the notice.
    """
    notice = f"missed_out_of_scope:{subject}"
    if accounts.has_dismissed(viewer, notice):
        return
    if names := find():
        text = _(
            "Without a figure, because missed contacts have no team: {names}.",
            names=formatting.listing(names),
        )
        st.info(escape(text), icon=":material/info:")
        layout.show_button(
            "",
            _("Close"),
            f"close_{subject}",
            lambda: accounts.dismiss(gate.current_viewer(), notice),
        )
