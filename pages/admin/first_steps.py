"""First steps: from an empty centre to its first figure, each with its reason."""

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import gate
from qa_core.ui.views.admin import first_steps
from qa_core.ui.widgets import actions

viewer = gate.current_viewer(Permission.MANAGE_SETTINGS)

st.title(_("First steps"), anchor=False)
actions.show_outcome()
first_steps.show(viewer)
