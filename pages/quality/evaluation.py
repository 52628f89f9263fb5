"""Evaluation: one in full, with its disputes and decisions: /evaluation?id=…"""

import streamlit as st

from qa_core.base.i18n import _
from qa_core.ui import page_frame
from qa_core.ui.views.quality import evaluation as view
from qa_core.ui.views.quality import evaluation_answers, evaluation_correction
from qa_core.ui.widgets import drill

viewer = page_frame.open_page("evaluation", has_title=False)

drill.show_link_from_evaluation(viewer)
if "id" not in st.query_params:
    st.title(_("Evaluation"), anchor=False)
    st.info(_("Choose an evaluation from a list."))
else:
    evaluation = view.read(viewer, st.query_params["id"])
    view.show_head(viewer, evaluation)
    view.show_recording(viewer, evaluation)
    evaluation_answers.show(viewer, evaluation)
    evaluation_answers.show_reply(viewer, evaluation)
    evaluation_correction.show(evaluation)
    view.show_history(evaluation)
