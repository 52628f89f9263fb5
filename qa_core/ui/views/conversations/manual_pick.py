"""Giving an open contact to an evaluator: never scored, same rules as a draw."""

from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import _
from qa_core.quality import sampling, scorecards
from qa_core.quality.sampling import labels, manual_pick
from qa_core.ui import actions, gate


def show(viewer: Viewer, contact: dict[str, Any]) -> None:
    """Show the form on demand; nothing to whoever does not manage listening."""
    if not viewer.can(Permission.MANAGE_LISTENING):
        return
    actions.show_outcome()
    with st.popover(_("Have it evaluated"), icon=":material/assignment_ind:", type="tertiary"):
        text = _(
            "A contact picked by hand is for discussion and learning. Its result counts in no "
            "score."
        )
        st.caption(text)
        evaluators = dict(manual_pick.find_evaluators(viewer))
        published = {version.key: version.title for version in scorecards.find_published(viewer)}
        if not evaluators or not published:
            st.info(_("Needs an evaluator accredited today and a published scorecard."))
            return
        reason = st.selectbox(
            _("Why this one?"), list(manual_pick.PICK_REASONS), format_func=labels.name_reason
        )
        evaluator = st.selectbox(_("Evaluator"), list(evaluators), format_func=evaluators.get)
        scorecard = st.selectbox(_("Scorecard"), list(published), format_func=published.get)
        if st.button(_("Assign"), type="primary"):
            with actions.show_refusals():
                sampling.pick(
                    gate.current_viewer(Permission.MANAGE_LISTENING),
                    contact["source_system"],
                    contact["contact_id"],
                    reason,
                    evaluator,
                    scorecard,
                )
                actions.finish(_("Assigned to {name}.", name=evaluators[evaluator]))
