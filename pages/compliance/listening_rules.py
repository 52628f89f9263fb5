"""Compliance: the rules and who acts; gates, deletion and requests."""

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui import page_frame
from qa_core.ui.frame import styles
from qa_core.ui.views.compliance import (
    accredited_people,
    documents,
    listening_rules,
    person_requests,
    rules,
    sealed_recordings,
)

viewer = page_frame.open_page("listening_rules", has_title=False)

styles.fit_one_page()
st.markdown(_("Listen to help people improve, not to watch them."))
st.title(_("Compliance"), anchor=False)
rules.show(viewer)
person_requests.show_audio_to_confirm(viewer)
sealed_recordings.show(viewer)
if viewer.can(Permission.SEE_COMPLIANCE):
    with st.container(key=styles.NOT_PRINTED):
        listening_rules.show_state(viewer)
        listening_rules.show_gates(viewer)
        listening_rules.show_periods(viewer)
        listening_rules.show_certificates(viewer)
        person_requests.show(viewer)
        person_requests.show_restrictions(viewer)
        person_requests.show_exclusions(viewer)
        accredited_people.show_accreditations(viewer)
        accredited_people.show_notices(viewer)
        listening_rules.show_proportions(viewer)
        documents.show(viewer)
