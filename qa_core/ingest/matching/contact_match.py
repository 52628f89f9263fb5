"""Matching of survey and tracking rows to their contact: by id, else by ticket, or by
number or customer and time. An ambiguous row is never matched by a guess.
"""

from collections import Counter
from datetime import datetime
from itertools import groupby

import duckdb
import pyarrow as pa

from qa_core.base.masking import DAY_IN_KEY
from qa_core.storage.facts.schema import NEIGHBOUR_DAYS
from qa_core.storage.lake.tables import quote

AMBIGUOUS, NOTHING_TO_JOIN_BY = "ambiguous_contact", "no_contact"
BY_ID, BY_TICKET, BY_NUMBER, BY_CUSTOMER = "id", "ticket", "number_and_time", "customer_and_time"

ROWS_AT_ONCE = 100_000
"""Rows with a number that are compared with calls in one statement, unless a month has more."""
_HAS_NUMBER = "contact_id IS NULL AND tracking_number IS NOT NULL AND moment IS NOT NULL"

INCOMING = pa.schema(
    [
        ("line", pa.int64()),
        *(
            (name, pa.string())
            for name in ("contact_id", "ticket", "tracking_number", "customer_key")
        ),
        ("moment", pa.timestamp("us")),
    ]
)
"""Schema of `incoming`: a row per row of the file. The first filled column decides."""


