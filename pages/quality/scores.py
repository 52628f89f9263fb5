"""Scores: an evaluator's own scores, their spread, and the last evaluations."""

from qa_core.ui import page_frame
from qa_core.ui.views.quality import scores

# Evaluators see by the tiles whether the period is empty.
viewer, state = page_frame.open_figures("scores", count=1)
if scores.show_top(viewer, state):
    scores.show_cuts(viewer, state)
    scores.show_last(viewer, state)
