"""Overview: is the centre doing well, and what needs a look?"""

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import filter_bar, gate
from qa_core.ui.views.performance import overview
from qa_core.ui.widgets import empty_states

viewer = gate.current_viewer(Permission.SEE_CALL_STATISTICS)
state = filter_bar.current()

filter_bar.show_title(_("Overview"))
if not empty_states.is_shown(viewer, state):
    rows, series = overview.read(viewer, state)
    overview.show_top(viewer, state, rows, series)
    overview.show_more(viewer, state, rows, series)
