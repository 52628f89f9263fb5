"""Mapping of a file's columns, and the answers to questions about it."""

import json
from dataclasses import replace
from typing import Any

import streamlit as st

from qa_core.base.i18n import _
from qa_core.files.options import IGNORE, ImportOptions
from qa_core.ingest.reading import field_titles
from qa_core.ingest.reading.registry import get_profile
from qa_core.ingest.reading.report import FileReport
from qa_core.metrics.kpis import formatting


def complete(options: ImportOptions, kind: str, file_id: str) -> ImportOptions:
    """Return the common options with the answers about the columns of one file."""
    answers = _find(kind, file_id)
    options = replace(options, columns=answers["columns"], ignored=answers["ignored"])
    for text in answers["answers"]:
        options = options.with_answer(text)
    return options


def answer(kind: str, file_id: str, *options: str) -> None:
    """Callback: take these options of the command line as the answer to a question."""
    before = _find(kind, file_id)
    st.session_state[_key(kind, file_id)] = {**before, "answers": (*before["answers"], *options)}


def ask(kind: str, file_id: str, report: FileReport) -> None:
    """Show one row per column; the person's choice overrides what was recognised."""
    columns = [header for header in report.headers if header]
    if not columns:
        return
    fields_by_column = {column: field for field, column in report.mapping.items()}
    with st.expander(
        _("Columns and fields"), icon=":material/table_chart:", expanded=report.is_refused
    ):
        chosen = _edit(kind, file_id, columns, report.mapping)
        changed = {
            column: field
            for column, field in chosen.items()
            if field != fields_by_column.get(column, IGNORE)
        }
        fields = [field for field in chosen.values() if field != IGNORE]
        twice = sorted({field for field in fields if fields.count(field) > 1})
        if twice:
            named = formatting.listing(map(field_titles.find_title, twice))
            st.warning(_("Two columns cannot be the same field: {fields}", fields=named))
        if st.button(
            _("Read the file again this way"),
            icon=":material/refresh:",
            disabled=not changed or bool(twice),
        ):
            _take(kind, file_id, changed)
            st.rerun()


def _edit(kind: str, file_id: str, columns: list[str], mapping: dict[str, str]) -> dict[str, str]:
    """Return the field of each column, as it is chosen now."""
    fields_by_column = {column: field for field, column in mapping.items()}
    known = (item.name for item in get_profile(kind, None).fields)
    edited = st.data_editor(
        [{"column": column, "field": fields_by_column.get(column, IGNORE)} for column in columns],
        column_config={
            "column": st.column_config.TextColumn(_("Column of the file"), disabled=True),
            "field": st.column_config.SelectboxColumn(
                _("Field"),
                options=list(dict.fromkeys((IGNORE, *known, *mapping))),
                format_func=lambda field: (
                    _("leave out") if field == IGNORE else field_titles.find_title_and_code(field)
                ),
                required=True,
            ),
        },
        hide_index=True,
        width="stretch",
        # What was said before is in the rows: a new table begins with it.
        key=f"{_key(kind, file_id)}_{json.dumps(_find(kind, file_id), sort_keys=True)}",
    )
    return {row["column"]: row["field"] for row in edited if row.get("field")}


def _take(kind: str, file_id: str, changed: dict[str, str]) -> None:
    answers = _find(kind, file_id)
    columns = {
        field: column for field, column in answers["columns"].items() if column not in changed
    }
    ignored = [column for column in answers["ignored"] if column not in changed]
    for column, field in changed.items():
        if field == IGNORE:
            ignored.append(column)
        else:
            columns[field] = column
    st.session_state[_key(kind, file_id)] = {
        **answers,
        "columns": columns,
        "ignored": tuple(ignored),
    }


def _find(kind: str, file_id: str) -> dict[str, Any]:
    nothing = {"columns": {}, "ignored": (), "answers": ()}
    return st.session_state.get(_key(kind, file_id), nothing)


def _key(kind: str, file_id: str) -> str:
    return f"import_mapping_{kind}_{file_id}"
