"""People: accounts with their roles and bounds, and requests for a second person."""

import streamlit as st

from qa_core.access.accounts import find_accounts
from qa_core.ui import page_frame
from qa_core.ui.views.admin import account_requests, people
from qa_core.ui.widgets import tables

viewer = page_frame.open_page("people")
waiting = st.container()
left, right = st.columns([5, 3])
chosen = tables.find_chosen(people.LIST, find_accounts(viewer))
# What changes accounts comes before what lists them, so that the list shows how they
# are now.
with right:
    if chosen is None:
        people.show_new(viewer)
    else:
        people.show_account(viewer, chosen)
with waiting:
    account_requests.show_requests(viewer)
with left:
    people.show_list(viewer, find_accounts(viewer))
if chosen is None:
    people.show_list_import(viewer)
