"""Contacts that show an irritant, in the words of customers and evaluators: for who
reads them, once asked for, and journalled.
"""

from __future__ import annotations

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis.irritants import detection
from qa_core.analysis.irritants.detection import Example
from qa_core.analysis.irritants.subject import IrritantSubject
from qa_core.base.i18n import _
from qa_core.metrics import formatting, query
from qa_core.metrics.dimensions import Filters
from qa_core.ui import cards, drill, readings

ASKED, READ = "irritant_examples", "irritant_read"


def show(viewer: Viewer, subject: IrritantSubject, where: Filters, key: str) -> None:
    """Up to five contacts that show an irritant, once asked for; reading them is
    journalled.
    """
    if not query.may_read_remarks(viewer):
        return
    asked = (key, subject.key, where)
    if st.session_state.get(ASKED) != asked:
        st.button(
            _("Examples"),
            key=f"examples_{key}",
            icon=":material/format_quote:",
            on_click=_ask,
            args=(asked,),
        )
        return
    examples = readings.read(
        READ,
        asked,
        lambda: detection.read_examples(viewer, subject, where),
        lambda: detection.find_examples(viewer, subject, where),
    )
    if not examples:
        st.caption(_("No unhappy customer of this period wrote anything about it."))
        return
    for place, example in enumerate(examples):
        _show_example(example, f"{key}_{place}")


def _ask(asked: tuple[str, str, Filters]) -> None:
    st.session_state[ASKED] = asked


def _show_example(example: Example, key: str) -> None:
    sentence, start, end = example.sentence, example.start, example.end
    with st.container(gap=None):
        marked = f"**{cards.escape(sentence[start:end])}**" if end else ""
        st.markdown(f"{cards.escape(sentence[:start])}{marked}{cards.escape(sentence[end:])}")
        where = [formatting.moment(example.local_start), example.reason or example.queue]
        st.button(
            cards.escape(" · ".join(filter(None, where))),
            key=f"open_{key}",
            type="tertiary",
            icon=":material/open_in_new:",
            on_click=drill.to_contact,
            args=("irritants", example.source_system, example.contact_id),
        )
