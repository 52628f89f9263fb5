"""First contact: is the customer's matter settled the first time, and what brings people back?"""

from qa_core.access import Permission
from qa_core.ui import empty, filter_bar, gate
from qa_core.ui.views import first_contact
from qa_core.wording import _

viewer = gate.current_viewer(Permission.SEE_CALL_STATISTICS)
look = filter_bar.current()

filter_bar.show_title(_("First-contact resolution"))
if not empty.is_shown(viewer, look):
    first_contact.show(viewer, look)
