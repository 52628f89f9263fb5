"""Parts of streamlit-authenticator: its form in front of our own check, and its cookie
with our own token.

Its constructors also have the browser read out its cookies. They are passed over: the
answer asks for another run, which cuts off the run that signs somebody in.
"""

import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import extra_streamlit_components
import streamlit as st
import streamlit_authenticator
from streamlit_authenticator.models import CookieModel

from qa_core.access import sessions
from qa_core.ui.frame import gate
from qa_core.ui.server import browser


class Form(streamlit_authenticator.Authenticate):
    """The sign-in form; `check` is given the name and the password typed into it."""

    def __init__(self, check: Callable[[str, str], None]) -> None:
        self.path, self.attrs = None, {"login_sleep_time": 0}
        self.cookie_controller = SimpleNamespace(
            get_cookie=lambda: None
        )  # whether a cookie is good was decided before: it is not
        self.authentication_controller = SimpleNamespace(
            login=lambda username, password, *_limits, **_options: check(username, password)
        )


class _Cookie(CookieModel):
    def __init__(self, token: str = "", widget: str = "") -> None:
        self.cookie_name = browser.COOKIE
        self.cookie_expiry_days = sessions.MAX_AGE.total_seconds() / 86400
        self.ours = token
        self.cookie_manager = _CookieManager(widget)

    def _token_encode(self) -> str:
        return self.ours


class _CookieManager(extra_streamlit_components.CookieManager):
    def __init__(self, widget: str) -> None:
        component = sys.modules["extra_streamlit_components.CookieManager"]
        self.cookie_manager = component._component_func
        self.widget = widget
        self.cookies = {browser.COOKIE: ""}

    def set(self, cookie: str, val: str, **_options: Any) -> None:
        # By age, since the library writes dates without a time zone.
        super().set(
            cookie,
            val,
            key=self.widget,
            max_age=sessions.MAX_AGE.total_seconds(),
            secure=browser.is_secure(),
        )


@st.fragment(run_every=gate.PATIENCE)
def write_cookie(state: gate.SignInState) -> None:
    """Write the cookie, and run the page again once the browser says that it has it, or
    has not said so for too long.

    In a fragment, so that the browser's answer cuts off no run of the page.
    """
    signed_in = gate.find_signed_in()
    if signed_in is None:
        st.rerun()
    widget = f"cookie_{signed_in.session_id}"
    _Cookie(state.token, widget).set_cookie()
    is_late = time.monotonic() - state.waits_since > gate.PATIENCE
    if st.session_state[widget]:
        state.is_kept = True
    elif is_late and not state.is_late:
        state.is_late = True
    else:
        return
    st.rerun()


def delete_cookie() -> None:
    """Take a useless cookie out of the browser; in a fragment too, for the same reason."""
    st.fragment(_Cookie().delete_cookie)()
