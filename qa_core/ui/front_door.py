"""The front door, run first: who is looking, their pages, and the one that runs."""

import streamlit as st

from qa_core.base.i18n import _
from qa_core.ui import page_script, sign_in
from qa_core.ui.frame import gate, menu, styles

st.set_page_config(page_icon=str(styles.ICON), layout="wide")

signed_in = gate.find_signed_in()
lacks_factor = signed_in is not None and gate.lacks_second_factor(signed_in.viewer)
opened = signed_in is not None and not signed_in.must_change_password and not lacks_factor
page, entry = menu.choose_page(signed_in.viewer if opened else None)
# Readers know their tabs by it; strangers do not learn what an address leads to.
st.set_page_config(
    page_title=f"{_(entry.title)} · Écoute" if opened and entry is not None else "Écoute"
)
styles.apply()

if not opened:
    page_script.listen()
if signed_in is None:
    sign_in.show_sign_in()
else:
    sign_in.keep_cookie()
    if opened:
        from qa_core.ui import page_frame

        page_frame.show(signed_in.viewer, page, entry)
    elif signed_in.must_change_password:
        sign_in.show_password_change()
    else:
        sign_in.show_enrolment()
