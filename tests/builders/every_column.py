"""A row in every table of the records that is about the same three persons."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from qa_core.storage.facts.personal_data import ACCOUNT, ADVISOR, CUSTOMER, ColumnContent
from qa_core.storage.records import data_map, store
from qa_core.storage.records.base import UtcDateTime, now
from qa_core.storage.records.data_map import StoredTable

CONTACT = "K-erased"
ADVISOR_ID, ADVISOR_NAME = "zel-4711", "Zelda Unmistakable"
USERNAME, ACCOUNT_NAME = "zoe.user", "Zoe Unforgettable"
OUTSIDER = "Eve Outside"
"""Person without an account whose evaluations are imported."""
WRITTEN_NUMBER = "06 98 76 54 32"
"""Number that somebody writes into every free text."""
CALLER = "Jeanne Duval"
"""Name of a caller that somebody writes there too."""
NOT_BY_HAND = ("journal", "journal_cut", "change_mark")
"""Tables whose rows are sealed, or no row of a person's."""


def fill_every_column(customer_key: str) -> set[str]:
    """Write a row into each table, every column of it. Returns the columns that hold a
    person or a text, as `table.column`; a text holds its own name and those of its people.
    """
    written: set[str] = set()
    rows: dict[str, dict[str, Any]] = {}
    with store.writing() as session:
        for entry in reversed(data_map.find_records().values()):
            if entry.name not in NOT_BY_HAND:
                row = _build(entry, rows, customer_key)
                session.add(entry.model(**row))
                session.flush()
                rows[entry.name] = {"id": 1} | row
                written |= {
                    f"{entry.name}.{name}"
                    for name, datum in entry.columns.items()
                    if datum.what
                    not in (ColumnContent.FACT, ColumnContent.SCORE, ColumnContent.SECRET)
                    and row.get(name) is not None
                }
    return written


def _build(entry: StoredTable, rows: dict[str, Any], customer_key: str) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column in entry.table.columns:
        [key] = column.foreign_keys or [None]
        datum = entry.columns[column.name]
        if key is not None and key.column.table.name != entry.name:
            row[column.name] = rows[key.column.table.name][key.column.name]
        elif key is None and not (column.name == "id" and isinstance(column.type, sa.Integer)):
            row[column.name] = _make(entry, column, datum, customer_key)
    for name, datum in entry.columns.items():
        if datum.only:
            row[datum.only[0]] = datum.only[1][0]
            row[name] = ADVISOR_ID
    if entry.name == "account":
        row |= {"advisor_id": None, "display_name": ACCOUNT_NAME}
    if entry.name == "advisor":
        row["name"] = ADVISOR_NAME
    if entry.name == "advisor_alias":
        row |= {"alias": f"Alias of {ADVISOR_ID}", "key": ADVISOR_ID}
    if entry.name == "external_identity":
        row["subject"] = USERNAME
    if entry.name == "confirmed_evaluator":
        row |= {"name": OUTSIDER, "title": OUTSIDER}
    if entry.name == "evaluation":
        row |= {"kind": "scored", "state": "published", "given_advisor_id": None}
    if entry.name == "objection":
        row["advisor_id"] = None  # it names one person
    if entry.name == "subject_request":
        row["subject_kind"] = "customer"
    return row


def _make(entry: StoredTable, column: sa.Column[Any], datum: Any, customer_key: str) -> Any:
    mark = f"mark:{entry.name}.{column.name}"
    persons = {CUSTOMER: customer_key, ADVISOR: ADVISOR_ID, ACCOUNT: USERNAME}
    text = f"{mark} of {ADVISOR_NAME} by {ACCOUNT_NAME} for {CALLER}"
    text += f" {WRITTEN_NUMBER}" if datum.what == ColumnContent.TEXT else ""
    if isinstance(column.type, sa.JSON):
        if datum.what == ColumnContent.IDENTIFIER:
            return {ADVISOR_ID: 1} if ADVISOR in datum.whose else [USERNAME]
        if datum.texts:
            return {"comment": text, "answers": [{"points": 1, "comment": text}]}
        if datum.what == ColumnContent.RECORD:
            return {"name": ADVISOR_NAME, "by": USERNAME}
        return [text] if datum.what in (ColumnContent.TEXT, ColumnContent.WORDING) else ["value"]
    if isinstance(column.type, UtcDateTime | sa.DateTime):
        return now() if isinstance(column.type, UtcDateTime) else datetime(2026, 11, 20, 10)
    if isinstance(column.type, sa.Date):
        return date(2026, 11, 20)
    if isinstance(column.type, sa.Boolean):
        return True
    if isinstance(column.type, sa.Integer | sa.Float):
        return 1
    match datum.what:
        case ColumnContent.IDENTIFIER:
            return persons[datum.whose[0]]
        case ColumnContent.CONTACT:
            return CONTACT
        case ColumnContent.TEXT | ColumnContent.WORDING:
            return text
        case ColumnContent.RECORD:
            return f"{ADVISOR_ID} {USERNAME}"
        case ColumnContent.AUDIO:
            return None
    return "generic" if column.name == "source_system" else f"value of {column.name}"
