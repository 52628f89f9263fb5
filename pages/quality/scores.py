"""Scores: what I gave as an evaluator, how far apart, and my last evaluations."""

from qa_core.access import Permission
from qa_core.ui import empty, filter_bar, gate
from qa_core.ui.views import scores
from qa_core.wording import _

viewer = gate.current_viewer(Permission.SEE_OWN_EVALUATIONS)
look = filter_bar.current()

filter_bar.show_title(_("Scores"))
# Without contacts of their own, evaluators are told by the tiles whether the period is empty.
if not empty.is_shown(viewer, look, count=1) and scores.show_top(viewer, look):
    scores.show_cuts(viewer, look)
    scores.show_last(viewer, look)
