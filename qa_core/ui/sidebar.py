"""The sidebar around the menu: name, freshness of the data, person, the way out."""

import streamlit as st

from qa_core.access import accounts, sessions
from qa_core.access.roles import Viewer
from qa_core.base.i18n import _
from qa_core.storage.records.base import now
from qa_core.ui import saved_views
from qa_core.ui.frame import gate, menu, styles
from qa_core.ui.server import browser
from qa_core.ui.widgets import freshness

LOGO = styles.LOGO.read_text(encoding="utf-8")
_NEWS = "account_news"
INK = {False: "#1E2A32", True: "#E6EAEC"}
"""Colour of text by whether the theme is dark: a picture does not take it from the page."""


def show(viewer: Viewer, page_key: str) -> None:
    """Draw the sidebar around the menu, on that page."""
    st.logo(LOGO.replace("currentColor", INK[styles.is_dark()]), size="large")
    with st.sidebar:
        saved_views.show_button(page_key)
        freshness.show(viewer)
        st.text(viewer.display_name)
        st.caption(menu.name_role(viewer.role))
        _show_account_news(viewer)
        gate.show_sign_out()


def _show_account_news(viewer: Viewer) -> None:
    """Link to the own account while it has news; looked up once per server session."""
    if _NEWS not in st.session_state:
        since = now() - sessions.NEWS_FOR
        st.session_state[_NEWS] = any(
            change.done_at > since
            and (change.act, change.username) != (accounts.AccountAction.ADD, viewer.username)
            for change in accounts.find_own_changes(viewer)
        ) or bool(sessions.find_new_browsers(viewer.username, browser.current()))
    if st.session_state[_NEWS]:
        menu.show_page_link("my_account", _("News of your account"), "manage_accounts")
