"""Contacts whose legs follow one another, also in different files. A leg that names one
which is not in its file is kept, pseudonymised, with its batch. When legs of the same
contact arrive, in whichever order, it is folded anew from all of them.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import sqlalchemy as sa

from qa_core.ingest.platforms.declaration import LegChain, Platform
from qa_core.ingest.staging.staged import SCHEMAS, unscoped_import_rows
from qa_core.storage import lake
from qa_core.storage.facts.schema import CONTACTS
from qa_core.storage.records import store
from qa_core.storage.records.imports import WaitingRow

MAX_STEPS = 50
KIND = "legs"
_EARLIER_NAMES = {
    "wait_seconds": "wait",
    "talk_seconds": "talk",
    "hold_seconds": "hold",
    "wrap_seconds": "wrap",
    "tracking_number": "did",
}
"""Names of columns under which earlier versions kept legs."""
MAX_DISTANCE = timedelta(days=2)
"""Greatest distance in time of a contact's legs that come in different files."""


def find_roots(
    connection: duckdb.DuckDBPyConnection,
    key: str,
    links: str,
    root: str,
    newest: str = "updated_at DESC NULLS LAST, line DESC",
) -> None:
    """Create the tables `numbered`, of records with the number of their `copy` by `key`,
    `newest`, of first copies, and `roots` (id, root).

    `links`: a SELECT of (id, before), the leg that each one follows. `root`: SQL for the
    root of the leg `n` that follows none. Where it names a missing leg, it has the id of
    that already, so that both are the same contact when that comes.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE numbered AS SELECT *, row_number() OVER (PARTITION BY "
        f"{key} ORDER BY {newest}) AS copy FROM records"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE newest AS SELECT * FROM numbered WHERE copy = 1"
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE roots AS
        WITH RECURSIVE links AS ({links}),
        walk AS (
            SELECT id, id AS root, 0 AS steps FROM links
            UNION ALL
            SELECT w.id, l.before, steps + 1 FROM walk w JOIN links l ON l.id = w.root
                WHERE l.before IS NOT NULL AND steps < {MAX_STEPS}
        )
        SELECT id, {root} AS root FROM (SELECT id, arg_max(root, steps) AS root FROM walk
            GROUP BY id) r JOIN newest n ON n.{key} = r.root"""
    )


TALKS = """
    SELECT call, CASE WHEN bool_and(talk_seconds IS NOT NULL) THEN sum(greatest(0,
        date_diff('microsecond', since, until) / 1e6)) END AS talk_seconds
    FROM (
        SELECT call, talk_seconds, until, greatest(since, coalesce(max(until) OVER earlier,
            since)) AS since
        FROM (SELECT *, since + to_microseconds(CAST(1000000 * coalesce(talk_seconds,
            0) AS BIGINT)) AS until FROM spoken)
        WINDOW earlier AS (PARTITION BY call ORDER BY since,
            line ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ) GROUP BY call"""
"""SELECT of (call, talk_seconds) from legs in `spoken`; talk at the same time counts once."""

FIRST, LAST = "arg_min", "arg_max"
"""The value of the first leg of a contact that has one, or of the last."""
ANSWERED_OR_LAST = (
    "CASE WHEN bool_or(outcome = 'answered') THEN 'answered' "
    "ELSE arg_max(outcome, (started_at, line)) END"
)
_OF_LEGS = {
    "line": "min(line)",
    "contact_id": "call",
    "started_at": "min(started_at)",
    "updated_at": "coalesce(max(updated_at), min(started_at))",
    "recorded": "bool_or(recorded)",
}


