"""Irritants: what annoys customers again and again, and who sees to it."""

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import filter_bar, gate
from qa_core.ui.views.performance import action_list, irritants
from qa_core.ui.widgets import empty_states

viewer = gate.current_viewer(Permission.SEE_IRRITANTS)
state = filter_bar.current()

filter_bar.show_title(_("Irritants"))
entries = action_list.show(viewer, state)
if not empty_states.is_shown(viewer, state):
    irritants.show(viewer, state, entries)
