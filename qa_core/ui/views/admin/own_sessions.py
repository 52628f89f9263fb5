"""Own sessions: where a person is signed in, by the name of the browser, and their end."""

import streamlit as st

from qa_core.access import sessions
from qa_core.base.i18n import _
from qa_core.metrics.kpis import formatting
from qa_core.ui.frame.markdown import escape
from qa_core.ui.server import browser

BROWSERS = {
    "Edg": "Edge",
    "OPR": "Opera",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "CriOS": "Chrome",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
"""Names by mark, in order: most browsers claim to be Chrome and Safari, too."""
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "CrOS": "ChromeOS",
    "Mac OS": "Mac",
    "Linux": "Linux",
}


def show(signed_in: sessions.SignedIn) -> None:
    """Show new browsers, then each live session with a button that ends it."""
    for new in sessions.find_new_browsers(signed_in.viewer.username, browser.current()):
        text = _(
            "First sign-in with {browser} on {moment}. If it was not you, change your password.",
            browser=escape(describe_browser(new.name)),
            moment=formatting.local_moment(new.first_at),
        )
        st.warning(text)
    live = sessions.find_sessions(signed_in)
    if len(live) > 1 and st.button(_("End all other sessions")):
        sessions.end_others(signed_in)
        st.rerun()
    for session in live:
        with st.container(border=True):
            st.text(describe_browser(session.browser_name))
            text = _(
                "Since {start}, last used {seen}",
                start=formatting.local_moment(session.created_at),
                seen=formatting.local_moment(session.last_seen_at),
            )
            st.caption(text)
            if session.is_this_one:
                st.caption(_("This browser"))
            elif st.button(_("End this session"), key=f"end_{session.id}"):
                sessions.end_session(signed_in, session.id)
                st.rerun()


def describe_browser(claim: str) -> str:
    """Return `Chrome, Windows` of a claim; the claim itself where neither is known."""
    names = [
        next((name for mark, name in known.items() if mark in claim), "")
        for known in (BROWSERS, SYSTEMS)
    ]
    return ", ".join(filter(None, names)) or claim or _("Unknown browser")
