"""Satisfaction: what customers say, how sure it is, who answered. Never a person."""

from qa_core.ui import page_frame
from qa_core.ui.frame import styles
from qa_core.ui.views.performance import satisfaction

viewer, state = page_frame.open_figures("satisfaction")
styles.fit_one_page()
satisfaction.show_top(viewer, state)
satisfaction.show_why(viewer, state)
satisfaction.show_cuts(viewer, state)
