"""Journal: who did what, when and why, and whether the record is unbroken."""

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui import gate
from qa_core.ui.views.compliance import journal

viewer = gate.current_viewer(Permission.SEE_JOURNAL)

st.title(_("Journal"), anchor=False)
st.caption(
    _(
        "Every sign-in, import, page of personal data, export and change of an account or "
        "setting. No content, no score; not there to watch workers."
    )
)
journal.show(viewer)
