"""The foot of the menu: the name, how fresh the data is, who is signed in, and the way out."""

from __future__ import annotations

import streamlit as st

from qa_core.access import Viewer
from qa_core.ui import freshness, gate, menu
from qa_core.wording import _


def show(viewer: Viewer) -> None:
    """Draw it into the sidebar, below the pages."""
    with st.sidebar:
        st.markdown(f"#### :material/hearing: {_('Écoute')}")
        freshness.show(viewer)
        st.text(viewer.display_name)
        st.caption(_(menu.ROLE_TITLES[viewer.role]) if viewer.role else _("No role"))
        gate.show_sign_out()