def fold_legs(
    schema: pa.Schema,
    columns: Mapping[str, str],
    legs: str = "records",
    by: str = "call",
    order: str = "(started_at, line)",
    since: str = "",
    spoken: str = "outcome = 'answered'",
    copies: str = "",
) -> str:
    """Build the SELECT of contacts, one per value of `by`, from `legs` (SQL, with `call`).

    `schema`: of the records. `columns`: contact column → SQL over its legs, or `FIRST` or
    `LAST` in their `order`; of the first leg by default. `since`: when the talk of a leg
    that was `spoken` began, for `t.talk_seconds`. `copies`: the older copies of legs,
    which stay as duplicates.
    """
    known = {"line", "contact_id", *schema.names} & {"line", *SCHEMAS["contacts"]}
    picked = {name: _OF_LEGS.get(name, FIRST) for name in sorted(known)} | dict(columns)
    values = ", ".join(
        f"{sql}({name}, {order}) AS {name}" if sql in (FIRST, LAST) else f"{sql} AS {name}"
        for name, sql in picked.items()
    )
    rows = f"SELECT {values} FROM {legs}"
    if since:
        talks = f"spoken AS (SELECT *, {since} AS since FROM {legs} WHERE {spoken}), talks AS"
        rows = f"WITH {talks} ({TALKS}) {rows} LEFT JOIN talks t USING (call)"
    rows += f" GROUP BY {by}"
    if copies:
        rows += (
            f" UNION ALL BY NAME SELECT line, {picked['contact_id']} AS contact_id, started_at, "
            f"NULL AS updated_at FROM {copies}"
        )
    return rows


