"""Parts of streamlit-authenticator: its form in front of our own check.

Its constructors also have the browser read out its cookies. They are passed over: our
cookie is set by the server, and no script can read it.
"""

from collections.abc import Callable
from types import SimpleNamespace

import streamlit_authenticator


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
