"""The sidebar around the menu: the name above it; below it how fresh the data is, who is
signed in, and the way out.
"""

from __future__ import annotations

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.ui import freshness, gate, menu, styles

LOGO = styles.LOGO.read_text(encoding="utf-8")
INK = {False: "#1E2A32", True: "#E6EAEC"}
"""Colour of text by whether the theme is dark: a picture does not take it from the page."""


def show(viewer: Viewer) -> None:
    """Draw the sidebar around the menu."""
    st.logo(LOGO.replace("currentColor", INK[styles.is_dark()]), size="large")
    with st.sidebar:
        freshness.show(viewer)
        st.text(viewer.display_name)
        st.caption(menu.name_role(viewer.role))
        gate.show_sign_out()
