"""Contact: one contact in full, linked as /contact?system=…&id=…"""

import streamlit as st

from qa_core import query
from qa_core.access import Permission
from qa_core.ui import drill, gate
from qa_core.ui.views import contact as view
from qa_core.ui.views import history, picking
from qa_core.wording import _

viewer = gate.current_viewer(Permission.SEE_CONTACTS)

if "id" not in st.query_params:
    st.title(_("Contact"), anchor=False)
    st.info(_("Choose a contact in the list."))
    drill.show_way_back()
else:
    contact = query.get_contact(viewer, st.query_params.get("system", ""), st.query_params["id"])
    view.note_reading(viewer, contact)
    drill.show_way_back()
    view.show_head(contact)
    view.show_course(contact)
    view.show_player(viewer, contact)
    picking.show(viewer, contact)
    history.show(viewer, contact)
    view.show_details(viewer, contact)
