"""Mail and notices on the page My account: what waits, what comes by mail, and where to."""

from datetime import timedelta

import streamlit as st

from qa_core.access import mail_choices
from qa_core.access.mail_choices import DIGEST_ROLES, MailChoices
from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base import environment
from qa_core.base.i18n import _
from qa_core.compliance.conditions import gates
from qa_core.delivery import ledger, notices
from qa_core.delivery.schedule import WEEKLY_ROLES
from qa_core.metrics.kpis import formatting
from qa_core.storage.records import store
from qa_core.ui.frame import gate, layout, menu
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import actions
from qa_core.upkeep import after_import

LANGUAGES = {"en": "English", "fr": "Français"}
MAX_PAUSE = timedelta(days=366)


def show_notices(viewer: Viewer) -> None:
    """Show what waits for this person, if anything does, each with the page where it is done."""
    if found := notices.find_notices(viewer):
        st.subheader(_("Waiting for you"), anchor=False)
    for notice in found:
        menu.show_page_link(notice.page, notice.text)


def show_mail(viewer: Viewer) -> None:
    """Show the state of one's mails, and the form that changes them."""
    own = mail_choices.find(viewer)
    st.caption(escape(_describe_state(viewer, own)))
    titles = {name: _(title) for name, title in mail_choices.SUBJECT_TITLES.items()}
    languages = {None: _("As on the pages"), **LANGUAGES}
    with st.form("mail_choices", border=False):
        values = {"address": st.text_input(_("E-mail address"), own.address or "")}
        if viewer.role in DIGEST_ROLES or viewer.role == Role.ADVISOR:
            wants = own.wants("digest", viewer.role)
            values["digest"] = st.checkbox(titles["digest"], wants)
        values["notices"] = st.checkbox(titles["notices"], own.notices)
        if viewer.can(Permission.SEE_ALERTS):
            values["alerts"] = st.checkbox(titles["alerts"], own.alerts)
        if viewer.role in WEEKLY_ROLES:
            days = {n: formatting.name("weekday", n + 1) for n in range(5)}
            day = layout.select(st, _("Day of the digest"), days, chosen=own.weekday)
            values["weekday"] = day
        values["language"] = layout.select(st, _("Language"), languages, chosen=own.language)
        today = environment.today()
        values["paused_until"] = layout.ask_day(
            st,
            _("Paused until"),
            own.paused_until if own.paused_until and own.paused_until >= today else None,
            min_value=today,
            max_value=today + MAX_PAUSE,
        )
        if st.form_submit_button(_("Save")):
            with actions.show_refusals():
                mail_choices.change(gate.current_viewer(), **values)
                after_import.wake()
                actions.finish(_("Saved."))


def _describe_state(viewer: Viewer, own: MailChoices) -> str:
    with store.reading() as session:
        is_open = gates.find_delivery_start(session) is not None
    if not is_open:
        return _("Mails start once the data protection officer has opened them.")
    if own.address is None:
        return _("Enter an address to receive mails.")
    if own.confirmed_at is None:
        return _(
            "Open the link sent to {address} within 24 hours. Save again for a new one.",
            address=own.address,
        )
    last = ledger.find_own_last(viewer)
    if last is None:
        return _("Your address is confirmed.")
    return _("Last mail: {outcome}", outcome=ledger.describe(last))
