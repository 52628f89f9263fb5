"""Columns of a platform's records, and what of the export each comes from, said once.

The value comes from the first filled one of `paths`: keys of an object (`user.name`), or
columns of a table. `shown`: what the report names as the source. A column has the
type that contacts give it, or its class where contacts have no such column.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

import pyarrow as pa

from qa_core.files.json_documents import look_up
from qa_core.ingest.columns import scalars
from qa_core.ingest.staging.staged import SCHEMAS
from qa_core.storage.facts.schema import Direction, Outcome

MOMENT = pa.timestamp("us")
T = TypeVar("T")
Item = Mapping[str, Any]
"""Object or row of an export, by key or column."""


class Cells(dict[str, str]):
    """Cells of a row by column; a column that is not there reads as empty."""

    def __missing__(self, column: str) -> str:
        return ""


class RejectedRecord(Exception):
    """Signal that an item of the export makes no record, for the reason code that it names."""


class SkippedRecord(Exception):
    """Signal that an item of the export is no contact and no fault; it names the kind."""


def require(value: T | None, reason: str) -> T:
    """Return a value; raises RejectedRecord where it is missing."""
    if value is None or value == "":
        raise RejectedRecord(reason)
    return value


def _as_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value if value.strip() else None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(value) if is_number else None


class Value:
    """Column of texts, or of numbers as text. `missing`, `bad`: the reason that rejects a
    record without a value, or with one that `parse` cannot read.
    """

    type: pa.DataType = pa.string()
    parse: Callable[[Any], Any] = staticmethod(_as_text)

    def __init__(
        self,
        *paths: str,
        shown: str = "",
        missing: str = "",
        bad: str = "",
        parse: Callable[[Any], Any] | None = None,
    ) -> None:
        self.paths, self.shown = paths, shown or ", ".join(paths)
        self._steps = [(path, "." in path) for path in paths]
        self.missing, self.bad = missing, bad or missing
        self.parse = parse or self.parse

    def read(self, item: Item) -> Any:
        """Read the value of an item; raises RejectedRecord."""
        cell = None
        for path, is_nested in self._steps:
            cell = look_up(item, path) if is_nested else item.get(path)
            if isinstance(cell, str):
                if cell and not cell.isspace():
                    break
            elif cell or isinstance(cell, (int, float)):
                break
        else:
            cell = require(None, self.missing) if self.missing else None
        value = self.parse(cell)
        return require(value, self.bad) if self.bad else value


class Computed(Value):
    """Column that `build` computes. `type`: where contacts have no such column."""

    def __init__(self, shown: str = "", type: pa.DataType = pa.string()) -> None:
        super().__init__(shown=shown)
        self.type = type


class Moment(Value):
    type = MOMENT
    parse = staticmethod(scalars.from_stamp)


class Seconds(Value):
    """Column of durations in seconds; a value that is none is asked about."""

    type = pa.float64()
    parse = staticmethod(scalars.read_seconds)


class Flag(Value):
    """Column that is true where the export has a value."""

    type = pa.bool_()
    parse = bool


class Words(Value):
    """Column of words: `known` ones with meanings (None: nothing yet); others are asked
    about. `title`: the header in the export, where rows are read by other names.
    """

    meanings: ClassVar[type[StrEnum]]

    def __init__(
        self,
        *paths: str,
        known: Mapping[str, str | None] = scalars.DIRECTIONS,
        title: str = "",
        shown: str = "",
    ) -> None:
        super().__init__(*paths, shown=shown)
        self.known, self.title = known, title

    def parse(self, value: Any) -> str | None:
        return scalars.find_meaning(value, self.known, self.meanings)


class OutcomeWords(Words):
    meanings = Outcome


class DirectionWords(Words):
    meanings = Direction


def build_schema(fields: Mapping[str, Value]) -> pa.Schema:
    """Build the schema of records: `line`, and the columns; a customer is a pseudonym."""
    contacts = SCHEMAS["contacts"]
    types = {
        "customer_key" if name == "customer" else name: contacts.get(name, source.type)
        for name, source in fields.items()
    }
    return pa.schema([("line", pa.int64()), *types.items()])
