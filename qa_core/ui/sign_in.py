"""Pages for strangers: the sign-in form, the first steps, and the choice of a password."""

from urllib.parse import parse_qsl, urlsplit

import segno
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from qa_core.access import accounts, identity, passwords, second_factor, sessions
from qa_core.access.roles import Viewer
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.base.i18n import _
from qa_core.centre import settings
from qa_core.storage.records import store
from qa_core.ui.frame import gate, styles
from qa_core.ui.frame.markdown import escape
from qa_core.ui.server import browser
from qa_core.ui.widgets import actions

_ADDRESS = "second_factor_address"


def show_sign_in() -> None:
    """Show the sign-in form, or what to do first when nobody can sign in yet."""
    with _middle():
        st.caption(_("Listen to help people improve, not to watch them."))
        if not gate.are_records_ready():
            _describe_first_step(_("This centre has no database yet. Create it on its server:"))
        elif not accounts.has_accounts():
            text = _(
                "Nobody has an account yet. Create the first administrator on this centre's "
                "server; the command prints a one-time password:"
            )
            _describe_first_step(text)
        elif gate.sign_in_state().second_step:
            _show_code_form()
        else:
            _show_form()


def _show_code_form() -> None:
    held, here = gate.sign_in_state(), browser.current()
    with st.form("second_step", border=True):
        code = _ask_code(_("Code from your app, or a recovery code"))
        is_sent = st.form_submit_button(_("Sign in"), type="primary")
    if st.button(_("Start again"), type="tertiary"):
        held.second_step = None
        st.rerun()
    if not is_sent:
        return
    try:
        with held.under_way:
            held.token = sessions.finish_sign_in(held.second_step, code, here)
            held.second_step = None
    except AccessDenied:
        held.second_step = None
        held.refusal = Refusal("second_step_over", "This took too long. Sign in again.")
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    st.rerun()


def show_enrolment() -> None:
    """Show the only page of a person whose role needs a second factor and has none."""
    _left, middle, _right = st.columns([1, 2, 1])
    with middle:
        st.header(_("Second factor"), anchor=False)
        if not gate.sign_in_state().recovery_codes:
            text = _(
                "Your role needs a code from an app on your phone, in addition to the password."
            )
            st.caption(text)
        show_second_factor()
        gate.show_sign_out()


def show_second_factor() -> None:
    """Show the second factor of the person: set up, confirmed, or removed."""
    signed_in = gate.find_signed_in()
    if signed_in is None:
        st.stop()
    viewer = signed_in.viewer
    if codes := gate.sign_in_state().recovery_codes:
        st.success(_("Your second factor applies from your next sign-in."))
        text = _(
            "Recovery codes: each works once. They are shown only now: print them or "
            "write them down."
        )
        st.write(text)
        st.code("\n".join(codes), language=None)
        if st.button(_("I have kept them"), type="primary"):
            gate.sign_in_state().recovery_codes = ()
            st.rerun()
    elif second_factor.has_factor(viewer.username):
        st.text(_("In use: each sign-in needs a code from your app."))
        _show_removal(viewer)
    else:
        _show_setup(viewer)


def _show_setup(viewer: Viewer) -> None:
    if _ADDRESS not in st.session_state:
        st.caption(_("A code from an app on your phone, in addition to the password."))
        if not st.button(_("Set up"), key="second_factor_start"):
            return
        st.session_state[_ADDRESS] = second_factor.start(viewer)
        st.rerun()
    address = st.session_state[_ADDRESS]
    st.caption(_("1. Scan this QR code with an authenticator app, or type in the secret."))
    st.image(segno.make(address).svg_inline(scale=4, light="white"))
    st.code(dict(parse_qsl(urlsplit(address).query))["secret"], language=None)
    with st.form("second_factor", clear_on_submit=True, border=True):
        code = _ask_code(_("2. Code from the app"))
        is_sent = st.form_submit_button(_("Confirm"), type="primary")
    if is_sent:
        with actions.show_refusals():
            codes = second_factor.confirm(viewer, code, browser.current())
            gate.sign_in_state().recovery_codes = codes
            del st.session_state[_ADDRESS]
            st.rerun()


def _show_removal(viewer: Viewer) -> None:
    with st.form("remove_second_factor", clear_on_submit=True, border=True):
        code = _ask_code(_("Code from your app, or a recovery code"))
        is_sent = st.form_submit_button(_("Remove"))
    if is_sent:
        with actions.show_refusals():
            second_factor.remove(viewer, code, browser.current())
            st.rerun()


def _ask_code(label: str) -> str:
    return st.text_input(label, max_chars=40, autocomplete="one-time-code")


def _middle() -> DeltaGenerator:
    """Lay out the middle of a page without a menu, under our name."""
    _left, middle, _right = st.columns([1, 2, 1])
    with middle.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.image(str(styles.ICON), width=44)
        st.header(_("Écoute"), anchor=False)
    return middle


def _describe_first_step(message: str) -> None:
    st.info(message)
    st.code("python -m qa_core init --admin NAME", language="shell")
    st.caption(_("Then reload this page."))


def show_password_change() -> None:
    """Show only the choice of a password, to who signed in with a one-time one."""
    _left, middle, _right = st.columns([1, 2, 1])
    with middle:
        st.header(_("Choose your password"), anchor=False)
        text = _(
            "You signed in with a password that somebody else has seen. Choose one that "
            "only you know."
        )
        st.caption(text)
        if show_password_form():
            st.rerun()
        gate.show_sign_out()


def show_password_form() -> bool:
    """Show a form to change one's own password; True once it is changed."""
    signed_in = gate.find_signed_in()
    if signed_in is None:
        st.stop()
    with st.form("password", clear_on_submit=True, border=True):
        known = {"type": "password", "max_chars": 200, "autocomplete": "current-password"}
        chosen = known | {"autocomplete": "new-password"}
        current = st.text_input(_("Current password"), **known)
        new = st.text_input(_("New password"), help=_(passwords.RULE), **chosen)
        again = st.text_input(_("New password again"), **chosen)
        if not st.form_submit_button(_("Change password"), type="primary"):
            return False
    if new != again:
        st.error(_("The two new passwords differ. Type them again."))
        return False
    with actions.show_refusals():
        sessions.change_password(signed_in, browser.current(), current, new)
        return True
    return False


def keep_cookie() -> None:
    """Lead a browser that has just signed in over the address that gives it the cookie, and
    back to the page it is on.
    """
    held = gate.sign_in_state()
    if browser.cookie() != held.token:
        with _middle():
            st.caption(_("Signing in…"))
        gate.lead_to(f"/session/{sessions.build_exchange(held.token, browser.page())}")


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
                with store.reading() as session:
                    days = settings.current(session).one_time_password_days
                held.token = sessions.sign_in(username, password, here, days)
            except sessions.SecondStep as step:
                held.second_step = step.ticket
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
    if held.token or held.second_step:
        st.rerun()
    if held.refusal:
        gate.show_refusal(held.refusal)
    for provider in identity.find_providers().values():
        title = _("Sign in with {provider}", provider=escape(provider.title))
        if st.button(title, icon=":material/key:", key=f"sign_in_{provider.name}"):
            gate.lead_to(f"/sign-in/{provider.name}")
