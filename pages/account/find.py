"""Find: pages, KPIs, advisors and contacts by name or id, within the reader's scope."""

import streamlit as st

from qa_core.base.i18n import _
from qa_core.ui.frame import gate
from qa_core.ui.views.account import find

viewer = gate.current_viewer()

st.title(_("Find"), anchor=False)
find.show(viewer)
