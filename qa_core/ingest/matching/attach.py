"""Attachment of rows of surveys or tracking to their contacts, or their waiting for them."""

from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any

import duckdb
import pyarrow as pa

from qa_core.ingest.matching import contact_match
from qa_core.ingest.staging.duckdb_session import PreparedRows, write_rows
from qa_core.ingest.staging.quarantine import RejectedRow
from qa_core.ingest.staging.staged import SURVEY, TRACKING, Staged
from qa_core.storage import name_merges
from qa_core.storage.facts import schema
from qa_core.storage.facts.schema import AS_GIVEN

VALUES = {"surveys": SURVEY, "tracking": TRACKING}
"""Columns of a contact that each kind writes, where its file carries them."""

MOMENTS = {"surveys": "answered_at", "tracking": "started_at"}
FIELD_NAMES = {
    "resolved": "survey_resolved",
    "contacts": "survey_contacts",
    "comment": "survey_comment",
}
IDENTITIES = frozenset({"customer", "customer_key"})
MASK = "••"


def find_written_columns(kind: str, columns: Iterable[str]) -> tuple[str, ...]:
    """List the columns of a contact that such a file writes."""
    value_columns = tuple(name for name in VALUES[kind] if name in set(columns))
    source_columns = (AS_GIVEN["campaign"],) if "campaign" in value_columns else ()
    return (
        *value_columns,
        *source_columns,
        "survey_sent" if kind == "surveys" else "tracking_match",
    )


def attach(
    connection: duckdb.DuckDBPyConnection,
    staged: Staged,
    tolerance_seconds: float,
    system: str | None,
    campaigns: Mapping[str, str] = {},
) -> PreparedRows:
    """Match the rows of `staged`. Creates the tables `incoming`, `matched` and
    `doubtful` (see `contact_match.match`) without duplicates: of an id twice in the
    file, the newest answer or last row is kept. `campaigns`: spelling → the name that
    is kept.
    """
    kind, moment = staged.kind, MOMENTS[staged.kind]
    nothing = "CAST(NULL AS VARCHAR)"
    number = staged.select_column("tracking_number") if kind == "tracking" else nothing
    customer = staged.select_column("customer_key") if kind == "surveys" else nothing
    at = staged.select_column(moment, kind="TIMESTAMP")
    newest = "moment DESC NULLS LAST, line DESC" if kind == "surveys" else "line DESC"
    # One ticket may have several contacts, each with its own survey.
    values = (
        f"coalesce(CAST({name} AS VARCHAR), '')"
        for name in ("ticket", "tracking_number", "customer_key", "moment")
    )
    without_id = f"concat_ws(chr(31), 'no id', {', '.join(values)})"
    connection.execute(
        f"""
        CREATE TEMP TABLE incoming AS
        SELECT line, contact_id, ticket, tracking_number, customer_key, moment FROM (
            SELECT *, row_number() OVER (PARTITION BY coalesce(contact_id, {without_id})
                ORDER BY {newest}) AS place
            FROM (
                SELECT line, {staged.select_column("contact_id")} AS contact_id,
                    {staged.select_column("ticket")} AS ticket,
                    {number} AS tracking_number, {customer} AS customer_key, {at} AS moment
                FROM staged
            )
        ) WHERE place = 1"""
    )
    contact_match.match(connection, tolerance_seconds, system)
    connection.execute(
        """
        CREATE TEMP TABLE superseded AS
        SELECT line FROM (
            SELECT m.line, row_number() OVER (PARTITION BY m.source_system, m.contact_id
                ORDER BY i.moment DESC NULLS LAST, m.line DESC) AS place
            FROM matched m JOIN incoming i USING (line)
        ) WHERE place > 1"""
    )
    for table in ("matched", "incoming"):
        connection.execute(f"DELETE FROM {table} WHERE line IN (SELECT line FROM superseded)")
    carried = find_written_columns(kind, staged.columns)
    select_list = ", ".join(_select_value(staged, name, campaigns) for name in carried)
    path = staged.folder / "attached.parquet"
    rows = write_rows(
        connection,
        f"SELECT m.source_system, m.contact_id, {select_list} FROM staged s "
        "JOIN matched m USING (line)",
        path,
    )
    [(row_count,)] = connection.execute("SELECT count(*) FROM incoming").fetchall()
    return PreparedRows(path, rows, carried, duplicates=staged.accepted - row_count)


