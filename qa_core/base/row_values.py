"""Values built from rows that hold most of their fields under the same names."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

Value = TypeVar("Value")


def read_fields(row: Any, names: Iterable[str]) -> dict[str, Any]:
    """Read these attributes of a row or value, by name."""
    return {name: getattr(row, name) for name in names}


def write_fields(row: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)


def build_from_row(kind: type[Value], row: Any, **others: Any) -> Value:
    """Build a dataclass from the attributes of a row with the names of its fields; those
    in `others` are not read from the row.
    """
    names = (field.name for field in fields(kind) if field.name not in others)
    return kind(**read_fields(row, names), **others)
