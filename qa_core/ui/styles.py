"""What the theme cannot say, on every page: two small styles, given to the browser as files."""

from pathlib import Path

import streamlit as st

from qa_core.ui import cards

_EVERYWHERE, _DARK = (Path(__file__).with_name(f"{name}.css") for name in ("everywhere", "dark"))


def mend() -> None:
    """Give the browser the styles of this reader's theme and screen."""
    st.html(_EVERYWHERE)
    if cards.is_dark():
        st.html(_DARK)
