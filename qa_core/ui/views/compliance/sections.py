"""Sections of the Compliance page, one at a time, chosen in the address."""

from collections.abc import Callable, Mapping

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import N_, _
from qa_core.ui.frame import styles
from qa_core.ui.views.compliance import (
    accredited_people,
    documents,
    listening_rules,
    person_requests,
    rights,
    rules,
    sealed_recordings,
)
from qa_core.ui.widgets import segmented_choice


def _show_urgent(viewer: Viewer) -> None:
    if viewer.can(Permission.SEE_COMPLIANCE):
        with st.container(key=f"{styles.NOT_PRINTED}_state"):
            listening_rules.show_state(viewer)
    person_requests.show_audio_to_confirm(viewer)
    if not viewer.can(Permission.MANAGE_COMPLIANCE):
        sealed_recordings.show(viewer)


View = Callable[[Viewer], None]
RULES = "rules"
SECTIONS: Mapping[str, tuple[str, tuple[View, ...]]] = {
    RULES: (N_("Rules"), (rules.show_glance, _show_urgent, rules.show)),
    "requests": (N_("Requests"), (person_requests.show,)),
    "rights": (
        N_("Acts"),
        (
            rights.show_acts,
            rights.show_objections,
            rights.show_restrictions,
            rights.show_exclusions,
            sealed_recordings.show,
        ),
    ),
    "gates": (N_("Gates"), (listening_rules.show_gates,)),
    "people": (
        N_("Accreditations"),
        (accredited_people.show_accreditations, accredited_people.show_notices),
    ),
    "proportions": (N_("Proportionality"), (listening_rules.show_proportions,)),
    "retention": (
        N_("Retention"),
        (listening_rules.show_periods, listening_rules.show_certificates),
    ),
    "documents": (N_("Documents"), (documents.show,)),
}


def show(viewer: Viewer) -> None:
    """Show the chosen section; managers read the rules alone."""
    section = RULES
    if viewer.can(Permission.SEE_COMPLIANCE):
        with st.container(key=styles.NOT_PRINTED):
            titles = {name: _(title) for name, (title, _views) in SECTIONS.items()}
            section = segmented_choice.ask("section", _("Section"), titles)
    for view in SECTIONS[section][1]:
        view(viewer)
