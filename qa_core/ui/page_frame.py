"""The frame around every page: sidebar, what is due, filters, title, and the page itself."""

import gc
import time
from datetime import timedelta

import streamlit as st

from qa_core.access import accounts, sessions
from qa_core.access.roles import Viewer
from qa_core.analysis.explanations import describe_moment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _, ngettext
from qa_core.delivery import notices
from qa_core.metrics.kpi.freshness import SOURCE_TITLES
from qa_core.metrics.kpis import formatting
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.ui import page_script, saved_views
from qa_core.ui.frame import cached, filter_bar, gate, menu, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.frame.markdown import escape
from qa_core.ui.server import browser
from qa_core.ui.views.admin import account_requests, first_steps
from qa_core.ui.widgets import actions, drill, empty_states

draw_when_reconnected = st.fragment(lambda: None, run_every=timedelta(days=1))
"""Empty part that runs by itself: for a page with one, the browser asks for a run when it is
connected again. Another process may have taken over, and would drop the first click.
"""
LOGO = styles.LOGO.read_text(encoding="utf-8")
_NEWS, _NOTICES = "account_news", "own_notices"
NOTICE_SECONDS = 60
"""Seconds after which a page looks again for what waits."""
INK = {False: "#0F181E", True: "#E6EAEC"}
"""Colour of text by whether the theme is dark: a picture does not take it from the page."""


def show(viewer: Viewer, page: st.Page, entry: menu.MenuPage | None) -> None:
    """Draw that page for its reader, or say why they may not have it."""
    with store.one_state():
        cached.look_up_version()
        page_key = entry.key if entry else menu.HOME
        _show_sidebar(viewer, page_key)
        try:
            if entry is not None and entry.permission is not None:
                viewer.require(entry.permission)
            account_requests.show_announced()
            drill.follow(page_key)
            if entry is not None:
                first_steps.show_way_back(viewer, entry)
                filter_bar.show(viewer, entry.key)
            page.run()
        except Refusal as refusal:
            gate.report_error(refusal)


def open_page(key: str, has_title: bool = True) -> Viewer:
    """Return who is looking at that page of the menu; show its title, what it is for, and the
    outcome of the last act. What every page calls first.

    Stops the run for a stranger; raises AccessDenied without the page's permission.
    """
    page = menu.find_page(key)
    viewer = gate.current_viewer(*filter(None, [page.permission]))
    if has_title and page.filters is not None:
        filter_bar.show_title(_(page.title))
    elif has_title:
        st.title(_(page.title), anchor=False)
        if page.about:
            st.caption(_(page.about))
    actions.show_outcome()
    return viewer


def open_figures(key: str, count: int | None = None) -> tuple[Viewer, FilterState]:
    """Open a page under the filter bar and return the selection, too; stop the run if there is
    nothing to show, which is said instead. `count`: see `empty_states.is_shown`.
    """
    viewer, state = open_page(key), filter_bar.current()
    if accounts.is_without_site(viewer.username):
        text = _("Without sites, a manager sees only what belongs to no site.")
        st.info(f"{text} {_('An administrator assigns sites on the page “People”.')}")
    if empty_states.is_shown(viewer, state, count):
        st.stop()
    return viewer, state


def _show_sidebar(viewer: Viewer, page_key: str) -> None:
    """Draw the sidebar around the menu: name, freshness of the data, person, the way out."""
    st.logo(LOGO.replace("currentColor", INK[styles.is_dark()]), size="large")
    with st.sidebar:
        saved_views.show_button(page_key)
        _show_freshness(viewer)
        st.text(viewer.display_name)
        st.caption(menu.name_role(viewer.role))
        _show_account_news(viewer)
        _show_notices(viewer)
        gate.show_sign_out()
        draw_when_reconnected()
        page_script.listen(page_key, drill.to_find)


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
        menu.show_page_link("my_account", _("Changes to your account"), "manage_accounts")


def _show_notices(viewer: Viewer) -> None:
    """Link to the own account while something waits there."""
    until, count = st.session_state.get(_NOTICES, (0.0, 0))
    if time.monotonic() > until:
        count = len(notices.find_notices(viewer))
        st.session_state[_NOTICES] = time.monotonic() + NOTICE_SECONDS, count
    if count:
        text = ngettext("{n} notice for you", "{n} notices for you", count)
        menu.show_page_link("my_account", text, "notifications")


# What is loaded stays: no collection has to look through it.
gc.freeze()


def _show_freshness(viewer: Viewer) -> None:
    """Show the last moment of the data, and on demand the last import of each source."""
    through, sources = cached.data_through(viewer), cached.find_freshness(viewer)
    text = _("No data yet")
    if through:
        text = _("Data through {moment}", moment=formatting.moment(through))
    if not sources:
        st.caption(text)
        return
    with st.popover(text, type="tertiary"), st.container(gap="small"):
        for source in reversed(sources):
            facts = [_("imported {moment}", moment=formatting.moment(source.imported_at))]
            if source.newest:
                facts.append(_("newest {moment}", moment=describe_moment(source.newest)))
            with st.container(gap=None):
                st.text(f"{source.system} · {_(SOURCE_TITLES.get(source.kind, source.kind))}")
                st.caption(escape(" · ".join(facts)))
        st.caption(_("Data version {code}", code=cached.name_version()))
