"""Map of personal data: every stored table, column and folder with what it holds."""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from qa_core.storage.facts import schema
from qa_core.storage.facts.personal_data import (
    ACCOUNT,
    ADVISOR,
    CODE,
    CUSTOMER,
    NOBODY,
    PERSONS,
    ColumnContent,
    Datum,
    Stored,
)
from qa_core.storage.records.base import Base

Predicate = sa.ColumnElement[bool]


@dataclass(frozen=True)
class StoredTable:
    """Table of the records or of the lake with what each of its columns holds."""

    table: sa.Table
    stored: Stored
    columns: Mapping[str, Datum]
    model: type[Any] | None = None

    @property
    def name(self) -> str:
        return self.table.name

    @property
    def persons(self) -> frozenset[str]:
        """The kinds of persons that any of its columns is about."""
        return frozenset(person for datum in self.columns.values() for person in datum.whose)

    def find_whole(self) -> "StoredTable | None":
        """Find the table whose rows these belong to."""
        if self.stored.part_of is None:
            return None
        [key] = self.table.c[self.stored.part_of].foreign_keys
        return find_records()[key.column.table.name]

    def find_parts(self, find: "Callable[[StoredTable], Predicate | None]") -> "Predicate | None":
        """Build the predicate of the rows that are parts of those that `find` is about."""
        whole = self.find_whole()
        is_found = None if whole is None else find(whole)
        if is_found is None:
            return None
        part_of = self.table.c[self.stored.part_of]
        [key] = part_of.foreign_keys
        return part_of.in_(sa.select(key.column).where(is_found))

    def find(self, what: ColumnContent, *whose: str) -> Iterator[tuple[sa.Column[Any], Datum]]:
        """Find the columns of that content, about one of these persons if any are given."""
        for name, datum in self.columns.items():
            if datum.what == what and (not whose or set(whose) & set(datum.whose)):
                yield self.table.c[name], datum

    def find_identifiers(self, kind: str) -> Iterator[tuple[sa.Column[Any], Datum]]:
        """Find the columns that name a person of that kind, one to a row."""
        for column, datum in self.find(ColumnContent.IDENTIFIER, kind):
            if not isinstance(column.type, sa.JSON):
                yield column, datum


def _assemble(table: sa.Table, stored: Stored, model: type[Any] | None = None) -> StoredTable:
    columns = {}
    for column in table.columns:
        datum = column.info.get("datum")
        if datum is None and isinstance(column.type, sa.Text | sa.JSON):
            raise TypeError(f"{table.name}.{column.name} does not say what it holds")
        datum = datum or CODE
        is_default = datum.what == ColumnContent.FACT and not datum.whose
        columns[column.name] = replace(datum, whose=stored.whose) if is_default else datum
    return StoredTable(table, stored, columns, model)


@functools.cache
def find_records() -> dict[str, StoredTable]:
    """Return the tables of the records by name, each before those that it refers to. Raises
    TypeError for an undeclared column.
    """
    models = {mapper.local_table: mapper.class_ for mapper in Base.registry.mappers}
    return {
        table.name: _assemble(table, models[table].__data__, models[table])
        for table in reversed(Base.metadata.sorted_tables)
    }


LAKE = {
    table.name: _assemble(table, table.info["stored"])
    for table in (schema.CONTACTS, schema.SPEND, schema.INTERVALS)
}

DELIVERED = "delivered files"
"""Files that a watched folder has taken or refused, outside of QA_HOME."""
FILES: Mapping[str, Stored] = {
    "records.sqlite": Stored(PERSONS, because="the records: see their tables", is_backed_up=True),
    "lake": Stored(PERSONS, because="the lake: see its tables", is_backed_up=True),
    "lake/undo": Stored(PERSONS, "before_images", because="contacts before an import"),
    "lake/sums": Stored((ADVISOR,), because="deleted with the contacts that they sum up"),
    "recordings": Stored((CUSTOMER, ADVISOR), "recordings", is_backed_up=True),
    "quarantine": Stored(PERSONS, "quarantine", is_backed_up=True),
    "watching": Stored((CUSTOMER, ADVISOR), "temporary_files", is_backed_up=True),
    "tmp": Stored(PERSONS, "temporary_files"),
    "pulling": Stored(PERSONS, "temporary_files"),
    "restoring": Stored(PERSONS, because="removed once a restore is done"),
    "errors.log": Stored(because="tracebacks without values, a few megabytes at most"),
    "secrets": Stored(because="keys, keyed digests of who and what was erased or closed"),
    "identity.toml": NOBODY,
    "engine_checks.json": NOBODY,
    "drill_clock": Stored(is_backed_up=True),
    ".imports.lock": NOBODY,
    ".demo.lock": NOBODY,
    "backups": Stored(PERSONS, because="outside QA_HOME; erased again when one is restored"),
    DELIVERED: Stored(PERSONS, "delivered_files"),
    "published": Stored((ACCOUNT,), because="sums of groups; see edition and edition_table"),
}
"""Files and folders of QA_HOME, and what lies outside of it."""
