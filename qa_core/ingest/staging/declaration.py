"""Declaration of profiles, which the registry finds and the readers use. `decide_columns`
and `finish` take a `FileContext`, `build` that and a `RowBatch`
(`columns.column_inference`). Platforms are declared in `platforms.declaration`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pyarrow as pa

from qa_core.base import declared
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.files.decision import Decision
from qa_core.files.signatures import Headers
from qa_core.ingest.words import tables

DURATION_IS_TALK = N_("the duration of answered contacts is taken as talk time")
BY_EXTERNAL_PARTY = N_(
    "inbound if the caller is external, outbound if only the other side is, internal if neither is"
)
"""Decisions about the exports of several tools."""


_DECLARED: dict[str, list[dict[str, Any]]] = declared.read(__file__)


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
    HANDLER = "handler"
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

    @property
    def is_label(self) -> bool:
        """Return whether it names or describes; figures rest on ids, times and numbers."""
        is_text = self.value_type in (ValueType.TEXT, ValueType.CHANNEL)
        return is_text and self.name not in ("contact_id", "ticket")


def build_fields(kind: str) -> tuple[Field, ...]:
    """Build the declared fields of a kind of file; the tables of `words` have their headers."""
    fields = []
    for group in _DECLARED[kind]:
        own_kind = group.get("kind", kind)
        for name in group["names"].split():
            field = Field(
                name,
                ValueType(group["type"]),
                "|".join(tables.rank_headers(own_kind, name)),
                "|".join(tables.find_other_headers(own_kind, name)),
                own_kind,
                group.get("low"),
                group.get("high"),
                group.get("of_many", False),
            )
            fields.append(field)
    return tuple(fields)


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
        """Look at the filled cells of a batch; there is at least one."""
        raise NotImplementedError

    def decide(
        self, decisions: list[Decision], decision: str, seen: object = "", **places: Any
    ) -> None:
        """Add a decision about the column, whose name is the place `{column}`."""
        decisions.append(Decision.of(self.field, decision, seen, column=self.column, **places))

    def refuse(
        self, code: str, message: str, options: tuple[str, ...] = (), **places: Any
    ) -> Refusal:
        """Build a refusal of the column, with the places `{column}`, `{field}`, `{example}`."""
        known = {"column": self.column, "field": self.field, "example": self.example}
        return Refusal(code, message, options, **known | places)

    def refuse_unreadable(self, code: str, example: str, *options: str) -> Refusal:
        """Build the refusal of a column most of whose values are of another type."""
        return self.refuse(
            code,
            "The column {column} was read as {field}, but values such as {example} do not fit. "
            "Name the right column.",
            options=(f"--map {self.field}=COLUMN", *options),
            example=example,
        )


@dataclass(frozen=True)
class Profile:
    """One form that files take.

    `needs`: groups of fields; each file has at least one field of each. `claim` may take
    columns that no field names. `decide_columns` is called once, when the whole file
    has been seen: it decides what the columns are used for. `build` turns one batch of
    rows into the columns of `staged.SCHEMAS[kind]`. `finish` is called after the last one.
    `required`: fields whose bad values reject their row; in all others a bad value is
    missing, and counted. None: all fields are required.
    `signatures`: headers which together belong to one product only. `date_order`: the
    order in which the tool writes numeric dates (`dmy`, `mdy` or `ymd`), used where the
    values of a file leave it open.
    """

    name: str
    kind: str
    fields: tuple[Field, ...]
    needs: tuple[tuple[str, ...], ...]
    decide_columns: Callable[..., None]
    build: Callable[..., Mapping[str, pa.Array]]
    finish: Callable[..., None] | None = None
    claim: Callable[[tuple[str, ...], dict[str, Column]], None] | None = None
    signatures: tuple[Headers, ...] = ()
    date_order: str | None = None
    required: tuple[str, ...] | None = None

    def get_field(self, name: str) -> Field | None:
        return next((item for item in self.fields if item.name == name), None)
