"""The imports so far: looked at, and taken back."""

from pathlib import Path
from typing import Any

import streamlit as st

from qa_core import ingest
from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import _, ngettext
from qa_core.files.options import KINDS
from qa_core.ingest.load import batches
from qa_core.metrics import formatting
from qa_core.metrics.query.freshness import SOURCE_TITLES
from qa_core.ui import actions, cards, gate, layout, tables
from qa_core.ui.views.admin import import_report, imports

LINES = 25
"""Imports on one page of the list."""


def show(viewer: Viewer) -> None:
    """Show the imports, page by page, and the one that is selected."""
    st.subheader(_("Imports so far"), anchor=False)
    if not batches.count_batches(viewer):
        st.caption(_("None yet."))
        return
    which, page, total = _ask_which(viewer)
    found = batches.find_batches(viewer, which, LINES, (page - 1) * LINES)
    if not found:
        st.caption(_("No import matches this choice."))
        return
    # Between the fields above and the table, whose own buttons appear over what is next
    # to it.
    said = ngettext(
        "{count} import, newest first.",
        "{count} imports, newest first.",
        total,
        count=formatting.number(total),
    )
    st.caption(
        said + " " + _("Select a row to see what was decided and rejected, or to undo the import.")
    )
    columns = (
        tables.text_column(
            _("When"),
            lambda batch: formatting.local_moment(batch["finished_at"] or batch["started_at"]),
        ),
        tables.text_column(_("File"), lambda batch: batch["file"]),
        tables.text_column(_("Kind"), lambda batch: _(SOURCE_TITLES[batch["kind"]])),
        tables.text_column(_("State"), lambda batch: _(batches.STATES[batch["state"]])),
        *(_count_column(name) for name in ("read", "new", "updated", "rejected")),
        tables.text_column(_("By"), lambda batch: batch["actor"]),
    )
    chosen = tables.show(
        found,
        columns,
        f"import_batches_{page}_{which}",
        on_select="rerun",
        selection_mode="single-row",
    )
    selected = chosen["selection"]["rows"]
    if selected and selected[0] < len(found):
        _show_batch(found[selected[0]])


def _ask_which(viewer: Viewer) -> tuple[batches.BatchFilter, int, int]:
    """Return which imports are listed, the page of their list, and how many there are."""
    first, second, third, fourth = st.columns([3, 3, 4, 2], vertical_alignment="bottom")
    titles = {key: _(SOURCE_TITLES[key]) for key in KINDS}
    every = {"is_optional": True, "placeholder": _("All")}
    kind = layout.select(first, _("Kind"), titles, "batches_kind", **every)
    day = layout.ask_day(second, _("Import date"), None, "batches_day")
    troubled = third.checkbox(_("Rejected rows or failures only"), key="batches_troubled")
    which = batches.BatchFilter(kind, day, troubled)
    total = batches.count_batches(viewer, which)
    pages = max(1, -(-total // LINES))
    if pages == 1:
        return which, 1, total
    label = _("Page (of {pages})", pages=formatting.number(pages))
    return which, fourth.number_input(label, 1, pages, key=f"batches_page_{which}"), total


def _count_column(name: str) -> tables.TableColumn:
    title = _(import_report.COUNTS[name])
    return tables.count_column(title, lambda batch: batch["counts"].get(name, 0), width=80)


def _show_batch(batch: dict[str, Any]) -> None:
    with cards.card(gap="small"):
        st.text(f"{batch['file']} · {batch['id']}")
        import_report.show_counts(batch["counts"])
        import_report.show_decisions(batch["decisions"])
        if batch["quarantine"] and Path(batch["quarantine"]).exists():
            import_report.show_quarantine(Path(batch["quarantine"]))
        if batch["state"] == "done":
            is_sure = st.checkbox(
                _("Remove everything that this import brought"), key=f"sure_{batch['id']}"
            )
            if st.button(
                _("Undo this import"),
                disabled=not is_sure,
                icon=":material/undo:",
                key=f"undo_{batch['id']}",
            ):
                with actions.show_refusals():
                    ingest.undo(gate.current_viewer(Permission.MANAGE_IMPORTS), batch["id"])
                    imports.forget_dry_runs()
                    actions.finish()
