"""Contacts: the list behind a figure."""

from qa_core.base.i18n import _
from qa_core.ui import page_frame
from qa_core.ui.frame import filter_bar
from qa_core.ui.views.conversations import contacts
from qa_core.ui.widgets import empty_states

viewer = page_frame.open_page("contacts", has_title=False)
state = filter_bar.current()

asked = contacts.read_address(viewer, state)
filter_bar.show_title(_("Contacts"), asked.where.period)
contacts.show_query(asked)
total = contacts.count(viewer, asked) if state.has_data else 0
if not empty_states.is_shown(viewer, state, total):
    contacts.show_list(viewer, asked, total)
