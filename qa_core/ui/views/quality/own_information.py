"""Data kept of an advisor, and what they are told in writing about it."""

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _
from qa_core.compliance.documents import printing
from qa_core.compliance.recordings import playback_list
from qa_core.metrics import formatting
from qa_core.ui.views.compliance import documents


def show_counts(viewer: Viewer) -> None:
    """Show how much is kept of the viewer; nothing where the account belongs to no advisor."""
    if viewer.advisor_id is None:
        return
    counts = playback_list.count_own(viewer)
    kept, heard, evaluated = st.columns(3)
    kept.metric(_("Your recordings kept today"), formatting.number(counts.recordings))
    heard.metric(_("Playbacks by others, last 12 months"), formatting.number(counts.playbacks))
    evaluated.metric(_("Your evaluations kept today"), formatting.number(counts.evaluations))


def show_information(viewer: Viewer) -> None:
    """Show the information that advisors also get on paper."""
    documents.show_blocks(printing.list_own_information(viewer))
