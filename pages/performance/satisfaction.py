"""Satisfaction: what customers say, how sure it is, who answered. Never a person."""

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import filter_bar, gate, styles
from qa_core.ui.views.performance import satisfaction, survey_response
from qa_core.ui.widgets import empty_states

viewer = gate.current_viewer(Permission.SEE_SATISFACTION)
state = filter_bar.current()

filter_bar.show_title(_("Satisfaction"))
if not empty_states.is_shown(viewer, state):
    styles.fit_one_page()
    satisfaction.show_top(viewer, state)
    by_cut = survey_response.read_cuts(viewer, state)
    satisfaction.show_why(viewer, state, by_cut)
    satisfaction.show_cuts(viewer, state, by_cut)
