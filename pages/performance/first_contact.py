"""First contact: is the matter settled the first time, and what brings people back?"""

from qa_core.base.i18n import _
from qa_core.ui import page_frame
from qa_core.ui.frame import filter_bar
from qa_core.ui.views.performance import first_contact
from qa_core.ui.widgets import empty_states

viewer = page_frame.open_page("first_contact", has_title=False)
state = filter_bar.current()

filter_bar.show_title(_("First-contact resolution"))
if not empty_states.is_shown(viewer, state):
    first_contact.show(viewer, state)
