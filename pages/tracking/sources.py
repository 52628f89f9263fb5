"""Sources: which campaign brings contacts, what becomes of them, and what they cost."""

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import filter_bar, gate
from qa_core.ui.views.tracking import sources
from qa_core.ui.widgets import empty_states

viewer = gate.current_viewer(Permission.SEE_TRACKING)
state = filter_bar.current()

filter_bar.show_title(_("Sources"))
if not empty_states.is_shown(viewer, state):
    sources.show(viewer, state)
