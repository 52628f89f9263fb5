"""Retention of each kind of data, and the certificates of what was deleted."""

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import _
from qa_core.compliance import retention
from qa_core.ingest import purge, purge_certificate  # noqa: F401  declares its download
from qa_core.metrics import formatting
from qa_core.storage.records import store
from qa_core.ui import actions, download_links, gate, layout, tables


def offer_purge(viewer: Viewer) -> None:
    """Offer to delete now what is overdue."""
    if not viewer.can(Permission.MANAGE_COMPLIANCE):
        return
    if st.button(_("Delete it now"), icon=":material/delete:", type="primary"):
        with actions.show_refusals():
            result = purge.purge(gate.current_viewer(Permission.MANAGE_COMPLIANCE))
            count = sum(result.deleted.values())
            actions.finish(_("Deleted: {count}.", count=formatting.number(count)))


def show_periods(viewer: Viewer) -> None:
    """Show each kind of data with its period, its end, and what is due."""
    st.subheader(_("How long data is kept"), anchor=False)
    text = _(
        "Expired data is deleted daily, even if nobody is signed in. If several retention "
        "periods apply, the shortest counts."
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
    tables.show(retention.CLASSES, columns, "retention", height=420)


def show_certificates(viewer: Viewer) -> None:
    """Show what was deleted, newest first."""
    st.subheader(_("Certificates of deletion"), anchor=False)
    found = purge.find_certificates(viewer)
    if not found:
        st.caption(_("Nothing has been deleted yet."))
        return
    columns = (
        tables.count_column(_("No."), lambda item: item.number, width=70),
        tables.text_column(_("When"), lambda item: formatting.local_moment(item.finished_at)),
        tables.text_column(
            _("Deleted"),
            lambda item: " · ".join(
                _(
                    "{what}: {text}",
                    what=_(retention.BY_KIND[kind].title),
                    text=formatting.number(due.count),
                )
                for kind, due in item.kinds.items()
            ),
            420,
        ),
        tables.text_column(
            _("From"),
            lambda item: formatting.day(min(due.oldest for due in item.kinds.values()), year=True),
        ),
        tables.text_column(
            _("To"),
            lambda item: formatting.day(max(due.newest for due in item.kinds.values()), year=True),
        ),
        tables.count_column(_("Audit log row"), lambda item: item.seq, width=110),
        tables.text_column(
            _("Signature"),
            lambda item: _("genuine") if item.is_genuine else "⚠ " + _("does not match"),
        ),
    )
    tables.show(found, columns, "certificates", height=300)
    titles = {
        item.number: f"{item.number} · {formatting.local_moment(item.finished_at)}"
        for item in found
    }
    number = layout.select(st, _("Certificate"), titles, width=320)
    download_links.show_download(
        "purge_certificate", label=_("Print"), forms=("pdf",), number=number
    )
