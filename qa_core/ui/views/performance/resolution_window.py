"""The repeat window of a page: from the settings, or one that the reader tries."""

from dataclasses import dataclass

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _
from qa_core.centre.settings import BY_NAME
from qa_core.metrics.kpis import formatting
from qa_core.ui.frame import cached, url_state

SETTING = BY_NAME["first_contact_days"]
NAME = "window"


@dataclass(frozen=True)
class Window:
    """Days of the page and of the settings; `tried`: as text, where they differ."""

    days: float
    in_force: float
    tried: str | None

    @property
    def overrides(self) -> dict[str, str] | None:
        return {SETTING.name: self.tried} if self.tried else None


def ask(viewer: Viewer) -> Window:
    """Show the slider and what the window means.

    Executives, who see figures by the settings in force, have no slider.
    """
    in_force = float(cached.current_settings().first_contact_days)
    if viewer.needs_suppression:
        window = Window(in_force, in_force, None)
        st.caption(_explain(window))
        return window
    offered = range(int(SETTING.low), int(SETTING.high) + 1)
    usual = f"{in_force:g}"
    options = [f"{days:g}" for days in sorted({*map(float, offered), in_force})]
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="medium"):
        with url_state.bind(NAME, options, usual), st.container(width=320):
            chosen = st.select_slider(
                _(SETTING.title),
                options,
                format_func=lambda text: formatting.days(float(text)),
                key=NAME,
            )
        window = Window(float(chosen), in_force, None if chosen == usual else chosen)
        with st.container(width="stretch"):
            st.caption(_explain(window))
    return window


def _explain(window: Window) -> str:
    if window.tried:
        return _(
            "For repeat contacts, this page tries a window of {tried} instead of {in_force}. "
            "Declared and confirmed resolution do not depend on it.",
            tried=formatting.days(window.days),
            in_force=formatting.days(window.in_force),
        )
    return _(
        "Repeat window in force: {days}. A repeat contact has the same customer, and the same "
        "reason where both are known.",
        days=formatting.days(window.in_force),
    )
