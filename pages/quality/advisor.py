"""One advisor beside the colleagues of their team: /advisor?id=…"""

import streamlit as st

from qa_core.base.i18n import _
from qa_core.ui import page_frame
from qa_core.ui.frame import filter_bar
from qa_core.ui.views.quality import advisor as view
from qa_core.ui.views.quality import coaching
from qa_core.ui.widgets import drill, empty_states

viewer = page_frame.open_page("advisor", has_title=False)
state = filter_bar.current()

drill.show_link_to_advisors()
if "id" not in st.query_params:
    st.title(_("Advisor"), anchor=False)
    st.info(_("Choose an advisor on the Advisors page."))
elif not empty_states.is_shown(viewer, state):
    advisor = view.read(viewer, st.query_params["id"], state.where.period)
    filter_bar.show_title(advisor.name)
    coaching.show_line(viewer, advisor.advisor_id)
    side = view.read_side(viewer, state, advisor)
    view.show_case_mix(viewer, side)
    view.show_course(viewer, state, side)
    view.show_evaluations(viewer, state, side)
