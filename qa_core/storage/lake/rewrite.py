"""Rewrites of months: write the files of a month that change and commit them together,
neighbours included.

A writer prepares three relations on its connection: the view `stored` (the current
table), the view `incoming` (rows by key, with the columns that it carries) and the
table `row_status` (key, `old_month`, `new_month`, `old_clock`, `new_clock`: the sort column,
`status`: new, changed or deleted). For contacts, it also holds the customer
concerned and the moment, before and after: `before_customer`, `before_start`,
`after_customer`, `after_start`; null where no neighbours can change.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, Transaction

from qa_core.base.i18n import N_
from qa_core.base.progress import Progress, ignore_progress
from qa_core.storage.facts import schema
from qa_core.storage.lake import damage, month_sums, neighbours, tables

if TYPE_CHECKING:
    import duckdb

KEYS = {"contacts": schema.CONTACT_KEY, "spend": schema.SPEND_KEY, "intervals": schema.INTERVAL_KEY}
ATTEMPTS = 5
FEW_CUSTOMERS = 1000
"""Customers whose contacts are looked for by number."""
SLACK = timedelta(seconds=2)
"""Slack of the bounds of files: other writers leave the fractions of a second away."""
WRITING_SHARE = 0.7
"""Share of the work that is writing months, in the progress reported."""
Result = TypeVar("Result")


@dataclass
class Rewrite:
    """Change of one table, on a writer's connection."""

    connection: duckdb.DuckDBPyConnection
    base: tables.Snapshot
    columns: Sequence[str]
    progress: Progress = ignore_progress
    adds: list[AddAction] = field(default_factory=list)
    for_new: Sequence[str] = ()

    @property
    def key(self) -> Sequence[str]:
        return KEYS[self.base.name]

    def match(self, left: str, right: str) -> str:
        """Write the join of two relations on the key; parts of the key of spend and of
        intervals may be missing.
        """
        nullable = {
            column.name for column in tables.TABLES[self.base.name].columns if column.nullable
        }
        equal = {name: "IS NOT DISTINCT FROM" if name in nullable else "=" for name in self.key}
        return " AND ".join(f'{left}."{name}" {equal[name]} {right}."{name}"' for name in self.key)

    def list_key(self, relation: str) -> str:
        return ", ".join(f'{relation}."{name}"' for name in self.key)

    def select_merged(self, name: str) -> str:
        """Write a column after the change, of `s` (stored) left joined to `i`
        (incoming, changed).
        """
        if name in self.columns:
            return f'CASE WHEN i.is_change THEN i."{name}" ELSE s."{name}" END'
        return f's."{name}"'

    def select_new(self, name: str) -> str:
        """Write a column of a new row, of `i`."""
        if name in self.columns or name in self.key or name in self.for_new:
            return f'i."{name}"'
        column = tables.TABLES[self.base.name].columns[name]
        return f"CAST(NULL AS {tables.sql_type(column)})"

    def run(self, transactions: list[Transaction], metadata: dict[str, Any]) -> int:
        """Write and commit. Returns the version afterwards, the same one when nothing
        changed and nothing is recorded.
        """
        has_neighbours = self.base.name == "contacts" and self._find_neighbours()
        months = self._find_months(has_neighbours)
        touched = self._find_parts(months, has_neighbours)
        new_rows = self._count_new()
        self._report(1 - WRITING_SHARE if months else 1.0)
        try:
            for position, month in enumerate(months):
                parts = [part for part in touched if part.month == month]
                self.adds += tables.write_parts(
                    self.connection,
                    self.base,
                    month,
                    self._select_month(month, parts, has_neighbours),
                    parts,
                    new_rows.get(month, 0),
                )
                self._report(1 - WRITING_SHARE * (len(months) - position - 1) / len(months))
            version = tables.commit(
                self.base, tables.Commit(self.adds, touched, transactions, metadata)
            )
        except BaseException:
            tables.discard(self.base, self.adds)
            raise
        if self.base.name == "contacts":
            month_sums.forget_changed(self.base)
        return version

    def _find_parts(self, months: Sequence[str], has_neighbours: bool) -> list[tables.Part]:
        """Find the parts with rows that change, or that new ones belong to: by their time."""
        parts = [part for month in months for part in self.base.parts_of(month)]
        if self.base.name != "contacts" or len(parts) == len({part.month for part in parts}):
            return parts
        spans = []
        for month in months:
            of_month = self.base.parts_of(month)
            for part, following in pairwise([*of_month, None]):
                first = None if part is of_month[0] else part.first
                last = None
                if part.last and following and following.first:
                    last = max(part.last, following.first)
                bounds = (
                    f"TIMESTAMP '{first - SLACK:%F %T}'" if first else "NULL",
                    f"TIMESTAMP '{last + SLACK:%F %T}'" if last else "NULL",
                )
                spans.append(
                    f"({', '.join(map(tables.quote, (part.path, month)))}, {', '.join(bounds)})"
                )
        moments = ["SELECT old_month AS month, old_clock AS clock FROM row_status"]
        moments.append("SELECT new_month, new_clock FROM row_status")
        if has_neighbours:
            moments.append("SELECT month, started_at FROM neighbours")
        rows = self.connection.execute(
            f"SELECT DISTINCT path FROM ({' UNION ALL '.join(moments)}) JOIN "
            f"(VALUES {', '.join(spans)}) AS spans (path, month, first_clock, last_clock) "
            "USING (month) WHERE (first_clock IS NULL OR clock >= first_clock) AND "
            "(last_clock IS NULL OR clock <= last_clock)"
        ).fetchall()
        paths = {path for (path,) in rows}
        return [part for part in parts if part.path in paths]

    def _count_new(self) -> dict[str, int]:
        """Count the rows that come into each month."""
        counts = self.connection.execute(
            "SELECT new_month, count(*) FROM row_status WHERE new_month IS DISTINCT FROM old_month "
            "GROUP BY new_month"
        )
        return dict(counts.fetchall())

    def _report(self, share: float) -> None:
        self.progress(N_("Writing"), share)

    @property
    def starts_empty(self) -> bool:
        """Return whether nothing was stored, so that every incoming row is new and needs no
        looking up.
        """
        return not self.base.parts

    def _find_months(self, has_neighbours: bool) -> list[str]:
        parts = ["SELECT old_month AS month FROM row_status", "SELECT new_month FROM row_status"]
        if has_neighbours:
            parts.append("SELECT month FROM neighbours")
        rows = self.connection.execute(
            f"SELECT DISTINCT month FROM ({' UNION ALL '.join(parts)}) WHERE month IS NOT NULL "
            "ORDER BY month"
        ).fetchall()
        return [month for (month,) in rows]

    def _select_month(self, month: str, parts: Sequence[tables.Part], has_neighbours: bool) -> str:
        """Write the rows of these parts of a month as they are afterwards, with new ones."""
        name, literal = self.base.name, tables.quote(month)
        columns = [column for column in tables.columns_of(name) if column not in schema.NEIGHBOURS]
        old_columns = ", ".join(f'{self.select_merged(column)} AS "{column}"' for column in columns)
        new_columns = ", ".join(f'{self.select_new(column)} AS "{column}"' for column in columns)
        gaps = (
            "".join(f", s.{column}" for column in schema.NEIGHBOURS) if name == "contacts" else ""
        )
        blanks = (
            "".join(f", CAST(NULL AS DOUBLE) AS {column}" for column in schema.NEIGHBOURS)
            if name == "contacts"
            else ""
        )
        # Where the rows name their month, only rows of this month are read.
        incoming = (
            f"(SELECT * FROM incoming WHERE month = {literal})"
            if "month" in self.columns
            else "incoming"
        )
        pieces = []
        if parts:
            files = [str(self.base.folder / part.path) for part in parts]
            pieces.append(
                f"SELECT {old_columns}{gaps} FROM ({tables.select_from_files(name, files)}) s "
                f"LEFT JOIN ({self._changes(f'f.old_month = {literal}', incoming)}) i ON "
                f"{self.match('i', 's')} "
                f"WHERE i.is_change IS NULL OR (NOT i.is_deleted AND i.new_month = {literal})"
            )
        origins = self.connection.execute(
            "SELECT DISTINCT old_month FROM row_status WHERE status = 'changed' AND new_month = "
            f"{literal} AND old_month <> {literal}"
        ).fetchall()
        if origins:
            files = self.base.files(months=[origin for (origin,) in origins])
            moves = self._changes(f"f.new_month = {literal} AND f.old_month <> {literal}", incoming)
            pieces.append(
                f"SELECT {old_columns}{gaps} FROM ({tables.select_from_files(name, files)}) s "
                f"JOIN ({moves}) i ON {self.match('i', 's')}"
            )
        if self.starts_empty:
            pieces.append(f"SELECT {new_columns}{blanks} FROM {incoming} i")
        elif self.connection.execute(
            f"SELECT 1 FROM row_status WHERE status = 'new' AND new_month = {literal} LIMIT 1"
        ).fetchone():
            fresh = (
                f"SELECT {', '.join(self.key)} FROM row_status WHERE status = 'new' AND "
                f"new_month = {literal}"
            )
            pieces.append(
                f"SELECT {new_columns}{blanks} FROM {incoming} i SEMI JOIN ({fresh}) f ON "
                f"{self.match('i', 'f')}"
            )
        rows = " UNION ALL ".join(pieces)
        if not has_neighbours:
            return rows
        current = ", ".join(
            f"CASE WHEN n.month IS NOT NULL THEN n.{column} WHEN r.customer_key IS NOT NULL "
            f"OR r.had_customer THEN r.{column} END AS {column}"
            for column in schema.NEIGHBOURS
        )
        return (
            f"SELECT r.* EXCLUDE ({', '.join(schema.NEIGHBOURS)}), {current} FROM ({rows}) r "
            "LEFT JOIN (SELECT * EXCLUDE (started_at) FROM neighbours WHERE month = "
            f"{literal}) n ON {self.match('n', 'r')}"
        )

    def _changes(self, condition: str, incoming: str = "incoming") -> str:
        """Write the incoming rows that change or delete a stored one whose row_status fulfils
        the condition.
        """
        columns = ", ".join(f'i."{name}"' for name in self.columns if name not in self.key)
        return (
            f"SELECT {self.list_key('f')}{', ' + columns if columns else ''}, true AS is_change, "
            "f.status = 'deleted' AS is_deleted, f.new_month FROM row_status f "
            f"LEFT JOIN {incoming} i ON {self.match('i', 'f')} WHERE f.status IN ('changed', "
            f"'deleted') AND {condition}"
        )

    def _find_neighbours(self) -> bool:
        """Make the table `neighbours` (key, month, the three) of the rows whose
        neighbours change; False when none can.

        Reads every contact of the customers concerned, up to twice the reach around the
        changes: the outer half only as neighbours.
        """
        inputs = ("customer_key", *(name for name in neighbours.INPUTS if name != "customer_key"))
        new_columns = ", ".join(f'{self.select_new(name)} AS "{name}"' for name in inputs)
        blanks = ", ".join(f"CAST(NULL AS DOUBLE) AS old_{name}" for name in schema.NEIGHBOURS)
        if self.starts_empty:
            # Nobody with a single contact has neighbours.
            key = self.select_new("customer_key")
            often = f"SELECT {key} FROM incoming i GROUP BY {key} HAVING count(*) > 1"
            events = (
                f"SELECT {self.list_key('i')}, month, {new_columns}, {blanks} "
                f"FROM incoming i WHERE {key} IN ({often})"
            )
            is_near = "true"
        else:
            span = self._make_touched()
            if span is None:
                return False
            near = self.base.files(*_months_around(*span, 2 * schema.NEIGHBOUR_DAYS))
            stored = tables.select_from_files("contacts", near, self._make_places(near))
            old_columns = ", ".join(f'{self.select_merged(name)} AS "{name}"' for name in inputs)
            old = ", ".join(f"s.{name} AS old_{name}" for name in schema.NEIGHBOURS)
            events = f"""
                SELECT * FROM (
                    SELECT {self.list_key("s")}, CASE WHEN i.is_change THEN i.new_month
                        ELSE s.month END AS month, {old_columns}, {old}
                    FROM ({stored}) s LEFT
                        JOIN ({self._changes("true")}) i ON {self.match("i", "s")}
                    WHERE i.is_change IS NULL OR NOT i.is_deleted
                    UNION ALL
                    SELECT {self.list_key("i")}, f.new_month, {new_columns}, {blanks}
                    FROM incoming i JOIN (SELECT * FROM row_status WHERE status = 'new') f
                        ON {self.match("i", "f")}
                ) SEMI JOIN touched USING (customer_key)"""
            is_near = (
                f"started_at BETWEEN TIMESTAMP '{span[0]}' - {neighbours.REACH} AND "
                f"TIMESTAMP '{span[1]}' + {neighbours.REACH}"
            )
        self.connection.execute(f"CREATE TEMP VIEW events AS {events}")
        differs = " OR ".join(f"{name} IS DISTINCT FROM old_{name}" for name in schema.NEIGHBOURS)
        self.connection.execute(f"""
            CREATE TEMP TABLE neighbours AS
            SELECT source_system, contact_id, month, started_at, {", ".join(schema.NEIGHBOURS)}
                FROM ({neighbours.select_neighbours("events")})
            WHERE {is_near} AND ({differs})
        """)
        return True

    def _make_touched(self) -> tuple[datetime, datetime] | None:
        """Make the table `touched`: each customer with a contact that comes, goes,
        moves or ends differently. Returns the span of these contacts.
        """
        self.connection.execute("""
            CREATE TEMP TABLE touched AS
            SELECT customer_key, min(started_at) AS first_start, max(started_at) AS last_start
            FROM (
                SELECT before_customer AS customer_key, before_start AS started_at FROM row_status
                UNION ALL
                SELECT after_customer, after_start FROM row_status
            )
            WHERE customer_key IS NOT NULL GROUP BY customer_key
        """)
        first, last = self.connection.execute(
            "SELECT min(first_start), max(last_start) FROM touched"
        ).fetchone()
        return None if first is None else (first, last)

    def _make_places(self, files: Sequence[str]) -> str:
        """Make the table `places` of the rows in which the touched customers stand, and return
        its name: found by their numbers, before anything else of a row is read. Empty where
        all rows are to be read: for many customers, files without numbers, or contacts whose
        customer was not known before.
        """
        named = "status = 'changed' AND before_customer IS NULL AND after_customer IS NOT NULL"
        count, has_named = self.connection.execute(
            f"SELECT (SELECT count(*) FROM touched), EXISTS (FROM row_status WHERE {named})"
        ).fetchone()
        has_numbers = not any("customer_number" in tables.missing_in("contacts", f) for f in files)
        if count > FEW_CUSTOMERS or has_named or not has_numbers or not files:
            return ""
        number = schema.DERIVED["contacts"]["customer_number"]
        self.connection.execute(
            "CREATE TEMP TABLE places AS SELECT filename, file_row_number FROM "
            f"{tables.read_files(files, with_places=True)} WHERE customer_number IN "
            f"(SELECT {number} FROM touched)"
        )
        return "places"


def _months_around(first: datetime, last: datetime, days: int) -> tuple[str, str]:
    """List the months that can hold a start that near; a day more on either side,
    because months follow the local clock.
    """
    margin = timedelta(days=days + 1)
    return f"{first - margin:%Y-%m}", f"{last + margin:%Y-%m}"


def commit_with_retries(
    name: str,
    attempt: Callable[[duckdb.DuckDBPyConnection, tables.Snapshot], Result],
    new_rows: int = 0,
) -> Result:
    """Run the attempt on the current table, holding the lock; again from the start when
    a writer without the lock committed in between. `new_rows`: rows to be added, as far
    as known.
    """
    with tables.writing(name):
        for _attempt in range(ATTEMPTS):
            base = tables.snapshot(name)
            with (
                contextlib.suppress(CommitFailedError),
                damage.explaining_damage(name),
                tables.scratch(base.rows + new_rows) as connection,
            ):
                return attempt(connection, base)
    raise tables.build_busy()
