"""Reading about people: noted in the audit log once, read again on later runs."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import streamlit as st

Content = TypeVar("Content")


def read(
    kind: str,
    subject: Hashable,
    open_it: Callable[..., Content],
    again: Callable[..., Content],
    *args: Any,
) -> Content:
    """Open a subject, or read it again if it is the last of its kind that this tab opened;
    `args` go to whichever function does it.
    """
    if st.session_state.get(kind) == subject:
        return again(*args)
    content = open_it(*args)
    st.session_state[kind] = subject
    return content
