"""Rows that came before their contact, and join it then: files may come in any order."""

import json
import re
from collections import defaultdict
from datetime import UTC
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from qa_core.base import doors
from qa_core.ingest.matching import attach, contact_match
from qa_core.ingest.rules import apply
from qa_core.ingest.staging.pseudonyms import KEY_LENGTH
from qa_core.ingest.staging.staged import unscoped_import_rows
from qa_core.storage import erased_people, lake, name_merges
from qa_core.storage.erased_people import ErasedPeople
from qa_core.storage.facts.personal_data import CUSTOMER, ColumnContent, find_columns
from qa_core.storage.facts.schema import CONTACTS
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.imports import ImportBatch, WaitingRow
from qa_core.storage.records.store import Session

WRITE_AT_ONCE = 5_000
TEXTS = {
    name
    for table in (CONTACTS, Evaluation.__table__)
    for name in find_columns(table, ColumnContent.TEXT, CUSTOMER)
}
"""Values of a pending row that hold words of a customer, or about a contact."""


def store_rows(session: Session, batch_id: str, rows: list[dict[str, Any]]) -> None:
    """Store pending rows of that batch; `row_key` is unique within it. Rows that wait since an
    earlier import of the same file are not stored again. Erased customers stay so: their own
    rows are left out, rows about their contacts wait without texts.
    """
    erased = ErasedPeople.load()
    rows = [kept for row in rows if (kept := _forget(row, erased) if erased else row)]
    known = _find_waiting(session, batch_id)
    rows = [row for row in rows if known.get(row["row_key"]) != row["content"]]
    for first in range(0, len(rows), WRITE_AT_ONCE):
        chunk = rows[first : first + WRITE_AT_ONCE]
        of_batch = [
            row | {"batch_id": batch_id, "row_key": f"{batch_id}:{row['row_key']}"} for row in chunk
        ]
        session.execute(sa.insert(WaitingRow), of_batch)


def _find_waiting(session: Session, batch_id: str) -> dict[str, Any]:
    """Find what waits since earlier imports of the same surveys, tracking or evaluations, by its
    key.
    """
    digest = sa.select(ImportBatch.digest).where(ImportBatch.id == batch_id).scalar_subquery()
    query = (
        sa.select(WaitingRow.batch_id, WaitingRow.row_key, WaitingRow.content)
        .join(ImportBatch, ImportBatch.id == WaitingRow.batch_id)
        .where(ImportBatch.digest == digest, ImportBatch.id != batch_id)
        .where(WaitingRow.joined_by.is_(None), WaitingRow.kind != "contacts")
    )
    rows = session.execute(unscoped_import_rows(query))
    return {key.removeprefix(f"{batch}:"): content for batch, key, content in rows}


def _forget(row: dict[str, Any], erased: ErasedPeople) -> dict[str, Any] | None:
    content = row["content"]
    keys = re.findall(rf"\b[0-9a-f]{{{KEY_LENGTH}}}\b", json.dumps(content, default=str))
    if any(erased.is_gone(CUSTOMER, key, row["happened_at"]) for key in keys):
        return None
    if not erased.names_contact(content.get("system"), row["contact_id"], content.get("ticket")):
        return row
    values = {
        name: ([] if isinstance(value, list | tuple) else None) if name in TEXTS else value
        for name, value in content.get("values", {}).items()
    }
    return row | {"content": content | {"values": values}}


def build_part_name(waiting_batch: str, arrived_batch: str) -> str:
    """Name the commit of rows of one batch that joined the contacts of another."""
    return f"{waiting_batch}+{arrived_batch}"


def join_arrived(arrived_batch: str, tolerance_seconds: float) -> dict[str, int]:
    """Join pending survey and tracking rows to contacts that came. Returns rows by
    kind. One commit per batch, in the order of coming: later answers overwrite earlier
    ones, and each can be undone alone. Running it again completes it.
    """
    with store.reading() as session:
        query = (
            sa.select(WaitingRow.batch_id, WaitingRow.kind, sa.func.count())
            .join(ImportBatch, ImportBatch.id == WaitingRow.batch_id)
            .where(WaitingRow.joined_by.is_(None), WaitingRow.kind.in_(tuple(attach.VALUES)))
            .group_by(WaitingRow.batch_id, WaitingRow.kind, ImportBatch.started_at)
            .order_by(ImportBatch.started_at, WaitingRow.batch_id)
        )
        batches = session.execute(unscoped_import_rows(query)).all()
    joined: dict[str, int] = defaultdict(int)
    for batch_id, kind, _rows in batches:
        joined[kind] += _join_batch(batch_id, kind, arrived_batch, tolerance_seconds)
    return {kind: count for kind, count in joined.items() if count}


