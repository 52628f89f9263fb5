"""Containers that lay out what they hold side by side, and widgets of one look."""

from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from qa_core.base.i18n import _


def row(gap: str = "small", **options: Any) -> DeltaGenerator:
    """Return a row that wraps on a narrow screen."""
    return st.container(horizontal=True, vertical_alignment="center", gap=gap, **options)


def line(**options: Any) -> DeltaGenerator:
    """Return one line of text with buttons at its end."""
    return row("xxsmall", wrap=False, **options)


def show_icon_button(
    symbol: str, title: str, key: str, act: Callable[..., None], *args: Any
) -> None:
    """Show a button that is a symbol, its title for the pointer; a click calls `act(*args)`."""
    show_quiet_button(symbol, "", key, act, *args, help=title)


def show_button(
    symbol: str, label: str, key: str, act: Callable[..., Any], *args: Any, **options: Any
) -> None:
    """Show a button with a symbol, if any, before its label; a click calls `act(*args)`.

    `options` go to `st.button`.
    """
    icon = f":material/{symbol}:" if symbol else None
    st.button(label, key=key, icon=icon, on_click=act, args=args, **options)


def show_quiet_button(
    symbol: str, label: str, key: str, act: Callable[..., Any], *args: Any, **options: Any
) -> None:
    """Show such a button without a frame."""
    show_button(symbol, label, key, act, *args, type="tertiary", **options)


def ask_day(
    container: Any, label: str, value: date | None, key: str | None = None, **options: Any
) -> date | None:
    """Ask for a day in that place (`st` or a column); `options` go to `st.date_input`."""
    return container.date_input(label, value, format="DD/MM/YYYY", key=key, **options)


def select(
    container: Any,
    label: str,
    titles: Mapping[Any, str],
    key: str | None = None,
    chosen: Any = None,
    is_optional: bool = False,
    **options: Any,
) -> Any:
    """Show the list in that place (`st` or a column) and return the chosen key of `titles`.

    `chosen`: key at first, where it is known; else the first one, or none (None) where
    the choice `is_optional`. `options` go to `st.selectbox`.
    """
    options.setdefault("placeholder", _("Choose"))
    keys = list(titles)
    usual = None if is_optional else 0
    index = keys.index(chosen) if chosen in titles else usual
    return container.selectbox(label, keys, index, format_func=titles.get, key=key, **options)


def select_many(
    container: Any,
    label: str,
    titles: Mapping[Any, str],
    key: str | None = None,
    chosen: Collection[Any] = (),
    **options: Any,
) -> list[Any]:
    """Show the list in that container and return the chosen keys of `titles`, at first
    `chosen`. `options` go to `st.multiselect`.
    """
    options.setdefault("placeholder", _("Choose"))
    default = [name for name in titles if name in chosen]
    return container.multiselect(
        label, list(titles), default, format_func=titles.get, key=key, **options
    )
