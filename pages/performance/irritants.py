"""Irritants: what annoys customers again and again, and who sees to it."""

from qa_core.ui import page_frame
from qa_core.ui.frame import filter_bar
from qa_core.ui.views.performance import action_list, irritants
from qa_core.ui.widgets import empty_states

viewer = page_frame.open_page("irritants")
state = filter_bar.current()
entries = action_list.show(viewer, state)
if not empty_states.is_shown(viewer, state):
    irritants.show(viewer, state, entries)
