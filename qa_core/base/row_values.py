"""Values built from rows that hold most of their fields under the same names."""

from dataclasses import fields
from typing import Any, TypeVar

Value = TypeVar("Value")


def build_from_row(kind: type[Value], row: Any, **others: Any) -> Value:
    """Build a dataclass from the attributes of a row with the names of its fields; those
    in `others` are not read from the row.
    """
    names = [field.name for field in fields(kind) if field.name not in others]
    return kind(**{name: getattr(row, name) for name in names}, **others)
