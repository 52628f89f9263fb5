"""People: who has an account, in which role, bound to what; and what waits for a second administrator."""

import streamlit as st

from qa_core import people
from qa_core.access import Permission
from qa_core.ui import accounts, gate
from qa_core.wording import _

viewer = gate.current_viewer(Permission.MANAGE_ACCOUNTS)

st.title(_("People"), anchor=False)
st.caption(_("Every change here is in the journal and ends the sessions of the person at once. Your own account is changed by another administrator."))

waiting = st.container()
left, right = st.columns([5, 3])
chosen = accounts.find_selected(people.find_accounts(viewer))
# What changes accounts comes before what lists them, so that the list shows how they are now.
with right:
    if chosen is None:
        accounts.show_new(viewer)
    else:
        accounts.show_one(viewer, chosen)
with waiting:
    accounts.show_requests(viewer)
with left:
    accounts.show_list(viewer, people.find_accounts(viewer))
