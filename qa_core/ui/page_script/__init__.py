"""The script of every page: the key `/` opens Find; language and roles for screen readers."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from qa_core.base import i18n
from qa_core.ui.frame import menu, scripts

FIELD = "find_field"
"""Key of the container around the field."""
_KEY = "page_script"


def listen(page_key: str = "", open_find: Callable[[], None] = lambda: None) -> None:
    """Have the browser listen to the key on that page, say the page's language, and give roles
    to what has none. Strangers have no Find to open.
    """
    script = scripts.declare("ecoute.page_script", Path(__file__).parent, "page_script.js")
    data = {"field": FIELD, "isHere": page_key == menu.FIND, "language": i18n.language()}
    with st.container(key=_KEY, height=1, gap=None, border=False):
        script(key=f"{_KEY}_script", data=data, on_pressed_change=open_find)
