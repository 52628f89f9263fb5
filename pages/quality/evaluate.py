"""Evaluate: what waits, and the scorecard beside the recording: /evaluate?id=…"""

import streamlit as st

from qa_core.base.i18n import _
from qa_core.ui import page_frame
from qa_core.ui.views.quality import evaluate as view

viewer = page_frame.open_page("evaluate", has_title=False)

if "id" in st.query_params:
    view.show_draft(viewer, view.read(viewer, st.query_params["id"]))
else:
    st.title(_("Evaluate"), anchor=False)
    view.show_worklist(viewer)
