"""Opening hours of each site: contacts nobody answered outside count as closed."""

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import gate
from qa_core.ui.views.admin import opening_hours
from qa_core.ui.widgets import actions

viewer = gate.current_viewer(Permission.MANAGE_SETTINGS)

st.title(_("Opening hours"), anchor=False)
st.caption(_(opening_hours.WHY))
actions.show_outcome()
site = opening_hours.choose_site(viewer)
if site is not None:
    opening_hours.ask_hours(site)
