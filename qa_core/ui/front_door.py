"""The front door: who is looking, which pages are theirs, and the one they asked for.
Runs first, on every run.
"""

import streamlit as st

from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.quality import daily
from qa_core.ui import cached, drill, filter_bar, gate, menu, sidebar, styles

st.set_page_config(page_icon=str(styles.ICON), layout="wide")

signed_in = gate.find_signed_in()
opened = signed_in is not None and not signed_in.must_change_password
page, entry = menu.choose_page(signed_in.viewer if opened else None)
# Several tabs are told apart by it; a stranger is not told what an address leads to.
st.set_page_config(
    page_title=f"{_(entry.title)} · Écoute" if opened and entry is not None else "Écoute"
)
styles.apply()

if signed_in is not None:
    gate.keep_cookie()
if opened:
    daily.do_daily()
    cached.look_up_version()
    sidebar.show(signed_in.viewer)
    try:
        if entry is not None and entry.permission is not None:
            signed_in.viewer.require(entry.permission)
        drill.follow(entry.key if entry else menu.HOME)
        if entry is not None:
            filter_bar.show(signed_in.viewer, entry.key)
        page.run()
    except Refusal as refusal:
        gate.report_error(refusal)
elif signed_in is not None:
    gate.show_password_change()
else:
    gate.show_sign_in()
