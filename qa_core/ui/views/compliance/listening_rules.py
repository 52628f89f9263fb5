"""The legal gates, proportionality of listening, retention, and certificates of deletion."""

from datetime import date
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.i18n import _, ngettext
from qa_core.compliance import proportionality, retention
from qa_core.compliance.conditions import accreditations, gates, notices
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting, periods
from qa_core.metrics.kpis.dimensions import Period
from qa_core.metrics.law.centre_counts import RecordedShare
from qa_core.storage.records import store
from qa_core.ui.frame import gate, layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import actions, cards, download_links, tables
from qa_core.upkeep import (
    after_import,
    integrity,
    purge,
    purge_certificate,  # noqa: F401  declares its download
)


def show_state(viewer: Viewer) -> None:
    """Show what is kept too long, whether the gates are open, and what is missing."""
    due = purge.find_overdue(viewer)
    late = [item for item in due if item.is_late]
    if late:
        title = _("Kept longer than allowed")
        who = _(
            "Who acts: the data protection officer. Delete it now, and ask the operator of Écoute "
            "why the daily deletion did not run."
        )
        items = "\n".join(f"- {escape(retention.describe(item))}" for item in late)
        st.error(f"**{title}**\n\n{items}\n\n{who}", icon=":material/schedule:")
        can_delete = viewer.can(Permission.MANAGE_COMPLIANCE)
        if can_delete and st.button(_("Delete it now"), icon=":material/delete:", type="primary"):
            with actions.show_refusals():
                result = purge.purge(gate.current_viewer(Permission.MANAGE_COMPLIANCE))
                count = formatting.number(sum(result.deleted.values()))
                actions.finish(_("Deleted: {count}.", count=count))
    _show_stores()
    missing = [
        _(state.gate.title)
        for state in gates.find_all(viewer)
        if state.value is None and state.gate in gates.ALL
    ]
    if not any(item.holds for item in accreditations.find_all(viewer)):
        missing.append(_(gates.LISTENERS_GATE.title))
    waiting = sum(notice.informed_on is None for notice in notices.find_all(viewer))
    message = gates.describe_listening(missing, waiting)
    if missing:
        st.warning(message, icon=":material/lock:")
    elif waiting:
        st.warning(message, icon=":material/campaign:")
    elif proportionality.is_exceeded(proportionality.find(viewer)):
        beyond = _("But recording or listening is out of proportion: see “Proportionality”.")
        st.warning(f"{message} {beyond}", icon=":material/hearing:")
    else:
        show = st.info if late else st.success  # green is for a centre with nothing to do
        show(message, icon=":material/verified_user:")


def _show_stores() -> None:
    last = integrity.find_last()
    if last is not None and not last.is_well:
        text = _("Files of the stores are damaged. Ask the operator of Écoute to restore them.")
        st.error(text, icon=":material/broken_image:")
    elif last is None or last.is_old:
        st.caption(_("The stores were not read to the end in the last two days."))
    else:
        day = formatting.local_moment(last.at)
        st.caption(_("Every file of the stores was read on {day} and is whole.", day=day))


def show_gates(viewer: Viewer) -> None:
    """Show each gate; a value entered again leaves the earlier one on record."""
    st.subheader(_("Before anybody listens"), anchor=False)
    has_machines = query.count_machine_contacts() > 0
    for state in gates.find_all(viewer):
        if state.gate in gates.OF_MACHINES and not (has_machines or state.value):
            continue
        if state.gate == gates.OF_DELIVERY:  # on its own page
            continue
        entry, value, by = state.gate, None, ""
        if state.value is not None:
            value = _describe_value(entry, state.value)
        if state.set_at:
            day = formatting.local_day(state.set_at)
            by = _("by {name}, {when}", name=_(state.set_by), when=day)
        right = _show_gate(entry, value, by)
        if viewer.can(Permission.MANAGE_COMPLIANCE):
            ask_value(state, right)
    holding = [item for item in accreditations.find_all(viewer) if item.holds]
    names = sorted({item.display_name or item.username for item in holding})
    _show_gate(
        gates.LISTENERS_GATE,
        ngettext("{n} person", "{n} people", len(names)) if names else None,
        ", ".join(names),
    )


