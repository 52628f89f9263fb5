"""Calibration: the same contacts scored by several evaluators, blind, and then how far
apart they are.
"""

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui import gate
from qa_core.ui.views.quality import calibration

viewer = gate.current_viewer(Permission.SEE_CALIBRATIONS)

st.title(_("Calibration"), anchor=False)
st.caption(
    _(
        "The same contacts, scored by several evaluators who do not see each other's marks until "
        "the session is closed. It moves no figure."
    )
)
calibration.show(viewer)
