"""People who may listen, until when, and advisors who were informed."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.i18n import N_, _, ngettext, uncapitalise
from qa_core.compliance.conditions import accreditations, evaluators, gates, notices
from qa_core.metrics.kpis import formatting
from qa_core.storage.records import store
from qa_core.ui.frame import layout, menu
from qa_core.ui.views.compliance.listening_rules import name_purpose
from qa_core.ui.widgets import act_form, actions, tables
from qa_core.ui.widgets.act_form import ActField
from qa_core.upkeep import after_import

DEFAULT_DAYS = 180
"""Days that a new accreditation is proposed for."""


def show_accreditations(viewer: Viewer) -> None:
    """Show all accreditations; give one, or end one at once."""
    st.subheader(_("Who may listen"), anchor=False)
    entries = accreditations.find_all(viewer)
    columns = (
        tables.name_column(_("Name"), _name),
        tables.text_column(
            _("Role"),
            lambda item: menu.name_role(item.role) if item.role else _("without an account"),
        ),
        tables.text_column(
            _("Purposes"), lambda item: formatting.listing(map(name_purpose, item.purposes)), 260
        ),
        tables.day_text_column(_("From"), lambda item: item.starts_on),
        tables.day_text_column(_("Until"), lambda item: item.ends_on),
        tables.text_column(_("State"), _describe_state),
    )
    tables.show(entries, columns, "accreditations", height=300)
    if viewer.can(Permission.MANAGE_COMPLIANCE):
        left, right = st.columns(2, gap="medium")
        with left:
            _ask_accreditation(viewer)
        with right:
            _ask_end([item for item in entries if item.holds])
            _ask_evaluator()


def show_notices(viewer: Viewer) -> None:
    """Show which advisors were informed, and enter the day for others."""
    st.subheader(_("Advisors informed"), anchor=False)
    entries = notices.find_all(viewer)
    waiting = [notice.advisor_id for notice in entries if notice.informed_on is None]
    text = ngettext(
        "{count} of {n} advisor is informed.",
        "{count} of {n} advisors are informed.",
        len(entries),
        count=len(entries) - len(waiting),
    )
    st.caption(text)
    left, right = st.columns(2, gap="medium")
    with left:
        columns = (
            tables.name_column(_("Advisor"), lambda notice: notice.name),
            tables.day_text_column(
                _("Informed on"), lambda notice: notice.informed_on, 140, _("not yet")
            ),
        )
        tables.show(entries, columns, "notices", height=300)
    with right:
        if entries and viewer.can(Permission.MANAGE_COMPLIANCE):
            _ask_notices({notice.advisor_id: notice.name for notice in entries}, waiting)


def _name(item: accreditations.AccreditationEntry) -> str:
    return item.display_name or item.username


def _describe_state(item: accreditations.AccreditationEntry) -> str:
    if item.holds:
        return uncapitalise(_("In force"))
    return _("ended early") if item.is_ended else _("expired")


def _ask_accreditation(viewer: Viewer) -> None:
    eligible = accreditations.find_eligible(viewer)
    entered = next(
        (state.value for state in gates.find_all(viewer) if state.gate.name == "purposes"), None
    )
    with store.reading() as session:
        last_day = accreditations.find_last_day(session)
    with st.form("accredit", border=True):
        username = layout.select(st, _("Accredit"), eligible, "accredit_who", is_optional=True)
        today = environment.today()
        usual = min(today + timedelta(days=DEFAULT_DAYS), last_day)
        start = layout.ask_day(st, _("From"), today, "accredit_from", max_value=last_day)
        until = layout.ask_day(st, _("Until"), usual, "accredit_until", max_value=last_day)
        reason = st.text_input(_("Reason, if it begins in the past"), key="accredit_reason")
        # Another key for other purposes: the field would keep those proposed before.
        titles = {purpose: name_purpose(purpose) for purpose in gates.PURPOSES}
        proposed = entered.split(",") if entered else gates.PURPOSES
        key = f"accredit_purposes_{entered}"
        purposes = layout.select_many(st, _("Purposes"), titles, key, proposed)
        sent = st.form_submit_button(_("Accredit"), type="primary")
    if sent and (username is None or start is None or until is None or not purposes):
        st.warning(_(actions.INCOMPLETE))
    elif sent:
        with actions.perform(Permission.MANAGE_COMPLIANCE) as acting:
            accreditations.accredit(acting, username, until, purposes, start, reason)
            after_import.wake()


def _ask_evaluator() -> None:
    text = N_(
        "Imported evaluations need a person. Confirm people without an account here, then "
        "accredit them for the days of their evaluations."
    )
    fields = (
        ActField("name", N_("Evaluator without an account")),
        ActField("reason", N_("Reason")),
    )

    def confirm(acting: Viewer, name: str, reason: str) -> None:
        evaluators.confirm(acting, name, reason)

    act_form.show("confirm_evaluator", N_("Confirm"), fields, confirm, text)


def _ask_end(holding: Sequence[accreditations.AccreditationEntry]) -> None:
    if holding:
        titles = {
            item.id: f"{_name(item)} · {formatting.day(item.ends_on, year=True)}"
            for item in holding
        }
        field = ActField("accreditation_id", N_("Accreditation"), titles)
        act_form.show("end_accreditation", N_("End now"), [field], accreditations.end)


def _ask_notices(names: Mapping[str, str], waiting: list[str]) -> None:
    with st.form("inform", border=True):
        chosen = layout.select_many(st, _("Informed"), names, "inform_who")
        text = ngettext(
            "the {n} advisor who is not informed yet",
            "all {n} advisors who are not informed yet",
            len(waiting),
        )
        everybody = bool(waiting) and st.checkbox(text, key="inform_all")
        today = environment.today()
        day = layout.ask_day(st, _("Informed on"), today, "inform_on", max_value=today)
        sent = st.form_submit_button(_("Save"), type="primary")
    advisors = waiting if everybody else chosen
    if sent and (not advisors or day is None):
        st.warning(_(actions.INCOMPLETE))
    elif sent:
        with actions.perform(Permission.MANAGE_COMPLIANCE) as acting:
            notices.inform(acting, advisors, day)
