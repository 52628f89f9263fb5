"""The gate: who is looking, asked of the records on each call; strangers see the
sign-in form and nothing else.

Streamlit-authenticator gives the form. Whether a cookie is worth anything is decided in
`access.sessions`. An identity provider can take its place here
without any page noticing.
"""

import logging
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner import get_script_run_ctx

from qa_core.access import accounts, identity, second_factor, sessions
from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment, i18n
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.centre import settings
from qa_core.storage.records import store
from qa_core.storage.system_errors import find_refusal
from qa_core.ui.frame.markdown import escape
from qa_core.ui.server import browser, connections

LOG = logging.getLogger("qa_core")
_HELD = "sign_in"
_READY: set[str] = set()
"""Addresses of records that were found ready."""


@dataclass
class SignInState:
    """Sign-in of its browser as a session of the server holds it.

    One object, kept in the session's state: a run that is cut off by the next one may
    not write into that state any more, but still into this.
    """

    token: str | None = None
    """Also in the cookie; it is seen there from the next connection on."""
    refusal: Refusal | None = None
    under_way: threading.Lock = field(default_factory=threading.Lock)
    """Taken while a password is checked."""
    second_step: str | None = None
    """Ticket of a sign-in that waits for the code of an app."""
    recovery_codes: Sequence[str] = ()
    """Codes of a new second factor, until the person has kept them."""


def find_signed_in() -> sessions.SignedIn | None:
    """Find this browser's live session (None: a stranger); choose the language."""
    i18n.use(browser.language())
    if not are_records_ready():
        return None
    here = browser.current()
    held = sign_in_state()
    # A run that was cut off may be checking the password still: its answer is this run's.
    with held.under_way:
        token = held.token
    signed_in = sessions.resume(token, here)
    if token and signed_in is None:
        # The session that filled this state is over, or another browser took it up:
        # nothing of it may be seen.
        st.session_state.clear()
    if signed_in is None:
        signed_in = sessions.resume(browser.cookie(), here)
        if signed_in is not None:
            sign_in_state().token = browser.cookie()
        elif token:
            sign_in_state().refusal = Refusal(
                "session_over",
                "Your session has ended, and what was not saved is lost. Sign in to go on here.",
            )
    connections.note_session(sign_in_state().token if signed_in is not None else None)
    if signed_in is not None and signed_in.viewer.language:
        i18n.use(signed_in.viewer.language)
    return signed_in


def current_signed_in() -> sessions.SignedIn:
    """Return the live session; stop the run for who has a step of the sign-in to do."""
    signed_in = find_signed_in()
    if signed_in is None or signed_in.must_change_password or lacks_second_factor(signed_in.viewer):
        st.stop()
    return signed_in


def lacks_second_factor(viewer: Viewer) -> bool:
    """Return whether a second factor is to be set up now, or its codes are to be kept."""
    return bool(sign_in_state().recovery_codes) or misses_second_factor(viewer)


def misses_second_factor(viewer: Viewer) -> bool:
    """Return whether the centre asks for a second factor that this person has not set up."""
    with store.reading() as session:
        asked = settings.current(session).second_factor
        needs = asked == "everybody" or (asked == "deciding" and viewer.role in accounts.DECIDING)
        return (
            needs
            and not second_factor.is_enrolled(session, viewer.username)
            and not accounts.is_external(session, viewer.username)
        )


def current_viewer(*permissions: Permission) -> Viewer:
    """Return who is looking, as of now: what every page calls first, and every callback and
    fragment again.

    Stops the run for a stranger; raises AccessDenied when one of the permissions is
    missing.
    """
    viewer = current_signed_in().viewer
    for permission in permissions:
        viewer.require(permission)
    return viewer


def show_sign_out() -> None:
    """Show the sign-out button; it also leads to the identity provider's sign-out."""
    if st.button(_("Sign out"), icon=":material/logout:", key="sign_out", width="stretch"):
        connections.note_session(None)
        origin = sessions.sign_out(sign_in_state().token, browser.current())
        st.session_state.clear()
        address = origin and identity.find_sign_out(origin, browser.home())
        lead_to(address or "/session")  # where the cookie goes too


def lead_to(address: str) -> None:
    """Have the browser open that address instead of this page, and end the run."""
    message = ForwardMsg()
    message.auth_redirect.url = address
    get_script_run_ctx().enqueue(message)
    st.stop()


def show_refusal(refusal: Refusal) -> None:
    """Say why something cannot be done and what to do next; names are no markdown."""
    st.error(escape(i18n.format_refusal(refusal)), icon=":material/block:")


def report_error(error: Exception) -> bool:
    """Show what to do about a known error; else the number of its entry in the log."""
    if refusal := find_refusal(error):
        show_refusal(refusal)
        return True
    number = secrets.token_hex(4)
    LOG.error("error %s", number, exc_info=error)
    st.error(
        _(
            "Something went wrong. Try again. If it happens again, give your administrator the "
            "number {number}.",
            number=number,
        ),
        icon=":material/error:",
    )
    return True


def sign_in_state() -> SignInState:
    return st.session_state.setdefault(_HELD, SignInState())


def are_records_ready() -> bool:
    address = environment.current().database_url
    if address not in _READY and store.is_ready():
        _READY.add(address)
    return address in _READY
