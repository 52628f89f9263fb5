"""The parts of the Imports page: files are sent, examined, corrected where they were
misread, brought in, and can be taken back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import streamlit as st

from qa_core import ingest
from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _, ngettext
from qa_core.files import uploads
from qa_core.files.options import DATE_ORDERS, DECIMALS, IGNORE, KINDS, ImportOptions
from qa_core.ingest.load import batches
from qa_core.ingest.registry import get_profile
from qa_core.ingest.report import FileReport
from qa_core.metrics import formatting
from qa_core.metrics.query.freshness import SOURCE_TITLES
from qa_core.storage import lake
from qa_core.ui import gate, tables
from qa_core.ui.views.admin import import_fields, import_report

LARGEST_UPLOAD_MB = 20
"""What the server accepts (`server.maxUploadSize` in .streamlit/config.toml), whatever
a page says.
"""
REHEARSED, LANDED, LIST = "import_rehearsed", "import_landed", "import_batches"
ANSWERS = {
    "date-order": "import_order",
    "sheet": "import_sheet",
    "encoding": "import_encoding",
    "decimal": "import_decimal",
    "delimiter": "import_delimiter",
    "profile": "import_profile",
    "timezone": "import_timezone",
}
"""Options that a question may offer as its answer, and the widget that holds each."""
SEVERAL = {"unit": "import_units", "scale": "import_scales"}

KIND_TITLES = {
    "contacts": N_("Contacts: calls, chats, e-mails"),
    "tracking": N_("Call tracking: source and campaign of calls"),
    "surveys": N_("Surveys: what customers answered"),
    "spend": N_("Spend: cost by day and campaign"),
    "intervals": N_("Totals: calls by half-hour, hour or day"),
    "advisors": N_("Advisors: names, teams, sites"),
    "evaluations": N_("Evaluations: scores of recorded calls"),
}
PAGE = 25
"""Imports on one page of their list."""


def show_first_steps(viewer: Viewer) -> None:
    """On an empty store: the way from nothing to the first figures."""
    if lake.span() or lake.span("intervals"):
        return
    with st.container(border=True):
        st.subheader(_("From nothing to the first figures"), anchor=False)
        st.markdown(
            _(
                "1. Export the calls of your telephony platform as CSV or XLSX: one row per "
                "call, with date, time and whether it was answered.\n"
                "2. Send the file here. It is first only read: you see what was understood, "
                "and correct it where needed.\n"
                "3. Import it. Surveys, call tracking and evaluations may follow, in any order."
            )
        )


def ask_file(viewer: Viewer) -> None:
    """Ask for files and what may be said about them; examine each, show, and bring them
    in when the person says so.
    """
    if LANDED in st.session_state:
        _show_landed()
        return
    left, right = st.columns([1, 1])
    kind = left.selectbox(
        _("What is in the file?"),
        KINDS,
        format_func=lambda key: _(KIND_TITLES[key]),
        key="import_kind",
    )
    left.caption(
        _(
            "CSV, XLSX, XLSB, XLS, ODS, JSON, Parquet, or the log of a telephony platform; "
            "also as gzip or zip. Up to {size} MB here; a larger one is "
            "packed first, or imported on the machine itself:",
            size=LARGEST_UPLOAD_MB,
        )
    )
    left.code(f"python -m qa_core import {kind} FILE", language="shell")
    sent = right.file_uploader(
        _("Files"), accept_multiple_files=True, max_upload_size=LARGEST_UPLOAD_MB, key="import_file"
    )
    if not sent:
        st.session_state.pop(REHEARSED, None)
        return
    options = _ask_options(viewer, kind)
    if options is None:
        return
    # Above the report, which is long; what it says decides whether there is a button.
    action = st.container()
    reports = [(file, _rehearse(viewer, kind, file, options)) for file in sent]
    chosen = 0
    if len(sent) > 1:
        import_report.show_files([report for _file, report in reports])
        names = [file.name for file in sent]
        chosen = st.selectbox(
            _("Look at"),
            range(len(sent)),
            format_func=lambda place: names[place],
            key="import_chosen",
        )
    file, report = reports[chosen if chosen is not None and chosen < len(reports) else 0]
    if report.refusal is not None:
        _show_question(kind, file.file_id, report.refusal)
    else:
        import_report.show(report)
    _ask_mapping(kind, file.file_id, report)
    coming = [
        (sent_file, found)
        for sent_file, found in reports
        if found.refusal is None and not found.recognised
    ]
    if not coming:
        return
    label = (
        _("Import these rows")
        if len(sent) == 1
        else ngettext("Import {count} file", "Import {count} files", len(coming), count=len(coming))
    )
    if action.button(label, type="primary", icon=":material/check:"):
        st.session_state[LANDED] = [
            _bring(kind, sent_file, options) for sent_file, _found in coming
        ]
        st.session_state.pop(REHEARSED, None)
        st.rerun()


def show_batches(viewer: Viewer) -> None:
    """The imports, page by page; one may be looked at and taken back."""
    st.subheader(_("Imports so far"), anchor=False)
    if not batches.count_batches(viewer):
        st.caption(_("None yet."))
        return
    which, page, total = _ask_which(viewer)
    found = batches.find_batches(viewer, which, PAGE, (page - 1) * PAGE)
    if not found:
        st.caption(_("No import fits this choice."))
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
    counts = {
        name: _(import_report.COUNTS[name]) for name in ("read", "new", "updated", "rejected")
    }
    kinds, states = (
        {key: _(title) for key, title in titles.items()}
        for titles in (SOURCE_TITLES, batches.STATES)
    )
    rows = [
        {
            _("When"): formatting.moment(
                environment.to_local(batch["finished_at"] or batch["started_at"])
            ),
            _("File"): batch["file"],
            _("Kind"): kinds[batch["kind"]],
            _("State"): states[batch["state"]],
            **{title: batch["counts"].get(name, 0) for name, title in counts.items()},
            _("By"): batch["actor"],
        }
        for batch in found
    ]
    config = {title: tables.count_column(title, width=80) for title in counts.values()}
    chosen = st.dataframe(
        rows,
        column_config=config,
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        key=f"{LIST}_{page}_{which}",
    )
    selected = chosen["selection"]["rows"]
    if selected and selected[0] < len(found):
        _show_batch(found[selected[0]])


def _ask_which(viewer: Viewer) -> tuple[batches.BatchFilter, int, int]:
    """Which imports are listed, the page of their list, and how many there are."""
    first, second, third, fourth = st.columns([3, 3, 4, 2], vertical_alignment="bottom")
    kind = first.selectbox(
        _("Kind"),
        KINDS,
        index=None,
        format_func=lambda key: _(SOURCE_TITLES[key]),
        placeholder=_("All"),
        key="batches_kind",
    )
    day = second.date_input(
        _("Day of the import"), value=None, format="DD/MM/YYYY", key="batches_day"
    )
    troubled = third.checkbox(_("Rejected rows or failures only"), key="batches_troubled")
    which = batches.BatchFilter(kind, day if isinstance(day, date) else None, troubled)
    total = batches.count_batches(viewer, which)
    pages = max(1, -(-total // PAGE))
    if pages == 1:
        return which, 1, total
    page = fourth.number_input(
        _("Page (of {pages})", pages=formatting.number(pages)),
        1,
        pages,
        key=f"batches_page_{which}",
    )
    return which, page, total


def _ask_options(viewer: Viewer, kind: str) -> ImportOptions | None:
    """What is said about all files at once; the mapping of each is asked below it."""
    with st.expander(_("Say more about the file"), icon=":material/tune:"):
        first, second, third = st.columns(3)
        saved = batches.find_mappings(viewer, kind)
        if st.session_state.get("import_profile") not in (None, *saved):
            saved = [*saved, st.session_state["import_profile"]]
        profile = first.selectbox(
            _("Saved mapping"),
            saved,
            index=None,
            key="import_profile",
            placeholder=_("none"),
            help=_("On the command line: {option}", option="--profile NAME"),
        )
        save_as = first.text_input(
            _("Save the mapping as"),
            key="import_save",
            help=_(
                "Kept with the import, under this name; the next file of the same form is read "
                "with it. On the command line: {option}",
                option="--save-mapping NAME",
            ),
        )
        system = first.text_input(
            _("Name of the tool"),
            help=_(
                "First part of a contact's identity: files of two tools with two names never mix."
            ),
            key="import_system",
        )
        units = first.text_input(
            _("Units of durations"), key="import_units", placeholder="talk_seconds=min"
        )
        order = second.selectbox(
            _("Order in dates"),
            DATE_ORDERS,
            index=None,
            key="import_order",
            placeholder=_("as inferred"),
            format_func=_order_title,
        )
        start = second.date_input(
            _("First day, where rows carry no date"), value=None, key="import_start"
        )
        timezone = second.selectbox(
            _("Time zone of the file"),
            sorted(available_timezones()),
            index=None,
            key="import_timezone",
            placeholder=environment.current().timezone,
        )
        scales = second.text_input(
            _("Scales of marks"), key="import_scales", placeholder="csat=1-10"
        )
        decimal = third.selectbox(
            _("Decimal sign"),
            DECIMALS,
            index=None,
            key="import_decimal",
            placeholder=_("as inferred"),
        )
        delimiter = third.text_input(
            _("Sign between cells"), key="import_delimiter", placeholder="; , tab |"
        )
        sheet = third.text_input(_("Sheet of the workbook"), key="import_sheet")
        encoding = third.text_input(
            _("Encoding"), key="import_encoding", placeholder="utf-8, cp1252"
        )
    try:
        return ImportOptions(
            system=system.strip() or None,
            profile=profile,
            save_mapping=save_as.strip() or None,
            timezone=timezone,
            date_order=order,
            start_date=start if isinstance(start, date) else None,
            sheet=sheet.strip() or None,
            encoding=encoding.strip() or None,
            delimiter=delimiter.strip() or None,
            decimal=decimal,
            units=_parse_pairs(units, "wait_seconds"),
            scales=_parse_pairs(scales, "csat"),
        )
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return None


def _parse_pairs(text: str, name: str) -> dict[str, str]:
    """`csat=1-10, nps=0-10` as pairs; a lone value is that of the field `name`."""
    parts = [part.strip() for part in text.replace(";", ",").split(",") if part.strip()]
    return dict(part.split("=", 1) if "=" in part else (name, part) for part in parts)


def _with_mapping(kind: str, file_id: str, options: ImportOptions) -> ImportOptions:
    """The options of one file: those of all, and what was said of its columns."""
    said = st.session_state.get(_mapping_key(kind, file_id), {})
    return ImportOptions(
        **{**vars(options), "columns": said.get("columns", {}), "ignored": said.get("ignored", ())}
    )


def _rehearse(viewer: Viewer, kind: str, sent: Any, options: ImportOptions) -> FileReport:
    """The dry run of that file under these options, done once and kept while neither
    changes.
    """
    own = _with_mapping(kind, sent.file_id, options)
    kept = st.session_state.setdefault(REHEARSED, {})
    key = json.dumps([sent.file_id, kind, own.as_reading_options()], sort_keys=True)
    if key not in kept:
        for other in [name for name in kept if json.loads(name)[0] == sent.file_id]:
            del kept[other]
        rehearsal = ImportOptions(**{**vars(own), "dry_run": True, "save_mapping": None})
        with uploads.store_temporarily(sent.name, sent.getbuffer()) as path:
            kept[key] = _with_progress(
                lambda tell: ingest.run_upload(viewer, kind, path, sent.name, rehearsal, tell)
            )
    return kept[key]


def _bring(kind: str, sent: Any, options: ImportOptions) -> FileReport:
    own = _with_mapping(kind, sent.file_id, options)
    with uploads.store_temporarily(sent.name, sent.getbuffer()) as path:
        return _with_progress(
            lambda tell: ingest.run_upload(
                gate.current_viewer(Permission.MANAGE_IMPORTS), kind, path, sent.name, own, tell
            )
        )


def _show_question(kind: str, file_id: str, refusal: Refusal) -> None:
    """Why the file cannot be read as it is; where the reason is a question, its answers
    as buttons.
    """
    gate.show_refusal(refusal)
    answers = [option for option in refusal.options if _is_answer(option)]
    if answers:
        with st.container(horizontal=True):
            for option in answers:
                st.button(
                    gate.escape(_describe_option(option)),
                    key=f"answer_{option}",
                    on_click=_answer,
                    args=(kind, file_id, option),
                )
    elif any(option.startswith("--start-date") for option in refusal.options):
        st.caption(
            _("Give the first day above, under: {title}", title=_("Say more about the file"))
        )
    elif any(option.startswith("--map") for option in refusal.options):
        st.caption(_("Say below which column is which field, then have the file read again."))
    if refusal.options:
        st.caption(_("On the command line the answer would be one of:"))
        st.code("\n".join(refusal.options), language=None)


def _is_answer(option: str) -> bool:
    name, _space, value = option.removeprefix("--").partition(" ")
    known = name in ANSWERS or ((name in SEVERAL or name == "map") and "=" in value)
    # In capitals stands what the person must still fill in.
    return known and not any(place in value for place in ("COLUMN", "NAME", "DATE", "MIN-MAX", "|"))


def _describe_option(option: str) -> str:
    name, _space, value = option.removeprefix("--").partition(" ")
    return _order_title(value) if name == "date-order" and value in DATE_ORDERS else value


def _answer(kind: str, file_id: str, option: str) -> None:
    name, _space, value = option.removeprefix("--").partition(" ")
    if name in ANSWERS:
        st.session_state[ANSWERS[name]] = value
    elif name in SEVERAL:
        before = st.session_state.get(SEVERAL[name], "")
        st.session_state[SEVERAL[name]] = f"{before}, {value}" if before else value
    else:
        field, _equals, column = value.partition("=")
        said = st.session_state.get(_mapping_key(kind, file_id), {})
        st.session_state[_mapping_key(kind, file_id)] = {
            **said,
            "columns": {**said.get("columns", {}), field: column},
        }


def _ask_mapping(kind: str, file_id: str, report: FileReport) -> None:
    """Which column is which field, one row per column of the file; the person's word
    goes over what was recognised.
    """
    key = _mapping_key(kind, file_id)
    said = st.session_state.get(key, {})
    if not report.headers:
        return
    known = dict.fromkeys(item.name for item in get_profile(kind, None).fields)
    found = {column: field for field, column in report.mapping.items()}
    with st.expander(
        _("Columns and fields"), icon=":material/table_chart:", expanded=report.is_refused
    ):
        columns = [header for header in report.headers if header]
        edited = st.data_editor(
            [{"column": column, "field": found.get(column, IGNORE)} for column in columns],
            column_config={
                "column": st.column_config.TextColumn(_("Column of the file"), disabled=True),
                "field": st.column_config.SelectboxColumn(
                    _("Field"),
                    options=list(dict.fromkeys((IGNORE, *known, *report.mapping))),
                    format_func=lambda field: (
                        _("leave aside") if field == IGNORE else import_fields.title_and_code(field)
                    ),
                    required=True,
                ),
            },
            hide_index=True,
            width="stretch",
            key=f"{key}_{json.dumps(said, sort_keys=True)}",
        )
        chosen = {row["column"]: row["field"] for row in edited if row.get("field")}
        changed = {
            column: field for column, field in chosen.items() if field != found.get(column, IGNORE)
        }
        twice = sorted(
            {
                field
                for field in chosen.values()
                if field != IGNORE and list(chosen.values()).count(field) > 1
            }
        )
        if twice:
            st.warning(
                _(
                    "Two columns cannot be the same field: {fields}",
                    fields=formatting.listing(map(import_fields.title, twice)),
                )
            )
        if st.button(
            _("Read the file again this way"),
            icon=":material/refresh:",
            disabled=not changed or bool(twice),
        ):
            named = {
                field: column
                for field, column in said.get("columns", {}).items()
                if column not in changed
            }
            st.session_state[key] = {
                "columns": named
                | {field: column for column, field in changed.items() if field != IGNORE},
                "ignored": [column for column in said.get("ignored", ()) if column not in changed]
                + [column for column, field in changed.items() if field == IGNORE],
            }
            st.rerun()


def _show_landed() -> None:
    reports: list[FileReport] = st.session_state[LANDED]
    for report in reports:
        if report.refusal is not None:
            gate.show_refusal(report.refusal)
            continue
        st.success(
            _("{file} is imported.", file=gate.escape(report.file))
            if not report.recognised
            else _("This file had been imported before; nothing was changed.")
        )
        import_report.show(report)
    st.caption(_("The list below has it, with its quarantine and the way back."))
    if st.button(_("Import another file"), icon=":material/upload_file:"):
        del st.session_state[LANDED]
        st.rerun()


def _show_batch(batch: dict[str, Any]) -> None:
    with st.container(border=True):
        st.text(f"{batch['file']} · {batch['id']}")
        import_report.show_counts(batch["counts"])
        import_report.show_decisions(batch["decisions"])
        if batch["quarantine"] and Path(batch["quarantine"]).exists():
            import_report.show_quarantine(Path(batch["quarantine"]))
        if batch["state"] == "done":
            sure = st.checkbox(
                _("Take back everything that this import brought"), key=f"sure_{batch['id']}"
            )
            if st.button(
                _("Undo this import"),
                disabled=not sure,
                icon=":material/undo:",
                key=f"undo_{batch['id']}",
            ):
                _undo(batch["id"])


def _undo(batch_id: str) -> None:
    try:
        ingest.undo(gate.current_viewer(Permission.MANAGE_IMPORTS), batch_id)
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    st.session_state.pop(REHEARSED, None)
    st.rerun()


def _with_progress(work: Callable[[Callable[[str, float], None]], FileReport]) -> FileReport:
    bar = st.progress(0.0, text=_("Reading"))
    try:
        return work(lambda step, share: bar.progress(min(max(share, 0.0), 1.0), text=_(step)))
    finally:
        bar.empty()


def _mapping_key(kind: str, file_id: str) -> str:
    return f"import_mapping_{kind}_{file_id}"


def _order_title(order: str) -> str:
    return {
        "dmy": _("day, month, year"),
        "mdy": _("month, day, year"),
        "ymd": _("year, month, day"),
    }[order]
