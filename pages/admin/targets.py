"""Targets and alerts: what numbers should reach, when they need a look, and what went on meanwhile."""

import streamlit as st

from qa_core.access import Permission
from qa_core.ui import gate, goals
from qa_core.wording import _

viewer = gate.current_viewer(Permission.EDIT_TARGETS)

st.title(_("Targets and alerts"), anchor=False)

section = goals.choose_section(viewer)
goals.show_outcome()
if section == "targets":
    goals.show_targets(viewer)
elif section == "alerts":
    goals.show_alerts(viewer)
else:
    goals.show_notes(viewer)