def show_proportions(viewer: Viewer) -> None:
    """Show how much was recorded and listened to lately or in a month, and who stands out."""
    st.subheader(_("Proportionality"), anchor=False)
    titles = {"": periods.name_last(proportionality.DAYS)}
    titles |= {month: formatting.month(month) for month in proportionality.find_months()}
    month = layout.select(st, _("Period"), titles, "proportion_month")
    proportions = proportionality.find(viewer, month or None)
    days = formatting.period(Period(proportions.first_day, proportions.last_day))
    rule = _(
        "Recording and listening must not be permanent. No advisor may be listened to far more "
        "than the others."
    )
    st.caption(f"{days}. {rule}")
    text = _(
        "This page flags a team if at least {share} of its answered contacts were recorded "
        "(from {least} contacts). It flags an advisor with at least {heard} contacts listened "
        "to, and over {times} times the others' average. It also flags recordings that nobody "
        "listens to. A contact counts as recorded if its source reports it or its audio is "
        "stored here. Advisors' playbacks of their own contacts do not count.",
        share=formatting.percent(proportionality.PERMANENT_FROM, 0),
        least=proportionality.MIN_ANSWERED,
        heard=proportionality.MUCH_FROM,
        times=formatting.number(proportionality.MUCH_RATIO),
    )
    st.caption(text)
    _show_exceeded(proportions)
    left, right = st.columns(2, gap="medium")
    with left:
        _show_recorded(proportions)
    with right:
        columns = (
            tables.name_column(
                _("Advisor"), lambda share: ("⚠ " if share.is_much else "") + share.name
            ),
            tables.count_column(_("Contacts listened to"), lambda share: share.contacts),
        )
        tables.show(proportions.listenings, columns, "heard_counts", height=300)


def _show_exceeded(proportions: proportionality.Proportions) -> None:
    for share in proportions.permanent_shares:
        finding = _(
            "{team}: {rate} of the answered contacts are recorded. This is permanent recording.",
            team=_("The whole centre")
            if share == proportions.centre
            else share.team or _("without a team"),
            rate=formatting.percent(share.rate, 0),
        )
        who = _(
            "Who acts: the telephony team records only a share. The team's manager is answerable "
            "for it. The data protection officer requests it."
        )
        st.warning(escape(f"{finding} {who}"), icon=":material/radio_button_checked:")
    if names := [share.name for share in proportions.much_heard]:
        finding = _(
            "Listened to far more than the others: {names}.", names=formatting.listing(names)
        )
        who = _(
            "Who acts: the manager asks for fewer contacts per advisor in the listening plans. "
            "The data protection officer asks for the reason."
        )
        st.warning(escape(f"{finding} {who}"), icon=":material/hearing:")
    if names := [share.name for share in proportions.above_maximum]:
        finding = _(
            "Listened to beyond the monthly maximum: {names}.", names=formatting.listing(names)
        )
        st.warning(escape(finding), icon=":material/hearing:")
    if proportions.is_nobody_heard:
        finding = _("Contacts are recorded, but nobody listens to them.")
        who = _("Who acts: managers. They say what the recordings are for, or stop recording.")
        st.warning(escape(f"{finding} {who}"), icon=":material/hearing_disabled:")


def _show_recorded(proportions: proportionality.Proportions) -> None:
    if proportions.centre.unknown_contacts:
        text = ngettext(
            "Recording status unknown for {n} answered contact.",
            "Recording status unknown for {n} answered contacts.",
            proportions.centre.unknown_contacts,
        )
        st.caption(text)

    def name(share: RecordedShare) -> str:
        return ("⚠ " if proportionality.is_permanent(share) else "") + (share.team or "–")

    columns = (
        tables.name_column(_("Team"), name),
        tables.share_column(_("Recorded"), lambda share: share.rate),
        tables.count_column(_("Answered"), lambda share: share.answered_contacts),
    )
    tables.show(proportions.recorded_shares, columns, "recorded_shares", height=300)


def _show_gate(entry: gates.Gate, value: str | None, detail: str) -> Any:
    """Show one gate; return the column for the button that changes it."""
    with cards.card(gap="small"):
        left, right = st.columns([3, 2], gap="medium")
        with left:
            icon = ":green[:material/check_circle:]" if value else ":red[:material/cancel:]"
            st.markdown(f"{icon} **{escape(_(entry.title))}**")
            st.caption(_(entry.meaning))
            who = _(entry.actor)
            st.caption(_("Source: {source}. Who acts: {who}.", source=_(entry.source), who=who))
        with right:
            if not value:
                st.markdown(":red[" + _("Missing") + "]")
            else:
                st.text(value)
                if detail:
                    st.caption(escape(detail))
        return right


