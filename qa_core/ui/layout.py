"""Containers that lay out what they hold side by side."""

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator


def row(gap: str = "small", **options: Any) -> DeltaGenerator:
    """Return a row that wraps on a narrow screen."""
    return st.container(horizontal=True, vertical_alignment="center", gap=gap, **options)


def line(**options: Any) -> DeltaGenerator:
    """Return one line of text with buttons at its end."""
    return row("xxsmall", wrap=False, **options)
