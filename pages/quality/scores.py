"""Scores: an evaluator's own scores, their spread, and the last evaluations."""

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import filter_bar, gate
from qa_core.ui.views.quality import scores
from qa_core.ui.widgets import empty_states

viewer = gate.current_viewer(Permission.SEE_OWN_EVALUATIONS)
state = filter_bar.current()

filter_bar.show_title(_("Scores"))
# Evaluators see by the tiles whether the period is empty.
if not empty_states.is_shown(viewer, state, count=1) and scores.show_top(viewer, state):
    scores.show_cuts(viewer, state)
    scores.show_last(viewer, state)
