"""Are we in order?: what the law asks for before anybody listens, what is missing, and
who acts.
"""

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui import actions, gate
from qa_core.ui.views.compliance import (
    accredited_people,
    deletion,
    documents,
    listening_rules,
    person_requests,
)

viewer = gate.current_viewer(Permission.SEE_COMPLIANCE)

st.markdown(_("Listen to help people improve, not to watch them."))
st.title(_("Are we in order?"), anchor=False)

actions.show_outcome()
listening_rules.show_state(viewer)
listening_rules.show_gates(viewer)
deletion.show_periods(viewer)
deletion.show_certificates(viewer)
person_requests.show(viewer)
accredited_people.show_accreditations(viewer)
accredited_people.show_notices(viewer)
listening_rules.show_proportions(viewer)
documents.show(viewer)
