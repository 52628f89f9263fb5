"""Evaluate: what waits for an evaluator, and the grid filled in beside the recording: /evaluate?id=…"""

import streamlit as st

from qa_core.access import Permission
from qa_core.ui import gate
from qa_core.ui.views import evaluate as view
from qa_core.wording import _

viewer = gate.current_viewer(Permission.FILL_GRIDS)

if "id" in st.query_params:
    view.show_draft(viewer, view.read(viewer, st.query_params["id"]))
else:
    st.title(_("Evaluate"), anchor=False)
    view.show_worklist(viewer)
