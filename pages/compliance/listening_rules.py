"""Compliance: the rules and who acts first; then one section at a time."""

import streamlit as st

from qa_core.base.i18n import _
from qa_core.ui import page_frame
from qa_core.ui.frame import styles
from qa_core.ui.views.compliance import sections

viewer = page_frame.open_page("listening_rules", has_title=False)

styles.fit_one_page()
st.markdown(_("Listen to help people improve, not to watch them."))
st.title(_("Compliance"), anchor=False)
sections.show(viewer)
