"""The journal: its acts by person and kind, and whether its seals hold."""

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _, ngettext
from qa_core.compliance import audit_labels, audit_report
from qa_core.metrics.kpis import formatting
from qa_core.ui.frame import layout, url_state
from qa_core.ui.widgets import download_links, tables

TABLE_HEIGHT = 600


def show(viewer: Viewer) -> None:
    """Show the fields that choose, the acts, and their export."""
    actor, act = _ask(viewer)
    entries = audit_report.find_entries(viewer, actor, act)
    columns = (
        tables.count_column(_("No."), lambda entry: entry.seq, width=70),
        tables.text_column(_("When"), lambda entry: formatting.local_moment(entry.at)),
        tables.text_column(_("Person"), lambda entry: entry.actor),
        tables.text_column(_("Act"), lambda entry: audit_labels.title(entry.action)),
        tables.text_column(_("Concerns"), lambda entry: entry.object, width=300),
        tables.text_column(_("Reason"), lambda entry: entry.reason),
    )
    # Between the fields above and the table, whose own buttons appear over what is next to
    # it.
    if entries:
        st.caption(ngettext("The newest act.", "The newest {n} acts.", len(entries)))
    tables.show(entries, columns, "journal", height=TABLE_HEIGHT)
    download_links.show_download("journal", actor=actor, action=act)


def _ask(viewer: Viewer) -> tuple[str, str]:
    """Return the chosen person and kind of act, empty for all; verify the seals on demand."""
    actors = {"": _("All")} | {name: name for name in audit_report.find_values(viewer, "actor")}
    acts = {"": _("All")}
    acts |= {act: audit_labels.title(act) for act in audit_report.find_values(viewer, "action")}
    who, what, check = st.columns([3, 3, 2], vertical_alignment="bottom")
    with url_state.bind("actor", actors, ""):
        actor = layout.select(who, _("Person"), actors, "actor")
    with url_state.bind("act", acts, ""):
        act = layout.select(what, _("Act"), acts, "act")
    if check.button(_("Verify the seals"), icon=":material/verified:", width="stretch"):
        verdict = audit_report.verify_journal(viewer)
        show = st.error if not verdict.ok else st.warning if verdict.warnings else st.success
        show(audit_report.describe(verdict))
    return actor, act
