"""Targets and alerts: what numbers should reach, and when they need a look."""

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui import actions, gate
from qa_core.ui.views.admin import targets

viewer = gate.current_viewer(Permission.EDIT_TARGETS)

st.title(_("Targets and alerts"), anchor=False)

section = targets.choose_section(viewer)
actions.show_outcome()
targets.show_lost_figures(viewer)
if section == "targets":
    targets.show_targets(viewer)
elif section == "alerts":
    targets.show_alerts(viewer)
else:
    targets.show_notes(viewer)
