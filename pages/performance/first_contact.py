"""First contact: is the matter settled the first time, and what brings people back?"""

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import filter_bar, gate
from qa_core.ui.views.performance import first_contact
from qa_core.ui.widgets import empty_states

viewer = gate.current_viewer(Permission.SEE_CALL_STATISTICS)
state = filter_bar.current()

filter_bar.show_title(_("First-contact resolution"))
if not empty_states.is_shown(viewer, state):
    first_contact.show(viewer, state)
