"""Coaching: who needs what this week, and what advisors and their leads work on."""

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import gate
from qa_core.ui.views.quality import coaching
from qa_core.ui.widgets import actions

viewer = gate.current_viewer(Permission.SEE_COACHING)

st.title(_("Coaching"), anchor=False)
actions.show_outcome()
if viewer.can(Permission.MANAGE_COACHING):
    coaching.show_week(viewer)
coaching.show_plans(viewer)
