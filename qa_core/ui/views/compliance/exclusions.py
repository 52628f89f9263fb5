"""Lines, advisors and contacts that are never recorded or heard."""

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import _
from qa_core.compliance import exclusions
from qa_core.compliance.exclusions import ExclusionEntry
from qa_core.ingest import subjects
from qa_core.metrics import formatting
from qa_core.ui import actions, gate, select_box, tables


def show(viewer: Viewer) -> None:
    """Show the list; add to it, or take an entry off it."""
    st.subheader(_("Never recorded or listened to"), anchor=False)
    text = _(
        "Lines of staff representatives, private lines and single contacts. Name a line by its "
        "dialled number, or by the advisor or extension. Their contacts count in figures, but are "
        "never kept as audio, drawn, listened to or evaluated. Stored audio is deleted at once."
    )
    st.caption(text)
    found = exclusions.find_all(viewer)
    columns = (
        tables.name_column(_("What"), lambda item: item.what, 260),
        tables.text_column(_("Why"), lambda item: _(exclusions.REASONS[item.reason]), 200),
        tables.text_column(_("Entered by"), lambda item: item.entered_by),
        tables.text_column(_("Entered on"), lambda item: formatting.local_day(item.entered_at)),
    )
    tables.show(found, columns, "exclusions", height=240, empty=_("Nothing is excluded."))
    if viewer.can(Permission.MANAGE_COMPLIANCE):
        left, right = st.columns(2, gap="medium")
        with left:
            _ask_entry()
        with right:
            _ask_end(found)


def _ask_entry() -> None:
    with st.form("exclusion", border=True):
        line = st.text_input(_("Number of the line"), help=_("As callers dial it."))
        advisor = st.text_input(_("Or the advisor or extension"))
        reasons = {code: _(title) for code, title in exclusions.REASONS.items()}
        reason = select_box.select(st, _("Why"), reasons, "exclusion_reason")
        sent = st.form_submit_button(_("Exclude"), type="primary")
    if sent:
        with actions.show_refusals():
            deleted = subjects.exclude(
                gate.current_viewer(Permission.MANAGE_COMPLIANCE),
                reason,
                line.strip() or None,
                subjects.find_advisor(advisor.strip()) if advisor.strip() else None,
            )
            actions.finish(_("Entered. Recordings deleted: {count}.", count=deleted))


def _ask_end(found: list[ExclusionEntry]) -> None:
    if not found:
        return
    titles = {item.id: item.what for item in found}
    with st.form("exclusion_end", border=True):
        number = st.selectbox(_("Remove from the list"), list(titles), format_func=titles.get)
        sent = st.form_submit_button(_("Remove"))
    if sent:
        with actions.show_refusals():
            exclusions.remove(gate.current_viewer(Permission.MANAGE_COMPLIANCE), number)
            actions.finish(_("Removed. Deleted audio stays deleted."))
