"""Own sessions: where a person is signed in, and the end of these sessions."""

import streamlit as st

from qa_core.access import sessions
from qa_core.access.sessions import SignedIn
from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.ui import browser, user_agents
from qa_core.ui.markdown import escape


def show(signed_in: SignedIn) -> None:
    """Show new browsers, then each live session with a button that ends it."""
    for new in sessions.find_new_browsers(signed_in.viewer.username, browser.current()):
        text = _(
            "First sign-in with {browser} on {moment}. If it was not you, change your password.",
            browser=escape(user_agents.describe(new.name)),
            moment=formatting.local_moment(new.first_at),
        )
        st.warning(text)
    found = sessions.find_sessions(signed_in)
    if len(found) > 1 and st.button(_("End all other sessions")):
        sessions.end_others(signed_in)
        st.rerun()
    for own in found:
        with st.container(border=True):
            st.text(user_agents.describe(own.browser_name))
            text = _(
                "Since {start}, last used {seen}",
                start=formatting.local_moment(own.created_at),
                seen=formatting.local_moment(own.last_seen_at),
            )
            st.caption(text)
            if own.is_this_one:
                st.caption(_("This browser"))
            elif st.button(_("End this session"), key=f"end_{own.id}"):
                sessions.end_session(signed_in, own.id)
                st.rerun()
