"""The parts of the Imports page: a file is sent, rehearsed, corrected where it was misread, brought in, and can be taken back."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import streamlit as st

from qa_core import figures, home, ingest, lake
from qa_core.access import Permission, Viewer
from qa_core.errors import Refusal
from qa_core.ingest import batches, quarantine
from qa_core.ingest.options import DATE_ORDERS, DECIMALS, KINDS, ImportOptions
from qa_core.ingest.profiles import get_profile
from qa_core.ingest.report import FileReport
from qa_core.ui import gate, menu
from qa_core.wording import N_, _

LARGEST_UPLOAD_MB = 400
SHOWN_ROWS = 100
REHEARSED, LANDED, LIST = "import_rehearsed", "import_landed", "import_batches"

KIND_TITLES = {
    "contacts": N_("Contacts: calls, chats, e-mails"),
    "tracking": N_("Call tracking: source and campaign of calls"),
    "surveys": N_("Surveys: what customers answered"),
    "spend": N_("Spend: cost by day and campaign"),
    "intervals": N_("Totals: calls by half-hour, hour or day"),
    "advisors": N_("Advisors: names, teams, sites"),
    "evaluations": N_("Evaluations: scores of recorded calls"),
}
STATES = {"done": N_("imported"), "undone": N_("undone"), "failed": N_("failed"), "started": N_("interrupted"), "undoing": N_("interrupted")}
COUNTS = {
    "read": N_("Rows read"),
    "new": N_("New"),
    "updated": N_("Updated"),
    "unchanged": N_("Unchanged"),
    "duplicates": N_("Duplicates"),
    "rejected": N_("Rejected"),
    "folded": N_("Folded"),
    "skipped": N_("Skipped"),
}


def show_first_steps(viewer: Viewer) -> None:
    """On an empty store: the way from nothing to the first figures."""
    if lake.version("contacts") >= 0 and lake.span() is not None:
        return
    with st.container(border=True):
        st.subheader(_("From nothing to the first figures"), anchor=False)
        st.markdown(
            _(
                "1. Export the calls of your telephony platform as CSV or XLSX: one row per call, with date, time and whether it was answered.\n"
                "2. Send the file here. It is first only read: you see what was understood, and correct it where needed.\n"
                "3. Import it. Surveys, call tracking and evaluations may follow, in any order."
            )
        )


def ask_file(viewer: Viewer) -> None:
    """Ask for a file and what may be said about it; rehearse, show, and bring it in when the person says so."""
    if LANDED in st.session_state:
        _show_landed()
        return
    left, right = st.columns([1, 1])
    kind = left.selectbox(_("What is in the file?"), KINDS, format_func=lambda key: _(KIND_TITLES[key]), key="import_kind")
    sent = right.file_uploader(
        _("File, as CSV or XLSX"), type=["csv", "tsv", "txt", "xlsx", "xlsm", "xlsb", "ods", "xls"], max_upload_size=LARGEST_UPLOAD_MB, key="import_file"
    )
    if sent is None:
        st.session_state.pop(REHEARSED, None)
        return
    options = _ask_options(viewer, kind, sent.file_id)
    if options is None:
        return
    report = _rehearse(viewer, kind, sent, options)
    if report.refusal is not None:
        _show_refused(report.refusal)
    else:
        _show_report(report)
    _ask_mapping(kind, sent.file_id, report)
    if report.refusal is None and not report.recognised and st.button(_("Import these rows"), type="primary", icon=":material/check:"):
        with _on_disk(sent) as path:
            landed = _with_progress(lambda tell: ingest.run_upload(gate.current_viewer(Permission.MANAGE_IMPORTS), kind, path, sent.name, options, tell))
        st.session_state[LANDED] = landed
        st.session_state.pop(REHEARSED, None)
        st.rerun()


def show_batches(viewer: Viewer) -> None:
    """Every import so far; one may be looked at and taken back."""
    found = ingest.find_batches(viewer)
    st.subheader(_("Imports so far"), anchor=False)
    if not found:
        st.caption(_("None yet."))
        return
    rows = [
        {
            _("When"): figures.moment(home.to_local(batch["finished_at"] or batch["started_at"])),
            _("File"): batch["file"],
            _("Kind"): batch["kind"],
            _("State"): _(STATES.get(batch["state"], batch["state"])),
            **{_(COUNTS[name]): batch["counts"].get(name, 0) for name in ("read", "new", "updated", "rejected", "skipped")},
            _("By"): batch["actor"],
        }
        for batch in found
    ]
    st.dataframe(rows, hide_index=True, width="stretch", on_select="rerun", selection_mode="single-row", key=LIST)
    chosen = st.session_state.get(LIST, {}).get("selection", {}).get("rows", [])
    if chosen and chosen[0] < len(found):
        _show_batch(found[chosen[0]])
    else:
        st.caption(_("Select a row to see what was decided and rejected, or to undo the import."))


def _ask_options(viewer: Viewer, kind: str, file_id: str) -> ImportOptions | None:
    with st.expander(_("Say more about the file"), icon=":material/tune:"):
        first, second, third = st.columns(3)
        system = first.text_input(
            _("Name of the tool"), help=_("First part of a contact's identity: files of two tools with two names never mix."), key="import_system"
        )
        saved = first.selectbox(_("Saved mapping"), batches.find_mappings(viewer, kind), index=None, key="import_profile", placeholder=_("none"))
        save_as = first.text_input(_("Save the mapping as"), key="import_save")
        order = second.selectbox(_("Order in dates"), DATE_ORDERS, index=None, key="import_order", placeholder=_("as inferred"), format_func=_order_title)
        decimal = second.selectbox(_("Decimal sign"), DECIMALS, index=None, key="import_decimal", placeholder=_("as inferred"))
        start = second.date_input(_("First day, where rows carry no date"), value=None, key="import_start")
        timezone = third.selectbox(
            _("Time zone of the file"), sorted(available_timezones()), index=None, key="import_timezone", placeholder=home.current().timezone
        )
        sheet = third.text_input(_("Sheet of the workbook"), key="import_sheet")
        encoding = third.text_input(_("Encoding"), key="import_encoding", placeholder="utf-8, cp1252")
        scale = third.text_input(_("Scale of the ratings"), key="import_scale", placeholder="1-5")
    try:
        return ImportOptions(
            system=system.strip() or None,
            profile=saved,
            save_mapping=save_as.strip() or None,
            columns=st.session_state.get(_mapping_key(kind, file_id), {}),
            timezone=timezone,
            date_order=order,
            start_date=start if isinstance(start, date) else None,
            sheet=sheet.strip() or None,
            encoding=encoding.strip() or None,
            decimal=decimal,
            scales={"csat": scale.strip()} if scale.strip() else {},
        )
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return None


def _rehearse(viewer: Viewer, kind: str, sent: Any, options: ImportOptions) -> FileReport:
    """The dry run of that file under these options, done once and kept while neither changes."""
    key = json.dumps([sent.file_id, kind, options.as_reading()], sort_keys=True)
    kept = st.session_state.get(REHEARSED)
    if kept is None or kept[0] != key:
        rehearsal = ImportOptions(**{**vars(options), "dry_run": True, "save_mapping": None})
        with _on_disk(sent) as path:
            report = _with_progress(lambda tell: ingest.run_upload(viewer, kind, path, sent.name, rehearsal, tell))
        kept = st.session_state[REHEARSED] = (key, report)
    return kept[1]


def _ask_mapping(kind: str, file_id: str, report: FileReport) -> None:
    """Which column is which field; the person's word goes over what was recognised."""
    key = _mapping_key(kind, file_id)
    fields = [field.name for field in get_profile(kind, None).fields]
    given = {**report.mapping, **st.session_state.get(key, {})}
    headers = [header for header in report.headers if header]
    with st.expander(_("Columns and fields"), icon=":material/table_chart:", expanded=report.is_refused):
        column = st.column_config.SelectboxColumn(_("Column of the file"), options=headers) if headers else st.column_config.TextColumn(_("Column of the file"))
        edited = st.data_editor(
            [{"field": name, "column": header} for name, header in given.items()] or [{"field": None, "column": None}],
            column_config={"field": st.column_config.SelectboxColumn(_("Field"), options=fields), "column": column},
            num_rows="dynamic",
            hide_index=True,
            width="stretch",
            key=f"{key}_editor_{len(given)}",
        )
        chosen = {row["field"]: row["column"] for row in edited if row.get("field") and row.get("column")}
        if report.dropped:
            st.text(_("Not kept: {columns}", columns=", ".join(report.dropped)))
        if st.button(_("Read the file again this way"), icon=":material/refresh:", disabled=chosen == given):
            st.session_state[key] = {
                name: header for name, header in chosen.items() if report.mapping.get(name) != header or name in st.session_state.get(key, {})
            }
            st.rerun()


