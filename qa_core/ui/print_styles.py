"""Pages on paper: a style of our own for print alone, given to the browser as a file; on the screen it changes nothing."""

from pathlib import Path

import streamlit as st

LEFT_OUT = "not_printed"
"""The key of a container that is not printed: what takes clicks to read."""

_STYLE = Path(__file__).with_name("print.css")


def fit_one_page() -> None:
    """Make the browser print this page on one sheet of A4, without menu and filters."""
    st.html(_STYLE)