def load_earlier_legs(
    connection: duckdb.DuckDBPyConnection, platform: Platform, system: str, source: str
) -> int:
    """Create the view `records` of legs of the file, and earlier ones without `line`: how many."""
    chain = platform.chain
    connection.execute(f"CREATE OR REPLACE TEMP VIEW of_file AS SELECT * FROM {source}")
    first, last = connection.execute(
        "SELECT min(started_at), max(started_at) FROM of_file"
    ).fetchall()[0]
    _register_stored(connection, platform, system, first, last)
    ids = " UNION ALL ".join(
        f"SELECT {name} AS id FROM {{0}} WHERE {name} IS NOT NULL"
        for name in (chain.id_column, *chain.reference_columns)
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE known_ids AS {ids.format('of_file')}")
    connection.execute("CREATE OR REPLACE TEMP TABLE taken AS SELECT * FROM kept WHERE false")
    touches = " OR ".join(
        f"k.{name} IN (SELECT id FROM known_ids)"
        for name in (chain.id_column, *chain.reference_columns)
    )
    while connection.execute(
        f"INSERT INTO taken SELECT * FROM kept k WHERE ({touches}) AND {chain.id_column} NOT IN "
        f"(SELECT {chain.id_column} FROM taken) "
        f"AND {chain.id_column} NOT IN (SELECT {chain.id_column} FROM of_file)"
    ).fetchall()[0][0]:
        connection.execute(f"INSERT INTO known_ids {ids.format('taken')}")
    connection.execute("CREATE OR REPLACE TEMP TABLE rebuilt (id VARCHAR)")
    if chain.from_contact:
        _rebuild_first_legs(connection, platform, system)
    connection.execute(
        "CREATE OR REPLACE TEMP VIEW records AS SELECT * FROM of_file UNION ALL BY NAME SELECT "
        "* FROM taken"
    )
    return connection.execute("SELECT count(*) FROM taken").fetchall()[0][0]


def select_current(fold: str) -> str:
    """Build a SELECT of folded rows with a leg of the file, under known ids; needs `roots`."""
    return (
        f"SELECT f.* REPLACE (coalesce(s.known, f.contact_id) AS contact_id) FROM ({fold}) f "
        f"LEFT JOIN ({_KNOWN_ROOTS}) s ON s.root = f.contact_id WHERE f.line IS NOT NULL"
    )


_KNOWN_ROOTS = (
    "SELECT o.root, min(k.root) AS known FROM roots o JOIN kept_roots k USING (id) GROUP BY o.root"
)


def find_incomplete(
    connection: duckdb.DuckDBPyConnection, chain: LegChain, system: str
) -> list[dict[str, Any]]:
    """Find the legs to keep after the fold: one of their contact is missing, or was kept before."""
    missing = " OR ".join(
        f"r.{name} IS NOT NULL AND r.{name} NOT IN (SELECT {chain.id_column} FROM records)"
        for name in chain.reference_columns
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE open_roots AS SELECT DISTINCT root FROM records r JOIN "
        f"roots o ON o.id = r.{chain.id_column} WHERE r.line IS NULL OR {missing}"
    )
    legs = connection.sql(
        "SELECT r.*, coalesce(s.known, o.root) AS root FROM records r JOIN roots o ON o.id = "
        f"r.{chain.id_column} SEMI JOIN open_roots p ON p.root = o.root "
        f"LEFT JOIN ({_KNOWN_ROOTS}) s ON s.root = o.root "
        f"WHERE r.line IS NOT NULL OR r.{chain.id_column} IN (SELECT id FROM rebuilt)"
    ).to_arrow_table()
    return [_build_pending_row(record, chain, system) for record in legs.to_pylist()]


def _build_pending_row(record: dict[str, Any], chain: LegChain, system: str) -> dict[str, Any]:
    root, line, key = record.pop("root"), record.pop("line"), record.pop("customer_key")
    return {
        "kind": KIND,
        "row_key": f"{record[chain.id_column]}:{line}",
        "contact_id": root,
        "tracking_number": None,
        "happened_at": record["started_at"].replace(tzinfo=UTC),
        "content": {
            "customer_key": key,
            "system": system,
            "values": json.loads(json.dumps(record, default=datetime.isoformat)),
        },
    }


def _register_stored(
    connection: duckdb.DuckDBPyConnection,
    platform: Platform,
    system: str,
    first: datetime,
    last: datetime,
) -> None:
    """Register `kept`, the last copy of earlier legs of about that time, and their `kept_roots`."""
    query = (
        sa.select(WaitingRow.contact_id, WaitingRow.content)
        .where(WaitingRow.kind == KIND, WaitingRow.content["system"].as_string() == system)
        .where(
            WaitingRow.happened_at >= first.replace(tzinfo=UTC) - MAX_DISTANCE,
            WaitingRow.happened_at <= last.replace(tzinfo=UTC) + MAX_DISTANCE,
        )
        .order_by(WaitingRow.id)
    )
    with store.reading_or_empty() as session:
        rows = session.execute(unscoped_import_rows(query)).all()
    chain, schema = platform.chain, platform.schema
    legs = {
        content["values"][chain.id_column]: content["values"]
        | {"customer_key": content["customer_key"], "root": root}
        for root, content in rows
    }
    columns = []
    for item in schema:
        values = [
            leg.get(item.name, leg.get(_EARLIER_NAMES.get(item.name))) for leg in legs.values()
        ]
        if pa.types.is_timestamp(item.type):
            values = [value and datetime.fromisoformat(value) for value in values]
        columns.append(pa.array(values, item.type))
    connection.register("kept", pa.table(columns, schema=schema))
    roots = pa.schema([("id", pa.string()), ("root", pa.string())])
    pairs = [list(legs), [leg["root"] for leg in legs.values()]]
    connection.register("kept_roots", pa.table(pairs, schema=roots))


def _rebuild_first_legs(
    connection: duckdb.DuckDBPyConnection, platform: Platform, system: str
) -> None:
    chain = platform.chain
    ids = ", ".join((chain.id_column, *chain.reference_columns))
    missing = [
        text
        for name in chain.reference_columns
        for (text,) in connection.execute(
            f"SELECT DISTINCT {name} FROM of_file WHERE {name} NOT IN "
            f"(SELECT {chain.id_column} FROM of_file) "
            f"AND {name} NOT IN (SELECT unnest([{ids}]) FROM kept)"
        ).fetchall()
    ]
    if not missing or lake.version("contacts") < 0:
        return
    stored = {name: name for name in platform.schema.names if name in CONTACTS.c}
    columns = stored | dict(chain.from_contact)
    values = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    with lake.working() as working:
        stored_legs = working.sql(
            f"SELECT {values} FROM contacts WHERE source_system = ? AND contact_id IN (SELECT "
            "unnest(?))",
            params=[system, missing],
        ).to_arrow_table()
    connection.register("found", stored_legs)
    connection.execute(
        "INSERT INTO taken BY NAME SELECT * FROM found; INSERT INTO rebuilt SELECT "
        f"{chain.id_column} FROM found"
    )
