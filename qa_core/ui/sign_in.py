"""What a stranger sees: the sign-in form, the first steps, and the choice of a password."""

from __future__ import annotations

import time

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from qa_core.access import accounts, sessions
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.centre import settings
from qa_core.storage.records import store
from qa_core.ui import browser, gate


def show_sign_in() -> None:
    """The sign-in form, or what to do first when nobody can sign in yet."""
    with _middle():
        st.caption(_("Listen to help people improve, not to watch them."))
        if not gate.are_records_ready():
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


def _middle() -> DeltaGenerator:
    """The middle of a page without a menu, under our name."""
    _left, middle, _right = st.columns([1, 2, 1])
    with middle.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.image(gate.ICON, width=44)
        st.header(_("Écoute"), anchor=False)
    return middle


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
        gate.show_sign_out()


def show_password_form() -> bool:
    """A form to change one's own password; True once it is changed."""
    signed_in = gate.find_signed_in()
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
        gate.show_refusal(refusal)
        return False
    return True


def keep_cookie() -> bool:
    """Have the browser keep the token as its cookie. False while the first page waits
    for that: a reload right after it finds the cookie.
    """
    from qa_core.ui import authenticator

    held = gate.sign_in_state()
    if held.is_kept or browser.cookie() == held.token:
        return True

    with st.container(height=1, border=False, key="cookie"):
        authenticator.write_cookie(held)
    if not held.is_late:
        with _middle():
            st.caption(_("Signing in…"))
    return held.is_late


def _show_form() -> None:
    # Here, because its component is known to the server only when a run is under way.
    from qa_core.ui import authenticator

    held, here = gate.sign_in_state(), browser.current()

    def check(username: str, password: str) -> None:
        with held.under_way:
            held.refusal = None
            if not username:
                return
            try:
                held.token = sessions.sign_in(username, password, here, _one_time_days())
                held.waits_since = time.monotonic()
            except Refusal as refusal:
                held.refusal = refusal

    authenticator.Form(check).login(
        fields={
            "Form name": _("Sign in"),
            "Username": _("Username"),
            "Password": _("Password"),
            "Login": _("Sign in"),
        },
        key="sign_in_form",
    )
    if held.token:
        st.rerun()
    if held.refusal:
        gate.show_refusal(held.refusal)
    if browser.cookie():
        authenticator.delete_cookie()


def _one_time_days() -> int:
    with store.reading() as session:
        return settings.current(session).one_time_password_days
