"""Declarations of profiles and platforms, which the registry finds and the readers use.
A profile's `decide_columns` and `finish` take a `FileContext`, its `build` that and a
`RowBatch` (`columns.column_inference`); a platform's `read` and `finish` take an
`ExportReader`, its `fold` a `FoldSession` (`platforms.reader`).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pyarrow as pa

from qa_core.base.errors import Refusal
from qa_core.files.decision import Decision
from qa_core.files.sample import Sample
from qa_core.ingest.words import tables


class ValueType(StrEnum):
    TEXT = "text"
    LABEL = "label"  # a text whose different values are looked at
    MOMENT = "moment"
    DURATION = "duration"
    NUMBER = "number"
    WHOLE = "whole"
    MARK = "mark"
    BOOLEAN = "boolean"
    FLAG = "flag"  # whether a contact ended one way, such as missed or not
    OUTCOME = "outcome"
    DIRECTION = "direction"
    CHANNEL = "channel"
    CUSTOMER = "customer"
    PARTY = "party"
    CRITERION = "criterion"


@dataclass(frozen=True)
class Field:
    """Field that a file may carry. `synonyms`: headers that name it, the best first,
    separated by `|`; its name is one too. `other_synonyms`: those in the languages that
    come last. `kind`: the kind of file that has these headers. `low`, `high`: limits of
    a number. `of_many`: seconds of many contacts, so that great numbers are no sign of
    milliseconds.
    """

    name: str
    value_type: ValueType
    synonyms: str = ""
    other_synonyms: str = ""
    kind: str = ""
    low: float | None = None
    high: float | None = None
    of_many: bool = False

    @property
    def is_identity(self) -> bool:
        return self.value_type in (ValueType.CUSTOMER, ValueType.PARTY)


def build_fields(
    kind: str, *groups: tuple[Any, ...], of_many: Collection[str] = ()
) -> tuple[Field, ...]:
    """Build the fields of a kind of file from groups (names separated by spaces, type
    and, for numbers, limits); the tables of `words` have their headers.
    """
    return tuple(
        Field(
            name,
            value_type,
            "|".join(tables.rank_headers(kind, name)),
            "|".join(tables.find_other_headers(kind, name)),
            kind,
            *limits,
            of_many=name in of_many,
        )
        for names, value_type, *limits in groups
        for name in names.split()
    )


@dataclass(frozen=True)
class Header:
    """Header of a column: its text, words, unit, scale, maximum and currency."""

    text: str
    words: str
    unit: str | None
    scale: str | None
    out_of: float | None
    currency: str | None = None


@dataclass(frozen=True)
class Column:
    field: Field
    index: int
    header: Header


@dataclass
class ColumnEvidence:
    """Evidence about one column of a file, and the field that it is read as."""

    field: str
    column: str
    example: str = field(default="", kw_only=True)

    def add(self, values: pa.Array) -> None:
        values = values.drop_null()
        if len(values):
            self._add(values)

    def _add(self, values: pa.Array) -> None:
        """Look at the cells of a batch that are not empty, of which there are some."""
        raise NotImplementedError

    def decide(
        self, decisions: list[Decision], decision: str, evidence: str, **places: Any
    ) -> None:
        """Add a decision about the column, whose name is the place `{column}`."""
        decisions.append(Decision.of(self.field, decision, evidence, column=self.column, **places))

    def refuse(
        self, code: str, message: str, options: tuple[str, ...] = (), **places: Any
    ) -> Refusal:
        """Build a refusal of the column, with the places `{column}`, `{field}`, `{example}`."""
        known = {"column": self.column, "field": self.field, "example": self.example}
        return Refusal(code, message, options, **known | places)


@dataclass(frozen=True)
class Profile:
    """One form that files take.

    `needs`: groups of fields of which each file has at least one. `claim` may take
    columns that no field names. `decide_columns` is called once, when the whole file
    has been seen: it decides what the columns are used for. `build` turns one batch of
    rows into the columns of `staged.SCHEMAS[kind]`. `finish` is called after the last one.
    `required`: fields whose bad values reject their row; in all others a bad value is
    missing, and counted. None: all fields are required.
    `signature`: headers (simplified) which together belong to one product only, so that
    the profile recognises itself. `date_order`: the order in which the tool writes
    numeric dates (`dmy`, `mdy` or `ymd`), used where the values of a file leave it
    open.
    """

    name: str
    kind: str
    fields: tuple[Field, ...]
    needs: tuple[tuple[str, ...], ...]
    decide_columns: Callable[..., None]
    build: Callable[..., Mapping[str, pa.Array]]
    finish: Callable[..., None] | None = None
    claim: Callable[[tuple[str, ...], dict[str, Column]], None] | None = None
    signature: tuple[str, ...] = ()
    date_order: str | None = None
    required: tuple[str, ...] | None = None

    def get_field(self, name: str) -> Field | None:
        return next((item for item in self.fields if item.name == name), None)


@dataclass(frozen=True)
class LegChain:
    """References between legs: `id_column`, and `reference_columns` with ids of others.
    `from_contact`: column → SQL over `contacts` that rebuilds a lone first leg.
    """

    id_column: str
    reference_columns: tuple[str, ...]
    from_contact: Mapping[str, str] | None = None


@dataclass(frozen=True)
class WordColumn:
    """Words of outcome or direction: a column's `name` in records, its `header` in the
    export if it differs, and `known` words with meanings (None: nothing yet).
    """

    name: str
    field: str
    known: Mapping[str, str | None]
    header: str = ""

    @property
    def title(self) -> str:
        return self.header or self.name


@dataclass(frozen=True)
class Platform:
    """One tool, and how its export becomes contacts.

    `recognise` looks at the beginning of a file and must be sure: a plain table belongs
    to the generic profile. `read` streams the export as tables of `schema`: one record
    per leg or event, `line` first, identities already pseudonyms
    (`ExportReader.tables` does it, and counts what raises `SkippedRecord` or
    `RejectedRecord` in place of a record). `fold` is asked for the
    SELECT over the view `records` that gives one row per contact: `line`, `started_at`
    in UTC, and the columns of `staged.SCHEMAS`. Records beyond the rows it gives count
    as folded (`leg`), unless it says otherwise with `tally.fold`. `group`: the column
    that all records of one contact share. Large files are then folded part by part;
    None where the records of a contact are found only by following them. `chain`: how
    its legs name each other, where they may come in different files; `fold` then leaves
    the table `roots`. `is_local`: the export writes the wall clock of its server;
    `ExportReader.tables` turns its moments into UTC. `finish` says what can be said
    only when everything is folded. `mapping`: field → what of the export it comes from,
    for the report. `words`: the columns whose words are asked about where they are not
    known. `durations`: the columns whose values are seconds. `shown`: what a rejected
    record shows of itself, `masked` among it.
    """

    name: str
    title: str
    recognise: Callable[[Sample], bool]
    schema: pa.Schema
    read: Callable[..., Iterator[pa.Table]]
    fold: Callable[..., str]
    mapping: Mapping[str, str]
    kinds: tuple[str, ...] = ("contacts",)
    group: str | None = None
    chain: LegChain | None = None
    is_local: bool = False
    finish: Callable[..., None] | None = None
    words: tuple[WordColumn, ...] = ()
    durations: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=lambda: {"channel": "phone"})
