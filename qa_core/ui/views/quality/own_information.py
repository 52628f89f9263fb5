"""An advisor's own data: who played their calls, planned listening, requests."""

import re

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import N_, _
from qa_core.compliance import requests
from qa_core.compliance.conditions import gates
from qa_core.compliance.recordings import playback_list
from qa_core.metrics.kpis import formatting
from qa_core.quality.sampling import plans
from qa_core.ui.widgets import act_form, cards, drill, tables
from qa_core.ui.widgets.act_form import ActField

PURPOSES = {
    **gates.PURPOSE_TITLES,
    "targeted": N_("Targeted evaluation"),
    "calibration": N_("Calibration"),
}
EVALUATION = re.compile(r"(scored|targeted|calibration|self) (\d+)")
"""Reason of a playback from the form of an evaluation: its kind and number."""
KINDS = {**PURPOSES, "scored": N_("Evaluation"), "self": N_("Self-evaluation")}


def show_counts(viewer: Viewer) -> None:
    """Show how much is kept of the viewer."""
    counts = playback_list.count_own(viewer)
    kept, heard, evaluated = st.columns(3)
    kept.metric(_("Your recordings kept today"), formatting.number(counts.recordings))
    heard.metric(_("Playbacks by others, last 12 months"), formatting.number(counts.playbacks))
    evaluated.metric(_("Your evaluations kept today"), formatting.number(counts.evaluations))


def show_playbacks(viewer: Viewer, page: str = "my_quality") -> None:
    """Show who played the viewer's own calls; a click opens the contact."""
    entries = playback_list.find_own(viewer)
    columns = (
        tables.text_column(
            _("Listened on"), lambda entry: formatting.local_moment(entry.played_at)
        ),
        tables.text_column(_("Listened by"), lambda entry: entry.listener),
        tables.day_text_column(_("Contact date"), lambda entry: entry.local_day),
        tables.text_column(
            _("Purpose"), lambda entry: _(PURPOSES.get(entry.purpose, entry.purpose))
        ),
        tables.text_column(_("Reason"), lambda entry: _describe_reason(entry.reason)),
    )

    def open_contact(entry: playback_list.Listening) -> None:
        drill.to_contact(page, entry.source_system, entry.contact_id)

    with cards.card(_("Who listened to me"), key="own_listenings"):
        tables.show(entries, columns, "own_listenings_table", open_contact, height=320)


def show_planned(viewer: Viewer) -> None:
    """Show the listening plans that the viewer's contacts may be drawn for."""
    columns = (
        tables.text_column(_("Purpose"), lambda plan: _(PURPOSES[plan.purpose])),
        tables.day_text_column(_("From"), lambda plan: plan.starts_on),
        tables.day_text_column(_("Until"), lambda plan: plan.ends_on),
        tables.count_column(_("Contacts"), lambda plan: plan.per_advisor),
    )
    with cards.card(_("Planned listening")):
        tables.show(plans.find_own_planned(viewer), columns, "own_planned", height=240)


def show_rights(viewer: Viewer) -> None:
    """Show the viewer's requests with their answers, and ask for one of their rights."""
    columns = (
        tables.text_column(_("Request"), lambda item: _(requests.TITLES[item.kind])),
        tables.text_column(_("What is asked"), lambda item: item.details or item.contact_id),
        tables.day_text_column(_("Received on"), lambda item: item.received_on),
        tables.day_text_column(_("Due"), lambda item: item.due_on),
        tables.text_column(_("Answer"), lambda item: item.answer or _("open"), 320),
    )
    fields = (
        ActField("kind", N_("Request"), requests.KINDS),
        ActField("details", N_("What is asked"), is_optional=True),
    )

    def ask(acting: Viewer, kind: str, details: str) -> str:
        requests.ask(acting, kind, details)
        return _("The data protection officer answers you within a month.")

    with cards.card(_("My rights")):
        tables.show(requests.find_own(viewer), columns, "own_requests", height=240)
        permission = Permission.SEE_OWN_QUALITY
        act_form.show("own_request", N_("Send"), fields, ask, permission=permission)


def _describe_reason(reason: str) -> str:
    match = EVALUATION.fullmatch(reason)
    return f"{_(KINDS[match[1]])} {match[2]}" if match else reason
