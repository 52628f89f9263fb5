"""Disputes: open ones first, the longest waiting on top, then the decisions."""

from qa_core.ui import page_frame
from qa_core.ui.frame import filter_bar
from qa_core.ui.views.quality import disputes

viewer = page_frame.open_page("disputes")
disputes.show_lists(viewer)
disputes.show_outcomes(viewer, filter_bar.current())
