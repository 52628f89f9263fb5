"""An advisor's request to leave a contact out of listening, and the answer."""

from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import _
from qa_core.compliance import requests
from qa_core.metrics import formatting
from qa_core.ui import actions, cards, gate
from qa_core.ui.markdown import escape


def show(viewer: Viewer, contact: dict[str, Any]) -> None:
    """Show the request for this contact and its answer, or offer to ask."""
    if not viewer.can(Permission.SEE_OWN_QUALITY) or viewer.advisor_id is None:
        return
    key = (contact["source_system"], contact["contact_id"])
    own = requests.find_own(viewer)
    asked = next((one for one in own if (one.source_system, one.contact_id) == key), None)
    actions.show_outcome()
    with cards.card(_("Exclude this contact from recording and listening")):
        if asked is None:
            st.caption(
                _("For a private call or another reason. The data protection officer answers you.")
            )
            if st.button(_("Send the request"), icon=":material/front_hand:"):
                with actions.show_refusals():
                    acting = gate.current_viewer(Permission.SEE_OWN_QUALITY)
                    requests.ask_exclusion(acting, *key)
                    text = _("Request sent. The data protection officer answers within a month.")
                    actions.finish(text)
        elif asked.is_open:
            asked_on = formatting.day(asked.received_on, year=True)
            due = formatting.day(asked.due_on, year=True)
            st.text(_("Requested on {day}; answer due by {due}.", day=asked_on, due=due))
        else:
            day = formatting.day(asked.answered_on, year=True)
            st.markdown(escape(_("Answered on {day}: {answer}", day=day, answer=asked.answer)))
