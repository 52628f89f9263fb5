"""Requests of persons: entered, answered within a month, and what is pressing."""

from __future__ import annotations

from datetime import date

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.i18n import _, ngettext
from qa_core.compliance import requests
from qa_core.compliance.requests import PersonRequest
from qa_core.ingest import subjects
from qa_core.metrics import formatting
from qa_core.ui import actions, gate, tables

SUBJECTS = ("customer", "advisor")


def show(viewer: Viewer) -> None:
    """Show the requests, open ones first; enter one, or its answer."""
    st.subheader(_("Requests of persons"), anchor=False)
    found = requests.find_all(viewer)
    late = [item for item in found if item.is_late]
    if late:
        st.error(
            ngettext(
                "{n} request is not answered within its month. Who acts: the data protection "
                "officer.",
                "{n} requests are not answered within their month. Who acts: the data protection "
                "officer.",
                len(late),
            ),
            icon=":material/schedule:",
        )
    if found:
        tables.show(
            found,
            (
                tables.count_column(_("No."), lambda item: item.id, width=70),
                tables.text_column(_("Request"), lambda item: _(requests.KINDS[item.kind])),
                tables.text_column(_("Of"), _name_subject),
                tables.text_column(
                    _("Received"), lambda item: formatting.day(item.received_on, year=True)
                ),
                tables.text_column(_("Due"), lambda item: formatting.day(item.due_on, year=True)),
                tables.text_column(_("Answer"), lambda item: item.answer or _("open"), 320),
            ),
            "person_requests",
            height=240,
        )
    else:
        st.caption(_("No request was entered yet."))
    if viewer.can(Permission.MANAGE_COMPLIANCE):
        left, right = st.columns(2, gap="medium")
        with left:
            _ask_request()
        with right:
            _ask_answer([item for item in found if item.is_open])


def _name_subject(item: PersonRequest) -> str:
    # A pseudonym is long and says nothing; its end is enough to tell two apart.
    end = item.subject if item.subject_kind == "advisor" else f"•• {item.subject[-2:]}"
    return f"{_name_kind(item.subject_kind)} {end}"


def _name_kind(kind: str) -> str:
    return _("customer") if kind == "customer" else _("advisor")


def _ask_request() -> None:
    with st.form("person_request", border=True):
        kind = st.selectbox(
            _("Request"), list(requests.KINDS), format_func=lambda key: _(requests.KINDS[key])
        )
        subject_kind = st.segmented_control(
            _("Of"), SUBJECTS, default="customer", format_func=_name_kind
        )
        text = st.text_input(
            _("Number of the customer, or name of the advisor"),
            help=_("A number becomes a pseudonym at once; it is stored nowhere."),
        )
        day = st.date_input(
            _("Received"), environment.today(), max_value=environment.today(), format="DD/MM/YYYY"
        )
        sent = st.form_submit_button(_("Enter the request"), type="primary")
    if sent and (not text.strip() or not subject_kind or not isinstance(day, date)):
        st.warning(_("Say whose request it is, and when it came."))
    elif sent:
        with actions.show_refusals():
            find = subjects.find_customer if subject_kind == "customer" else subjects.find_advisor
            requests.add(_acting(), kind, subject_kind, find(text.strip()), day)
            actions.finish(_("The request is entered; its answer is due in a month."))


def _ask_answer(waiting: list[PersonRequest]) -> None:
    if not waiting:
        return
    titles = {
        item.id: f"{item.id} · {_(requests.KINDS[item.kind])} · {formatting.day(item.due_on)}"
        for item in waiting
    }
    with st.form("person_answer", border=True):
        number = st.selectbox(_("Answer"), list(titles), format_func=titles.get)
        text = st.text_input(_("What was answered"))
        is_checked = st.checkbox(_("I checked who asks"))
        sent = st.form_submit_button(_("Record the answer"))
    if sent:
        with actions.show_refusals():
            requests.answer(_acting(), number, text, is_checked)
            actions.finish(_("The answer is recorded."))


def _acting() -> Viewer:
    return gate.current_viewer(Permission.MANAGE_COMPLIANCE)
