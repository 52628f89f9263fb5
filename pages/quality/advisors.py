"""Advisors: what to do this week, then all side by side, with intervals."""

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import filter_bar, gate
from qa_core.ui.views.quality import advisors, this_week
from qa_core.ui.widgets import empty_states

viewer = gate.current_viewer(Permission.SEE_ADVISORS)
state = filter_bar.current()

filter_bar.show_title(_("Advisors"))
if state.has_data:
    this_week.show(viewer)
if not empty_states.is_shown(viewer, state):
    advisors.show_tiles(viewer, state)
    advisors.show_views(viewer, state)