@doors.writes("contacts")
def _join_batch(batch_id: str, kind: str, arrived_batch: str, tolerance: float) -> int:
    with store.reading() as session:
        ticket, customer = (
            WaitingRow.content[name].as_string() for name in ("ticket", "customer_key")
        )
        row = WaitingRow
        columns = (row.id, row.contact_id, ticket, row.tracking_number, customer, row.happened_at)
        query = sa.select(*columns).where(row.batch_id == batch_id, row.joined_by.is_(None))
        rows = session.execute(unscoped_import_rows(query)).all()
        systems = sa.select(row.content["system"].as_string()).where(row.batch_id == batch_id)
        system = session.scalar(unscoped_import_rows(systems.limit(1)))
    *keys, moments_by_row = zip(*rows, strict=True)
    moments = [
        moment.astimezone(UTC).replace(tzinfo=None) if moment else None for moment in moments_by_row
    ]
    table = pa.table([*(list(column) for column in keys), moments], schema=contact_match.INCOMING)
    with lake.working() as connection:
        connection.register("incoming", table)
        contact_match.match(connection, tolerance, system)
        matches = connection.execute(
            "SELECT m.line, m.source_system, m.contact_id, m.how, i.moment FROM matched m JOIN "
            "incoming i USING (line) ORDER BY i.moment NULLS FIRST, m.line"
        ).fetchall()
    if not matches:
        return 0
    part = build_part_name(batch_id, arrived_batch)
    if not lake.has_commit(part):
        lake.merge_contacts(*_build_rows(kind, matches), part, create=False)
    with store.writing() as session:
        mark_joined(session, [row[0] for row in matches], arrived_batch)
    return len(matches)


def _build_rows(kind: str, matches: list[tuple[Any, ...]]) -> tuple[pa.Table, tuple[str, ...]]:
    contents: dict[int, dict[str, Any]] = {}
    with store.reading() as session:
        lines = [row[0] for row in matches]
        for first in range(0, len(lines), WRITE_AT_ONCE):
            chunk = lines[first : first + WRITE_AT_ONCE]
            rows = sa.select(WaitingRow.id, WaitingRow.content).where(WaitingRow.id.in_(chunk))
            contents |= dict(session.execute(unscoped_import_rows(rows)).all())
    # The newest comes last and stays; all rows of one batch carry the same columns.
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    with store.reading() as session:
        kept_names = name_merges.find_kept_names(session)
    for line, source_system, contact_id, method, _moment in matches:
        values = dict(contents[line]["values"])
        if kind == "tracking":
            values["tracking_match"] = method
        newest[(source_system, contact_id)] = apply.apply_merged_names(values, kept_names)
    carried = tuple(next(iter(newest.values())))
    return erased_people.forget(attach.build_values_table(list(newest.items()), carried)), carried


def mark_joined(session: Session, rows: list[int], arrived_batch: str) -> None:
    """Note which batch brought the contacts that these rows had waited for."""
    for first in range(0, len(rows), WRITE_AT_ONCE):
        chunk = rows[first : first + WRITE_AT_ONCE]
        session.execute(
            sa.update(WaitingRow).where(WaitingRow.id.in_(chunk)).values(joined_by=arrived_batch)
        )


def find_joined(session: Session, batch_id: str) -> list[str]:
    """Find the batches whose contacts rows of this batch have joined."""
    joined = sa.select(WaitingRow.joined_by).where(
        WaitingRow.batch_id == batch_id, WaitingRow.joined_by.is_not(None)
    )
    return list(session.scalars(unscoped_import_rows(joined.distinct())))


def find_parts(session: Session, batch_id: str) -> list[str]:
    """Find the commits to undo before this batch, newest first: its own rows that
    joined later, and rows that joined its contacts. Names sort by time.
    """
    waited = sa.select(WaitingRow.batch_id).where(WaitingRow.joined_by == batch_id).distinct()
    parts = [build_part_name(batch_id, other) for other in find_joined(session, batch_id)]
    parts += [
        build_part_name(other, batch_id) for other in session.scalars(unscoped_import_rows(waited))
    ]
    return sorted(parts, reverse=True)


def release(session: Session, arrived_batch: str) -> None:
    """Make the rows that had joined this batch's contacts pending again."""
    session.execute(
        sa.update(WaitingRow).where(WaitingRow.joined_by == arrived_batch).values(joined_by=None)
    )
