"""Journal: who did what, when and why, and whether the record is unbroken."""

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import gate
from qa_core.ui.views.compliance import journal

viewer = gate.current_viewer(Permission.SEE_JOURNAL)

st.title(_("Audit log"), anchor=False)
text = _(
    "Sign-ins, imports, views of personal data, exports, and changes of accounts or settings. "
    "No content, no score; not for watching workers."
)
st.caption(text)
journal.show(viewer)
