"""The legal gates with their state, their source and who acts; and whether listening
stays within measure.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _, ngettext
from qa_core.compliance import accreditations, gates, notices, overdue, proportionality
from qa_core.compliance.gates import Gate, GateState
from qa_core.metrics import formatting
from qa_core.ui import gate, tables

OUTCOME = "listening_rules_outcome"


def show_outcome() -> None:
    """What came of the last change."""
    if said := st.session_state.pop(OUTCOME, None):
        st.success(said, icon=":material/check:")


def change(act: Callable[[Viewer], object], said: str) -> None:
    """Do it as whoever is signed in now, and say so on the next run."""
    try:
        act(gate.current_viewer(Permission.MANAGE_COMPLIANCE))
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    st.session_state[OUTCOME] = said
    st.rerun()


def show_state(viewer: Viewer) -> None:
    """At a glance: what is kept too long, whether the gates are open, what is missing,
    and whom it still leaves out.
    """
    late = overdue.find(viewer)
    if late:
        title, who = (
            _("Kept longer than allowed"),
            _("Who acts: the data protection officer, with whoever runs Écoute."),
        )
        items = "\n".join(f"- {overdue.describe(item)}" for item in late)
        st.error(f"**{title}**\n\n{items}\n\n{who}", icon=":material/schedule:")
    missing = [
        _(standing.gate.title) for standing in gates.find_all(viewer) if standing.value is None
    ]
    if not any(item.holds for item in accreditations.find_all(viewer)):
        missing.append(_(gates.LISTENERS_TITLE))
    if missing:
        message = ngettext(
            "Not yet: {n} gate is closed, so nobody draws, listens or evaluates. Missing: "
            "{titles}.",
            "Not yet: {n} gates are closed, so nobody draws, listens or evaluates. Missing: "
            "{titles}.",
            len(missing),
            titles=formatting.listing(missing),
        )
        st.warning(message, icon=":material/lock:")
        return
    waiting = sum(notice.informed_on is None for notice in notices.find_all(viewer))
    if waiting:
        message = ngettext(
            "Every gate is open. {n} advisor is not yet informed, so none of their contacts is "
            "drawn.",
            "Every gate is open. {n} advisors are not yet informed, so none of their contacts "
            "is drawn.",
            waiting,
        )
        st.warning(message, icon=":material/campaign:")
    elif proportionality.is_exceeded(proportionality.find(viewer)):
        message = (
            _("Every gate is open, and every advisor is informed.")
            + " "
            + _("But recording or listening is beyond measure: see “Within measure” below.")
        )
        st.warning(message, icon=":material/hearing:")
    else:
        show = st.info if late else st.success  # green is for a centre with nothing to do
        show(
            _("Every gate is open, and every advisor is informed."), icon=":material/verified_user:"
        )


def show_gates(viewer: Viewer) -> None:
    """Each gate; entering a value again keeps the earlier one in the records and in the
    journal.
    """
    st.subheader(_("Before anybody listens"), anchor=False)
    for standing in gates.find_all(viewer):
        value = None if standing.value is None else _describe_value(standing.gate, standing.value)
        by = (
            _(
                "entered by {name} on {day}",
                name=standing.set_by,
                day=formatting.day(environment.to_local(standing.set_at).date(), year=True),
            )
            if standing.set_at
            else ""
        )
        right = _show_gate(
            standing.gate.name,
            _(standing.gate.title),
            _(standing.gate.meaning),
            _(standing.gate.source),
            value,
            by,
        )
        if viewer.can(Permission.MANAGE_COMPLIANCE):
            _ask_value(standing, right)
    names = sorted(
        {
            item.display_name or item.username
            for item in accreditations.find_all(viewer)
            if item.holds
        }
    )
    listeners = ngettext("{n} person", "{n} people", len(names)) if names else None
    said = gates.LISTENERS_TITLE, gates.LISTENERS_MEANING, gates.LISTENERS_SOURCE
    _show_gate(gates.LISTENERS, *(_(text) for text in said), listeners, ", ".join(names))


def show_proportions(viewer: Viewer) -> None:
    """How much was recorded and heard lately, and who stands out."""
    found = proportionality.find(viewer)
    st.subheader(_("Within measure"), anchor=False)
    first, last = formatting.day(found.first_day), formatting.day(found.last_day, year=True)
    rule = _(
        "Neither recording nor listening may be permanent; nobody is listened to far more than "
        "the rest."
    )
    told = _(
        "Told here: a team of which {share} or more of the answered contacts are recorded (of "
        "{least} at least), and an advisor of "
        "whom {heard} contacts or more were listened to, and more than {times} times the mean of "
        "those listened to. Advisors who hear their own contacts do not count.",
        share=formatting.percent(proportionality.PERMANENT_FROM, 0),
        least=proportionality.ENOUGH_ANSWERED,
        heard=proportionality.MUCH_FROM,
        times=formatting.number(proportionality.MUCH_RATIO),
    )
    st.caption(_("From {first} to {last}.", first=first, last=last) + " " + rule)
    st.caption(told)
    for share in found.recorded:
        if proportionality.is_permanent(share):
            team = share.team or _("no team")
            said = _(
                "{team}: {rate} of the answered contacts are recorded, which is permanent "
                "recording.",
                team=team,
                rate=formatting.percent(share.rate, 0),
            )
            who = _(
                "Who acts: the telephony team records a share only; the manager of the team "
                "answers for it, and the data protection officer asks for it."
            )
            st.warning(gate.escape(f"{said} {who}"), icon=":material/radio_button_checked:")
    much = [one.name for one in found.heard if one.is_much]
    if much:
        said = _("Listened to far more than the rest: {names}.", names=formatting.listing(much))
        who = _(
            "Who acts: the manager, by fewer contacts per advisor in the listening plans; the "
            "data protection officer asks what it is for."
        )
        st.warning(gate.escape(f"{said} {who}"), icon=":material/hearing:")
    left, right = st.columns(2, gap="medium")
    with left:
        if found.recorded:
            team, rate, answered = _("Team"), _("Recorded"), _("Answered")
            rows = [
                {
                    team: ("⚠ " if proportionality.is_permanent(share) else "")
                    + (share.team or "–"),
                    rate: tables.as_share(share.rate),
                    answered: share.answered,
                }
                for share in found.recorded
            ]
            config = {
                team: tables.name_column(team),
                rate: tables.share_column(rate),
                answered: tables.count_column(answered),
            }
            tables.show(rows, config, "recorded_shares", height=300)
        else:
            st.caption(_("No contact of these days says whether it was recorded."))
    with right:
        if found.heard:
            name, heard = _("Advisor"), _("Contacts listened to")
            rows = [
                {name: ("⚠ " if one.is_much else "") + one.name, heard: one.contacts}
                for one in found.heard
            ]
            tables.show(
                rows,
                {name: tables.name_column(name), heard: tables.count_column(heard)},
                "heard_counts",
                height=300,
            )
        else:
            st.caption(_("Nobody listened to anything in these days."))


def _show_gate(
    name: str, title: str, meaning: str, source: str, value: str | None, detail: str
) -> Any:
    """One gate as a card; returns the place for what changes it."""
    with st.container(border=True):
        left, right = st.columns([3, 2], gap="medium")
        with left:
            icon = ":green[:material/check_circle:]" if value else ":red[:material/cancel:]"
            st.markdown(f"{icon} **{gate.escape(title)}**")
            st.caption(meaning)
            st.caption(
                _("Source: {source}. Who acts: {who}.", source=source, who=_(gates.ACTORS[name]))
            )
        with right:
            if value:
                st.text(value)
                if detail:
                    st.caption(gate.escape(detail))
            else:
                st.markdown(":red[" + _("Missing") + "]")
        return right


def _ask_value(standing: GateState, place: Any) -> None:
    entry = standing.gate
    with (
        place.popover(_("Enter anew") if standing.value else _("Enter"), icon=":material/edit:"),
        st.form(f"gate_{entry.name}", border=False),
    ):
        given = _ask(entry, standing.value)
        if st.form_submit_button(_("Save"), type="primary"):
            change(
                lambda viewer: gates.set_gate(viewer, entry.name, given),
                _("{title} is entered.", title=_(entry.title)),
            )


def _ask(entry: Gate, value: str | None) -> str:
    key = f"gate_value_{entry.name}"
    match entry.kind:
        case "day":
            day = st.date_input(
                _(entry.title),
                date.fromisoformat(value) if value else None,
                max_value=environment.today(),
                format="DD/MM/YYYY",
                key=key,
            )
            return day.isoformat() if isinstance(day, date) else ""
        case "purposes":
            return ",".join(
                st.multiselect(
                    _(entry.title),
                    gates.PURPOSES,
                    (value or "").split(",") if value else [],
                    format_func=describe_purpose,
                    key=key,
                )
            )
        case _:
            return str(
                st.number_input(
                    _(entry.title),
                    1,
                    entry.highest,
                    int(value) if value else entry.highest,
                    key=key,
                )
            )


def describe_purpose(purpose: str) -> str:
    return _(gates.PURPOSE_TITLES.get(purpose, purpose))


def _describe_value(entry: Gate, value: str) -> str:
    match entry.kind:
        case "day":
            return formatting.day(date.fromisoformat(value), year=True)
        case "purposes":
            return formatting.listing(describe_purpose(purpose) for purpose in value.split(","))
        case _:
            return ngettext("{n} month", "{n} months", int(value))
