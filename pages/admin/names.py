"""Names: spellings of advisors, queues, reasons and campaigns counted as one."""

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import gate
from qa_core.ui.views.admin import names
from qa_core.ui.widgets import actions

viewer = gate.current_viewer(Permission.MANAGE_ADVISORS)

st.title(_("Names"), anchor=False)
text = _(
    "Écoute only suggests names that are similar. Your decision applies to past and future "
    "contacts and evaluations. You can undo it fully."
)
st.caption(text)

kind = names.choose_kind(viewer)
actions.show_outcome()
names.show_suggestions(viewer, kind)
names.ask_merge(viewer, kind)
names.show_decisions(viewer, kind)
