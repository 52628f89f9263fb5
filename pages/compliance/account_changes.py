"""Account changes: what waits for a second person, and what was changed lately."""

import streamlit as st

from qa_core.access.accounts import find_changes
from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import gate
from qa_core.ui.views.admin import account_requests

viewer = gate.current_viewer(Permission.CONFIRM_ACCOUNTS)

st.title(_("Account changes"), anchor=False)
text = _(
    "No administrator grants access to personal data alone. A data protection officer, a "
    "manager or another administrator confirms it. The people concerned are informed."
)
st.caption(text)
account_requests.show_requests(viewer)
account_requests.show_changes(find_changes(viewer), "account_changes")
