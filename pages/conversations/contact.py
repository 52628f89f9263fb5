"""Contact: one contact in full, linked as /contact?system=…&id=…"""

import streamlit as st

from qa_core.base.i18n import _
from qa_core.ui import page_frame
from qa_core.ui.views.conversations import contact as view
from qa_core.ui.widgets import drill

viewer = page_frame.open_page("contact", has_title=False)

if "id" not in st.query_params:
    st.title(_("Contact"), anchor=False)
    st.info(_("Choose a contact in the list."))
    drill.show_link_from_contact()
else:
    contact = view.read(viewer, st.query_params.get("system", ""), st.query_params["id"])
    drill.show_link_from_contact()
    view.show_head(contact)
    view.show_course(contact)
    view.show_player(viewer, contact)
    view.show_manual_pick(viewer, contact)
    view.show_exclusion_request(viewer, contact)
    view.show_history(viewer, contact)
    view.show_details(viewer, contact)