def _show_landed() -> None:
    report: FileReport = st.session_state[LANDED]
    if report.refusal is not None:
        _show_refused(report.refusal)
    else:
        st.success(
            _("{file} is imported.", file=gate.escape(report.file)) if not report.recognised else _("This file had been imported before; nothing was changed.")
        )
        _show_report(report)
        st.page_link(menu.find_page("imports").path, label=_("The list below has it, with its quarantine and the way back."), icon=":material/history:")
    if st.button(_("Import another file"), icon=":material/upload_file:"):
        del st.session_state[LANDED]
        st.rerun()


def _show_refused(refusal: Refusal) -> None:
    gate.show_refusal(refusal)
    if refusal.options:
        st.caption(_("On the command line the answer would be one of:"))
        st.code("\n".join(refusal.options), language=None)


def _show_report(report: FileReport) -> None:
    if report.recognised:
        st.info(_("This file was imported before. Importing it again changes nothing."))
    elif report.dry_run:
        st.info(_("Nothing is written yet. This is what the import would do:"))
    _show_counts(report.as_counts())
    _show_decisions([decision.as_json() for decision in report.decisions])
    if report.quarantine and report.quarantine.exists():
        _show_quarantine(report.quarantine)


def _show_counts(counts: dict[str, Any]) -> None:
    shown = [(name, title) for name, title in COUNTS.items() if counts.get(name) or name in ("read", "new")]
    for column, (name, title) in zip(st.columns(len(shown)), shown, strict=True):
        column.metric(_(title), figures.number(counts.get(name, 0)))
    for kinds, title in ((counts.get("reasons"), N_("Rejected")), (counts.get("skipped_kinds"), N_("Skipped")), (counts.get("folded_kinds"), N_("Folded"))):
        if kinds:
            st.text(f"{_(title)}: " + " · ".join(f"{_say_code(code)} {figures.number(count)}" for code, count in kinds.items()))


