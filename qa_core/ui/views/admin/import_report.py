"""The report of an import: counts, decisions, effect on figures, quarantine."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import _, capitalise
from qa_core.ingest.reading import field_titles
from qa_core.ingest.reading.examination import Examination
from qa_core.ingest.reading.reading import BASES, Fact, Reading
from qa_core.ingest.reading.report import FileReport
from qa_core.ingest.staging import quarantine, reason_texts
from qa_core.ingest.staging.tally import COUNTS
from qa_core.metrics.kpis import formatting, get_kpi
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import actions, tables
from qa_core.upkeep import after_import

SHOWN_ROWS = 100
TABLE_HEIGHT = 320
REASONS = {"reasons": "rejected", "skipped_kinds": "skipped", "folded_kinds": "folded"}
"""Counts by reason, and the count that each of them splits."""


def show_files(reports: Sequence[FileReport]) -> None:
    """Show several files at a glance, one row each."""
    columns = (
        tables.text_column(_("File"), lambda report: report.file),
        tables.text_column(_("State"), _describe_state),
        *(_count_column(name) for name in ("read", "new", "updated", "rejected", "skipped")),
    )
    tables.show(reports, columns, "import_files")


def show(report: FileReport) -> None:
    """Show what the import of one file did, or would do."""
    if report.recognised:
        st.info(_("This file was already imported. Nothing was changed."))
    elif report.dry_run:
        st.info(_("Nothing is written yet. The import would do this:"))
    show_counts(report.tally.as_counts())
    _show_reading(report.reading)
    for oddity in report.plausibility:
        st.warning(escape(oddity.format()), icon=":material/help:")
    if report.examination is not None:
        _show_effects(report.examination)
        st.subheader(_("What Écoute recognised"), anchor=False)
        st.text(report.describe_source())
        for overlap in report.examination.as_warnings():
            st.warning(escape(overlap), icon=":material/difference:")
        for remark in report.examination.as_remarks():
            st.text(remark)
        _show_rows(report.examination)
    show_decisions([decision.as_json() for decision in report.decisions], report.dry_run)
    if report.quarantine and report.quarantine.exists():
        show_quarantine(report.quarantine)


def _show_reading(reading: Reading) -> None:
    """Show what was understood of the file: facts on the left, the first rows on the right."""
    if not reading.facts:
        return
    left, right = st.columns([3, 2])
    with left:
        columns = (
            tables.text_column(_("What the file says"), lambda fact: fact.text, width="large"),
            tables.text_column(_("Taken from"), _describe_basis),
        )
        tables.show(reading.facts, columns, "import_facts")
    with right, st.container(gap="xxsmall"):
        for row in reading.rows:
            st.text(row)
        if reading.unused:
            st.caption(_("Columns not used: {columns}", columns=escape(", ".join(reading.unused))))


def _describe_basis(fact: Fact) -> str:
    basis = _(BASES[fact.basis])
    return _("{what}: {text}", what=basis, text=fact.column) if fact.column else basis


def name_count(name: str) -> str:
    """Return the title of a count of rows."""
    return capitalise(_(name))


def show_counts(counts: Mapping[str, Any]) -> None:
    """Show every row of the file accounted for, and why some bring nothing in."""
    with st.container(horizontal=True):
        for name in COUNTS:
            if counts.get(name) or name in ("read", "new"):
                number = formatting.number(counts.get(name, 0))
                st.metric(name_count(name), number, width="content", border=True)
    with st.container(gap="xxsmall"):
        for name, total in REASONS.items():
            for code, count in (counts.get(name) or {}).items():
                reason = f"{formatting.number(count)} × {reason_texts.describe(code)}"
                st.text(_("{what}: {text}", what=name_count(total), text=reason))
        for column, reasons in (counts.get("blanked") or {}).items():
            for code, count in reasons.items():
                reason = f"{formatting.number(count)} × {reason_texts.describe(code)}"
                title = _("Read as missing in {column}", column=column)
                st.text(_("{what}: {text}", what=title, text=reason))


def show_decisions(decisions: Sequence[Mapping[str, str]], may_change: bool = False) -> None:
    """Show what was decided about the file, and what in it decided that."""
    if not decisions:
        return
    with st.expander(_("Decisions and their reasons"), icon=":material/rule:", expanded=may_change):
        # A static table, since its cells break into lines.
        lines = [
            {
                _("Field"): escape(field_titles.find_title(decision["field"])),
                _("Decision"): escape(decision["decision"]),
                _("Seen in the file"): escape(decision["evidence"]),
            }
            for decision in decisions
        ]
        st.table(lines, border="horizontal", hide_index=True)


def show_quarantine(path: Path) -> None:
    """Show the rows that were rejected, each with its reason in words."""
    with st.expander(_("Rejected rows"), icon=":material/report:", expanded=True):
        header, rows = quarantine.read(path, SHOWN_ROWS)
        named = (_("Line"), _("Reason"), *header[2:])
        lines = [
            dict(zip(named, (row[0], reason_texts.describe(row[1]), *row[2:]), strict=False))
            for row in rows
        ]
        _show_lines(lines, named, f"quarantine_{path.stem}")
        text = _(
            "Identities are masked. The full list is in {path}, on the machine that runs this "
            "centre.",
            path=path.name,
        )
        st.caption(text)


def _describe_state(report: FileReport) -> str:
    if report.is_refused:
        return _("asks") if report.reading.questions else _("cannot be read")
    if report.verdict == "asks":
        return _("to be confirmed")
    return _("already known") if report.recognised else _("ready")


def _count_column(name: str) -> tables.TableColumn:
    return tables.count_column(
        name_count(name), lambda report: None if report.is_refused else getattr(report.tally, name)
    )


def _show_effects(examination: Examination) -> None:
    if not examination.effects:
        return
    st.subheader(_("Effect on the figures"), anchor=False)
    columns = (
        tables.text_column(_("KPI"), lambda effect: _(effect.title)),
        tables.number_text_column(_("Now"), lambda effect: effect.format_before()),
        tables.number_text_column(_("After the import"), lambda effect: effect.format_after()),
        tables.number_text_column(_("Change"), _describe_change),
        tables.number_text_column(
            "n",
            lambda effect: (
                f"{formatting.number(effect.n_before)} → {formatting.number(effect.n_after)}"
            ),
        ),
    )
    tables.show(examination.effects, columns, "import_effects")


def _describe_change(effect: Any) -> str:
    if effect.before is None or effect.after is None:
        return "–"
    return formatting.change(effect.after - effect.before, get_kpi(effect.kpi).unit)


def _show_rows(examination: Examination) -> None:
    rows = examination.rows
    if not rows:
        return
    with st.expander(
        _("The first rows, before and after"), icon=":material/compare_arrows:", expanded=True
    ):
        line = _("Line")
        st.caption(_("As in the file, identities masked:"))
        before = dict.fromkeys(name for row in rows for name in row.cells)
        _show_lines(
            [{line: row.line, **row.cells} for row in rows], (line, *before), "import_before"
        )
        st.caption(_("As understood; times in the centre's time zone, durations in seconds:"))
        fields = dict.fromkeys(
            field
            for row in rows
            for field in row.values
            if field != "started_at" or "local_start" not in row.values
        )
        titles = {field: field_titles.find_title(field) for field in fields}
        after = [
            {line: row.line}
            | {
                title: _describe_cell(field, row.values.get(field))
                for field, title in titles.items()
            }
            for row in rows
        ]
        _show_lines(after, (line, *titles.values()), "import_after")


def _show_lines(lines: Sequence[Mapping[str, Any]], names: Sequence[str], key: str) -> None:
    """Show lines as a table; a name may be missing in a line, or come twice."""
    columns = [
        tables.text_column(name, lambda line, name=name: line.get(name))
        for name in dict.fromkeys(names)
    ]
    tables.show(lines, columns, key, height=TABLE_HEIGHT)


def _describe_cell(field: str, value: Any) -> Any:
    if field in ("outcome", "channel", "direction") and value is not None:
        return formatting.name(field, value)
    return value.strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else value


def ask_undo(key: str | int, undo: Callable[[Viewer], object]) -> None:
    """Offer to undo an import, to who is sure."""
    is_sure = st.checkbox(_("Remove everything that this import brought"), key=f"sure_{key}")
    title = _("Undo this import")
    if st.button(title, disabled=not is_sure, icon=":material/undo:", key=f"undo_{key}"):
        with actions.perform(Permission.MANAGE_IMPORTS, "") as acting:
            undo(acting)
            after_import.wake()
