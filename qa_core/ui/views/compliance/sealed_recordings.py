"""Openings of sealed recordings: asked for, agreed to, fetched."""

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import N_, _
from qa_core.compliance.conditions.gates import PURPOSE_TITLES
from qa_core.compliance.recordings import sealed
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import act_form, actions, download_links
from qa_core.ui.widgets.act_form import ActField
from qa_core.upkeep import subjects


def show(viewer: Viewer) -> None:
    """Show the openings that wait or may be fetched; the officer asks for one."""
    is_officer = viewer.can(Permission.MANAGE_COMPLIANCE)
    openings = sealed.find_all(viewer)
    if not is_officer and not openings:
        return
    st.subheader(_("Recordings under a longer obligation"), anchor=False)
    st.caption(
        _("The data protection officer asks, a manager of the team agrees. Both are recorded.")
    )
    for item in openings:
        kept_as = _(PURPOSE_TITLES.get(item.kept_as, item.kept_as))
        what = f"{item.id} · {item.contact} · {kept_as} · {item.reason}"
        if item.is_restricted:
            reason = _("No manager can agree before you lift the restriction of this contact.")
            st.caption(escape(f"{what}. {reason}"))
        elif item.is_open and is_officer:
            download_links.show_download(
                "sealed_recording", label=what, key=str(item.id), forms=("audio",), number=item.id
            )
        elif is_officer:
            waits = item.confirmed_by is None
            state = _("A manager has to agree.") if waits else _("Closed. Ask again to open it.")
            st.caption(escape(f"{what}. {state}"))
        elif st.button(escape(_("Agree: {what}", what=what)), key=f"sealed_{item.id}"):
            with actions.perform(Permission.SEE_RULES) as acting:
                sealed.agree(acting, item.id)
    if is_officer:
        fields = ActField("contact", N_("Contact")), ActField("reason", N_("Reason"))
        act_form.show("sealed", N_("Ask to open"), fields, _ask)


def _ask(acting: Viewer, contact: str, reason: str) -> None:
    [key] = subjects.read_contacts([contact])
    sealed.ask(acting, *key, reason)
