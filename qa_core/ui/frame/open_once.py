"""Reading about people: noted in the audit log once, read again on later runs."""

from collections.abc import Callable, Hashable
from typing import TypeVar

import streamlit as st

Content = TypeVar("Content")


def read(
    kind: str, subject: Hashable, open_it: Callable[[], Content], again: Callable[[], Content]
) -> Content:
    """Open a subject, or read it again if it is the last of its kind that this tab opened."""
    if st.session_state.get(kind) == subject:
        return again()
    content = open_it()
    st.session_state[kind] = subject
    return content
