"""Erased people in files that bring their earlier contacts again."""

import functools
import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from qa_core.storage import replay_list
from qa_core.storage.facts.personal_data import ColumnContent, find_columns
from qa_core.storage.facts.schema import CONTACT_KEY, CONTACTS
from qa_core.storage.lake import tables
from qa_core.storage.replay_list import ADVISOR_NAME, CONTACT, CUSTOMER

TICKET = "ticket"
BUCKET = 4
"""Digits of a plain digest before the keyed one. Only rows with the same digits are compared."""
SEPARATOR = chr(31)


@dataclass(frozen=True)
class ErasedPeople:
    """Erased people as the replay list knows them: kind and digest → moment of the erasure."""

    moments: Mapping[tuple[str, str], datetime] = field(default_factory=dict)

    @staticmethod
    def load() -> "ErasedPeople":
        known = replay_list.find()
        entries = [e for e in (known.entries if known else ()) if e.kind in replay_list.OF_IMPORTS]
        return ErasedPeople({(entry.kind, entry.key): entry.at for entry in entries})

    def __bool__(self) -> bool:
        return bool(self.moments)

    def find(self, kind: str, value: str | None) -> datetime | None:
        """Find when that customer, contact or name was erased; None: it was not."""
        if not self or value is None:
            return None
        prefix = _find_bucket(value) if kind == CONTACT else ""
        digests = (prefix + digest for digest in replay_list.find_digests(kind, value))
        return next((at for key in digests if (at := self.moments.get((kind, key)))), None)

    def is_gone(self, kind: str, value: str | None, moment: datetime | None) -> bool:
        """Return whether it was erased after that moment (in UTC; None: at any time)."""
        at = self.find(kind, value)
        return at is not None and (moment is None or moment.replace(tzinfo=UTC) < at)

    def names_contact(
        self, system: str | None, contact_id: str | None, ticket: str | None = None
    ) -> bool:
        """Return whether a row is about a contact of an erased customer."""
        keys = [contact_id and _join(system, contact_id), ticket and _join(system, TICKET, ticket)]
        return any(self.find(CONTACT, key) for key in keys)

    @functools.cached_property
    def buckets(self) -> Collection[str]:
        return {key[:BUCKET] for kind, key in self.moments if kind == CONTACT}


def remember(
    contacts: Iterable[tuple[str, str | None]], tickets: Iterable[tuple[str, str | None]] = ()
) -> None:
    """Remember these (id, system) as of an erased customer, under the lock of imports."""
    values = [_join(system, contact_id) for contact_id, system in contacts]
    values += [_join(system, TICKET, ticket) for ticket, system in tickets]
    if values:
        keys = (_find_bucket(value) + replay_list.digest(CONTACT, value) for value in values)
        replay_list.add(CONTACT, *keys)


def remember_names(names: Iterable[str]) -> None:
    """Remember these spellings as of an erased advisor, likewise."""
    replay_list.add(ADVISOR_NAME, *(replay_list.digest(ADVISOR_NAME, name) for name in names))


def forget(rows: Path | pa.Table, is_import: bool = False) -> Path | pa.Table:
    """Cut in rows of contacts what names an erased customer, and what was written by them or of
    them, where they started before the erasure: they count, without their customer. A file is
    changed where it lies. `is_import`: contacts are found by their customer too, and remembered.
    """
    erased = ErasedPeople.load()
    names = (rows.schema if isinstance(rows, pa.Table) else pq.read_schema(rows)).names
    kinds = (ColumnContent.IDENTIFIER, ColumnContent.TEXT)
    theirs = [n for kind in kinds for n in find_columns(CONTACTS, kind, CUSTOMER) if n in names]
    if not erased or not theirs:
        return rows
    with tables.scratch(0) as connection:
        if isinstance(rows, pa.Table):
            connection.register("given", rows)
        source = "given" if isinstance(rows, pa.Table) else f"read_parquet({_quote(rows)})"
        started = "started_at" if "started_at" in names else "NULL"
        before = max(erased.moments.values()).astimezone(UTC).replace(tzinfo=None)
        is_before = f"coalesce({started} < TIMESTAMP '{before}', true)"
        bucket = f"sha256(concat_ws(chr({ord(SEPARATOR)}), {', '.join(CONTACT_KEY)}))"
        buckets = ", ".join(map(tables.quote, sorted(erased.buckets))) or "NULL"
        is_candidate = f"{bucket}[:{BUCKET}] IN ({buckets})"
        keys = f"SELECT DISTINCT customer_key FROM {source} WHERE {is_before}"
        is_named = is_import and "customer_key" in names
        rest = connection.execute(keys).fetchall() if is_named else ()
        customers = [key for (key,) in rest if erased.find(CUSTOMER, key)]
        if customers:
            listed = ", ".join(map(tables.quote, sorted(customers)))
            is_candidate = f"({is_candidate} OR customer_key IN ({listed}))"
        customer = "customer_key" if customers else "NULL"
        found = connection.execute(
            f"SELECT {', '.join(CONTACT_KEY)}, {started}, {customer} FROM {source} WHERE "
            f"{is_before} AND {is_candidate}"
        ).fetchall()
        of_customers = [row for row in found if erased.is_gone(CUSTOMER, row[3], row[2])]
        gone = {row[:2] for row in of_customers}
        gone |= {row[:2] for row in found if erased.is_gone(CONTACT, _join(*row[:2]), row[2])}
        if is_import:
            remember((contact_id, system) for system, contact_id, *_rest in of_customers)
        if not gone:
            return rows
        keys = [pa.array(list(column), pa.string()) for column in zip(*gone, strict=True)]
        connection.register("gone", pa.table(keys, names=list(CONTACT_KEY)))
        is_gone = f"({', '.join(CONTACT_KEY)}) IN (SELECT {', '.join(CONTACT_KEY)} FROM gone)"
        cleared = (f"CASE WHEN {is_gone} THEN NULL ELSE {n} END AS {n}" for n in theirs)
        fresh = f"SELECT * REPLACE ({', '.join(cleared)}) FROM {source}"
        if isinstance(rows, pa.Table):
            return connection.sql(fresh).to_arrow_table()
        draft = rows.with_suffix(".draft")
        connection.execute(f"COPY ({fresh}) TO {_quote(draft)} (FORMAT parquet)")
        draft.replace(rows)
    return rows


def _join(*parts: str | None) -> str:
    return SEPARATOR.join(part or "" for part in parts)


def _find_bucket(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:BUCKET]


def _quote(path: Path) -> str:
    return tables.quote(str(path))
