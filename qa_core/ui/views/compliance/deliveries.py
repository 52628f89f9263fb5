"""The Deliveries page: the gate, who receives what, and what was sent."""

import streamlit as st

from qa_core.access.mail_choices import SUBJECT_TITLES
from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.i18n import N_, _
from qa_core.compliance.conditions import gates
from qa_core.delivery import ledger, schedule, webhook
from qa_core.metrics.kpis import formatting
from qa_core.storage.records import store
from qa_core.ui.frame import layout, menu
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.compliance import listening_rules
from qa_core.ui.widgets import actions, cards, tables
from qa_core.upkeep import after_import

KINDS = {
    **SUBJECT_TITLES,
    "confirm": N_("Confirm your address"),
    "webhook": N_("Webhook"),
}
ADDRESSES = {
    "confirmed": N_("confirmed"),
    "waiting": N_("waits for its link to be opened"),
}


def show_gate(viewer: Viewer) -> None:
    """Show whether mail and webhook are open, and let the officer change it."""
    gate = gates.OF_DELIVERY
    with store.reading() as session:
        value = gates.value_of(session, gate.name)
    with cards.card(gap="small"):
        left, right = st.columns([3, 2], gap="medium")
        left.markdown(f"**{escape(_(gate.title))}**")
        left.caption(_(gate.meaning))
        right.text(value or _("Closed: nothing is sent."))
        if viewer.can(Permission.MANAGE_COMPLIANCE):
            listening_rules.ask_value(gates.GateState(gate, value or None), right)
    # A bad address has kept the server from starting.
    if environment.find_mail_server() is None:
        st.caption(_("No mail server is set up (QA_SMTP_URL)."))
    if hook := webhook.find(viewer):
        text = _("Webhook to {host}, with what {name} sees.", host=hook.host, name=hook.username)
        st.caption(escape(text))


def show_recipients(viewer: Viewer) -> None:
    """Show who gets which mails, and the last result."""
    st.subheader(_("Who receives what"), anchor=False)
    columns = (
        tables.name_column(_("Account"), lambda item: item.username),
        tables.text_column(_("Role"), lambda item: menu.name_role(item.role)),
        tables.text_column(
            _("Mail"),
            lambda item: formatting.listing(_(SUBJECT_TITLES[name]) for name in item.subjects),
        ),
        tables.text_column(_("Address"), lambda item: _(ADDRESSES.get(item.address_state, "–"))),
        tables.text_column(
            _("Result"), lambda item: ledger.describe(item.last) if item.last else "–"
        ),
    )
    tables.show(schedule.find_recipients(viewer), columns, "recipients", height=330)


def show_ledger(viewer: Viewer) -> None:
    """Show the deliveries, those that failed first, with a button to try these again."""
    st.subheader(_("Sent and not sent"), anchor=False)
    entries = ledger.find_all(viewer)
    for entry in entries:
        if entry.state == ledger.FAILED:
            with layout.line():
                kind = _(KINDS[entry.kind])
                text = f"{entry.username} · {kind} · {ledger.describe(entry)}"
                st.markdown(f":red[:material/error:] {escape(text)}", width="stretch")
                if viewer.can(Permission.MANAGE_SETTINGS):
                    layout.show_quiet_button(
                        "refresh", _("Try again"), f"retry_{entry.id}", _retry, entry.id
                    )
    columns = (
        tables.moment_column(_("Due"), lambda entry: environment.to_local(entry.due_at)),
        tables.name_column(_("Account"), lambda entry: entry.username),
        tables.text_column(_("Kind"), lambda entry: _(KINDS[entry.kind])),
        tables.text_column(_("Period"), lambda entry: entry.period[:10]),
        tables.text_column(_("Result"), ledger.describe),
    )
    tables.show(entries, columns, "deliveries", height=420)


def _retry(number: int) -> None:
    actions.do(Permission.MANAGE_SETTINGS, ledger.retry, number)
    after_import.wake()
