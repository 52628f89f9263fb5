"""My account: my password, my language, and where I am signed in."""

import streamlit as st

from qa_core.access import accounts, sessions
from qa_core.base import environment
from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.ui import browser, gate, sign_in, user_agents
from qa_core.ui.markdown import escape
from qa_core.ui.views.admin import account_requests

signed_in = gate.current_signed_in()
viewer = signed_in.viewer
languages = {None: _("As the browser"), "en": "English", "fr": "Français"}

st.title(_("My account"), anchor=False)
left, right = st.columns(2)

with left:
    st.subheader(_("Language"), anchor=False)
    chosen = st.selectbox(
        _("Language of the pages"),
        list(languages),
        index=list(languages).index(viewer.language),
        format_func=languages.get,
    )
    if chosen != viewer.language:
        accounts.set_language(viewer, chosen)
        st.rerun()

    st.subheader(_("Where I am signed in"), anchor=False)
    for new in sessions.find_new_browsers(viewer.username, browser.current()):
        st.warning(
            _(
                "First sign-in with {browser} on {moment}. Was it not you? Change your password.",
                browser=escape(user_agents.describe(new.name)),
                moment=formatting.moment(environment.to_local(new.first_at)),
            )
        )
    found = sessions.find_sessions(signed_in)
    if len(found) > 1 and st.button(_("End all other sessions")):
        sessions.end_others(signed_in)
        st.rerun()
    for own in found:
        with st.container(border=True):
            st.text(user_agents.describe(own.browser_name))
            st.caption(
                _(
                    "Since {start}, last used {seen}",
                    start=formatting.moment(environment.to_local(own.created_at)),
                    seen=formatting.moment(environment.to_local(own.last_seen_at)),
                )
            )
            if own.is_this_one:
                st.caption(_("This browser"))
            elif st.button(_("End this session"), key=f"end_{own.id}"):
                sessions.end_session(signed_in, own.id)
                st.rerun()

    st.subheader(_("Changes of my account"), anchor=False)
    account_requests.show_changes(accounts.find_own_changes(viewer), "own_changes")

with right:
    st.subheader(_("Second factor"), anchor=False)
    sign_in.show_second_factor()

    st.subheader(_("Password"), anchor=False)
    if sign_in.show_password_form():
        st.success(_("Your password is changed. Your other sessions have ended."))
