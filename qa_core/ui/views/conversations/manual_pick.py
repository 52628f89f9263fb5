"""Give the contact that is open to an evaluator, because of what happened in it: never
part of a score, under the same rules as what is drawn.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.quality import sampling, scorecards
from qa_core.quality.sampling import labels, manual_pick
from qa_core.ui import gate

OUTCOME = "picking_outcome"


def show(viewer: Viewer, contact: dict[str, Any]) -> None:
    """A closed form below the recording; nothing for whoever does not manage listening."""
    if not viewer.can(Permission.MANAGE_LISTENING):
        return
    if said := st.session_state.pop(OUTCOME, None):
        st.success(said, icon=":material/check:")
    key = (contact["source_system"], contact["contact_id"])
    with st.popover(_("Have it evaluated"), icon=":material/assignment_ind:", type="tertiary"):
        st.caption(
            _(
                "A contact picked by hand is discussed and learned from; its result is no part "
                "of any score."
            )
        )
        evaluators = dict(manual_pick.find_evaluators(viewer))
        published = {version.key: version.title for version in scorecards.find_published(viewer)}
        if not evaluators or not published:
            st.info(_("It takes an evaluator accredited today and a published grid."))
            return
        because = st.selectbox(
            _("Why this one?"), list(manual_pick.BECAUSE), format_func=labels.because_title
        )
        evaluator = st.selectbox(_("Evaluator"), list(evaluators), format_func=evaluators.get)
        grid = st.selectbox(_("Grid"), list(published), format_func=published.get)
        if st.button(_("Give it out"), type="primary"):
            try:
                sampling.pick(
                    gate.current_viewer(Permission.MANAGE_LISTENING), *key, because, evaluator, grid
                )
            except Refusal as refusal:
                gate.show_refusal(refusal)
                return
            st.session_state[OUTCOME] = _(
                "It waits for {name} now.", name=gate.escape(evaluators[evaluator])
            )
            st.rerun()
