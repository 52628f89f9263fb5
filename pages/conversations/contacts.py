"""Contacts: the list behind a figure."""

from qa_core.access import Permission
from qa_core.ui import empty, filter_bar, gate
from qa_core.ui.views import contacts
from qa_core.wording import _

viewer = gate.current_viewer(Permission.SEE_CONTACTS)
look = filter_bar.current()

asked = contacts.read_address(viewer, look)
filter_bar.show_title(_("Contacts"), asked.where.period)
contacts.show_asked(asked)
total = contacts.count(viewer, asked) if look.has_data else 0
if not empty.is_shown(viewer, look, total):
    contacts.show_list(viewer, asked, total)