CODES = {
    "unmatched": N_("waiting for their contact"),
    "blank": N_("blank rows"),
    "note": N_("notes"),
    "footer": N_("totals at the end"),
    "ambiguous_contact": N_("several contacts could be meant"),
    "no_contact": N_("nothing says which contact is meant"),
    "no_date": N_("no date"),
    "criterion": N_("criteria of one evaluation"),
    "same_day_and_campaign": N_("same day and campaign, added up"),
}


def _say_code(code: str) -> str:
    return _(CODES[code]) if code in CODES else code


def _show_decisions(decisions: list[dict[str, str]]) -> None:
    if decisions:
        with st.expander(_("What was decided, and why"), icon=":material/rule:"):
            st.dataframe(
                [{_("Field"): item["field"], _("Decision"): item["decision"], _("Seen in the file"): item["evidence"]} for item in decisions],
                hide_index=True,
                width="stretch",
            )


def _show_quarantine(path: Path) -> None:
    with st.expander(_("Rejected rows"), icon=":material/report:", expanded=True):
        header, rows = quarantine.read(path, SHOWN_ROWS)
        st.dataframe([dict(zip(header, row, strict=False)) for row in rows], hide_index=True, width="stretch")
        st.caption(_("Identities are masked. The whole list is in {path} on the machine that runs this centre.", path=path.name))


def _show_batch(batch: dict[str, Any]) -> None:
    with st.container(border=True):
        st.text(f"{batch['file']} · {batch['id']}")
        _show_counts(batch["counts"])
        _show_decisions(batch["decisions"])
        if batch["quarantine"] and Path(batch["quarantine"]).exists():
            _show_quarantine(Path(batch["quarantine"]))
        if batch["state"] == "done":
            sure = st.checkbox(_("Take back everything that this import brought"), key=f"sure_{batch['id']}")
            if st.button(_("Undo this import"), disabled=not sure, icon=":material/undo:", key=f"undo_{batch['id']}"):
                _undo(batch["id"])


def _undo(batch_id: str) -> None:
    try:
        ingest.undo(gate.current_viewer(Permission.MANAGE_IMPORTS), batch_id)
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    st.session_state.pop(REHEARSED, None)
    st.rerun()


@contextmanager
def _on_disk(sent: Any):
    """The file that was sent, for as long as it is read; it may hold clear numbers, so it is ours alone and goes away at once."""
    descriptor, name = tempfile.mkstemp(prefix="ecoute-", suffix=Path(sent.name).suffix.lower())
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(sent.getbuffer())
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _with_progress(work: Callable[[Callable[[str, float], None]], FileReport]) -> FileReport:
    bar = st.progress(0.0, text=_("Reading"))
    try:
        return work(lambda step, share: bar.progress(min(max(share, 0.0), 1.0), text=_(step)))
    finally:
        bar.empty()


def _mapping_key(kind: str, file_id: str) -> str:
    return f"import_mapping_{kind}_{file_id}"


def _order_title(order: str) -> str:
    return {"dmy": _("day, month, year"), "mdy": _("month, day, year"), "ymd": _("year, month, day")}[order]
