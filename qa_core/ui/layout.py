"""Containers that lay out what they hold side by side."""

from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator


def row(gap: str = "small", **options: Any) -> DeltaGenerator:
    """Return a row that wraps on a narrow screen."""
    return st.container(horizontal=True, vertical_alignment="center", gap=gap, **options)


def line(**options: Any) -> DeltaGenerator:
    """Return one line of text with buttons at its end."""
    return row("xxsmall", wrap=False, **options)


def show_removable(
    text: str, key: str, title: str, remove: tuple[Callable[[int], None], int] | None
) -> None:
    """Show a line of markdown, with a button at its end where it may be removed.

    `remove`: the callback and its number.
    """
    with line():
        st.markdown(text, width="stretch")
        if remove is not None:
            show_icon_button("delete", title, key, *remove)


def show_icon_button(
    symbol: str, title: str, key: str, act: Callable[..., None], *args: Any
) -> None:
    """Show a button that is a symbol, its title for the pointer; a click calls `act(*args)`."""
    look = {"icon": f":material/{symbol}:", "type": "tertiary"}
    st.button("", key=key, help=title, on_click=act, args=args, **look)
