"""The webhook for alerts, on the page Targets and alerts: in the scope of who enters it."""

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import _
from qa_core.delivery import webhook
from qa_core.ui.frame import layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import actions

TITLES = {"slack": "Slack", "teams": "Teams (Workflows)", "json": "JSON"}
NEW = "new_webhook"


def show(viewer: Viewer) -> None:
    """Show where new alerts are sent, and the form for another address."""
    st.subheader(_("Webhook"), anchor=False)
    if secret := st.session_state.pop(NEW, None):
        st.success(_("Secret of {name}, shown only now.", name=_("Webhook")))
        st.code(secret, language=None)
    if hook := webhook.find(viewer):
        text = _("Webhook to {host}, with what {name} sees.", host=hook.host, name=hook.username)
        act = (Permission.MANAGE_ALERTS, webhook.remove)
        actions.show_removable(escape(text), "remove_webhook", True, *act)
    with st.form("webhook", border=False):
        address = st.text_input(_("Address"), placeholder="https://")
        format_name = layout.select(st, _("Format"), TITLES)
        st.caption(_("New alerts that you see are sent there, without names of people."))
        if st.form_submit_button(_("Save")):
            with actions.perform(Permission.MANAGE_ALERTS) as acting:
                st.session_state[NEW] = webhook.enter(acting, address, format_name)
