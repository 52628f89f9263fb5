"""Rewriting months: given what becomes of which row, write the months that change and commit them together, neighbours included.

A writer prepares three things on its connection: the view `stored` (the table as it stands), the view `incoming` (rows by key, with the
columns that it carries) and the table `fate` (key, `old_month`, `new_month`, `status`: new, changed, deleted or unchanged).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import duckdb
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, Transaction

from qa_core import facts
from qa_core.errors import Refusal
from qa_core.lake import neighbours, tables
from qa_core.wording import N_

KEYS = {"contacts": facts.CONTACT_KEY, "spend": facts.SPEND_KEY}
ATTEMPTS = 5
WRITING_SHARE = 0.7
"""The part of the work that is writing months, as far as progress is told."""
Result = TypeVar("Result")
Progress = Callable[[float], None]
"""Told the share of the work that is done, from 0 to 1."""


@dataclass
class Rewrite:
    """One change to one table, on a writer's connection."""

    connection: duckdb.DuckDBPyConnection
    base: tables.Snapshot
    carried: Sequence[str]
    progress: Progress | None = None
    adds: list[AddAction] = field(default_factory=list)
    for_new: Sequence[str] = ()

    @property
    def key(self) -> Sequence[str]:
        return KEYS[self.base.name]

    def match(self, left: str, right: str) -> str:
        """The join of two relations on the key; parts of the key of spend may be missing."""
        nullable = {column.name for column in tables.TABLES[self.base.name].columns if column.nullable}
        return " AND ".join(f'{left}."{name}" {"IS NOT DISTINCT FROM" if name in nullable else "="} {right}."{name}"' for name in self.key)

    def listed(self, relation: str) -> str:
        return ", ".join(f'{relation}."{name}"' for name in self.key)

    def merged(self, name: str) -> str:
        """A column after the change, of `s` (stored) left joined to `i` (incoming, changed)."""
        if name in self.carried:
            return f"CASE WHEN i.is_change THEN i.\"{name}\" ELSE s.\"{name}\" END"
        return f's."{name}"'

    def arriving(self, name: str) -> str:
        """A column of a new row, of `i`."""
        if name in self.carried or name in self.key or name in self.for_new:
            return f'i."{name}"'
        column = tables.TABLES[self.base.name].columns[name]
        return f"CAST(NULL AS {tables.sql_type(column)})"

    def run(self, transactions: list[Transaction], metadata: dict[str, Any]) -> int:
        """Write and commit. Returns the version that stands afterwards, the same one when nothing changed and nothing is recorded."""
        has_neighbours = self.base.name == "contacts" and self._find_neighbours()
        months = self._find_months(has_neighbours)
        self._report(1 - WRITING_SHARE if months else 1.0)
        try:
            for done, month in enumerate(months):
                add = tables.write_part(self.connection, self.base, month, self._select_month(month, has_neighbours))
                self.adds += [add] if add else []
                self._report(1 - WRITING_SHARE * (len(months) - done - 1) / len(months))
            return tables.commit(self.base, tables.Commit(self.adds, set(months), transactions, metadata))
        except BaseException:
            tables.discard(self.base, self.adds)
            raise

    def _report(self, share: float) -> None:
        if self.progress:
            self.progress(share)

    def _find_months(self, has_neighbours: bool) -> list[str]:
        parts = ["SELECT old_month AS month FROM fate WHERE status <> 'unchanged'", "SELECT new_month FROM fate WHERE status <> 'unchanged'"]
        if has_neighbours:
            parts.append("SELECT month FROM neighbours")
        rows = self.connection.execute(f"SELECT DISTINCT month FROM ({' UNION ALL '.join(parts)}) WHERE month IS NOT NULL ORDER BY month").fetchall()
        return [month for (month,) in rows]

    def _select_month(self, month: str, has_neighbours: bool) -> str:
        name, quoted = self.base.name, tables.quoted(month)
        columns = [column for column in tables.columns_of(name) if column not in facts.NEIGHBOURS]
        staying = ", ".join(f'{self.merged(column)} AS "{column}"' for column in columns)
        arriving = ", ".join(f'{self.arriving(column)} AS "{column}"' for column in columns)
        kept = "".join(f", s.{column}" for column in facts.NEIGHBOURS) if name == "contacts" else ""
        none = "".join(f", CAST(NULL AS DOUBLE) AS {column}" for column in facts.NEIGHBOURS) if name == "contacts" else ""
        pieces = []
        if month in self.base.months:
            pieces.append(
                f"SELECT {staying}{kept} FROM ({tables.select_from_files(name, self.base.files(months=[month]))}) s "
                f"LEFT JOIN ({self._changes(f'f.old_month = {quoted}')}) i ON {self.match('i', 's')} "
                f"WHERE i.is_change IS NULL OR (NOT i.is_deleted AND i.new_month = {quoted})"
            )
        origins = self.connection.execute(f"SELECT DISTINCT old_month FROM fate WHERE status = 'changed' AND new_month = {quoted} AND old_month <> {quoted}").fetchall()
        if origins:
            files = self.base.files(months=[origin for (origin,) in origins])
            pieces.append(
                f"SELECT {staying}{kept} FROM ({tables.select_from_files(name, files)}) s "
                f"JOIN ({self._changes(f'f.new_month = {quoted} AND f.old_month <> {quoted}')}) i ON {self.match('i', 's')}"
            )
        if self.connection.execute(f"SELECT 1 FROM fate WHERE status = 'new' AND new_month = {quoted} LIMIT 1").fetchone():
            fresh = f"SELECT {', '.join(self.key)} FROM fate WHERE status = 'new' AND new_month = {quoted}"
            pieces.append(f"SELECT {arriving}{none} FROM incoming i SEMI JOIN ({fresh}) f ON {self.match('i', 'f')}")
        rows = " UNION ALL ".join(pieces)
        if not has_neighbours:
            return rows
        current = ", ".join(f"CASE WHEN n.month IS NOT NULL THEN n.{column} WHEN r.customer_key IS NOT NULL THEN r.{column} END AS {column}" for column in facts.NEIGHBOURS)
        return (
            f"SELECT r.* EXCLUDE ({', '.join(facts.NEIGHBOURS)}), {current} FROM ({rows}) r "
            f"LEFT JOIN (SELECT * FROM neighbours WHERE month = {quoted}) n ON {self.match('n', 'r')}"
        )

    def _changes(self, condition: str) -> str:
        """The incoming rows that change or delete a stored one, as far as the fate fulfils the condition."""
        carried = ", ".join(f'i."{name}"' for name in self.carried if name not in self.key)
        return (
            f"SELECT {self.listed('f')}{', ' + carried if carried else ''}, true AS is_change, f.status = 'deleted' AS is_deleted, f.new_month FROM fate f "
            f"LEFT JOIN incoming i ON {self.match('i', 'f')} WHERE f.status IN ('changed', 'deleted') AND {condition}"
        )

    def _find_neighbours(self) -> bool:
        """Make the table `neighbours` (key, month, the three) of the rows whose neighbours change; False when none can.

        Looks at every contact of the customers concerned, up to twice the reach around the changes: the outer half only as neighbours.
        """
        self._make_touched()
        first, last, customers = self.connection.execute("SELECT min(least_start), max(greatest_start), count(customer_key) FROM touched").fetchone()
        if not customers:
            return False
        near = self.base.files(*_months_around(first, last, 2 * facts.NEIGHBOUR_DAYS))
        inputs = [name for name in neighbours.INPUTS if name != "customer_key"]
        staying = ", ".join(f'{self.merged(name)} AS "{name}"' for name in ("customer_key", *inputs))
        arriving = ", ".join(f'{self.arriving(name)} AS "{name}"' for name in ("customer_key", *inputs))
        old = ", ".join(f"s.{name} AS old_{name}" for name in facts.NEIGHBOURS)
        none = ", ".join(f"CAST(NULL AS DOUBLE) AS old_{name}" for name in facts.NEIGHBOURS)
        self.connection.execute(f"""
            CREATE OR REPLACE TEMP VIEW events AS
            SELECT * FROM (
                SELECT {self.listed('s')}, CASE WHEN i.is_change THEN i.new_month ELSE s.month END AS month, {staying}, {old}
                FROM ({tables.select_from_files("contacts", near)}) s LEFT JOIN ({self._changes('true')}) i ON {self.match('i', 's')}
                WHERE i.is_change IS NULL OR NOT i.is_deleted
                UNION ALL
                SELECT {self.listed('i')}, f.new_month, {arriving}, {none} FROM incoming i JOIN (SELECT * FROM fate WHERE status = 'new') f ON {self.match('i', 'f')}
            ) SEMI JOIN (SELECT customer_key FROM touched) t USING (customer_key)
        """)
        changed = " OR ".join(f"{name} IS DISTINCT FROM old_{name}" for name in facts.NEIGHBOURS)
        reach = f"TIMESTAMP '{first}' - {neighbours.REACH} AND TIMESTAMP '{last}' + {neighbours.REACH}"
        self.connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE neighbours AS
            SELECT source_system, contact_id, month, {", ".join(facts.NEIGHBOURS)} FROM ({neighbours.select_neighbours("events")})
            WHERE started_at BETWEEN {reach} AND ({changed})
        """)
        return True

    def _make_touched(self) -> None:
        """Make the table `touched`: each customer with a contact that comes, goes, moves or ends differently, before or after the change."""
        after = {name: f'i."{name}"' if name in self.carried else f's."{name}"' for name in neighbours.INPUTS}
        differs = " OR ".join(f's."{name}" IS DISTINCT FROM {value}' for name, value in after.items() if name in self.carried) or "false"
        pieces = [
            f"SELECT {self.arriving('customer_key')} AS customer_key, {self.arriving('started_at')} AS started_at "
            f"FROM incoming i SEMI JOIN (SELECT * FROM fate WHERE status = 'new') f ON {self.match('i', 'f')}"
        ]
        if self.base.parts and (differs != "false" or self.connection.execute("SELECT 1 FROM fate WHERE status = 'deleted' LIMIT 1").fetchone()):
            stored = f"FROM stored s JOIN ({self._changes('true')}) i ON {self.match('i', 's')} WHERE (i.is_deleted OR {differs})"
            pieces += [f"SELECT s.customer_key, s.started_at {stored}", f"SELECT {after['customer_key']}, {after['started_at']} {stored} AND NOT i.is_deleted"]
        self.connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE touched AS
            SELECT customer_key, min(started_at) AS least_start, max(started_at) AS greatest_start FROM ({' UNION ALL '.join(pieces)})
            WHERE customer_key IS NOT NULL GROUP BY customer_key
        """)


def _months_around(first: datetime, last: datetime, days: int) -> tuple[str, str]:
    """The months that can hold what starts that near; a day more on either side, because months are those of the local clock."""
    margin = timedelta(days=days + 1)
    return f"{first - margin:%Y-%m}", f"{last + margin:%Y-%m}"


def commit_with_retries(name: str, attempt: Callable[[duckdb.DuckDBPyConnection, tables.Snapshot], Result]) -> Result:
    """Run the attempt on the table as it stands, holding the lock; again from the start when a writer without the lock got between."""
    with tables.writing(name):
        for _attempt in range(ATTEMPTS):
            with contextlib.suppress(CommitFailedError), tables.scratch() as connection:
                return attempt(connection, tables.snapshot(name))
    raise Refusal("lake_busy", N_("Another program keeps changing the lake. Stop it, then try again."))
