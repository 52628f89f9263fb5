"""The gate: who is looking, asked of the records on each call; strangers see the
sign-in form and nothing else.

Streamlit-authenticator gives the form and the writing of the cookie. Whether a cookie
is worth anything is decided in `sign_in`. An identity provider can take its place here
without any page noticing.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import secrets
from pathlib import Path

import streamlit as st

from qa_core.access import accounts, sessions
from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment, i18n
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.centre import settings
from qa_core.storage.records import store
from qa_core.ui import browser
from qa_core.ui.markdown import escape

LOG = logging.getLogger("qa_core")
ICON = (Path(__file__).parent / "assets" / "icon.svg").read_text(encoding="utf-8")
TOKEN = "sign_in_token"
REFUSED = "sign_in_refused"
"""In the session's state until the browser's cookie has it too: a cookie is seen only
from the next connection on.
"""


def find_signed_in() -> sessions.SignedIn | None:
    """The live session of this browser, or None for a stranger. Also chooses the
    language. Cheap: one look at the records.
    """
    i18n.use(browser.language())
    if not _are_records_ready():
        return None
    here = browser.current()
    held = st.session_state.get(TOKEN)
    signed_in = sessions.resume(held, here)
    if held and signed_in is None:
        # The session that filled this state is over, or another browser took it up:
        # nothing of it may be seen.
        st.session_state.clear()
    if signed_in is None:
        signed_in = sessions.resume(browser.cookie(), here)
        if signed_in is not None:
            st.session_state[TOKEN] = browser.cookie()
    if signed_in is not None and signed_in.viewer.language:
        i18n.use(signed_in.viewer.language)
    return signed_in


def current_signed_in() -> sessions.SignedIn:
    """The live session of this browser; stops the run for a stranger and for who has to
    choose a password first.
    """
    signed_in = find_signed_in()
    if signed_in is None or signed_in.must_change_password:
        st.stop()
    return signed_in


def current_viewer(*permissions: Permission) -> Viewer:
    """Who is looking, as of now: what every page calls first, and every callback and
    fragment again.

    Stops the run for a stranger; raises AccessDenied when one of the permissions is
    missing.
    """
    viewer = current_signed_in().viewer
    for permission in permissions:
        viewer.require(permission)
    return viewer


def show_sign_in() -> None:
    """The sign-in form, or what to do first when nobody can sign in yet."""
    _left, middle, _right = st.columns([1, 2, 1])
    with middle:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.image(ICON, width=44)
            st.header(_("Écoute"), anchor=False)
        st.caption(_("Listen to help people improve, not to watch them."))
        if not _are_records_ready():
            _describe_first_step(_("This centre has no records yet. On the machine that runs it:"))
        elif not accounts.has_accounts():
            _describe_first_step(
                _(
                    "Nobody has an account yet. Make the first administrator, on the machine "
                    "that runs this centre; the command prints a one-time password:"
                )
            )
        else:
            _show_form()


def _describe_first_step(message: str) -> None:
    st.info(message)
    st.code("python -m qa_core init --admin NAME", language="shell")
    st.caption(_("Then reload this page."))


def show_password_change() -> None:
    """The only thing a person sees who signed in with a one-time password."""
    _left, middle, _right = st.columns([1, 2, 1])
    with middle:
        st.header(_("Choose your password"), anchor=False)
        st.caption(
            _(
                "You signed in with a password that somebody else has seen. Choose one that "
                "only you know."
            )
        )
        if show_password_form():
            st.rerun()
        show_sign_out()


def show_password_form() -> bool:
    """A form to change one's own password; True once it is changed."""
    signed_in = find_signed_in()
    if signed_in is None:
        st.stop()
    with st.form("password", clear_on_submit=True, border=True):
        current = st.text_input(
            _("Present password"), type="password", autocomplete="current-password", max_chars=200
        )
        new = st.text_input(
            _("New password"),
            type="password",
            autocomplete="new-password",
            max_chars=200,
            help=_(
                "12 characters with small and capital letters, digits and signs; or 14 with "
                "three of these kinds; or a phrase of seven words."
            ),
        )
        again = st.text_input(
            _("New password once more"), type="password", autocomplete="new-password", max_chars=200
        )
        if not st.form_submit_button(_("Change password"), type="primary"):
            return False
    if new != again:
        st.error(_("The two new passwords differ; type them again."))
        return False
    try:
        sessions.change_password(signed_in, browser.current(), current, new)
    except Refusal as refusal:
        show_refusal(refusal)
        return False
    return True


