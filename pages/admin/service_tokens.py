"""Service tokens: secrets of scripts that ask for figures, and how they ask."""

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import gate
from qa_core.ui.views.admin import service_tokens
from qa_core.ui.widgets import actions

viewer = gate.current_viewer(Permission.MANAGE_ACCOUNTS)

st.title(_("Service tokens"), anchor=False)
actions.show_outcome()
left, right = st.columns([5, 3])
# The new token comes first, so that the list has it.
with right:
    service_tokens.show_new(viewer)
with left:
    service_tokens.show_tokens(viewer)
service_tokens.show_examples()
