"""Your first figures: do the contacts of a new centre agree with its telephony platform?"""

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui import empty_states, filter_bar, gate
from qa_core.ui.views.performance import first_figures

viewer = gate.current_viewer(Permission.SEE_TEAMS)
state = filter_bar.current()

filter_bar.show_title(_("Your first figures"))
if not empty_states.is_shown(viewer, state):
    first_figures.show(viewer, state)
