"""First steps: from an empty centre to the first figure, step by step; each says why it
is needed, what is done and what is next.
"""

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui import actions, gate
from qa_core.ui.views.admin import first_steps

viewer = gate.current_viewer(Permission.MANAGE_SETTINGS)

st.title(_("First steps"), anchor=False)
actions.show_outcome()
first_steps.show(viewer)
