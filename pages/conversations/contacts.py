"""Contacts: the list behind a figure."""

from qa_core.access import Permission
from qa_core.ui import empty, filter_bar, gate
from qa_core.ui.views import contacts
from qa_core.wording import _

viewer = gate.current_viewer(Permission.SEE_CONTACTS)
look = filter_bar.current()

filter_bar.show_title(_("Contacts"))
if not empty.is_shown(viewer, look):
    asked = contacts.read_address(viewer, look)
    contacts.show_asked(asked)
    contacts.show_list(viewer, asked)
