"""Advisors: what to do this week, then all side by side, with intervals."""

from qa_core.ui import page_frame
from qa_core.ui.frame import filter_bar
from qa_core.ui.views.quality import advisors, this_week
from qa_core.ui.widgets import empty_states

viewer = page_frame.open_page("advisors")
state = filter_bar.current()
if state.has_data:
    this_week.show(viewer)
if not empty_states.is_shown(viewer, state):
    advisors.show_tiles(viewer, state)
    advisors.show_views(viewer, state)
