"""The Imports page: upload, dry run, corrections, import, and undo."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import streamlit as st

from qa_core import ingest
from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment, i18n
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _, ngettext
from qa_core.files import uploads
from qa_core.files.options import DATE_ORDERS, DECIMALS, IGNORE, KINDS, ImportOptions
from qa_core.ingest.load import batches, layouts
from qa_core.ingest.matching import machines
from qa_core.ingest.reading import field_titles
from qa_core.ingest.reading.reading import PROVISIONAL, Question, describe_counts
from qa_core.ingest.reading.report import FileReport
from qa_core.metrics.kpi.freshness import SOURCE_TITLES
from qa_core.metrics.kpis import formatting
from qa_core.storage.facts.schema import Handler
from qa_core.ui.frame import gate, layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.admin import import_mapping, import_report
from qa_core.ui.widgets import actions, cards, tables
from qa_core.upkeep import after_import

MAX_UPLOAD_MB = 20
"""Largest file that the server accepts: `server.maxUploadSize` in .streamlit/config.toml."""
REHEARSED, IMPORTED = "import_rehearsed", "import_landed"
"""Reports of the dry runs, by file, and of the files that were imported last."""
ORDERS = {
    "dmy": N_("day, month, year"),
    "mdy": N_("month, day, year"),
    "ymd": N_("year, month, day"),
}
LINES = 25
"""Imports on one page of the list."""


def ask_file(viewer: Viewer) -> None:
    """Ask for files and options; examine each, and import those that are confirmed."""
    if IMPORTED in st.session_state:
        _show_imported(st.session_state[IMPORTED])
        return
    kind, sent = _ask_kind_and_files()
    if not sent:
        forget_dry_runs()
        return
    options = _ask_options(viewer, kind)
    if options is None:
        return
    # The button is above the long report, which decides whether there is one.
    container = st.container()
    reports = [_rehearse(viewer, kind, file, options) for file in sent]
    shown = _choose(reports) if len(sent) > 1 else 0
    file, report = sent[shown], reports[shown]
    for number, question in enumerate(report.reading.questions):
        _show_answers(kind, file.file_id, number, question)
    if report.refusal is None:
        import_report.show(report)
    elif not report.reading.questions:
        _show_question(kind, file.file_id, report.refusal)
    import_mapping.ask(kind, file.file_id, report)
    new = [
        (file, other.reading)
        for file, other in zip(sent, reports, strict=True)
        if not other.is_refused and not other.recognised and _is_decided(other, report)
    ]
    if not new:
        return
    label = _("Import these rows")
    if report.reading.must_confirm:
        label = _("This is right: import it")
    if len(sent) > 1:
        label = ngettext("Import {count} file", "Import {count} files", len(new), count=len(new))
    if container.button(label, type="primary", icon=":material/check:"):
        st.session_state[IMPORTED] = [
            _import(kind, file, replace(options, confirm=reading.layout, expect=reading.expected))
            for file, reading in new
        ]
        forget_dry_runs()
        st.rerun()


def _is_decided(report: FileReport, shown: FileReport) -> bool:
    """Return whether the reading of a file is sure, or what the person is looking at."""
    reading = report.reading
    return not reading.questions and (
        not reading.must_confirm or reading.layout == shown.reading.layout
    )


def show_waiting(viewer: Viewer) -> None:
    """Name the watched files that wait until somebody confirms how they are read."""
    for row in layouts.find_waiting(viewer):
        text = _("Waits until somebody confirms how it is read: {file}", file=row.waiting)
        st.info(escape(text), icon=":material/hourglass_empty:")


def forget_dry_runs() -> None:
    """Drop the dry runs of this tab: they compare with what was there."""
    st.session_state.pop(REHEARSED, None)


def forget_outcome() -> None:
    """Drop the report of the last import, so that the page asks for a file again."""
    st.session_state.pop(IMPORTED, None)


def _ask_kind_and_files() -> tuple[str, list[Any]]:
    left, right = st.columns([1, 1])
    titles = {key: _(SOURCE_TITLES[key]) for key in KINDS}
    asked = st.query_params.get("kind")
    kind = layout.select(left, _("What is in the file?"), titles, "import_kind", asked)
    text = _(
        "CSV, XLSX, XLSB, XLS, ODS, JSON, Parquet, or the log of a telephony platform; also as "
        "gzip or zip. Up to {size} MB here. Compress a larger file, or import it on the server.",
        size=MAX_UPLOAD_MB,
    )
    left.caption(text)
    sent = right.file_uploader(
        _("Files"), accept_multiple_files=True, max_upload_size=MAX_UPLOAD_MB, key="import_file"
    )
    return kind, sent


def _choose(reports: list[FileReport]) -> int:
    """Show all files; return the index of the one to show in full."""
    import_report.show_files(reports)
    titles = dict(enumerate(report.file for report in reports))
    chosen = layout.select(st, _("View file"), titles, "import_chosen")
    return chosen if chosen is not None and chosen < len(reports) else 0


def _rehearse(viewer: Viewer, kind: str, sent: Any, options: ImportOptions) -> FileReport:
    """Return the dry run of that file, kept while file and options are the same."""
    completed = import_mapping.complete(options, kind, sent.file_id)
    kept = st.session_state.setdefault(REHEARSED, {})
    asked = json.dumps([kind, completed.as_reading_options(), completed.yes], sort_keys=True)
    if sent.file_id not in kept or kept[sent.file_id][0] != asked:
        rehearsal = replace(completed, dry_run=True, save_mapping=None)
        kept[sent.file_id] = asked, _run(viewer, kind, sent, rehearsal)
    return kept[sent.file_id][1]


def _import(kind: str, sent: Any, options: ImportOptions) -> FileReport:
    viewer = gate.current_viewer(Permission.MANAGE_IMPORTS)
    return _run(viewer, kind, sent, import_mapping.complete(options, kind, sent.file_id))


def _run(viewer: Viewer, kind: str, sent: Any, options: ImportOptions) -> FileReport:
    bar = st.progress(0.0, text=_("Reading"))

    def tell(step: str, share: float) -> None:
        bar.progress(min(max(share, 0.0), 1.0), text=_(step))

    try:
        with uploads.store_temporarily(sent.name, sent.getbuffer()) as path:
            return ingest.run_upload(viewer, kind, path, sent.name, options, tell)
    finally:
        bar.empty()
        after_import.wake()


def _show_question(kind: str, file_id: str, refusal: Refusal) -> None:
    """Show why the file is refused; what a person may accept has a button."""
    gate.show_refusal(refusal)
    if "--yes" in refusal.options:
        title, act = _("Yes, import it this way"), import_mapping.answer
        layout.show_button("", title, "answer_yes", act, kind, file_id, "--yes")
    elif any(option.startswith("--map") for option in refusal.options):
        st.caption(_("Match each column with its field below, then read the file again."))


def _show_answers(kind: str, file_id: str, number: int, question: Question) -> None:
    """Show a question about the file, its answers as buttons with the counts they lead to."""
    with cards.card(gap="small"):
        st.markdown(escape(i18n.format_refusal(question.refusal)))
        [(column, names)] = question.refusal.params.get("by_column", {"": ()}).items()
        if len(names) > 1 and question.answers:
            _ask_machines(kind, file_id, column, names)
        with st.container(horizontal=True):
            for answer in question.answers if len(names) < 2 else ():
                if answer.option.startswith(("--start-date ", "--confirm ")):
                    continue
                title = _describe_answer(answer.option)
                if answer.effect is not None:
                    title = f"{title} ({describe_counts(answer.effect)})"
                key, act = f"answer_{number}_{answer.option}", import_mapping.answer
                layout.show_button("", escape(title), key, act, kind, file_id, answer.option)
        if any(answer.option.startswith("--start-date ") for answer in question.answers):
            place = _("More about the file")
            st.caption(_("Enter the first day above, under: {title}", title=place))
        if question.is_provisional:
            st.caption(_(PROVISIONAL))


def _ask_machines(kind: str, file_id: str, column: str, names: Sequence[str]) -> None:
    """Ask which of several names are machines; the others are people."""
    known = [name for name in names if machines.is_machine_name(name)]
    title, key = _("Machines; the others are people"), f"machines_{file_id}_{column}"
    chosen = st.multiselect(title, names, default=known, key=key, placeholder=_("Choose"))
    kinds = {Handler.MACHINE: chosen, Handler.PERSON: [n for n in names if n not in chosen]}
    options = [machines.join_names(column, some, kind) for kind, some in kinds.items() if some]
    act = import_mapping.answer
    layout.show_button("", _("Choose"), f"take_{key}", act, kind, file_id, *options)


def _describe_answer(option: str) -> str:
    name, _space, value = option.partition(" ")
    if name == "--date-order":
        return _(ORDERS[value])
    if name == "--word":
        return field_titles.find_title_of_meaning(value.rpartition("=")[2])
    if name == "--scale":
        return value.rpartition("=")[2]
    if name == "--map":
        field, _equals, column = value.partition("=")
        title = _("leave out") if field == IGNORE else field_titles.find_title(field)
        return f"{column} → {title}"
    return value


def _show_imported(reports: list[FileReport]) -> None:
    for report in reports:
        if report.refusal is not None:
            gate.show_refusal(report.refusal)
            continue
        if not report.recognised:
            st.success(_("{file} is imported.", file=escape(report.file)))
        import_report.show(report)
    if st.button(_("Import another file"), icon=":material/upload_file:"):
        forget_outcome()
        st.rerun()


def _ask_options(viewer: Viewer, kind: str) -> ImportOptions | None:
    """Ask for the options; None while one is not valid."""

    def ask(column: Any, label: str, name: str, **options: Any) -> str | None:
        return column.text_input(label, key=f"import_{name}", **options).strip() or None

    with st.expander(_("More about the file"), icon=":material/tune:"):
        first, second, third = st.columns(3)
        saved = batches.find_mappings(viewer, kind)
        zones, usual = sorted(available_timezones()), environment.current().timezone
        inferred = {"is_optional": True, "placeholder": _("as inferred")}
        orders = {code: _(ORDERS[code]) for code in DATE_ORDERS}
        signs = {sign: sign for sign in DECIMALS}
        hint = _(
            "First part of a contact's identity. Files of two differently named tools never mix."
        )
        given = {
            "profile": first.selectbox(
                _("Saved mapping"), saved, None, key="import_profile", placeholder=_("none")
            ),
            "save_mapping": ask(first, _("Save the mapping as"), "save"),
            "system": ask(first, _("Name of the tool"), "system", help=hint),
            "date_order": layout.select(
                second, _("Date order"), orders, "import_order", **inferred
            ),
            "start_date": second.date_input(
                _("First day, if rows have no date"), value=None, key="import_start"
            ),
            "timezone": second.selectbox(
                _("Time zone of the file"), zones, None, key="import_timezone", placeholder=usual
            ),
            "decimal": layout.select(third, _("Decimal sign"), signs, "import_decimal", **inferred),
            "delimiter": ask(third, _("Cell separator"), "delimiter", placeholder="; , tab |"),
            "sheet": ask(third, _("Sheet of the workbook"), "sheet"),
            "encoding": ask(third, _("Encoding"), "encoding", placeholder="utf-8, cp1252"),
        }
        units = ask(first, _("Units of durations"), "units", placeholder="talk_seconds=min")
        scales = ask(second, _("Rating scales"), "scales", placeholder="csat=1-10")
    with actions.show_refusals():
        given["units"] = _parse_pairs(units or "", "wait_seconds")
        return ImportOptions(**given, scales=_parse_pairs(scales or "", "csat"))
    return None


def _parse_pairs(text: str, usual: str) -> dict[str, str]:
    """Return `csat=1-10, nps=0-10` as pairs; a lone value belongs to the field `usual`."""
    parts = [part.strip() for part in text.replace(";", ",").split(",") if part.strip()]
    return dict(part.split("=", 1) if "=" in part else (usual, part) for part in parts)


def show_list(viewer: Viewer) -> None:
    """Show the imports, page by page, and the one that is selected."""
    st.subheader(_("Imports so far"), anchor=False)
    which, page = _ask_which(viewer)
    listed = batches.find_batches(viewer, which, LINES, (page - 1) * LINES)
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
        tables.text_column(_("Id"), lambda batch: batch["id"]),
    )
    batch = tables.choose(listed, columns, f"import_batches_{page}_{which}")
    if batch is not None:
        _show_batch(batch)


def _ask_which(viewer: Viewer) -> tuple[batches.BatchFilter, int]:
    """Return which imports are listed, and the page of their list."""
    first, second, third, fourth = st.columns([3, 3, 4, 2], vertical_alignment="bottom")
    titles = {key: _(SOURCE_TITLES[key]) for key in KINDS}
    every = {"is_optional": True, "placeholder": _("All")}
    kind = layout.select(first, _("Kind"), titles, "batches_kind", **every)
    day = layout.ask_day(second, _("Import date"), None, "batches_day")
    troubled = third.checkbox(_("Rejected rows or failures only"), key="batches_troubled")
    which = batches.BatchFilter(kind, day, troubled)
    pages = max(1, -(-batches.count_batches(viewer, which) // LINES))
    if pages == 1:
        return which, 1
    label = _("Page of {pages}", pages=formatting.number(pages))
    return which, fourth.number_input(label, 1, pages, key=f"batches_page_{which}")


def _count_column(name: str) -> tables.TableColumn:
    title = import_report.name_count(name)
    return tables.count_column(title, lambda batch: batch["counts"].get(name, 0), width=80)


def _show_batch(batch: dict[str, Any]) -> None:
    def undo(acting: Viewer) -> None:
        ingest.undo(acting, batch["id"])
        forget_dry_runs()

    with cards.card(gap="small"):
        st.text(f"{batch['file']} · {batch['id']}")
        import_report.show_counts(batch["counts"])
        import_report.show_decisions(batch["decisions"])
        if batch["quarantine"] and Path(batch["quarantine"]).exists():
            import_report.show_quarantine(Path(batch["quarantine"]))
        if batch["state"] == "done":
            import_report.ask_undo(batch["id"], undo)
