"""Account changes: what waits for a second person, and what was changed lately."""

from qa_core.access.accounts import find_changes
from qa_core.ui import page_frame
from qa_core.ui.views.admin import account_requests

viewer = page_frame.open_page("account_changes")
account_requests.show_requests(viewer)
account_requests.show_changes(find_changes(viewer), "account_changes")