def keep_cookie() -> None:
    """Write the cookie, on every run until the browser shows it: straight after the
    sign-in it would be lost with the form.
    """
    token = st.session_state.get(TOKEN)
    if token and browser.cookie() != token:
        with st.container(height=1, border=False, key="cookie"):
            _write_cookie(token)


def show_sign_out() -> None:
    """The sign-out button: ends the session for everybody who holds its cookie."""
    if st.button(_("Sign out"), icon=":material/logout:", key="sign_out", width="stretch"):
        sessions.sign_out(st.session_state.get(TOKEN), browser.current())
        st.session_state.clear()
        st.rerun()


def show_refusal(refusal: Refusal) -> None:
    """Say why something cannot be done and what to do next. Names that came from files
    or people are shown as they are, never as markdown.
    """
    st.error(escape(i18n.format_refusal(refusal)), icon=":material/block:")


def report_error(error: Exception) -> bool:
    """What a person sees of an error: what to do, where we know it; else a number under
    which the log has the rest.
    """
    if isinstance(error, Refusal):
        show_refusal(error)
        return True
    number = secrets.token_hex(4)
    LOG.error("error %s", number, exc_info=error)
    st.error(
        _(
            "Something went wrong. Try again; if it happens again, give your administrator the "
            "number {number}.",
            number=number,
        ),
        icon=":material/error:",
    )
    return True


def _show_form() -> None:
    # Imported here, since its cookie component is known to the server only when a run
    # is under way.
    import streamlit_authenticator

    here = browser.current()
    authenticator = streamlit_authenticator.Authenticate(
        {"usernames": {}},
        browser.COOKIE,
        environment.secret("cookie").hex(),
        _cookie_days(),
        auto_hash=False,
        login_sleep_time=0,
    )
    cookies = authenticator.cookie_controller.cookie_model
    cookies.get_cookie = lambda: None  # whether a cookie is good was decided before: it is not
    cookies.set_cookie = lambda: None  # `keep_cookie` writes it on the next run
    model = authenticator.authentication_controller.authentication_model

    def check_credentials(username: str, password: str) -> bool:
        st.session_state.pop(REFUSED, None)
        try:
            st.session_state[TOKEN] = sessions.sign_in(username, password, here, _one_time_days())
        except Refusal as refusal:
            st.session_state[REFUSED] = refusal
            return False
        model.credentials["usernames"][username] = {"name": username}
        return True

    model.check_credentials = check_credentials
    authenticator.login(
        fields={
            "Form name": _("Sign in"),
            "Username": _("Username"),
            "Password": _("Password"),
            "Login": _("Sign in"),
        },
        key="sign_in_form",
    )
    if st.session_state.get("authentication_status"):
        # The library's own idea of who is signed in is of no use to anybody from here
        # on.
        for name in ("authentication_status", "username", "name", "email", "roles", "logout"):
            st.session_state.pop(name, None)
        st.rerun()
    if REFUSED in st.session_state:
        # Kept until the next try: the cookie's component may ask for another run at any
        # time, and what one run says is gone in the next.
        show_refusal(st.session_state[REFUSED])
    if browser.cookie():
        with contextlib.suppress(KeyError):
            cookies.cookie_manager.delete(browser.COOKIE)


def _write_cookie(token: str) -> None:
    from streamlit_authenticator.controllers import CookieController

    model = CookieController(
        browser.COOKIE, environment.secret("cookie").hex(), _cookie_days()
    ).cookie_model
    model._token_encode = lambda: token
    # By age, since the library writes dates without a time zone.
    model.cookie_manager.set = functools.partial(
        model.cookie_manager.set,
        max_age=sessions.LONGEST.total_seconds(),
        secure=browser.is_secure(),
    )
    model.set_cookie()


def _one_time_days() -> int:
    with store.reading() as session:
        return settings.current(session).one_time_password_days


def _cookie_days() -> float:
    return sessions.LONGEST.total_seconds() / 86400


def _are_records_ready() -> bool:
    return environment.current().database_url in _READY or _look_for_records()


_READY: set[str] = set()


def _look_for_records() -> bool:
    if store.is_ready():
        _READY.add(environment.current().database_url)
        return True
    return False
