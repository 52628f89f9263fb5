"""Scorecards: written as drafts, tried out, published as versions that never change."""

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import gate
from qa_core.ui.views.admin import scorecards
from qa_core.ui.widgets import actions

viewer = gate.current_viewer(Permission.SEE_SCORECARDS)

st.title(_("Scorecards"), anchor=False)
text = _(
    "What evaluators listen for, and how many points it is worth. Administrators write "
    "drafts; managers publish them."
)
st.caption(text)

actions.show_outcome()
scorecards.ask_new(viewer)
stored = scorecards.choose(viewer)
if stored is not None:
    scorecards.show(viewer, stored)
