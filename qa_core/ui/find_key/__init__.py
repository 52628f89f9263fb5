"""The key `/`: it opens the page Find from every page, and puts the cursor into its field."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from qa_core.ui import drill, menu, scripts

FIELD = "find_field"
"""Key of the container around the field."""
_KEY = "find_key"


def listen(page_key: str) -> None:
    """Have the browser listen to the key, on that page."""
    script = scripts.declare("ecoute.find_key", Path(__file__).parent, "find_key.js")
    data = {"field": FIELD, "isHere": page_key == menu.FIND}
    with st.container(key=_KEY, height=1, gap=None, border=False):
        script(key=f"{_KEY}_script", data=data, on_pressed_change=drill.to_find)
