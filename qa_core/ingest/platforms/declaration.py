"""Declaration of platforms: what an export shows, the columns of its records, its fold."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa

from qa_core.files.signatures import Signature
from qa_core.ingest.platforms.fields import Item, Seconds, SkippedRecord, Value, Words, build_schema
from qa_core.ingest.staging.staged import SCHEMAS


@dataclass(frozen=True)
class LegChain:
    """References between legs: `id_column`, and `reference_columns` with ids of others.
    `from_contact`: column → SQL over `contacts` that rebuilds a lone first leg, beside
    the columns that contacts have too.
    """

    id_column: str
    reference_columns: tuple[str, ...]
    from_contact: Mapping[str, str] | None = None


@dataclass(frozen=True)
class WordColumn:
    """Column of words: its `name` in items, `title` in the export, `field` and `known` words."""

    name: str
    field: str
    known: Mapping[str, str | None]
    title: str


@dataclass(frozen=True)
class Platform:
    """One tool, and how its export becomes contacts.

    `fields`: the columns of its records, one per leg or event, identities already
    pseudonyms. `skip` finds the kind of an item that is no contact and no fault, else
    None. `build` adds the columns that it computes from an item and from those read; it
    may raise `RejectedRecord`. `of_answered`: columns that only an answered contact has.
    `read` streams the export as tables, by default of all its items. `within`: keys that
    may wrap an item.

    `fold` is asked for the SELECT over the view `records` that gives one row per
    contact: `line`, `started_at` in UTC, and the columns of `staged.SCHEMAS`; by
    default a record is a contact. `folded`: columns that only it gives, and what of the
    export they come from. Records beyond the rows that it gives count as folded
    (`leg`), unless it says otherwise with `tally.fold`. `group`: the column that all
    records of one contact share. Large files are then folded part by part; None where
    the records of a contact are found only by following them. `chain`: how its legs
    name each other, where they may come in different files; `fold` then leaves the
    table `roots`. `is_local`: the export writes the wall clock of its server, whose
    moments become UTC. `remarks`: decisions that every export needs, as (field, message,
    columns of the export); `finish` adds those that follow from the folded records.
    `shown`: columns that a rejected record keeps, `masked` among them.
    """

    name: str
    title: str
    signatures: tuple[Signature, ...]
    fields: Mapping[str, Value]
    build: Callable[[Any, dict[str, Any]], Mapping[str, Any]] | None = None
    skip: Callable[[Any], str | None] | None = None
    of_answered: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    read: Callable[..., Iterator[pa.Table]] | None = None
    fold: Callable[..., str] | None = None
    folded: Mapping[str, str] = field(default_factory=dict)
    kinds: tuple[str, ...] = ("contacts",)
    group: str | None = None
    chain: LegChain | None = None
    is_local: bool = False
    finish: Callable[..., None] | None = None
    remarks: tuple[tuple[str, str, str], ...] = ()
    shown: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=lambda: {"channel": "phone"})

    @cached_property
    def schema(self) -> pa.Schema:
        return build_schema(self.fields)

    @cached_property
    def mapping(self) -> dict[str, str]:
        """Field → what of the export it comes from, for the report."""
        shown = {name: source.shown for name, source in self.fields.items() if source.shown}
        shown |= self.folded
        return {name: shown[name] for name in (*SCHEMAS["contacts"], *shown) if name in shown}

    @cached_property
    def words(self) -> tuple[WordColumn, ...]:
        """The columns whose words are asked about where they are not known, outcomes first."""
        columns = (
            WordColumn(path, name, source.known, source.title or path)
            for name, source in sorted(self.fields.items(), reverse=True)
            if isinstance(source, Words)
            for path in source.paths
        )
        return tuple(columns)

    @cached_property
    def durations(self) -> tuple[str, ...]:
        """The columns of the export whose values are seconds."""
        sources = (source for source in self.fields.values() if isinstance(source, Seconds))
        return tuple(path for source in sources for path in source.paths)

    def build_record(self, line: int, item: Item) -> dict[str, Any]:
        """Build the record of an item; raises RejectedRecord, SkippedRecord."""
        if self.skip is not None and (kind := self.skip(item)) is not None:
            raise SkippedRecord(kind)
        record = {"line": line} | {name: column.read(item) for name, column in self._read_columns}
        if self.build is not None:
            record |= self.build(item, record)
        is_whole = not self.of_answered or record["outcome"] == "answered"
        return record if is_whole else record | dict.fromkeys(self.of_answered)

    @cached_property
    def _read_columns(self) -> list[tuple[str, Value]]:
        return [(name, column) for name, column in self.fields.items() if column.paths]