def ask_value(state: gates.GateState, column: Any) -> None:
    """Offer to enter another value of a gate, in that column."""
    entry, label = state.gate, _("Edit") if state.value else _("Enter")
    with column.popover(label, icon=":material/edit:"), st.form(f"gate_{entry.name}", border=False):
        value = _ask(entry, state.value)
        if st.form_submit_button(_("Save"), type="primary"):
            with actions.perform(Permission.MANAGE_COMPLIANCE) as acting:
                gates.set_gate(acting, entry.name, value)
                if entry.kind in ("months", "switch"):
                    after_import.wake()


def _ask(entry: gates.Gate, value: str | None) -> str:
    title, key = _(entry.title), f"gate_value_{entry.name}"
    match entry.kind:
        case "day":
            usual = date.fromisoformat(value) if value else None
            day = layout.ask_day(st, title, usual, key, max_value=environment.today())
            return day.isoformat() if day else ""
        case "purposes":
            usual = value.split(",") if value else []
            titles = {purpose: name_purpose(purpose) for purpose in gates.PURPOSES}
            return ",".join(layout.select_many(st, title, titles, key, usual))
        case "text":
            return st.text_area(title, value or "", key=key)
        case "switch":
            return st.text_input(title, value or environment.today().isoformat(), key=key)
        case _:
            usual = int(value) if value else entry.highest
            return str(st.number_input(title, 1, entry.highest, usual, key=key))


def name_purpose(purpose: str) -> str:
    return _(gates.PURPOSE_TITLES.get(purpose, purpose))


def _describe_value(entry: gates.Gate, value: str) -> str:
    match entry.kind:
        case "day":
            return formatting.day(date.fromisoformat(value), year=True)
        case "purposes":
            return formatting.listing(map(name_purpose, value.split(",")))
        case "text":
            return value
        case _:
            return ngettext("{n} month", "{n} months", int(value))


def show_periods(viewer: Viewer) -> None:
    """Show each kind of data with its period, its end, and what is due."""
    st.subheader(_("How long data is kept"), anchor=False)
    text = _(
        "Expired data is deleted daily. If several retention periods apply, the shortest counts."
    )
    st.caption(text)
    due = {item.kind: item for item in purge.find_overdue(viewer)}
    with store.reading() as session:
        periods = {
            entry.kind: retention.find_period(session, entry.kind) for entry in retention.CLASSES
        }

    def name_state(entry: retention.RetentionClass) -> str:
        if entry.kind not in due:
            return _("in order")
        item = due[entry.kind]
        return _(
            "{count} since {day}",
            count=formatting.number(item.count),
            day=formatting.day(item.since, year=True),
        )

    columns = (
        tables.name_column(_("Data"), lambda entry: _(entry.title), 225),
        tables.text_column(
            _("Kept for"), lambda entry: entry.describe_period(periods[entry.kind]), 85
        ),
        tables.text_column(_("At the end"), lambda entry: _(entry.end)),
        tables.text_column(_("Overdue"), name_state, 110),
        tables.text_column(_("Rule"), lambda entry: f"{entry.rule} · {_(entry.source)}"),
    )
    # Without a class of a longer obligation nothing is kept under one.
    entries = [entry for entry in retention.CLASSES if periods[entry.kind]]
    tables.show(entries, columns, "retention", height=420)


def show_certificates(viewer: Viewer) -> None:
    """Show what was deleted, newest first."""
    st.subheader(_("Certificates of deletion"), anchor=False)
    certificates = purge.find_certificates(viewer)
    columns = (
        tables.count_column(_("No."), lambda item: item.number, width=70),
        tables.text_column(_("When"), lambda item: formatting.local_moment(item.finished_at)),
        tables.text_column(
            _("Deleted"),
            lambda item: " · ".join(
                _(
                    "{what}: {text}",
                    what=_(retention.TITLES[kind]),
                    text=formatting.number(due.count),
                )
                for kind, due in item.kinds.items()
            ),
            420,
        ),
        tables.day_text_column(
            _("From"), lambda item: min(due.oldest for due in item.kinds.values())
        ),
        tables.day_text_column(
            _("To"), lambda item: max(due.newest for due in item.kinds.values())
        ),
        tables.count_column(_("Audit log row"), lambda item: item.seq, width=110),
        tables.text_column(
            _("Signature"),
            lambda item: _("genuine") if item.is_genuine else "⚠ " + _("does not match"),
        ),
    )
    tables.show(certificates, columns, "certificates", height=300)
    if not certificates:
        return
    titles = {
        item.number: f"{item.number} · {formatting.local_moment(item.finished_at)}"
        for item in certificates
    }
    number = layout.select(st, _("Certificate"), titles, width=320)
    download_links.show_download(
        "purge_certificate", label=_("Print"), forms=("pdf",), number=number
    )