def find_ambiguous_rows(connection: duckdb.DuckDBPyConnection, staged: Staged) -> list[RejectedRow]:
    """Find the rows without one certain contact, for the quarantine."""
    rows = connection.sql(
        "SELECT s.*, d.reason AS join_reason FROM staged s JOIN doubtful d USING (line) "
        "ORDER BY line"
    ).to_arrow_table()
    return [(row["line"], row["join_reason"], _mask_cells(staged, row)) for row in rows.to_pylist()]


def find_pending_rows(
    connection: duckdb.DuckDBPyConnection, staged: Staged, system: str | None
) -> list[dict[str, Any]]:
    """Find the rows whose contact has not come, as the records keep them."""
    names = [
        name
        for name in find_written_columns(staged.kind, staged.columns)
        if name not in ("tracking_match", *AS_GIVEN.values())
    ]
    values = ", ".join(_select_value(staged, name) for name in names)
    struct = ", ".join(f"'{name}': s.\"{name}\"" for name in names)
    rows = connection.execute(
        "SELECT i.line, i.contact_id, i.ticket, i.tracking_number AS number, i.customer_key "
        f"AS customer, i.moment, {{{struct}}} AS kept "
        f"FROM incoming i JOIN (SELECT line, {values} FROM staged s) s USING (line) "
        "WHERE i.line NOT IN (SELECT line FROM matched) AND i.line NOT IN (SELECT line FROM "
        "doubtful) ORDER BY i.line"
    ).fetchall()
    return [
        {
            "kind": staged.kind,
            "row_key": str(line),
            "contact_id": contact_id,
            "tracking_number": number,
            "happened_at": moment.replace(tzinfo=UTC) if moment else None,
            "content": {
                "ticket": ticket,
                "customer_key": customer,
                "system": system,
                "values": kept,
            },
        }
        for line, contact_id, ticket, number, customer, moment, kept in rows
    ]


def build_values_table(
    rows: list[tuple[tuple[str, str], dict[str, Any]]], carried: tuple[str, ...]
) -> pa.Table:
    """Build a table of pending rows from (contact, values), in the types of the lake."""
    types = {item.name: item.type for item in schema.arrow_schema(schema.CONTACTS)}
    columns = {
        name: pa.array([key[index] for key, _values in rows], pa.string())
        for index, name in enumerate(schema.CONTACT_KEY)
    }
    return pa.table(
        columns
        | {name: pa.array([values[name] for _key, values in rows], types[name]) for name in carried}
    )


def _select_value(staged: Staged, name: str, campaigns: Mapping[str, str] = {}) -> str:
    if name == "campaign":
        return f"{name_merges.spell('s.campaign', campaigns)} AS campaign"
    if name == AS_GIVEN["campaign"]:
        return (
            "CASE WHEN s.campaign IS DISTINCT FROM "
            f"{name_merges.spell('s.campaign', campaigns)} THEN s.campaign END AS {name}"
        )
    if name == "tracking_match":
        return "m.how AS tracking_match"
    if name == "survey_sent":
        return (
            "coalesce(s.survey_sent, true)" if "survey_sent" in staged.columns else "true"
        ) + " AS survey_sent"
    return f's."{name}"'


def _mask_cells(staged: Staged, row: dict[str, Any]) -> dict[str, str]:
    cells = {}
    for name, column in staged.mapping.items():
        value = row.get(FIELD_NAMES.get(name, name))
        cells[column] = MASK if name in IDENTITIES else "" if value is None else str(value)
    return cells
