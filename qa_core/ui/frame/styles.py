"""Style sheets and pictures beyond the theme, given to the browser as files."""

from pathlib import Path

import streamlit as st

from qa_core.base import i18n

_ASSETS = Path(__file__).with_name("assets")
_EVERYWHERE, _DARK, _FRENCH, _PRINT, _PRINT_SHEET, _STICKY = (
    _ASSETS / f"{name}.css"
    for name in ("everywhere", "dark", "french", "print", "print_sheet", "sticky")
)
ICON, LOGO = _ASSETS / "icon.svg", _ASSETS / "logo.svg"

NOT_PRINTED = "not_printed"
"""Key of a container that is left out on paper."""
ONLY_PRINTED = "only_printed"
"""Key of a container that is on paper alone, such as a table without its scroll bars."""


def apply() -> None:
    """Give the browser the styles of this reader's theme and screen."""
    st.html(_EVERYWHERE)
    if is_dark():
        st.html(_DARK)
    if i18n.language() == "fr":
        st.html(_FRENCH)


def fit_one_page(is_sheet: bool = False) -> None:
    """Print this page on one A4 sheet, without menu. `is_sheet`: made for one."""
    st.html(_PRINT)
    if is_sheet:
        st.html(_PRINT_SHEET)


def keep_in_view() -> None:
    """Keep the marked column of this page in view while the other scrolls."""
    st.html(_STICKY)


def is_dark() -> bool:
    """Return whether the reader's browser shows the dark theme."""
    return st.context.theme.type == "dark"
