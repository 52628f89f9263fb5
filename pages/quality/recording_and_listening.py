"""Recording and listening: the rules and periods, for the advisors they are about."""

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import gate
from qa_core.ui.views.quality import own_information

viewer = gate.current_viewer(Permission.SEE_OWN_QUALITY)

st.title(_("Recording and listening"), anchor=False)
own_information.show_counts(viewer)
own_information.show_information(viewer)
