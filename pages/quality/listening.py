"""Listening plan: who is listened to how much, drawn fairly, given out evenly."""

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import gate
from qa_core.ui.views.quality import listening
from qa_core.ui.widgets import actions

viewer = gate.current_viewer(Permission.MANAGE_LISTENING)

st.title(_("Listening plan"), anchor=False)
text = _(
    "Contacts are drawn at random from those that may be listened to. Each advisor has the "
    "same number, up to the maximum."
)
st.caption(text)

section = listening.choose_section()
actions.show_outcome()
listening.show_obstacle(viewer)
listening.show(viewer, section)
