"""Contacts that show an irritant, with their words; on demand, and journalled."""

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis.irritants import detection
from qa_core.analysis.irritants.detection import Example
from qa_core.analysis.irritants.subject import IrritantSubject
from qa_core.base.i18n import _
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.ui.frame import open_once
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import drill

REQUESTED, READ = "irritant_examples", "irritant_read"


def show(viewer: Viewer, subject: IrritantSubject, where: Filters, key: str) -> None:
    """Show up to five examples on demand; nothing for a viewer who reads no remarks."""
    if not query.may_read_remarks(viewer):
        return
    requested = (key, subject.key, where)
    if st.session_state.get(REQUESTED) != requested:
        st.button(
            _("Examples"),
            key=f"examples_{key}",
            icon=":material/format_quote:",
            on_click=st.session_state.update,
            args=({REQUESTED: requested},),
        )
        return
    examples = open_once.read(
        READ,
        requested,
        lambda: detection.read_examples(viewer, subject, where),
        lambda: detection.find_examples(viewer, subject, where),
    )
    if not examples:
        st.caption(_("No unhappy customer wrote about it in this period."))
        return
    for position, example in enumerate(examples):
        _show_example(example, f"{key}_{position}")


def _show_example(example: Example, key: str) -> None:
    sentence, start, end = example.sentence, example.start, example.end
    marked = f"**{escape(sentence[start:end])}**" if end else ""
    where = [formatting.moment(example.local_start), example.reason or example.queue]
    with st.container(gap=None):
        st.markdown(f"{escape(sentence[:start])}{marked}{escape(sentence[end:])}")
        st.button(
            escape(" · ".join(filter(None, where))),
            key=f"open_{key}",
            type="tertiary",
            icon=":material/open_in_new:",
            on_click=drill.to_contact,
            args=("irritants", example.source_system, example.contact_id),
        )