def match(
    connection: duckdb.DuckDBPyConnection, tolerance_seconds: float, system: str | None = None
) -> None:
    """Find the contact of each row of `incoming` among `contacts` (of one system if
    named). Creates the tables `matched` (line, source_system, contact_id, how) and
    `doubtful` (line, reason); a row in neither is pending.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE matched (line BIGINT, source_system VARCHAR, contact_id "
        "VARCHAR, how VARCHAR)"
    )
    connection.execute("CREATE OR REPLACE TEMP TABLE doubtful (line BIGINT, reason VARCHAR)")
    connection.execute(
        f"INSERT INTO doubtful SELECT line, '{NOTHING_TO_JOIN_BY}' FROM incoming "
        "WHERE coalesce(contact_id, ticket) IS NULL AND (moment IS NULL OR (tracking_number IS "
        "NULL AND customer_key IS NULL))"
    )
    of_system = f"WHERE source_system = {quote(system)}" if system else ""
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW candidates AS SELECT * FROM contacts {of_system}"
    )
    _match_by_id(connection)
    _match_by_ticket(connection)
    _match_by_number(connection, tolerance_seconds)
    _match_by_customer(connection)
    connection.execute("DROP VIEW candidates")


def _match_by_id(connection: duckdb.DuckDBPyConnection) -> None:
    _store_matches(
        connection,
        BY_ID,
        "SELECT i.line, c.source_system, c.contact_id FROM incoming i JOIN candidates c ON "
        "c.contact_id = coalesce(i.contact_id, i.ticket)",
    )
    # An id that its tool uses again is part of the keys of several contacts.
    connection.execute(
        f"""INSERT INTO doubtful SELECT DISTINCT i.line, '{AMBIGUOUS}' FROM incoming i
        JOIN (SELECT DISTINCT regexp_replace(contact_id, '{DAY_IN_KEY}', '') AS id
            FROM candidates WHERE regexp_matches(contact_id, '{DAY_IN_KEY}')) k
            ON k.id = coalesce(i.contact_id, i.ticket)
        WHERE i.line NOT IN (SELECT line FROM matched UNION ALL SELECT line FROM doubtful)"""
    )


def _match_by_ticket(connection: duckdb.DuckDBPyConnection) -> None:
    """Match tickets to their last contact before the answer; one in two systems is ambiguous."""
    _store_matches(
        connection,
        BY_TICKET,
        """
        SELECT line, source_system, contact_id FROM (
            SELECT *, max(before) OVER (PARTITION BY line) AS newest,
                count(DISTINCT source_system) OVER (PARTITION BY line) AS systems
            FROM (
                SELECT i.line, c.source_system, c.contact_id, CASE WHEN c.started_at <= i.moment
                    THEN c.started_at END AS before
                FROM incoming i JOIN candidates c ON c.ticket = i.ticket
                WHERE i.contact_id IS NULL AND i.line NOT IN (SELECT line FROM matched
                    UNION ALL SELECT line FROM doubtful)
            )
        )
        WHERE newest IS NULL OR systems > 1 OR before = newest""",
    )


def _match_by_customer(connection: duckdb.DuckDBPyConnection) -> None:
    """Match customers to their last contact before the answer; two at once are ambiguous."""
    _store_matches(
        connection,
        BY_CUSTOMER,
        f"""
        SELECT line, source_system, contact_id FROM (
            SELECT i.line, c.source_system, c.contact_id, rank() OVER (PARTITION BY i.line
                ORDER BY c.started_at DESC) AS place
            FROM incoming i JOIN candidates c ON c.customer_key = i.customer_key
                AND c.started_at <= i.moment
                AND c.started_at > i.moment - INTERVAL {NEIGHBOUR_DAYS} DAY
            WHERE coalesce(i.contact_id, i.ticket, i.tracking_number) IS NULL
        )
        WHERE place = 1""",
    )


def _store_matches(connection: duckdb.DuckDBPyConnection, method: str, pairs: str) -> None:
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE found AS SELECT line, min(source_system) AS source_system, "
        f"min(contact_id) AS contact_id, count(*) AS contacts FROM ({pairs}) GROUP BY line"
    )
    connection.execute(
        f"INSERT INTO matched SELECT line, source_system, contact_id, '{method}' FROM found WHERE "
        "contacts = 1"
    )
    connection.execute(
        f"INSERT INTO doubtful SELECT line, '{AMBIGUOUS}' FROM found WHERE contacts > 1"
    )


def _match_by_number(connection: duckdb.DuckDBPyConnection, tolerance: float) -> None:
    """Match rows to calls on the same number, near in time. Time is cut into slices as
    wide as the tolerance, so that a busy number is not compared with itself.
    """
    width = max(float(tolerance), 1.0)
    pairs: list[tuple[int, int, str, str]] = []
    for since, until in _find_spans(connection):
        pairs += connection.execute(
            f"""
            WITH slices AS (
                SELECT line, tracking_number, moment, unnest([-1, 0,
                    1]) + floor(epoch(moment) / {width})::BIGINT AS slice
                FROM incoming WHERE {_HAS_NUMBER} AND moment BETWEEN $since AND $until
            ),
            calls AS (
                SELECT c.source_system, c.contact_id, c.tracking_number, c.started_at,
                    floor(epoch(c.started_at) / {width})::BIGINT AS slice
                FROM candidates c
                WHERE c.tracking_number IN (SELECT tracking_number FROM slices)
                    AND c.started_at BETWEEN $since - to_seconds({width})
                        AND $until + to_seconds({width})
                    AND c.tracking_match IS DISTINCT FROM '{BY_ID}'
                    AND NOT EXISTS (SELECT 1 FROM matched m WHERE m.source_system = c.source_system
                        AND m.contact_id = c.contact_id)
            )
            SELECT abs(date_diff('microsecond', s.moment, c.started_at)) AS distance, s.line,
                c.source_system, c.contact_id
            FROM slices s JOIN calls c
                ON c.tracking_number = s.tracking_number AND c.slice = s.slice
            WHERE distance <= {float(tolerance)} * 1000000""",
            {"since": since, "until": until},
        ).fetchall()
    pairs.sort()
    matched, ambiguous = pair_nearest(pairs)
    for table, rows in (
        ("matched", [(line, *key, BY_NUMBER) for line, key in matched.items()]),
        ("doubtful", [(line, AMBIGUOUS) for line in sorted(ambiguous)]),
    ):
        if rows:
            columns = list(map(list, zip(*rows, strict=True)))
            names = [str(index) for index in range(len(columns))]
            connection.register("paired_rows", pa.table(columns, names=names))
            connection.execute(f"INSERT INTO {table} SELECT * FROM paired_rows")
            connection.unregister("paired_rows")


def _find_spans(connection: duckdb.DuckDBPyConnection) -> list[tuple[datetime, datetime]]:
    """Find the spans of time, of whole months, in which some rows with a number lie: what is
    compared at once bounds the memory.
    """
    months = connection.execute(
        "SELECT min(moment), max(moment), count(*) FROM incoming "
        f"WHERE {_HAS_NUMBER} GROUP BY date_trunc('month', moment) ORDER BY 1"
    ).fetchall()
    spans, rows = [], ROWS_AT_ONCE
    for first, last, count in months:
        if rows + count > ROWS_AT_ONCE:
            spans.append((first, last))
            rows = 0
        spans[-1] = (spans[-1][0], last)
        rows += count
    return spans


def pair_nearest(
    pairs: list[tuple[int, int, str, str]],
) -> tuple[dict[int, tuple[str, str]], set[int]]:
    """Pair rows and calls, each once, nearest first, from (distance, line, system, id)
    sorted by distance. Returns calls by line, and ambiguous lines: two calls at the
    same distance from one row, or two rows from one call.
    """
    matched: dict[int, tuple[str, str]] = {}
    ambiguous: set[int] = set()
    used_calls: set[tuple[str, str]] = set()
    for _distance, group in groupby(pairs, key=lambda pair: pair[0]):
        candidates = [
            (line, (system, contact))
            for _d, line, system, contact in group
            if line not in matched and line not in ambiguous and (system, contact) not in used_calls
        ]
        calls_of = Counter(line for line, _key in candidates)
        rows_of = Counter(key for line, key in candidates if calls_of[line] == 1)
        for line, key in candidates:
            if calls_of[line] > 1:
                ambiguous.add(line)
            elif rows_of[key] > 1:
                ambiguous.add(line)
                used_calls.add(key)
            else:
                matched[line] = key
                used_calls.add(key)
    return matched, ambiguous
