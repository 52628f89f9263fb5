"""My account: my password, my language, and where I am signed in."""

import streamlit as st

from qa_core.access import accounts
from qa_core.base.i18n import _
from qa_core.ui import page_frame, sign_in
from qa_core.ui.frame import gate, layout
from qa_core.ui.views.account import mail
from qa_core.ui.views.admin import account_requests, own_sessions

viewer = page_frame.open_page("my_account")
languages = {None: _("As the browser"), **mail.LANGUAGES}
left, right = st.columns(2)

with left:
    mail.show_notices(viewer)
    st.subheader(_("Language"), anchor=False)
    chosen = layout.select(st, _("Language of the pages"), languages, chosen=viewer.language)
    if chosen != viewer.language:
        accounts.set_language(viewer, chosen)
        st.rerun()

    st.subheader(_("Mail"), anchor=False)
    mail.show_mail(viewer)

    st.subheader(_("Where I am signed in"), anchor=False)
    own_sessions.show(gate.current_signed_in())

    st.subheader(_("Changes to your account"), anchor=False)
    account_requests.show_changes(accounts.find_own_changes(viewer), "own_changes")

with right:
    st.subheader(_("Second factor"), anchor=False)
    sign_in.show_second_factor()

    st.subheader(_("Password"), anchor=False)
    if sign_in.show_password_form():
        st.success(_("Your password has changed. Your other sessions have ended."))
