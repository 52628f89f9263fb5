"""Calibration: contacts scored blind by several evaluators, and how far they differ."""

import streamlit as st

from qa_core.access.roles import Permission
from qa_core.base.i18n import _
from qa_core.ui.frame import gate
from qa_core.ui.views.quality import calibration

viewer = gate.current_viewer(Permission.SEE_CALIBRATIONS)

st.title(_("Calibration"), anchor=False)
text = _(
    "Several evaluators score the same contacts. Scores stay hidden until the session is "
    "closed, and count in no advisor's score."
)
st.caption(text)
calibration.show(viewer)
